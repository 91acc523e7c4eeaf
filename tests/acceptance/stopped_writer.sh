#!/usr/bin/env bash
# A writer that is stopped in the middle of a change: who wants to write waits its 5 seconds, is told
# by exit status 124 which process is in the way, and has changed nothing; who only reads goes on as
# if nothing were; and once it runs again nothing of its work or of anybody's is lost.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq awk

# One partition, so that its lock is everybody's.
expect 0 regctl create --partitions 1 --max-size 1G
for name in kept tidied; do regctl -q register "here/$name" --static --endpoint "e:$name"; done
lease=$(regctl register here/lease --ttl 1h --json | jq .id)


# Ends when told to. Each line is a change, and most of the importer's time is spent in one.
mkfifo "$scratch/lines"
awk -v stop="$scratch/enough" 'BEGIN {
  for (;;) {
    printf "{\"namespace\":\"many\",\"name\":\"%d\",\"endpoint\":\"e\",\"owner\":\"static\"}\n", ++n
    if (n % 1000 == 0 && (getline line <stop) >= 0) exit
  }
}' >"$scratch/lines" &
processes+=($!)
"$REGCTL" -s "$segment" import --json "$scratch/lines" >"$scratch/imported" &
importer=$!
processes+=("$importer")
eventually registered many/1000

# Stopped again and again until it is in the middle of one: that is when doctor cannot examine.
# shellcheck disable=SC2317 # called by eventually
in_the_way() { regctl doctor --json | jq -e --arg pid "pid $importer (" '.problems[0].what | contains($pid)' >/dev/null; }
# shellcheck disable=SC2317
stop_in_a_change() {
  kill -STOP "$importer"
  in_the_way && return
  kill -CONT "$importer"
  return 1
}
eventually stop_in_a_change || exit 1
changes=$(regctl info --json | jq .changes)

# All at once: each waits by itself.
waiters=()
in_background() {
  waiters+=("$*")
  "$REGCTL" -s "$segment" "$@" >"$scratch/${#waiters[@]}.out" 2>"$scratch/${#waiters[@]}.err" </dev/null &
  pids+=($!)
}
pids=()
began=$(date +%s)
in_background register here/new --static
in_background register here/kept --static --replace
in_background unregister here/kept
in_background renew here/lease --id "$lease"
in_background cleanup here
in_background run here/command -- touch "$scratch/ran"

# Meanwhile readers find what is there.
expect_out e:kept 0 regctl lookup here/kept
expect_out 3 0 regctl count here
expect 0 regctl list here
expect 1 regctl lookup here/new
expect 0 regctl wait here/kept --timeout 1s
expect 124 regctl wait here/new --timeout 10ms
timeout 10 "$REGCTL" -s "$segment" watch here/kept --json >"$scratch/watched" &
processes+=($!)
eventually grep -q present "$scratch/watched"
expect_json '[.processes[] | select(.pid == '"$importer"')][0].state == "stopped"' 0 regctl ps --json
expect 5 regctl destroy
kill "$!" 2>/dev/null

for n in "${!pids[@]}"; do
  wait "${pids[n]}"
  status=$? err=$(cat "$scratch/$((n + 1)).err")
  what="${waiters[n]}"
  [ "$status" -eq 124 ] || fail "$what: exit status $status, not 124: $err"
  [ "$(wc -l <"$scratch/$((n + 1)).err")" -eq 1 ] || fail "$what: not one line: $err"
  [ ! -s "$scratch/$((n + 1)).out" ] || fail "$what: printed $(cat "$scratch/$((n + 1)).out")"
  case $err in
    *"partition 0"*"pid $importer (regctl)"*stopped*) ;;
    *) fail "$what: does not say who is in the way: $err" ;;
  esac
done
[ $(($(date +%s) - began)) -ge 5 ] || fail "nobody waited for 5 s"
[ ! -e "$scratch/ran" ] || fail "a command was run without its name"
[ "$(regctl info --json | jq .changes)" = "$changes" ] || fail "something was changed"

kill -CONT "$importer"
expect 0 regctl register here/new --static
expect_out e:kept 0 regctl lookup here/kept
expect 0 regctl renew here/lease --id "$lease"
: >"$scratch/enough"
wait "$importer" || fail "the import ended with $?"
[ "$(regctl count many)" = "$(jq .registered "$scratch/imported")" ] ||
  fail "$(regctl count many) of many, but: $(cat "$scratch/imported")"
expect 0 regctl doctor

finish
