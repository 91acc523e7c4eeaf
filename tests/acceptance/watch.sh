#!/usr/bin/env bash
# watch: what is there, then every change, each once and at once, until it is told to stop.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq python3
expect_err '*no segment*' 3 regctl watch
regctl create

# begin NAME ARGUMENT...: a watch in the background, its output in $scratch/NAME.
begin() {
  local name=$1
  shift
  env --default-signal=INT,TERM,PIPE "$REGCTL" -s "$segment" watch "$@" \
    >"$scratch/$name" 2>"$scratch/$name.err" &
  watcher=$!
  processes+=("$watcher")
}
# told NAME FILTER: this jq filter is true of all its events so far, as one array.
told() { jq -e -s "$2" "$scratch/$1"; }
ends() { # STATUS: the last watch, within 5 s
  eventually ended "$watcher"
  wait "$watcher" 2>/dev/null
  local got=$?
  [ "$got" -eq "$1" ] || fail "the watch ended with $got, not $1"
}

expect 2 regctl watch ''
expect 2 regctl watch /
expect 2 regctl watch a//b
expect 2 regctl watch a b
expect 2 regctl -s no-such-segment watch 'a//'

# --- the present, then changes --------------------------------------------------------------------------
regctl -q register prod/old --static --endpoint e --meta k=v --tag t --depends prod/db
begin all -o jsonl
eventually told all 'length == 1'
told all '.[0] | .schema == 1 and .event == "present" and .namespace == "prod" and .name == "old"
  and .endpoint == "e" and .metadata == {k: "v"} and .tags == ["t"] and .depends == ["prod/db"]
  and (.change | type == "number") and (.at | test("^20.*Z$"))
  and has("id") and has("pid") and has("wants") and has("health") and has("effective_health")
  and has("cause") and has("owner") and has("alive") and has("node") and has("registered_at")
  and has("uptime_ms")' >/dev/null || fail "present: $(cat "$scratch/all")"
begin prod prod/ --json
begin one old --json
one=$watcher
begin prod_old prod/old -o jsonl
begin table
begin wide -o wide
begin names -o name
begin headless --no-header
begin quiet -q
eventually told prod_old 'length == 1'
eventually grep -q prod/old "$scratch/names"
eventually grep -q prod/old "$scratch/headless"
eventually grep -q prod/old "$scratch/wide"

sleep 1000 &
sleeper=$!
processes+=("$sleeper")
regctl -q register old --pid "$sleeper"
# At once: long before the buffer of 64 KiB is full.
eventually told all 'length == 2 and .[1].event == "registered" and .[1].namespace == "default"'
eventually told one 'length == 1 and .[0].event == "registered"'
regctl -q register prod/new --ttl 200ms
eventually told all 'length == 4 and .[2].event == "registered" and .[3].event == "expired"
  and .[3].name == "new" and .[2].id == .[3].id and .[2].change < .[3].change'
kill -KILL "$sleeper"
wait "$sleeper" 2>/dev/null
eventually told all 'length == 5 and .[4].event == "died" and .[4].pid == '"$sleeper"' and .[4].alive == false'
regctl -q register prod/old --static --replace
eventually told all 'length == 6 and .[5].event == "registered" and .[5].endpoint == ""'
regctl -q unregister prod/old
eventually told all 'length == 7 and .[6].event == "unregistered"'
told all 'map(.change) | length == (unique | length)' >/dev/null || fail "a change came twice"

# Each scope has its own, and those alone.
eventually told prod 'map(.event) == ["present", "registered", "expired", "registered", "unregistered"]
  and all(.namespace == "prod" and .schema == 1)'
