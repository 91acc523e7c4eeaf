#!/usr/bin/env bash
# run: a command under a name. Its status, its signals, its ends: of the command, of the wrapper.
# shellcheck source-path=SCRIPTDIR source=_lib.sh disable=SC2016 # inner shells expand
. "$(dirname "$0")/_lib.sh"
needs jq
regctl create

# start NAME COMMAND...: runs it in the background; its wrapper is $wrapper, its pid $command.
start() {
  local name=$1
  shift
  # Shells start background jobs with these two ignored, and so they would stay.
  env --default-signal=INT,QUIT "$REGCTL" -s "$segment" run "$name" -- "$@" >"$scratch/$name.out" \
    2>"$scratch/$name.err" &
  wrapper=$!
  processes+=("$wrapper")
  eventually registered "$name"
  command=$(started "$name")
  processes+=("$command")
}

# --- its status is the command's --------------------------------------------------------------------
expect_out hello 0 regctl run s -- echo hello
expect_silent 0 regctl -q run s -- true
for code in 0 1 2 5 77 124 126 127 255; do expect_silent "$code" regctl run s -- sh -c "exit $code"; done
for signal in TERM KILL INT SEGV USR1 ABRT; do
  expect $((128 + $(kill -l "$signal"))) regctl run s -- sh -c "ulimit -c 0; kill -$signal \$\$"
done
expect_err '*no-such-program*' 127 regctl run s -- no-such-program
expect_err '*no-such-program*' 127 regctl run s -- /nowhere/no-such-program
expect_err '*/etc/passwd*' 126 regctl run s -- /etc/passwd
expect_err '*/tmp*' 126 regctl run s -- /tmp
expect 127 regctl run s -- ''
expect_err '*behind --*' 2 regctl run s
expect_err '*behind --*' 2 regctl run s --
expect_err "*unexpected argument 'echo'*" 2 regctl run s echo hi
expect 1 regctl lookup s
expect_out 0 0 regctl count

# --- the command line arrives to the byte ---------------------------------------------------------------
expect_out '[[x,y]][--][-s][--json][a b][*][$1][]' 0 \
  regctl run s -- sh -c 'printf "[%s]" "$@"' - '[x,y]' -- -s --json 'a b' '*' '$1' ''

# --- the command sees its name and is what the name says ----------------------------------------------------
expect_out yes 0 regctl run seen --endpoint e --meta a=1 --tag t -- sh -c \
  '[ "$("$REGCTL" -s '"$segment"' lookup seen --json | jq -c "[.pid,.endpoint,.metadata.a,.tags]")" \
    = "[$$,\"e\",\"1\",[\"t\"]]" ] && echo yes'
expect_out gone 0 regctl run seen -- sh -c \
  '"$REGCTL" -q -s '"$segment"' unregister seen; "$REGCTL" -q -s '"$segment"' lookup seen || echo gone'

# --- as if there were no wrapper: descriptors, signals, input -------------------------------------------------
expect_out "$(sh -c 'ls /proc/self/fd | wc -l' </dev/null)" 0 \
  regctl run s -- sh -c 'ls /proc/self/fd | wc -l'
signals() { grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; }
expect_out "$(signals)" 0 regctl run s -- grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
expect 0 bash -c 'trap "" HUP USR1; "$REGCTL" -s '"$segment"' run s -- grep "^SigIgn:.*201$" /proc/self/status'
[ "$(echo typed | regctl run s -- cat)" = typed ] || fail "input did not arrive"
[ "$(regctl run s -- pwd)" = "$(pwd)" ] || fail "another directory"

# --- a taken name: 5, and nothing is run ------------------------------------------------------------------------
start busy sleep 1000
expect_err "*$command*sleep*" 5 regctl run busy -- touch "$scratch/ran"
[ ! -e "$scratch/ran" ] || fail "a command ran under a taken name"
expect_out "$command" 0 regctl lookup busy
expect 0 regctl run busy --replace -- touch "$scratch/ran"
[ -e "$scratch/ran" ] || fail "--replace ran nothing"
# The one that was replaced ends without harm to whoever came after.
expect 0 regctl register busy --static --endpoint after
kill -TERM "$wrapper"
wait "$wrapper"
[ $? -eq 143 ] || fail "a wrapper whose name was taken away ended oddly"
expect_out after 0 regctl lookup busy
expect 0 regctl unregister busy

# --- signals are passed on, once --------------------------------------------------------------------------------
cat >"$scratch/count_signals" <<'SCRIPT'
for signal in HUP INT QUIT USR1 USR2 WINCH CONT; do trap "echo $signal" $signal; done
trap 'echo TERM; exit 3' TERM
echo ready
while :; do sleep 0.02; done
SCRIPT
start signalled bash "$scratch/count_signals"
eventually grep -q ready "$scratch/signalled.out"
for signal in HUP INT QUIT USR1 USR2 WINCH CONT; do
  kill -"$signal" "$wrapper"
  eventually grep -q "^$signal$" "$scratch/signalled.out"
done
kill -TERM "$wrapper"
wait "$wrapper"
[ $? -eq 3 ] || fail "TERM: another exit status"
[ "$(sort "$scratch/signalled.out" | uniq -d)" = "" ] || fail "a signal came twice"
expect 1 regctl lookup signalled

# A stop and its end, sent to the wrapper.
start stopping sleep 1000
kill -TSTP "$wrapper"
eventually stopped "$command"
eventually stopped "$wrapper"
expect 0 regctl lookup stopping
kill -CONT "$wrapper"
# shellcheck disable=SC2317 # called by name
running() { ! stopped "$command"; }
eventually running
kill -INT "$wrapper"
wait "$wrapper"
[ $? -eq 130 ] || fail "INT: another exit status"

# --- the wrapper is killed: so is the command, and the name is gone ----------------------------------------------------
start killed sleep 1000
kill -KILL "$wrapper"
wait "$wrapper" 2>/dev/null
eventually gone killed
eventually ended "$command"
expect_out 0 0 regctl count

# --- the command is killed while the wrapper is stopped: gone, and free for others ----------------------------------------
start orphaned sleep 1000
kill -STOP "$wrapper"
eventually stopped "$wrapper"
expect 0 regctl lookup orphaned
kill -KILL "$command"
eventually gone orphaned
expect 0 regctl register orphaned --static --endpoint mine
kill -CONT "$wrapper"
wait "$wrapper"
[ $? -eq 137 ] || fail "KILL: another exit status"
# What the late wrapper unregisters is its own registration, not its successor's.
expect_out mine 0 regctl lookup orphaned

# --- a wrapper that cannot tell how its child ended has a parent that ignored SIGCHLD --------------------------------------
expect 7 env REGCTL="$REGCTL" python3 -c 'import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(os.environ["REGCTL"], ["regctl", "-s", "'"$segment"'", "run", "s", "--", "sh", "-c", "exit 7"])'

# --- many at once race for one name: one runs ------------------------------------------------------------------------------
for n in $(seq 16); do
  "$REGCTL" -s "$segment" -q run race -- sh -c "echo $n >>$scratch/winners; sleep 1" 2>"$scratch/race.$n" &
  racers[n]=$!
done
losers=0
for n in $(seq 16); do
  wait "${racers[n]}"
  [ $? -ne 5 ] || losers=$((losers + 1))
done
[ $((losers + $(wc -l <"$scratch/winners"))) -eq 16 ] ||
  fail "$losers losers and $(wc -l <"$scratch/winners") winners of 16"
expect 0 regctl doctor
finish
