#!/usr/bin/env bash
# shmreg(7) says of the layout, the limits and the messages what the code says.
#
# How the page marks what is compared stands at its head. Each comparison is first proven on a page
# with a planted fault.
set -u

top=${SHMREG_SOURCE_DIR:-$(dirname "$0")/../..}
manual=$top/man/shmreg.7
scratch=$(mktemp -d "${TMPDIR:-/tmp}/shmreg.man7.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# All string literals of the sources, those that are split joined again.
find "$top/lib" "$top/tools" -name '*.[ch]pp' -exec cat {} + | tr '\n' ' ' |
  sed -E 's/"[[:space:]]*"//g' >"$scratch/sources"

# The number that a constant of the code has, or an expression of such constants.
value_of() { # EXPRESSION
  local expression=$1 name value
  while [[ $expression =~ k[A-Z][A-Za-z0-9]+ ]]; do
    name=${BASH_REMATCH[0]}
    value=$(grep -rhoE "constexpr [^=;]*\b$name( = |\{)[^;]*;" "$top/lib" | head -n 1 |
      sed -E "s/.*\b$name( = |\{)//; s/\}?;\$//; s/std::uint64_t\{([0-9]+)\}/\1/g; s/([0-9])'([0-9])/\1\2/g")
    [ -n "$value" ] || return 1
    expression=${expression/"$name"/($value)}
  done
  echo $((expression))
}

subsection_of() { # STRUCTURE
  case $1 in
    Header | Identity) echo Header ;;
    ProcessEntry) echo "Process entry" ;;
    RecordHeader) echo Record ;;
    HealthCell) echo "Health cell" ;;
    Change) echo "Change log" ;;
    *) echo "$1" ;;
  esac
}

in_subsection() { # PAGE NAME
  awk -v name="$2" '/^\.S[sh] / { here = ($0 == ".Ss " name) } here' "$1"
}

