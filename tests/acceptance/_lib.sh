# shellcheck shell=bash
# For the acceptance scripts to source: segments of their own, processes of their own, and plain
# ways to say what must hold. Everything that a script made is gone when it ends, whatever ended it.
#
#   REGCTL      the regctl to test
#   SHMREG_BIN  the directory of built programs (default: that of REGCTL)
set -u

: "${REGCTL:?REGCTL must name the regctl to test}"
[ -x "$REGCTL" ] || {
  echo "there is no $REGCTL"
  exit 1
}
SHMREG_BIN=${SHMREG_BIN:-$(dirname "$REGCTL")}
# Programs built with sanitizers are slower by that much.
SLOWNESS=1
[ -z "${SHMREG_SANITIZE:-}" ] || SLOWNESS=10
export REGCTL SHMREG_BIN SLOWNESS
unset SHMREG_SEGMENT NO_COLOR

script=$(basename "$0" .sh)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/shmreg.$script.XXXXXX") || exit 1
# Outside $scratch: others must be able to reach the segment, not the scratch directory.
segment=test.$script.$$
segments=("$segment")
processes=()
failures=0

cleanup() {
  local pid name
  # Ends first: a stopped process would keep a kill waiting, and its parent would hang on it.
  for pid in "${processes[@]}"; do
    kill -KILL "$pid" 2>/dev/null
    kill -CONT "$pid" 2>/dev/null
  done
  for pid in "${processes[@]}"; do wait "$pid" 2>/dev/null; done
  for name in "${segments[@]}"; do rm -f "/dev/shm/shmreg.$name"; done
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# Scripts that need another segment say `-s NAME` again, and the last counts. In the background call
# "$REGCTL" -s "$segment" itself: $! of a function is a subshell's pid, not regctl's.
regctl() { "$REGCTL" -s "$segment" "$@"; }

skip() {
  echo "skipped: $*"
  exit 77
}

needs() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || skip "$tool is not installed"
  done
}

fail() {
  # The outermost call is the line of the script itself.
  echo "FAILED (line ${BASH_LINENO[${#BASH_LINENO[@]} - 2]}): $*"
  failures=$((failures + 1))
}

# run_it COMMAND...: leaves its output in $out, its errors in $err, its exit status in $status.
run_it() {
  "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
  status=$?
  # Bash drops NUL bytes with a warning; there must be none.
  out=$(tr -d '\0' <"$scratch/out")
  err=$(tr -d '\0' <"$scratch/err")
  case $err in
    *"terminate called"* | *"what():"* | *"core dumped"*) fail "$*: it crashed: $err" ;;
  esac
  [ "$(wc -l <"$scratch/err")" -le 1 ] || fail "$*: an error is one line, not: $err"
  return 0
}

# expect STATUS COMMAND...: what it must exit with.
expect() {
  local wanted=$1
  shift
  run_it "$@"
  [ "$status" -eq "$wanted" ] || fail "$*: exit status $status, not $wanted; out: $out; err: $err"
}

# expect_out TEXT STATUS COMMAND...: and print, exactly.
expect_out() {
  local wanted=$1
  shift
  expect "$@"
  [ "$out" = "$wanted" ] || fail "${*:2}: printed '$out', not '$wanted'"
}

# expect_err PATTERN STATUS COMMAND...: and say on standard error (a shell pattern).
expect_err() {
  local wanted=$1
  shift
  expect "$@"
  # shellcheck disable=SC2254 # a pattern is wanted
  case $err in
    $wanted) ;;
    *) fail "${*:2}: said '$err', which does not match '$wanted'" ;;
  esac
}

# expect_json FILTER STATUS COMMAND...: and print JSON of which this jq filter is true.
expect_json() {
  local filter=$1
  shift
  expect "$@"
  jq -e -s "length == 1 and (.[0] | .schema == 1 and ($filter))" "$scratch/out" >/dev/null 2>&1 ||
    fail "${*:2}: not true that $filter: $out"
}

# Data goes to standard output and nothing else does.
expect_silent() {
  expect "$@"
  [ -z "$out" ] || fail "${*:2}: printed '$out'"
  [ -z "$err" ] || fail "${*:2}: said '$err'"
}

# eventually COMMAND...: true within 5 s.
eventually() {
  local n
  for ((n = 0; n < 500 * SLOWNESS; n++)); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.01
  done
  fail "never true: $*"
  return 1
}

registered() { regctl -q lookup "$1"; }
gone() {
  regctl -q lookup "$1"
  [ $? -eq 1 ]
}

# A process has the segment mapped: from then on it is told of whatever happens there.
attached() { grep -q "/dev/shm/shmreg.$segment" "/proc/$1/maps"; }

# A zombie has ended.
ended() {
  local state
  state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
  [ -z "$state" ] || [ "$state" = Z ]
}

stopped() { grep -q '^State:[[:space:]]*T' "/proc/$1/status"; }

# started NAME: the pid of what runs under that name.
started() { regctl lookup "$1" --json | jq -r .pid; }

# --- another user -----------------------------------------------------------------------------------
nobody=65534

# regctl as another user; can_be_nobody must have been asked.
as_nobody() {
  setpriv --reuid "$nobody" --regid "$nobody" --clear-groups "$scratch/regctl" -s "$segment" "$@"
}

# Whether as_nobody can be: it takes root.
can_be_nobody() {
  [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null || return 1
  # The build may lie where others may not look.
  [ -x "$scratch/regctl" ] || cp "$REGCTL" "$scratch/regctl"
  chmod 755 "$scratch" "$scratch/regctl"
  as_nobody version >/dev/null 2>&1
}

# --- harmless output --------------------------------------------------------------------------------
# harmless WHAT: what run_it printed, on either stream, holds no control character but the ends of
# lines, and is UTF-8.
harmless() {
  local file
  for file in "$scratch/out" "$scratch/err"; do
    if LC_ALL=C grep -qaP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$file"; then
      fail "$*: printed control characters: $(cat -v "$file" | head -c 2000)"
    fi
    iconv -f UTF-8 -t UTF-8 "$file" >/dev/null 2>&1 || fail "$*: printed no UTF-8: $(cat -v "$file" | head -c 2000)"
  done
}

finish() {
  if [ "$failures" -ne 0 ]; then
    echo "$script: $failures failed"
    exit 1
  fi
  echo "$script: ok"
  exit 0
}
