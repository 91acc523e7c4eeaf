#!/usr/bin/env bash
# register, renew, unregister: who may have a name, for how long, and what is said to the others.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq python3
regctl create

# --- exactly one owner -----------------------------------------------------------------------------
expect_err '*exactly one*' 2 regctl register x
expect_err '*exactly one*' 2 regctl register x --static --pid $$
expect_err '*exactly one*' 2 regctl register x --static --ttl 5s
expect_err '*exactly one*' 2 regctl register x --pid $$ --ttl 5s
expect 1 regctl lookup x

# --- what is printed ---------------------------------------------------------------------------------
expect 0 regctl register x --pid $$
case $out in *[!0-9]* | '') fail "the id is '$out'" ;; esac
first=$out
expect_json '.namespace == "default" and .name == "x" and .id > '"$first" 0 \
  regctl register x --pid $$ --json
expect_out default/x 0 regctl register x --pid $$ -o name
expect_silent 0 regctl -q register x --pid $$
expect_out $$ 0 regctl lookup x
expect_out 1 0 regctl count
expect_json '.pid == '$$' and .owner == "pid" and .alive == true and .id > '"$first" \
  0 regctl lookup x --json

# --- everything that can be said of a service comes back -------------------------------------------------
expect 0 regctl register deep/er/full --static --endpoint 'tcp://[::1]:4000' --meta a=1 --meta b= \
  --meta 'c=x=y [1,2]' --tag t1 --tag 'two words' --depends db --depends other/db --wants cache
expect_json '.namespace == "deep/er" and .name == "full" and .endpoint == "tcp://[::1]:4000"
  and .metadata == {"a": "1", "b": "", "c": "x=y [1,2]"} and .tags == ["t1", "two words"]
  and .depends == ["default/db", "other/db"] and .wants == ["default/cache"]
  and .owner == "static" and .pid == null and .health == "unknown"
  and .effective_health == "unknown" and .cause == null and .node == "'"$(uname -n)"'"
  and (.registered_at | test("^20.*\\.[0-9]{9}Z$")) and .uptime_ms >= 0' \
  0 regctl lookup deep/er/full --json
# Replacing never merges.
expect 5 regctl register deep/er/full --static --endpoint other
expect 0 regctl register deep/er/full --static --meta z=9 --replace
expect_json '.endpoint == "" and .metadata == {"z": "9"} and .tags == [] and .depends == []' \
  0 regctl lookup deep/er/full --json

# --- malformed: refused, and the old kept ------------------------------------------------------------------
# The id of a thread, which /proc answers for as well, is nobody's.
python3 -c 'import threading, time
thread = threading.Thread(target=time.sleep, args=(1000,), daemon=True)
thread.start()
print(thread.native_id, flush=True)
time.sleep(1000)' >"$scratch/thread" &
threaded=$!
processes+=("$threaded")
eventually [ -s "$scratch/thread" ]
expect_err "*thread of process $threaded*" 5 regctl register threaded --pid "$(cat "$scratch/thread")"
expect 1 regctl lookup threaded
expect 0 regctl register threaded --pid "$threaded"
expect 0 regctl unregister threaded
expect_err '*KEY=VALUE*' 2 regctl register x --pid $$ --meta nonsense
expect_err '*KEY=VALUE*' 2 regctl register x --pid $$ --meta =v
expect 2 regctl register x --pid $$ --meta a=1 --meta a=2
expect 2 regctl register x --pid $$ --meta "k=$(head -c 70000 /dev/zero | tr '\0' v)"
expect 2 regctl register x --pid $$ --tag ''
expect 2 regctl register x --pid $$ --depends 'a//b/'
expect 2 regctl register x --pid $$ --endpoint $'tcp://\e[31m'
expect_out $$ 0 regctl lookup x

# --- a taken name ---------------------------------------------------------------------------------------
sleep 1000 &
holder=$!
processes+=("$holder")
expect 0 regctl register taken --pid "$holder" --endpoint mine
before=$(regctl lookup taken --json | jq -c 'del(.uptime_ms)')
for other in "--pid $$" "--static" "--ttl 10s"; do
  # shellcheck disable=SC2086 # words are wanted
  expect_err "*$holder*sleep*" 5 regctl register taken $other
