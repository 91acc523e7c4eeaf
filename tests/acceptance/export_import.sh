#!/usr/bin/env bash
# export and import: what goes out comes in again to the byte, what cannot is named by line and
# column, and nothing is ever half done.
# Backslashes are meant, inner shells expand, and what `expect` is given is called:
# shellcheck source-path=SCRIPTDIR source=_lib.sh disable=SC1003,SC2016,SC2317
. "$(dirname "$0")/_lib.sh"
needs jq
second=$segment.second
segments+=("$second")
lines=$scratch/lines

# told STATUS COMMAND...: as expect, for what is reported line by line.
told() {
  local wanted=$1
  shift
  "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
  status=$?
  out=$(cat "$scratch/out")
  err=$(cat "$scratch/err")
  [ "$status" -eq "$wanted" ] || fail "$*: exit status $status, not $wanted; out: $out; err: $err"
}
# from FILE OPTION...: what import makes of it on standard input.
from() {
  local file=$1
  shift
  regctl import - "$@" <"$file"
}
# What must be the same after a journey: all but ids, times and processes.
essence() { jq -c 'del(.id, .pid, .registered_at, .uptime_ms)' "$@"; }
fresh() {
  regctl destroy --force -q
  regctl create "$@"
}
same() { [ "$1" = "$2" ] || fail "$3: ($1), not ($2)"; }
static() { printf '{"namespace":"n","name":"%s","owner":"static"}\n' "$@"; }

# --- how they are spoken to -------------------------------------------------------------------------
expect_err '*no segment*' 3 regctl export
: >"$lines"
expect_err '*no segment*' 3 regctl import "$lines"
regctl create
expect_silent 0 regctl export
expect 2 regctl export a/
expect 2 regctl export a b
expect_err '*import needs FILE*' 2 regctl import
expect 2 regctl import "$lines" "$lines"
for owner in pid ttl Static '' 4711; do
  expect_err "*--as: '$owner'*static*" 2 regctl import "$lines" --as "$owner"
done
expect_err '*needs a value*' 2 regctl import "$lines" --as
expect_out 'registered 0, skipped 0, conflicts 0' 0 regctl import "$lines"
expect_silent 0 regctl -q import "$lines"
expect_err '*no-such-file*' 2 regctl import "$scratch/no-such-file"
expect_err "*'$scratch'*" 2 regctl import "$scratch"
expect_json '.error | .kind == "unreadable" and .line == null' 2 regctl import "$scratch" --json
expect_json '.error.kind == "unreadable" and .registered == 0' 2 regctl import "$scratch/no-such-file" --json
if [ "$(id -u)" -ne 0 ]; then
  chmod 0 "$lines"
  expect_err '*Permission denied*' 4 regctl import "$lines"
  chmod 600 "$lines"
fi
expect_err '*standard input*' 2 bash -c '"$REGCTL" -s "$1" import - <&-' - "$segment"
expect_out 'registered 0, skipped 0, conflicts 0' 0 regctl import -
(cd "$scratch" && static dash >./- && regctl -q import ./-)
expect 0 regctl lookup n/dash

# --- what goes out -----------------------------------------------------------------------------------
fresh
sleep 1000 &
sleeper=$!
processes+=("$sleeper")
regctl -q register web --pid "$sleeper" --endpoint http://127.0.0.1:80 --tag http
regctl -q register prod/db --ttl 1500ms
regctl -q unregister prod/db
regctl -q register prod/db --ttl 90m --meta zone=b
regctl -q register prod/eu/db --static --depends prod/db
regctl -q register prod/brief --ttl 3600000000001ns
expect 0 regctl export
cp "$scratch/out" "$lines"
same "$(jq -r '.namespace + "/" + .name' "$lines" | xargs)" \
  "default/web prod/brief prod/db prod/eu/db" "sorted by name"
same "$(essence "$lines")" "$(regctl list -o jsonl | essence)" "lookup's keys"
jq -e -s 'all(.schema == 1)' "$lines" >/dev/null || fail "a line without a schema"
same "$(jq -c '[.owner, .ttl_us]' "$lines" | xargs)" \
  "[pid,null] [ttl,3600000001] [ttl,5400000000] [static,null]" "owners"
for format in json jsonl table wide; do
  expect 0 regctl export -o "$format"
  same "$(essence <<<"$out")" "$(essence "$lines")" "export -o $format"
done
expect_out $'prod/brief\nprod/db' 0 regctl export prod -o name
expect_silent 0 regctl export pro
expect_silent 0 regctl -q export

