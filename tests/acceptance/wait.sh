#!/usr/bin/env bash
# wait: at once where it is so already, soon after it happens, 124 where it does not.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq
expect_err '*no segment*' 3 regctl wait a
regctl create

# within SECONDS COMMAND...: and its status; too slow is a failure.
within() {
  local limit=$(($1 * SLOWNESS)) begin=$SECONDS
  shift
  "$@"
  [ $((SECONDS - begin)) -le "$limit" ] || fail "${*:2}: took $((SECONDS - begin)) s"
}
# later STATUS COMMAND...: begins to wait in the background; over() waits for its end.
later() {
  wanted=$1
  shift
  env --default-signal=INT,TERM "$REGCTL" -s "$segment" "$@" >"$scratch/later.out" 2>"$scratch/later.err" &
  waiter=$!
  processes+=("$waiter")
  # It is asleep, not on its way: a process that has attached waits in the kernel.
  eventually attached "$waiter"
  sleep 0.2
  kill -0 "$waiter" 2>/dev/null || fail "$*: did not wait: $(cat "$scratch/later.err")"
}
over() {
  local n
  for ((n = 0; n < 500 * SLOWNESS; n++)); do
    kill -0 "$waiter" 2>/dev/null || break
    sleep 0.01
  done
  kill -KILL "$waiter" 2>/dev/null && fail "still waiting"
  wait "$waiter" 2>/dev/null
  local got=$?
  [ "$got" -eq "$wanted" ] || fail "ended with $got, not $wanted: $(cat "$scratch/later.err")"
}

# --- usage: nothing is waited for ----------------------------------------------------------------------
expect_err '*needs SERVICE*' 2 regctl wait
expect_err "*none of registered, passing or gone*" 2 regctl wait a --for here
expect_err '*no unit*' 2 regctl wait a --timeout 5
expect 2 regctl wait a/ --timeout 0s
expect 2 regctl wait good a//b --timeout 0s
expect_err "*unknown option '--tiemout'*" 2 regctl wait a b --tiemout 1s

# --- so already ------------------------------------------------------------------------------------------
regctl -q register a --static
regctl -q register p/b --static
within 2 expect_silent 0 regctl wait a
within 2 expect_silent 0 regctl wait a p/b
within 2 expect_silent 0 regctl wait nobody --for gone
expect_json '.for == "registered" and .services == [{"namespace": "default", "name": "a", "met": true},
  {"namespace": "p", "name": "b", "met": true}]' 0 regctl wait a p/b --json
expect_json '.services | map(.met) == [false, true]' 0 regctl wait nobody a --any --json
expect_out default/a 0 regctl wait nobody a --any -o name
expect_silent 0 regctl -q wait a --json
# Words to the byte, also those that look like options, lists or commands.
# shellcheck disable=SC2016 # '$1' is a name here
for name in '[x,y]' list wait '*' '$1' -dash --for; do
  regctl -q register --static -- "odd/$name"
  expect 0 regctl wait --timeout 0s -- "odd/$name" a
done
expect 0 regctl wait --timeout 0s 'odd/[x,y]' odd/list a
regctl -q register --static -- -dash
expect 0 regctl wait a --timeout 0s -- -dash
expect 124 regctl wait a --timeout 0s -- -nobody

# --- the time is out: who is missing -------------------------------------------------------------------------
expect_err "*'p/missing' not registered*" 124 regctl wait a p/missing --timeout 20ms
[ -z "$out" ] || fail "a time-out printed '$out'"
case $err in *"'default/a'"*) fail "who is there is named as missing: $err" ;; esac
expect_err "*'default/a' still registered*" 124 regctl wait a nobody --for gone --timeout 20ms
expect_err "*'default/a' not passing*" 124 regctl wait a --for passing --timeout 20ms
expect_json '.error.kind == "timed_out" and (.error.message | contains("nobody"))' \
  124 regctl wait nobody --timeout 20ms --json
expect_silent 124 regctl -q wait nobody --timeout 20ms
began=$SECONDS
expect 124 regctl wait nobody --timeout 2s
[ $((SECONDS - began)) -ge 1 ] || fail "gave up before its time"
expect 124 regctl wait a nobody --timeout 20ms
expect 0 regctl wait a nobody --any --timeout 20ms

# --- it happens ------------------------------------------------------------------------------------------------
later 0 wait soon
regctl -q register soon --static
over
later 0 wait one two
regctl -q register one --static
sleep 0.2
kill -0 "$waiter" 2>/dev/null || fail "one of two was enough"
regctl -q register two --static
over
later 0 wait first second --any -o name
regctl -q register second --static
over
[ "$(cat "$scratch/later.out")" = default/second ] || fail "printed '$(cat "$scratch/later.out")'"
later 0 wait two --for gone
regctl -q unregister two
over
# A death, of a process named by pid and of one that runs under its name; a time to live.
sleep 1000 &
sleeper=$!
processes+=("$sleeper")
regctl -q register mortal --pid "$sleeper"
expect_err "*'default/mortal' of pid $sleeper (sleep) still registered*" 124 regctl wait mortal --for gone --timeout 20ms
later 0 wait mortal --for gone
kill -KILL "$sleeper"
over
"$REGCTL" -s "$segment" run running -- sleep 1000 &
wrapper=$!
processes+=("$wrapper")
within 5 expect 0 regctl wait running
processes+=("$(started running)")
later 0 wait running --for gone
kill -KILL "$wrapper"
over
wait "$wrapper" 2>/dev/null
regctl -q register brief --ttl 1500ms
later 0 wait brief --for gone
over

# --- interrupted, as a shell sees it, and quietly --------------------------------------------------------------------
later 130 wait nobody
kill -INT "$waiter"
over
[ ! -s "$scratch/later.err" ] || fail "interrupted, it said: $(cat "$scratch/later.err")"
later 143 wait nobody
kill -TERM "$waiter"
over
[ ! -s "$scratch/later.err" ] || fail "terminated, it said: $(cat "$scratch/later.err")"

# --- the segment goes ------------------------------------------------------------------------------------------------
later 3 wait nobody
regctl -q destroy --force
over
[ "$(wc -l <"$scratch/later.err")" -eq 1 ] || fail "not one line: $(cat "$scratch/later.err")"
grep -q destroyed "$scratch/later.err" || fail "not clear: $(cat "$scratch/later.err")"

# --- one who may only read ----------------------------------------------------------------------------------------------
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
  nobody=65534
  binary=$scratch/regctl
  cp "$REGCTL" "$binary"
  chmod 755 "$scratch" "$binary"
  regctl create --mode 644
  # shellcheck disable=SC2317 # called by name
  as_nobody() { setpriv --reuid "$nobody" --regid "$nobody" --clear-groups "$binary" -s "$segment" "$@"; }
  regctl -q register a --static
  within 2 expect 0 as_nobody wait a
  within 2 expect 124 as_nobody wait later --timeout 20ms
  (sleep 0.3; regctl -q register later --static) &
  within 5 expect 0 as_nobody wait later --timeout 5s
  (sleep 0.3; regctl -q unregister later) &
  within 5 expect 0 as_nobody wait later --for gone --timeout 5s
  wait
  regctl -q destroy --force
  regctl create
  expect 4 as_nobody wait a --timeout 20ms
fi
finish