eventually told one 'map(.event) == ["registered", "died"] and all(.namespace == "default")'
eventually told prod_old 'map(.event) == ["present", "registered", "unregistered"]'
eventually grep -q unregistered "$scratch/table"
[ "$(wc -l <"$scratch/table")" -eq 8 ] || fail "table: $(cat "$scratch/table")"
head -1 "$scratch/table" | grep -q '^AT .*EVENT .*SERVICE' || fail "header: $(cat "$scratch/table")"
[ "$(grep -c '^AT ' "$scratch/table")" -eq 1 ] || fail "the header came twice"
eventually grep -q unregistered "$scratch/headless"
[ "$(wc -l <"$scratch/headless")" -eq 7 ] || fail "without header: $(cat "$scratch/headless")"
eventually grep -q unregistered "$scratch/wide"
grep -q 'k=v' "$scratch/wide" || fail "wide lacks metadata: $(cat "$scratch/wide")"
eventually test "$(wc -l <"$scratch/names")" -eq 7
[ "$(sort -u "$scratch/names" | xargs)" = "default/old prod/new prod/old" ] || fail "names: $(cat "$scratch/names")"
[ ! -s "$scratch/quiet" ] || fail "-q printed $(cat "$scratch/quiet")"

# --- none missed, none twice, those of one service in their order ---------------------------------------------
# It is there when the first one comes: it has told of what was there before.
regctl -q register busy/first --static
begin busy busy/ --json
busy=$watcher
eventually told busy 'map(.name) == ["first"]'
for round in 1 2 3; do
  for n in $(seq 10); do
    regctl -q register "busy/$n" --static --meta "round=$round" &
    jobs[n]=$!
  done
  wait "${jobs[@]}"
  for n in $(seq 10); do regctl -q unregister "busy/$n"; done
done
eventually told busy '[.[] | select(.event == "unregistered")] | length == 30'
told busy '.[1:] | length == 60 and (group_by(.name) | all(
  map(.event) == ["registered", "unregistered", "registered", "unregistered", "registered", "unregistered"]
  and (map(.change) | . == sort and length == (unique | length))
  and map(.metadata.round) == ["1", "1", "2", "2", "3", "3"]))' >/dev/null || fail "busy: $(cat "$scratch/busy")"

# --- one that fell behind is told so, and what is there now ---------------------------------------------------
regctl -q register slow/stays --static
begin slow slow/ --json
eventually told slow 'map(.event) == ["present"]'
kill -STOP "$watcher"
eventually stopped "$watcher"
# One service again and again: the log of its partition, of 256 changes, goes round.
for _ in $(seq 300); do echo '{"namespace":"slow","name":"churned","owner":"static"}'; done |
  "$REGCTL" -s "$segment" -q import - --replace
kill -CONT "$watcher"
from_lost='(map(.event) | index("lost")) as $lost | .[$lost:]'
eventually told slow "$from_lost"' | map(.event) | .[0] == "lost" and (.[1:] | sort) == ["present", "present"]'
told slow '(map(.event) | index("lost")) as $lost | $lost == 1
  and (.[$lost] | .lost >= 300 and .change == null and .schema == 1 and (.at | type == "string")
  and has("name") == false)' >/dev/null || fail "lost: $(head -3 "$scratch/slow")"
told slow "$from_lost"' | map(.name) | .[1:] | sort == ["churned", "stays"]' >/dev/null ||
  fail "present anew: $(cat "$scratch/slow")"
regctl -q unregister slow/stays
eventually told slow "$from_lost"' | .[3:] | map(.event) == ["unregistered"]'

# --- hostile names ------------------------------------------------------------------------------------------------
begin hostile_table
hostile_table=$watcher
begin hostile_json --json
regctl -q register 'EVIL-NAMESPACE/EVIL-NAME-xxxxxxxx' --static --endpoint EVIL-ENDPOINT-xxx --meta EVIL-KEY-xx=EVIL-VALUE-xx
eventually grep -q EVIL-NAME "$scratch/hostile_table"
kill -TERM "$watcher" "$hostile_table"
python3 - "/dev/shm/shmreg.$segment" <<'PYTHON'
import re, sys
hostile = b"\x1b]0;p\x07\xff\xc2\x9b\n\r\x00\x7f\xed\xa0\x80\"\\\xc3"
with open(sys.argv[1], "r+b") as file:
    data = file.read()
    for mark in re.finditer(rb"EVIL-[A-Z]+(-[a-z]+)?", data):
        file.seek(mark.start())
        file.write((hostile * 3)[: mark.end() - mark.start()])