# Every offset that the layout's headers assert.
check_offsets() { # PAGE
  local structure field offset rows=0
  while read -r structure field offset; do
    rows=$((rows + 1))
    [[ $offset =~ ^[0-9]+$ ]] || offset=$(value_of "$offset")
    in_subsection "$1" "$(subsection_of "$structure")" |
      grep -qE "^\.It $offset Ta [0-9]+ Ta $field\b" ||
      echo "no row for $structure::$field at $offset"
  done < <(cat "$top"/lib/layout/*.hpp |
    grep -oE 'offsetof\([A-Za-z]+, [a-z_0-9]+\) == [A-Za-z0-9]+' |
    sed -E 's/offsetof\(([A-Za-z]+), ([a-z_0-9]+)\) == (.*)/\1 \2 \3/')
  [ "$rows" -ge 15 ] || echo "only $rows offsets found in the headers"
}

# The rows of a byte map leave no gap and do not overlap (the header has its last words on lines of
# their own).
check_rows() { # PAGE
  local name
  for name in "Process entry" "Owner list" Partition "Change log" Record "Health cell"; do
    in_subsection "$1" "$name" | awk -v name="$name" '
      /^\.It [0-9]+ Ta/ {
        if ($2 != next_offset) print name ": a row at " $2 ", after bytes up to " next_offset
        next_offset = $2 + $4
        rows++
      }
      END { if (rows < 4) print name ": no byte map" }'
  done
}

# Every size that the headers assert, where the page names the structure's size.
check_sizes() { # PAGE
  local structure row size
  while read -r structure row; do
    size=$(cat "$top"/lib/layout/*.hpp | grep -oE "sizeof\($structure\) == [A-Za-z0-9]+" | head -n 1 |
      sed 's/.* == //')
    [[ $size =~ ^[0-9]+$ ]] || size=$(value_of "$size")
    grep -qE "^\.It [0-9]+ Ta 4 Ta ${row}_bytes: $size\$" "$1" || echo "$row is not $size bytes"
  done <<'END'
Header header
ProcessEntry process_entry
OwnerList owner_list
Partition partition
RecordHeader record_header
HealthCell health_cell
Change change
END
}

# The line behind `.\" = EXPRESSION` holds the number, or the number of MiB or GiB.
check_constants() { # PAGE
  local line number large expressions=() seen=0
  while IFS= read -r line; do
    if [[ $line == '.\" = '* ]]; then
      expressions+=("${line#*= }")
      continue
    fi
    local expression
    for expression in "${expressions[@]}"; do
      seen=$((seen + 1))
      [ "$expression" != kSizeClasses ] || continue
      number=$(value_of "${expression#Service::}") || {
        echo "the code has no $expression"
        continue
      }
      large=$number
      if ((number >= 1 << 30)); then
        large="$((number >> 30)) GiB"
      elif ((number >= 1 << 20 && number % (1 << 20) == 0)); then
        large="$((number >> 20)) MiB"
      fi
      grep -qE "(^|[^0-9])($number|$large)([^0-9]|\$)" <<<"$line" ||
        echo "$expression is $number, the page says: $line"
    done
    expressions=()
  done <"$1"
  [ "$seen" -ge 10 ] || echo "only $seen constants found in the page"
}

check_size_classes() { # PAGE
  local code page
  code=$(sed -n '/kSizeClasses{{/,/}};/p' "$top/lib/layout/size_class.hpp" |
    grep -oE '\{[0-9]+,' | tr -dc '0-9\n' | xargs)
  page=$(awk '/^\.\\" = kSizeClasses/ { here = 1; next } here && !/^[0-9]/ { exit } here' "$1" |
    tr -c '0-9' ' ' | xargs)
  [ -n "$code" ] && [ "$code" = "$page" ] || echo "size classes: the code has ($code), the page ($page)"
}

# Each part of a message, between what varies, is in the sources.
check_messages() { # PAGE
  local message part seen=0
  while IFS= read -r message; do
    seen=$((seen + 1))
    while IFS= read -r part; do
      part=${part#"${part%%[! ]*}"}
      part=${part%"${part##*[! ]}"}
      [ -z "$part" ] || grep -qF -e "$part" "$scratch/sources" || echo "the code never says: $part"
    done <<<"${message//.../$'\n'}"
  done < <(awk '/^\.S[sh] / { here = ($0 == ".Sh TROUBLESHOOTING") } here' "$1" |
    sed -n 's/^\.It Dq //p')
  [ "$seen" -ge 10 ] || echo "only $seen messages found in the page"
}

# check WHAT SED-SCRIPT: the page passes, and one that is spoilt by the script does not.
check() {
  local said
  said=$("check_$1" "$manual")
  [ -z "$said" ] || fail "$1: $said"
  sed -E "$2" "$manual" >"$scratch/spoilt"
  cmp -s "$manual" "$scratch/spoilt" && fail "$1: the planted fault is none"
  [ -n "$("check_$1" "$scratch/spoilt")" ] || fail "$1: the planted fault is not found"
}

[ -r "$manual" ] || {
  echo "there is no $manual"
  exit 1
}
check offsets 's/^\.It 128 Ta 8 Ta stamp_counter/.It 120 Ta 8 Ta stamp_counter/'
check rows 's/^\.It 16 Ta 4 Ta next/.It 16 Ta 8 Ta next/'
check sizes 's/partition_bytes: [0-9]+/partition_bytes: 1/'
check constants 's/64 GiB/63 GiB/'
check size_classes 's/1344, //'
check messages 's/create it anew with a larger/create it anew with another/'

if command -v mandoc >/dev/null; then
  lint=$(mandoc -T lint -W warning "$manual" 2>/dev/null)
  [ -z "$lint" ] || fail "$lint"
fi
if [ "$failures" -ne 0 ]; then
  echo "man_shmreg7_agrees: $failures failed"
  exit 1
fi
