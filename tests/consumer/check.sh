#!/usr/bin/env bash
# The library as somebody gets it: installed into an empty prefix, then used from outside of the
# tree, through CMake and through pkg-config, shared and static, from C++ and from C. What is used
# are the examples of README.md.
#
#   check.sh BUILD_DIRECTORY
set -euo pipefail
build=$1
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/shmreg.consumer.XXXXXX")
segment=test.consumer.$$
trap 'rm -rf "$work" "/dev/shm/shmreg.$segment"' EXIT
die() {
  echo "FAILED: $*"
  exit 1
}

cmake --install "$build" --prefix "$work/installed" >"$work/install.log"
prefix=$work/installed
library=$(find "$prefix" -name 'libshmreg.so' -printf '%h\n')
for file in bin/regctl include/shmreg.h include/shmreg/registry.hpp share/man/man1/regctl.1 \
  share/man/man3/shmreg.3 share/man/man7/shmreg.7 share/bash-completion/completions/regctl \
  share/zsh/site-functions/_regctl; do
  [ -s "$prefix/$file" ] || die "$file is not installed"
done

# --- what the shared library shows ----------------------------------------------------------------
soname=$(readelf -d "$library/libshmreg.so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[ "$soname" = libshmreg.so.0 ] || die "its SONAME is '$soname'"
readelf -d "$library/libshmreg.so" | grep -q NODELETE || die "it can be unloaded under its thread"
nm -D --defined-only "$library/libshmreg.so" | sed 's/@.*//' | awk '{print $3}' | c++filt >"$work/shown"
# Of C++ by their first word: what takes a core::Attachment is a private member of a class.
others=$(grep -vE '^(SHMREG_0$|shmreg_|shmreg::|(typeinfo|typeinfo name|vtable) for shmreg::Error$)' "$work/shown" || true)
[ -z "$others" ] || die "it shows what is nobody's: $others"
inner=$(grep -E '^(typeinfo for )?shmreg::(core|sys|layout|c)::' "$work/shown" || true)
[ -z "$inner" ] || die "it shows its insides: $inner"
# And every function of shmreg.h.
sed 's/^#.*//' "$prefix/include/shmreg.h" | tr '\n' ' ' | grep -oE 'SHMREG_API [^;(]*\(' |
  grep -oE 'shmreg_[a-z_]+\($' | tr -d '(' | sort >"$work/declared"
[ "$(wc -l <"$work/declared")" -gt 40 ] || die "shmreg.h was not read"
missing=$(grep -vxFf "$work/shown" "$work/declared" || true)
[ -z "$missing" ] || die "declared and not there: $missing"

# --- a project with find_package --------------------------------------------------------------------
mkdir "$work/project"
cp "$source"/tests/consumer/CMakeLists.txt "$source"/tests/examples/hello.{c,cpp} "$work/project"
cmake -G Ninja -S "$work/project" -B "$work/built" -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log" ||
  die "find_package: $(cat "$work/cmake.log")"
cmake --build "$work/built" >"$work/build.log" || die "$(cat "$work/build.log")"

# --- a line with pkg-config ---------------------------------------------------------------------------
export PKG_CONFIG_PATH=$library/pkgconfig
read -ra cflags <<<"$(pkg-config --cflags shmreg)"
read -ra libs <<<"$(pkg-config --libs shmreg)"
read -ra static_libs <<<"$(pkg-config --libs --static shmreg)"
strict=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
cd "$work/project"
c++ -std=c++20 "${strict[@]}" hello.cpp "${cflags[@]}" "${libs[@]}" -o "$work/built/line_cpp"
cc -std=c11 "${strict[@]}" hello.c "${cflags[@]}" "${libs[@]}" -o "$work/built/line_c"
cc -std=c11 hello.c "${cflags[@]}" "${static_libs[@]/#-lshmreg/-l:libshmreg.a}" -o "$work/built/line_static_c"
export LD_LIBRARY_PATH=$library

# --- they find each other: each holds the name until its input ends ---------------------------------
regctl() { "$prefix/bin/regctl" -s "$segment" "$@"; }
regctl create --max-size 16M
programs=(shared_cpp static_cpp shared_c line_cpp line_c line_static_c)
for program in "${programs[@]}"; do
  mkfifo "$work/$program.in"
  "$work/built/$program" "$segment" <"$work/$program.in" >"$work/$program.out" 2>&1 &
  pid=$!
  exec 9>"$work/$program.in"
  regctl -q wait production/config_server --timeout 60s || die "$program: $(cat "$work/$program.out")"
  regctl lookup production/config_server --json | grep -q "\"pid\":$pid," || die "$program is not found"
  # A second one is told who holds the name.
  if [ "$program" = line_c ]; then
    out=$("$work/built/shared_c" "$segment" 2>&1 </dev/null) && die "registered twice"
    case $out in *"$pid"*line_c*) ;; *) die "a conflict names nobody: $out" ;; esac
  fi
  exec 9>&-
  wait "$pid" || die "$program ended with $?"
  [ "$(cat "$work/$program.out")" = tcp://127.0.0.1:4000 ] || die "$program: $(cat "$work/$program.out")"
  if regctl -q lookup production/config_server; then die "$program has ended and is found"; fi
done
echo "consumer: ok: ${programs[*]}"