done
[ "$before" = "$(regctl lookup taken --json | jq -c 'del(.uptime_ms)')" ] ||
  fail "a refused register changed the entry"
expect_out 3 0 regctl count --json -o table # the last counts
expect 0 regctl register taken --pid $$ --replace
expect_out $$ 0 regctl lookup taken
expect 0 regctl register taken --pid "$holder" --replace

# --- a dead owner's name is anybody's -----------------------------------------------------------------------
kill -KILL "$holder"
wait "$holder" 2>/dev/null
expect 1 regctl lookup taken
expect 0 regctl register taken --static
expect 0 regctl unregister taken

# --- a pid of nobody ------------------------------------------------------------------------------------------
expect_err "*$holder*" 5 regctl register ghost --pid "$holder"
expect 1 regctl lookup ghost
# A zombie is nobody either.
bash -c 'sleep 0 & echo $! >"$1"; exec sleep 1000' - "$scratch/zombie" &
processes+=($!)
eventually test -s "$scratch/zombie"
zombie=$(cat "$scratch/zombie")
eventually ended "$zombie"
expect 5 regctl register ghost --pid "$zombie"

# --- ttl --------------------------------------------------------------------------------------------------------
# Renewed beyond its first time to live; each step is far shorter, for machines that are busy.
third=$((SLOWNESS > 1 ? 5 : 1))
expect 0 regctl register mortal --ttl $((3 * third))s --endpoint e
id=$out
expect_json '.owner == "ttl" and .pid == null' 0 regctl lookup mortal --json
expect 5 regctl register mortal --ttl 10s
for _ in 1 2 3 4; do
  sleep "$third"
  expect_silent 0 regctl renew mortal --id "$id"
done
expect_out e 0 regctl lookup mortal
expect 1 regctl renew mortal --id $((id + 1))
expect_json '.renewed == true and .id == '"$id" 0 regctl renew mortal --id "$id" --json
eventually gone mortal
expect 1 regctl lookup mortal
expect_err '*expired*' 1 regctl renew mortal --id "$id"
expect_json '.renewed == false' 1 regctl renew mortal --id "$id" --json
expect 0 regctl register mortal --ttl 1h
expect 1 regctl renew mortal --id "$id"
expect_err '*--id*' 2 regctl renew mortal
expect 2 regctl renew mortal --id abc
expect 1 regctl renew never-was --id 5
expect 0 regctl register fixed --static
expect 1 regctl renew fixed --id "$out"

# --- unregister ------------------------------------------------------------------------------------------------
expect_err '*not registered*' 1 regctl unregister never-was
expect_silent 1 regctl -q unregister never-was
expect 0 regctl register gone --static
id=$out
expect 1 regctl unregister gone --id $((id + 1))
expect 0 regctl lookup gone
expect_silent 0 regctl unregister gone --id "$id"
expect 1 regctl lookup gone
expect 1 regctl unregister gone --id "$id"
expect 0 regctl register gone --static
expect_json '.unregistered == true and .name == "gone"' 0 regctl unregister gone --json
expect_json '.unregistered == false' 1 regctl unregister gone --json

# --- what another live process registered for itself ----------------------------------------------------------------
hold=$SHMREG_BIN/tests/hold
if [ -x "$hold" ]; then
  mkfifo "$scratch/hold"
  "$hold" "$segment" other/own <"$scratch/hold" >/dev/null &
  held=$!
  processes+=("$held")
  exec 9>"$scratch/hold"
  eventually registered other/own
  expect_json '.owner == "process" and .pid == '"$held" 0 regctl lookup other/own --json
  expect_err "*--force*" 4 regctl unregister other/own
  expect 0 regctl lookup other/own
  expect_err "*$held*hold*" 5 regctl register other/own --static
  expect 0 regctl unregister other/own --force
  expect 1 regctl lookup other/own
  exec 9>&-
  wait "$held" || fail "the process whose name was taken away ended with $?"
else
  echo "left out: $hold is not built"
fi

# --- names -----------------------------------------------------------------------------------------------------------
expect 2 regctl register '' --static
expect 0 regctl doctor
finish
