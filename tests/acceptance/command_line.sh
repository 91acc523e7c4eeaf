#!/usr/bin/env bash
# How regctl is spoken to: options before and after the command, what is refused and how, help,
# where output goes. Nothing here needs a segment, and none is made.
# shellcheck source-path=SCRIPTDIR source=_lib.sh disable=SC2016 # inner shells expand
. "$(dirname "$0")/_lib.sh"
needs jq

# --- help and version ---------------------------------------------------------------------------
expect 0 "$REGCTL" --help
expect 0 "$REGCTL" help
expect 0 "$REGCTL" help lookup
expect 0 "$REGCTL" lookup --help
expect 0 "$REGCTL" lookup -h a
for command in create destroy segments ps info register renew unregister lookup list count \
  namespaces export import run doctor version; do
  expect 0 "$REGCTL" "$command" --help
  case $out in "Usage: regctl $command"*) ;; *) fail "$command --help prints: $out" ;; esac
done
expect_err "*unknown command 'frob'*" 2 "$REGCTL" help frob
expect 0 "$REGCTL" version
expect_json '.version | type == "string"' 0 "$REGCTL" version --json
expect_json '.version | type == "string"' 0 "$REGCTL" --version -o jsonl

# --- what is refused, by name --------------------------------------------------------------------
expect_err '*no command*' 2 "$REGCTL"
expect_err "*unknown command 'frobnicate'*" 2 "$REGCTL" frobnicate
expect_err "*unknown command 'lokup'*did you mean 'lookup'*" 2 "$REGCTL" lokup x
expect_err "*unknown command 'frob'*" 2 "$REGCTL" -s x frob --json
expect_err "*unknown option '--frob'*" 2 "$REGCTL" list --frob
expect_err "*unknown option '--frob'*" 2 "$REGCTL" --frob list
expect_err "*unknown option '--frob'*" 2 "$REGCTL" list --frob=1
expect_err "*unknown option '--jsn'*did you mean '--json'*" 2 "$REGCTL" list --jsn
expect_err "*unknown option '--mend'*" 2 "$REGCTL" doctor --mend
expect_err "*unknown option '-z'*" 2 "$REGCTL" list -z
expect_err "*unexpected argument 'b'*" 2 "$REGCTL" lookup a b
expect_err '*lookup needs SERVICE*' 2 "$REGCTL" lookup
expect_err '*--output needs a value*' 2 "$REGCTL" list -o
expect_err "*'xml' is none of table, wide, json, jsonl or name*" 2 "$REGCTL" list -o xml
expect_err "*'maybe' is none of auto, always or never*" 2 "$REGCTL" list --color maybe
expect_err '*--json takes no value*' 2 "$REGCTL" list --json=yes
expect_err "*no user 'no-such-user'*" 2 "$REGCTL" list --trust-owner no-such-user
expect_err "*'--'*" 2 "$REGCTL" -- list

# --- numbers want units ---------------------------------------------------------------------------
for bare in 5 0 1.5; do
  expect_err '*no unit*ns, us, ms, s, m, h*' 2 "$REGCTL" register x --ttl "$bare"
  expect_err '*no unit*K, M, G*' 2 "$REGCTL" create --max-size "$bare"
done
expect_err "*unknown unit 'sec'*" 2 "$REGCTL" register x --ttl 5sec
expect_err "*unknown unit 'Q'*" 2 "$REGCTL" create --max-size 5Q
expect_err "*is no duration*" 2 "$REGCTL" register x --ttl -5s
expect_err '*too large*' 2 "$REGCTL" register x --ttl 999999999999d
expect_err '*octal*' 2 "$REGCTL" create --mode 999
expect_err '*octal*' 2 "$REGCTL" create --mode 4755
expect_err '*whole number*' 2 "$REGCTL" create --partitions many
expect_err '*too large*' 2 "$REGCTL" create --max-processes 99999999999
expect_err "*no group 'no-such-group'*" 2 "$REGCTL" create --group no-such-group
for pid in 0 -1 abc 12x '' 2147483648; do
  expect_err '*no process id*' 2 "$REGCTL" register x --pid "$pid"
done

# --- names of segments ----------------------------------------------------------------------------
# The right name of one that is not there is 3, a wrong name 2.
absent=absent.$$
expect_err "*$absent*" 3 "$REGCTL" -s "$absent" list
for name in .hidden a/b 'a b' '' "$(printf 'a%.0s' {1..65})" ../x $'a\nb' ä; do
  expect 2 "$REGCTL" -s "$name" list
  expect 2 "$REGCTL" -s "$name" create
done
expect 3 "$REGCTL" -s "$(printf 'a%.0s' {1..64})" list

# --- options stand before and after the command ----------------------------------------------------
for words in "-s $absent list" "list -s $absent" "--segment=$absent list" "list --segment $absent"; do
  # shellcheck disable=SC2086 # words are wanted
  expect_err "*$absent*" 3 "$REGCTL" $words
done
expect_err "*$absent*" 3 env SHMREG_SEGMENT="$absent" "$REGCTL" list
expect_err "*$absent*" 3 env SHMREG_SEGMENT=other.$$ "$REGCTL" list -s "$absent"
expect_err '*other*' 3 env SHMREG_SEGMENT=other.$$ "$REGCTL" list
expect 2 env SHMREG_SEGMENT=a/b "$REGCTL" list

# --- a command's name is a word like another, once the command is named ------------------------------
expect_err "*$absent*" 3 "$REGCTL" -s "$absent" lookup list
expect_err "*$absent*" 3 "$REGCTL" -s list -s "$absent" lookup lookup
# Behind -- a name may begin with a dash; in front of it, it is an option.
expect_err "*$absent*" 3 "$REGCTL" -s "$absent" lookup -- -dash
expect_err "*unknown option '-dash'*" 2 "$REGCTL" -s "$absent" lookup -dash

# --- errors stay on one line, whatever they quote -----------------------------------------------------
expect_err '*a\\x0Ab\\x1B*' 2 "$REGCTL" $'a\nb\e[31m'
expect_err '*\\xC2\\x9B*' 2 "$REGCTL" list --health $'\xC2\x9B'
expect_err '*\\xFF*' 2 "$REGCTL" list --match x --health $'\xFF'

# --- where the output goes ----------------------------------------------------------------------------
run_it bash -c '"$REGCTL" help >/dev/full'
[ "$status" -eq 6 ] || fail "a full disk: exit status $status; $err"
run_it bash -c '"$REGCTL" help >&-'
[ "$status" -ne 0 ] || fail "a closed standard output is a success"
run_it bash -c '"$REGCTL" help | true; exit "${PIPESTATUS[0]}"'
case $status in 0 | 141) ;; *) fail "a closed pipe: exit status $status" ;; esac
[ -z "$err" ] || fail "a closed pipe: $err"
run_it bash -c 'trap "" PIPE; "$REGCTL" help | true; exit "${PIPESTATUS[0]}"'
case $status in 0 | 141) ;; *) fail "a closed pipe, SIGPIPE ignored: exit status $status" ;; esac
[ -z "$err" ] || fail "a closed pipe, SIGPIPE ignored: $err"
finish