PYTHON
for format in table wide json jsonl name; do
  begin "hostile.$format" -o "$format"
  eventually test -s "$scratch/hostile.$format"
  sleep 0.2
  LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$scratch/hostile.$format" &&
    fail "watch -o $format printed control characters: $(cat -v "$scratch/hostile.$format")"
  grep -q -e x1B -e u001b "$scratch/hostile.$format" || fail "watch -o $format: nothing was tested"
  case $format in json*) jq -e . "$scratch/hostile.$format" >/dev/null || fail "no JSON" ;; esac
done

# --- it ends as a shell expects, and quietly --------------------------------------------------------------------------
begin interrupted
eventually test -s "$scratch/interrupted"
kill -INT "$watcher"
ends 130
begin terminated -o jsonl
eventually test -s "$scratch/terminated"
kill -TERM "$watcher"
ends 143
for name in interrupted terminated; do
  [ ! -s "$scratch/$name.err" ] || fail "$name, it said: $(cat "$scratch/$name.err")"
done
# A reader that leaves, also where nothing more happens and where SIGPIPE is ignored.
for ignore in '' 'trap "" PIPE;'; do
  run_it timeout $((10 * SLOWNESS)) bash -c "$ignore"' "$REGCTL" -s "$1" watch --json | head -1 >/dev/null
    exit "${PIPESTATUS[0]}"' - "$segment"
  [ "$status" -eq 141 ] || fail "a closed pipe ($ignore): exit status $status"
  [ -z "$err" ] || fail "a closed pipe ($ignore): $err"
done
# Nobody reads, and the pipe is full: it can be ended all the same.
mkfifo "$scratch/pipe"
exec 9<>"$scratch/pipe"
head -c 65536 /dev/zero | tr '\0' x >&9
"$REGCTL" -s "$segment" watch >"$scratch/pipe" 2>/dev/null 9>&- &
watcher=$!
processes+=("$watcher")
eventually attached "$watcher"
sleep 0.3
kill -TERM "$watcher"
ends 143
exec 9>&-

# --- one who may only read ------------------------------------------------------------------------------------------------
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
  nobody=65534
  binary=$scratch/regctl
  cp "$REGCTL" "$binary"
  chmod 755 "$scratch" "$binary"
  readable=$segment.readable
  segments+=("$readable")
  regctl -s "$readable" create --mode 644
  regctl -q -s "$readable" register a --static
  setpriv --reuid "$nobody" --regid "$nobody" --clear-groups "$binary" -s "$readable" watch --json \
    >"$scratch/reader" 2>"$scratch/reader.err" &
  watcher=$!
  processes+=("$watcher")
  eventually told reader 'map(.event) == ["present"]'
  regctl -q -s "$readable" register b --ttl 200ms
  eventually told reader 'map(.event) == ["present", "registered", "expired"]'
  regctl -q -s "$readable" destroy --force
  ends 3
  expect 4 setpriv --reuid "$nobody" --regid "$nobody" --clear-groups "$binary" -s "$segment" watch
fi

# --- the segment goes: one clear line, 3 ---------------------------------------------------------------------------------------
begin last -o name
watcher_last=$watcher
eventually test -s "$scratch/last"
regctl -q destroy --force
watcher=$watcher_last
ends 3
[ "$(wc -l <"$scratch/last.err")" -eq 1 ] || fail "not one line: $(cat "$scratch/last.err")"
grep -q destroyed "$scratch/last.err" || fail "not clear: $(cat "$scratch/last.err")"
for watcher in "$one" "$busy"; do ends 3; done
finish
