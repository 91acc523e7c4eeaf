#!/usr/bin/env bash
# lookup, list, count, namespaces: every format, every filter, yes and no.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq
regctl create

# --- empty: a plain list is a success, a filter that nothing matched is not ------------------------------
expect_json '.services == []' 0 regctl list --json
expect_out '' 0 regctl list -o jsonl
expect_out '' 0 regctl list -o name
expect_json '.services == []' 0 regctl list nowhere --json
expect_out 0 0 regctl count
expect_out 0 0 regctl count nowhere
expect_json '.namespaces == []' 0 regctl namespaces --json
expect 1 regctl list --tag t
expect_json '.services == []' 1 regctl list --tag t --json
expect_silent 1 regctl -q list --tag t

sleep 1000 &
sleeper=$!
processes+=("$sleeper")
regctl -q register web --pid "$sleeper" --endpoint http://127.0.0.1:80 --tag http --meta zone=a
regctl -q register prod/web --static --endpoint http://10.0.0.1 --tag http --tag v2 --meta zone=b
regctl -q register prod/db --ttl 1h --meta zone=b --meta version=15 --meta check.kind=tcp
regctl -q register prod/eu/db --static

# --- lookup --------------------------------------------------------------------------------------------
expect_out http://127.0.0.1:80 0 regctl lookup web
expect_out http://127.0.0.1:80 0 regctl lookup default/web
expect_out http://10.0.0.1 0 regctl lookup prod/web
expect_out '' 0 regctl lookup prod/eu/db
regctl -q register bare --pid "$sleeper"
expect_out "$sleeper" 0 regctl lookup bare
expect_out prod/web 0 regctl lookup prod/web -o name
expect 0 regctl lookup web -o wide
expect_json '.name == "web" and .namespace == "default" and .uptime_ms >= 0' 0 regctl lookup web --json
expect_json '.name == "web"' 0 regctl --json lookup web
expect_json '.name == "web"' 0 regctl lookup web -o jsonl
expect_json '.services | length == 1 and .[0].name == "web"' 0 regctl lookup web --all --json
expect_json '.name == "web"' 0 regctl lookup web --all -o jsonl
expect_out http://127.0.0.1:80 0 regctl lookup web --all
expect_silent 0 regctl -q lookup web

# Healthy: passing, or unknown without a check.
expect 0 regctl lookup web --healthy
expect_err '*unknown*' 1 regctl lookup prod/db --healthy
expect_json '.error.kind == "not_healthy"' 1 regctl lookup prod/db --healthy --json

# A miss is told on standard error, and as an object.
expect_err '*nothing-like-it*' 1 regctl lookup nothing-like-it
[ -z "$out" ] || fail "a miss printed '$out'"
expect_silent 1 regctl -q lookup nothing-like-it
expect_json '.error | .kind == "not_found" and .namespace == "prod" and .service == "nope"
  and (.message | length > 0)' 1 regctl lookup prod/nope --json
expect_json '.services == [] and .error.kind == "not_found"' 1 regctl lookup prod/nope --all --json
expect_err "*did you mean 'prod/web'*" 1 regctl lookup prod/wbe
expect_err "*did you mean 'prod/eu/db'*" 1 regctl lookup prod/us/db
expect_err "*did you mean 'default/web'*" 1 regctl lookup web2
# What is alike is the namespace alone.
expect_err "regctl: no service 'default/nope' is registered" 1 regctl lookup nope
# The same name elsewhere is another service.
expect 1 regctl lookup eu/db
expect 1 regctl lookup prod

# --- list ------------------------------------------------------------------------------------------------
names() { regctl list -o name "$@" | xargs; }
same() { [ "$1" = "$2" ] || fail "listed ($1), not ($2)"; }
same "$(names)" "default/bare default/web prod/db prod/eu/db prod/web"
same "$(names default)" "default/bare default/web"
same "$(names prod)" "prod/db prod/web"
same "$(names prod/eu)" "prod/eu/db"
same "$(names pro)" ""
same "$(names --tag http)" "default/web prod/web"
same "$(names --tag http --tag v2)" "prod/web"
same "$(names prod --tag http)" "prod/web"
same "$(names --meta zone=b)" "prod/db prod/web"
same "$(names --meta zone=b --meta version=15)" "prod/db"
same "$(names --match 'w*')" "default/web prod/web"
same "$(names --match '*/db')" "prod/db prod/eu/db"
same "$(names --match 'prod/*')" "prod/db prod/eu/db prod/web"
same "$(names --match '[bw]?*')" "default/bare default/web prod/web"
same "$(names --pid "$sleeper")" "default/bare default/web"
same "$(names --health unknown)" "default/bare default/web prod/db prod/eu/db prod/web"
expect 1 regctl list --health passing
expect 1 regctl list --pid 1
expect 1 regctl list --meta zone=c
expect 1 regctl list --meta zone=
expect 1 regctl list --match WEB
same "$(names --where 'version>=9')" "prod/db"
same "$(names --where 'version > 9' --where 'zone in a, b')" "prod/db"
same "$(names --where 'version=15.0')" "prod/db"
same "$(names --where 'zone!=b')" "default/web"
same "$(names --where 'zone not in a,c')" "prod/db prod/web"
same "$(names prod --where 'zone<c' --tag http)" "prod/web"
expect_err 'regctl: no service matches' 1 regctl list --where 'zone=c'
for malformed in version '' '>3' 'zone in' 'zone in a,,b' 'a=>b'; do
  expect_err '*--where:*no condition*' 2 regctl list --where "$malformed"