# --- and comes in again ---------------------------------------------------------------------------------
regctl -s "$second" create
told 0 regctl -s "$second" import "$lines"
same "$out" 'registered 3, skipped 1, conflicts 0' "a first import"
case $err in *"line 1: 'default/web'"*"$sleeper"*"--as static"*) ;; *) fail "a skip: $err" ;; esac
same "$(regctl -s "$second" export | essence)" "$(sed 1d "$lines" | essence)" "a journey"
# The id is a new one.
expect_json '.id > 0 and .id != '"$(regctl lookup prod/db --json | jq .id)" \
  0 regctl -s "$second" lookup prod/db --json
# What is there already is in the way, a static registration too.
told 5 regctl -s "$second" import "$lines"
same "$out" 'registered 0, skipped 1, conflicts 3' "a second import"
same "$(wc -l <"$scratch/err")" 4 "reports"
expect 0 regctl -s "$second" import "$lines" --replace
expect_json '.registered == 3 and .skipped == 1 and .conflicts == 0 and .dry_run == false
  and (has("error") | not)' 0 regctl -s "$second" import "$lines" --replace --json
expect_out $'prod/brief\nprod/db\nprod/eu/db' 0 \
  regctl -s "$second" import "$lines" --replace -o name
# For good, whatever they were.
expect_silent 0 regctl -s "$second" -q import "$lines" --replace --as static
same "$(regctl -s "$second" export | jq -c '[.name, .owner, .pid]' | xargs)" \
  "[web,static,null] [brief,static,null] [db,static,null] [db,static,null]" "--as static"
same "$(regctl -s "$second" export | essence | jq -c 'del(.owner, .alive, .ttl_us)')" \
  "$(essence "$lines" | jq -c 'del(.owner, .alive, .ttl_us)')" "--as static keeps the rest"
expect 0 regctl -s "$second" destroy --force
# A ttl that was brought back ends again.
jq -c 'select(.name == "brief") | .ttl_us = 1' "$lines" >"$scratch/mayfly"
regctl -q unregister prod/brief
expect 0 regctl import "$scratch/mayfly"
eventually gone prod/brief

# --- a live owner keeps its name -----------------------------------------------------------------------
static a >"$lines"
printf '{"namespace":"default","name":"web","endpoint":"other"}\n' >>"$lines"
static z >>"$lines"
for dry_run in --dry-run ''; do
  # shellcheck disable=SC2086 # an empty word is none
  expect_err "*line 2: 'default/web'*$sleeper*sleep*--replace*" 5 regctl import "$lines" $dry_run
  case $out in *'registered 2, skipped 0, conflicts 1') ;; *) fail "with a conflict: $out" ;; esac
  expect_out http://127.0.0.1:80 0 regctl lookup web
done
expect 0 regctl lookup n/z
# An error is told also by -q, a skip is not.
expect_err "*'default/web'*" 5 from <(sed -n 2p "$lines") -q
expect_silent 0 from <(sed -n 2p "$lines" | jq -c '.owner = "process" | .pid = 1') -q
expect 0 regctl import "$lines" --replace
expect_out other 0 regctl lookup web
hold=$SHMREG_BIN/tests/hold
if [ -x "$hold" ]; then
  mkfifo "$scratch/hold"
  "$hold" "$segment" n/own <"$scratch/hold" >/dev/null &
  held=$!
  processes+=("$held")
  exec 9>"$scratch/hold"
  eventually registered n/own
  expect 0 regctl export n
  same "$(jq -r 'select(.name == "own") | .owner' "$scratch/out")" process "an attached owner"
  static own >"$lines"
  for dry_run in --dry-run ''; do
    # shellcheck disable=SC2086
    expect_err "*line 1: 'n/own'*$held*hold*" 5 regctl import "$lines" $dry_run
  done
  exec 9>&-
  wait "$held"
else
  echo "left out: $hold is not built"
fi

# --- a shared name brings all its instances ----------------------------------------------------------------
fresh
regctl -s "$second" create
regctl -q register a/web --static --shared --endpoint tcp://1
regctl -q register a/web --ttl 1h --shared --endpoint tcp://2
regctl -q register a/solo --static
regctl export >"$lines"
for _ in 1 2; do
  expect_out 'registered 3, skipped 0, conflicts 0' 0 regctl -s "$second" import "$lines" --replace
  same "$(regctl -s "$second" export | essence)" "$(essence "$lines")" "shared names"
done
# Without --replace they stand beside those that are there, and nothing else may.
jq -c 'select(.name == "web") | .shared = false' "$lines" | head -n 1 >"$scratch/web"
jq -c 'select(.name == "solo") | .shared = true' "$lines" >"$scratch/solo"
for dry_run in --dry-run ''; do
  # shellcheck disable=SC2086
  {
    expect_err "*line 1: 'a/solo'*static*" 5 regctl -s "$second" import "$lines" $dry_run
    case $out in *'registered 2, skipped 0, conflicts 1') ;; *) fail "shared names: $out" ;; esac
    expect_err "*line 1: 'a/web'*" 5 regctl -s "$second" import "$scratch/web" $dry_run
    expect_err "*line 1: 'a/solo'*" 5 regctl -s "$second" import "$scratch/solo" $dry_run
  }
