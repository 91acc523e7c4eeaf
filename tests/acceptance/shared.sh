#!/usr/bin/env bash
# Shared names: instances beside each other, each found, each gone with its owner.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq
regctl create

regctl -q register a/web --static --shared --endpoint tcp://1
second=$(regctl register a/web --static --shared --endpoint tcp://2)
expect_json '[.services[].endpoint] == ["tcp://1", "tcp://2"] and all(.services[]; .shared == true)' \
  0 regctl lookup a/web --all --json
expect_out $'tcp://1\ntcp://2' 0 regctl lookup a/web --all
expect_json '(.services | length) == 2' 0 regctl list a --json
expect_out 2 0 regctl count a
expect_json '.shared == true and (.endpoint | test("^tcp://[12]$"))' 0 regctl lookup a/web --json
# Each client begins at random: of so many one has met each.
for _ in $(seq 40); do regctl lookup a/web; done | sort -u >"$scratch/met"
[ "$(xargs <"$scratch/met")" = "tcp://1 tcp://2" ] || fail "40 clients met $(cat "$scratch/met")"

# --- between shared and not ---------------------------------------------------------------------
expect_err '*already registered*shares it*' 5 regctl register a/web --static
regctl -q register a/db --static
expect_err '*already registered*does not share it*' 5 regctl register a/db --static --shared
expect_json '.shared == false' 0 regctl lookup a/db --json
expect_err "*already registered*" 5 regctl run a/web -- true
expect 0 regctl register a/db --static --shared --replace
expect_json '.shared == true' 0 regctl lookup a/db --json

# --- one goes, the others stay ------------------------------------------------------------------
expect 0 regctl unregister a/web --id "$second"
expect 1 regctl unregister a/web --id "$second"
expect_out tcp://1 0 regctl lookup a/web --all
"$REGCTL" -s "$segment" run a/web --shared --endpoint tcp://3 -- sleep 1000 &
processes+=("$!")
"$REGCTL" -s "$segment" run a/web --shared --endpoint tcp://4 -- sleep 1000 &
processes+=("$!")
# shellcheck disable=SC2317 # called by eventually
instances() { [ "$(regctl lookup a/web --all | wc -l)" -eq "$1" ]; }
eventually instances 3
pid=$(regctl lookup a/web --all --json | jq '.services[] | select(.endpoint == "tcp://3") | .pid')
kill -KILL "$pid"
eventually instances 2
expect_json '[.services[].endpoint] | sort == ["tcp://1", "tcp://4"]' 0 regctl lookup a/web --all --json
# The same pid again is the same instance.
sleep 1000 &
processes+=("$!")
regctl -q register a/web --pid "$!" --shared --endpoint tcp://5
regctl -q register a/web --pid "$!" --shared --endpoint tcp://6
expect_json '[.services[].endpoint] | sort == ["tcp://1", "tcp://4", "tcp://6"]' 0 \
  regctl lookup a/web --all --json
expect 0 regctl doctor

# --- a namespace is cleaned up: each instance is one, each owner is asked ---------------------------
sleepers=()
for n in 1 2 3; do
  sleep 1000 &
  processes+=("$!")
  sleepers+=("$!")
  regctl -q register t/sh --pid "$!" --shared --endpoint "tcp://$n"
done
regctl -q register t/sh --static --shared
kill -STOP "${sleepers[0]}" # sees to it all the same
expect_json '.removed == 4 and .terminated == 3' 0 regctl cleanup t --terminate --json
for pid in "${sleepers[@]}"; do ended "$pid" || fail "$pid still runs"; done
regctl -q register t/sh --static --shared
regctl -q register t/sh --static --shared
expect_out 2 0 regctl cleanup t
expect_out 0 0 regctl cleanup t

# --- all go ---------------------------------------------------------------------------------------
expect 0 regctl unregister a/web
expect 1 regctl lookup a/web --all
expect_json '.services == [] and .error.kind == "not_found"' 1 regctl lookup a/web --all --json
expect 0 regctl doctor
expect_json '.services == 1' 0 regctl info --json
# The name is free for one that does not share it.
expect 0 regctl register a/web --static
finish