done
expect_err '*none of unknown, starting*' 2 regctl list --health fine
expect_err '*KEY=VALUE*' 2 regctl list --meta zone
expect 2 regctl list prod/
expect 2 regctl list ''

expect_json '.services | length == 5 and all(has("namespace") and has("name") and has("id")
  and has("pid") and has("endpoint") and has("metadata") and has("tags") and has("depends")
  and has("wants") and has("health") and has("effective_health") and has("cause") and has("owner")
  and has("alive") and has("node") and has("registered_at") and has("uptime_ms"))' \
  0 regctl list --json
expect 0 regctl list -o jsonl
[ "$(wc -l <"$scratch/out")" -eq 5 ] || fail "jsonl: $out"
jq -e -s 'length == 5 and all(.schema == 1)' "$scratch/out" >/dev/null || fail "jsonl: $out"
expect 0 regctl list
[ "$(wc -l <"$scratch/out")" -eq 6 ] || fail "table: $out"
expect 0 regctl list --no-header
[ "$(wc -l <"$scratch/out")" -eq 5 ] || fail "table without header: $out"
expect 0 regctl list -o wide
echo "$out" | grep -q 'zone=b version=15' || fail "wide lacks metadata: $out"
expect_silent 0 regctl -q list

# --- colour --------------------------------------------------------------------------------------------------
colored() { grep -q $'\e' "$scratch/out"; }
expect 0 regctl list
colored && fail "colour into a file"
expect 0 regctl list --color=always
colored || fail "no colour though asked for"
expect 0 env NO_COLOR=1 "$REGCTL" -s "$segment" list --color=always
colored && fail "colour in spite of NO_COLOR"
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
  expect 0 env TERM=xterm script -qec "$REGCTL -s $segment list" /dev/null
  colored || fail "no colour on a terminal"
  expect 0 env TERM=xterm script -qec "$REGCTL -s $segment list --color never" /dev/null
  colored && fail "colour in spite of --color never"
else
  echo "SKIPPED: colour on a terminal: none can be made here (no script, or no /dev/pts)"
fi

# --- count, namespaces -------------------------------------------------------------------------------------------
expect_out 5 0 regctl count
expect_out 2 0 regctl count prod
expect_out 1 0 regctl count prod/eu
expect_json '.count == 2 and .namespace == "prod"' 0 regctl count prod --json
expect_json '.count == 5 and .namespace == null' 0 regctl count --json
expect_json '.namespaces == [{"namespace": "default", "services": 2},
  {"namespace": "prod", "services": 2}, {"namespace": "prod/eu", "services": 1}]' \
  0 regctl namespaces --json
expect_out $'default\nprod\nprod/eu' 0 regctl namespaces -o name

# --- death: everything agrees ----------------------------------------------------------------------------------------
kill -KILL "$sleeper"
wait "$sleeper" 2>/dev/null
expect 1 regctl lookup web
expect 1 regctl lookup bare
# Who had it last, and how that ended.
expect_err "*no service 'default/web'*its owner $sleeper (sleep) *died*" 1 regctl lookup web
expect_json '.error.last | .event == "died" and .pid == '"$sleeper"' and .program == "sleep" and has("at") and (.id | type == "number")' \
  1 regctl lookup web --json
regctl -q register brief --static
regctl -q unregister brief
expect_err '*it was unregistered *ago' 1 regctl lookup brief
regctl -q register brief --ttl 10ms
sleep 0.1
expect_err '*its time to live *' 1 regctl lookup brief
expect_json '.error.last.event == "expired"' 1 regctl lookup brief --json
expect_json '.error.last == null' 1 regctl lookup never-there --json
same "$(names)" "prod/db prod/eu/db prod/web"
expect_out 3 0 regctl count
expect_out 0 0 regctl count default
expect_out $'prod\nprod/eu' 0 regctl namespaces -o name
expect 1 regctl list --pid "$sleeper"

# --- a reader that leaves early is no error ------------------------------------------------------------------------------
for n in $(seq 300); do
  printf '{"namespace":"many","name":"%s","owner":"static","metadata":{"text":"%0300d"}}\n' "$n" 0
done | regctl -q import -
# shellcheck disable=SC2016 # the inner shell expands these
run_it bash -c '"$REGCTL" -s "$1" list --json | true; exit "${PIPESTATUS[0]}"' - "$segment"
case $status in 0 | 141) ;; *) fail "a closed pipe: exit status $status" ;; esac
[ -z "$err" ] || fail "a closed pipe: $err"
expect_json '.services | length == 303' 0 regctl list --json
finish