done
expect_out 5 0 regctl -s "$second" count a
expect 0 regctl -s "$second" destroy --force

# --- hostile text comes back to the byte -----------------------------------------------------------------
fresh
expect 0 regctl register 'höhle/名前/a b' --static --endpoint '' --tag '*' --tag '$1' --tag ' ' \
  --meta 'quote="\'\''`' --meta 'path=C:\new\table' --meta $'lines=a\nb\r\n\tc' --meta 'empty=' \
  --meta '🙂=🙂' --depends '*' --depends 'höhle/名前/*' --wants '"a"/\'
expect 0 regctl register '*' --static --endpoint 'unix:/run/a b"\'
expect 0 regctl register '{"namespace":"x"}' --ttl 1h --meta '{}=[],:{' --meta 'schema=2'
expect 0 regctl register 'a/b/c/d/e/f' --static
# What no command line can hold: NUL; controls of all kinds; a record that is full to the byte.
controls='[range(0; 32), range(127; 160)] | implode'
jq -cn "{namespace: \"big\", name: \"controls\", metadata: {v: ($controls)}}" >"$lines"
jq -cn '{namespace: "big", name: "tags", tags: [range(4000) | "t\(.)"],
  depends: [range(300) | "d\(.)/s"], wants: [range(300) | "w\(.)"]}' >>"$lines"
jq -cn '{namespace: "big", name: "meta", metadata: [range(2000) | {"k\(.)": "v"}] | add}' >>"$lines"
full=$((65536 - 64 - 8 - 36 - 4 - 1))
jq -cn --argjson full "$full" '{namespace: "big", name: "full", metadata: {v: ("\u0001" * $full)}}' \
  >>"$lines"
expect_out 'registered 4, skipped 0, conflicts 0' 0 regctl import "$lines"
jq -cn --argjson full "$full" \
  '{namespace: "big", name: "over", metadata: {v: ("\u0001" * ($full + 1))}}' >"$scratch/over"
expect_err '*line 1, column 45: *65537 bytes*65536*' 2 regctl import "$scratch/over"
expect_json ".metadata.v == ($controls)" 0 regctl lookup big/controls --json
expect 0 regctl export
cp "$scratch/out" "$lines"
LC_ALL=C grep -q '[^ -~]' <(LC_ALL=C tr -d '\200-\377\n' <"$lines") && fail "a control character in export"
regctl -s "$second" create
expect_out 'would be registered 8, skipped 0, conflicts 0' 0 \
  regctl -s "$second" import "$lines" --dry-run
expect_out 0 0 regctl -s "$second" count
expect_out 'registered 8, skipped 0, conflicts 0' 0 regctl -s "$second" import "$lines"
expect 0 regctl -s "$second" export
essence "$scratch/out" >"$scratch/after"
essence "$lines" >"$scratch/before"
cmp "$scratch/before" "$scratch/after" || fail "a journey of hostile text changed it"
[ "$(wc -l <"$scratch/after")" -eq 8 ] || fail "a journey of hostile text lost something"
# Planted: the comparison must see another text.
sed 's/名前/名剪/' "$lines" | essence | cmp -s "$scratch/before" - && fail "the comparison sees nothing"
expect 0 regctl -s "$second" doctor
expect 0 regctl -s "$second" destroy --force
# What list prints as one object is read as well, an object a line.
regctl -s "$second" create
regctl list --json | jq -c '.services[]' >"$lines"
expect_out 'registered 8, skipped 0, conflicts 0' 0 regctl -s "$second" import "$lines"
expect 0 regctl -s "$second" destroy --force

# --- line ends, empty lines, a byte order mark ------------------------------------------------------------
fresh
{ printf '\357\273\277' && static a && printf '\n \t\r\n\r\n' && static b | sed 's/$/\r/' &&
  static c | tr -d '\n'; } >"$lines"
expect_out 'registered 3, skipped 0, conflicts 0' 0 from "$lines"
expect_out 3 0 regctl count n
{ printf '\n\n' && static d && printf '\r\n' && static e | sed 's/n/,/' | sed 's/$/\r/'; } >"$lines"
expect_err '*standard input, line 5, column *' 2 from "$lines"
expect_out $'n/d' 0 regctl list n --match d -o name

# --- a bad line: by line and column, those before it done, those after it not ---------------------------------
# bad COLUMN TEXT: the third line of five; `printf` makes the text.
bad() {
  local column=$1
  shift
  fresh
  # shellcheck disable=SC2059 # escapes are wanted
  { static a b && printf "$@" && printf '\n' && static c d; } >"$lines"
  expect_err "*line 3, column $column: *" 2 regctl import "$lines" --dry-run
  expect_out 0 0 regctl count
  expect_err "*'$lines', line 3, column $column: *; the lines before it are done" \
    2 regctl import "$lines"
  expect_out $'n/a\nn/b' 0 regctl list -o name
}
bad 1 garbage
bad 1 '\000\001\002\377\376'
bad 1 '[]'
bad 1 '{}'
bad 29 '{"namespace":"n","name":"x" "owner":"static"}'
bad 27 '{"namespace":"n","name":"x'
bad 28 '{"namespace":"n","name":"x"'
bad 29 '{"namespace":"n","name":"x"}}'
bad 25 '{"namespace":"n","name":7}'
bad 40 '{"namespace":"n","name":"x","endpoint":null}'
bad 46 '{"namespace":"n","name":"x","metadata":{"k": 1}}'
bad 37 '{"namespace":"n","name":"x","owner":"nobody"}'
bad 29 '{"namespace":"n","name":"x","name":"y"}'
bad 25 '{"namespace":"n","name":"a/b"}'
bad 14 '{"namespace":"n//m","name":"x"}'
bad 36 '{"namespace":"n","name":"x","tags":["t","t"]}'
bad 26 '{"namespace":"n","name":"\377"}'
expect_json '.registered == 0 and .conflicts == 0 and (.error | .kind == "bad_line" and .line == 3
  and .column == 26 and (.message | test("line 3, column 26")))' \
  2 bash -c '"$REGCTL" -s "$1" destroy --force; "$REGCTL" -s "$1" create
    sed -n 3p "$2" | { echo; echo; cat; } | "$REGCTL" -s "$1" import - --json' - "$segment" "$lines"
# Text of the line in a message is escaped.
expect_err '*\\x1B*' 2 from <(printf '{"namespace":"n","name":"x","owner":"\\u001b[31m"}')
{ static a && head -c 100000 /dev/urandom && static b; } >"$lines"
expect_err '*line 2, column *' 2 regctl import "$lines" --replace
# A line of any length ends as an error, not in memory.
{ static a && head -c 16M /dev/zero | tr '\0' '['; } >"$lines"
run_it bash -c 'ulimit -v "$3"; exec "$REGCTL" -s "$1" import "$2" --replace' - "$segment" "$lines" \
  "$([ "$SLOWNESS" -eq 1 ] && echo 2000000 || echo unlimited)"
case $status$err in "2"*'line 2, column 1048577: '*'1 MiB'*) ;; *) fail "a huge line: $status $err" ;; esac

# --- out of room --------------------------------------------------------------------------------------------
fresh --max-size 4M
jq -cn '("x" * 60000) as $big | range(200) | {namespace: "big", name: "s\(.)", metadata: {p: $big}}' \
  >"$lines"
expect_err '*line *' 6 regctl import "$lines" --json
done=$(jq .registered <<<"$out")
[ "$done" -gt 10 ] || fail "full after $done services of 60 KB"
same "$(jq -c '[.error.kind, .error.line, .error.column]' <<<"$out")" "[\"out_of_room\",$((done + 1)),null]" \
  "out of room"
expect_out "$done" 0 regctl count
same "$(regctl export | jq -r .name | sort)" "$(head -n "$done" "$lines" | jq -r .name | sort)" \
  "what a full segment took"
expect 0 regctl doctor
# The rest, where there is room; what is there already is told.
fresh
expect_out 'registered 200, skipped 0, conflicts 0' 0 regctl import "$lines"

# --- a reader that leaves early is no error ---------------------------------------------------------------------
run_it bash -c '"$REGCTL" -s "$1" export | true; exit "${PIPESTATUS[0]}"' - "$segment"
case $status in 0 | 141) ;; *) fail "a closed pipe: exit status $status" ;; esac
[ -z "$err" ] || fail "a closed pipe: $err"
run_it bash -c '"$REGCTL" -s "$1" export >/dev/full' - "$segment"
[ "$status" -eq 6 ] || fail "a full disk: exit status $status; $err"
# --- a time to live is told as it was chosen ---------------------------------------------------------------
regctl -q register told/half --ttl 90500ms
regctl export told >"$scratch/told"
expect 5 regctl import --dry-run "$scratch/told"
case $err in *"time to live of 90500 ms"*) ;; *) fail "a time to live is told as: $err" ;; esac
finish
