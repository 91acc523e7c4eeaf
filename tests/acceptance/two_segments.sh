#!/usr/bin/env bash
# Two segments with the same names in them: every command keeps to the one it was told, and every
# command gives the exit status of cli's table in each, as root and as another user. What the other
# scripts cover of one segment is not said again.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq
one=$segment.1
two=$segment.2
bad=$segment.bad
segments+=("$one" "$two" "$bad")
in_one() { "$REGCTL" -s "$one" "$@"; }
in_two() { "$REGCTL" -s "$two" "$@"; }
readers=(regctl)
can_be_nobody && readers+=(as_nobody)

# Everything that names a segment; what is left must be a whole command.
reading=("lookup n/a" "lookup n/a --all" "list" "list n" "count" "count n" "namespaces" "tree" "wait n/a" "watch" "ps" "info"
  "export" "doctor" "import - --dry-run")
writing=("register n/new --static" "register n/new --ttl 1h" "register n/new --pid $$" "renew n/a --id 1" "unregister n/a" "import -"
  "gc" "run n/new -- touch $scratch/ran" "destroy" "destroy --force" "cleanup n" "doctor --repair")
all_of() { # STATUS RUNNER... -- COMMAND...
  local wanted=$1 runner=() command
  shift
  while [ "$1" != -- ]; do
    runner+=("$1")
    shift
  done
  shift
  for command in "$@"; do
    # shellcheck disable=SC2086 # words are wanted
    expect "$wanted" "${runner[@]}" $command
    [ "$wanted" -eq 0 ] || [ "$wanted" -eq 1 ] || [ -n "$err" ] || fail "$command: status $wanted without a word"
  done
  [ ! -e "$scratch/ran" ] || fail "a command ran that could not be registered"
}

# --- 3: none, for all --------------------------------------------------------------------------------------
in_one create --mode 644
in_one -q register n/a --static --endpoint one
for reader in "${readers[@]}"; do
  all_of 3 "$reader" -s "$two" -- "${reading[@]}" "${writing[@]}"
  [ ! -e "/dev/shm/shmreg.$two" ] || fail "a command created the segment"
done
expect_out one 0 in_one lookup n/a
# The files of the right name that are no segments: doctor has its own answer.
others=()
for command in "${reading[@]}" "${writing[@]}"; do
  case $command in doctor* | *--force) ;; *) others+=("$command") ;; esac
done
for kind in empty noise; do
  case $kind in
    empty) : >"/dev/shm/shmreg.$bad" ;;
    noise) head -c 65536 /dev/urandom >"/dev/shm/shmreg.$bad" ;;
  esac
  chmod 666 "/dev/shm/shmreg.$bad"
  for reader in "${readers[@]}"; do
    all_of 3 "$reader" -s "$bad" -- "${others[@]}"
    expect 1 "$reader" -s "$bad" doctor
  done
done
expect 0 regctl -s "$bad" destroy --force

# --- the same names, each its own --------------------------------------------------------------------------
in_two create --mode 666
in_two -q register n/a --static --endpoint two --tag second
id_one=$(in_one register n/t --ttl 1h)
id_two=$(in_two register n/t --ttl 1h)
in_two -q register n/only_two --static
for reader in "${readers[@]}"; do
  expect_out one 0 "$reader" -s "$one" lookup n/a
  expect_out two 0 "$reader" -s "$two" lookup n/a
  # Of two the last counts, and the option does above the environment.
  expect_out two 0 "$reader" -s "$one" lookup n/a -s "$two"
  expect_out two 0 env SHMREG_SEGMENT="$one" "$REGCTL" lookup n/a -s "$two"
  expect_out one 0 env SHMREG_SEGMENT="$one" "$REGCTL" lookup n/a
  expect_out 2 0 "$reader" -s "$one" count
  expect_out 3 0 "$reader" -s "$two" count
  expect_out $'n/a\nn/t' 0 "$reader" -s "$one" list -o name
  expect_out $'n/a\nn/only_two\nn/t' 0 "$reader" -s "$two" list -o name
  expect 1 "$reader" -s "$one" list --tag second
  expect 0 "$reader" -s "$two" list --tag second
  expect 1 "$reader" -s "$one" lookup n/only_two
  expect_json '.namespaces[0].services == 2' 0 "$reader" -s "$one" namespaces --json
  expect_json '.namespaces[0].services == 3' 0 "$reader" -s "$two" namespaces --json
  expect_json '.segment == "'"$one"'" and .services == 2' 0 "$reader" -s "$one" info --json
  expect_json '.segment == "'"$two"'" and .services == 3' 0 "$reader" -s "$two" info --json
  expect_json '.segment == "'"$two"'" and .services == 3' 0 "$reader" -s "$two" doctor --json
  expect_out $'n/a\nn/only_two\nn/t' 0 "$reader" -s "$two" export -o name
  expect 124 "$reader" -s "$one" wait n/only_two --timeout 10ms
  expect 0 "$reader" -s "$two" wait n/only_two --timeout 10s
  expect 0 "$reader" -s "$one" wait n/only_two --for gone --timeout 10s
  expect 124 "$reader" -s "$two" wait n/only_two --for gone --timeout 10ms
  expect_json '[.segments[].name] | contains(["'"$one"'", "'"$two"'"])' 0 "$reader" segments --json
done
# An id of the other segment is another's.
if [ "$id_one" != "$id_two" ]; then
  expect 1 in_one renew n/t --id "$id_two"
  expect 1 in_two unregister n/t --id "$id_one"
fi
expect 0 in_one renew n/t --id "$id_one"
expect 0 in_two renew n/t --id "$id_two"
# A name taken in one is free in the other.
expect 5 in_two register n/a --static
expect 5 in_two run n/only_two -- touch "$scratch/ran"
[ ! -e "$scratch/ran" ] || fail "a command ran under a taken name"
expect_out ran 0 in_one run n/only_two -- echo ran
in_two export n >"$scratch/two"
for where in "$one" "$two"; do
  # A line for each name that is taken.
  regctl -s "$where" import "$scratch/two" >/dev/null 2>"$scratch/taken"
  [ $? -eq 5 ] || fail "import into $where of what is there: $(cat "$scratch/taken")"
done
expect_out one 0 in_one lookup n/a
expect 0 in_one lookup n/only_two
expect 0 in_one unregister n/only_two

# One process, a name in each; its end is seen in both, and ps has it where it is attached.
sleep 1000 &
owner=$!
processes+=("$owner")
expect 0 in_one register n/owned --pid "$owner"
expect 0 in_two register n/owned --pid "$owner"
"$REGCTL" -s "$two" run n/wrapped -- sleep 1000 &
wrapper=$!
processes+=("$wrapper")
eventually in_two -q lookup n/wrapped
processes+=("$(in_two lookup n/wrapped)")
expect_json '.processes | map(.pid) | contains(['"$wrapper"'])' 0 in_two ps --json
expect_json '.processes | map(.pid) | contains(['"$wrapper"']) | not' 0 in_one ps --json
expect 5 in_two destroy
expect 5 in_one destroy

# A watch of one does not hear of the other.
"$REGCTL" -s "$one" watch n/ -o jsonl >"$scratch/watch.one" &
watchers=($!)
"$REGCTL" -s "$two" watch n/ -o jsonl >"$scratch/watch.two" &
watchers+=($!)
processes+=("${watchers[@]}")
# heard WHERE EVENT NAME
# shellcheck disable=SC2317 # by eventually
heard() {
  jq -e -s --arg event "$2" --arg name "$3" 'any(.event == $event and .name == $name)' "$scratch/watch.$1"
}
eventually heard one present owned
eventually heard two present owned
in_one -q register n/heard --static --endpoint one
in_two -q register n/heard --static --endpoint two
eventually heard one registered heard
eventually heard two registered heard
kill -KILL "$owner"
eventually heard one died owned
eventually heard two died owned
for name in one two; do
  jq -e -s --arg name "$name" 'map(select(.name == "heard")) | length == 1 and .[0].endpoint == $name' "$scratch/watch.$name" \
    >/dev/null || fail "the watch of $name heard: $(cat "$scratch/watch.$name")"
done
for pid in "${watchers[@]}"; do
  kill "$pid"
  wait "$pid"
  status=$?
  [ "$status" -eq 143 ] || fail "a watch that was told to end: exit status $status"
done
expect 1 in_one lookup n/owned
expect 1 in_two lookup n/owned

# --- 4: who may not, in one, and may in the other ------------------------------------------------------------
if can_be_nobody; then
  digest=$(sha256sum <"/dev/shm/shmreg.$one")
  all_of 0 as_nobody -s "$one" -- "lookup n/a" "list" "count" "namespaces" "tree" "wait n/a" "ps" "info" "export" "doctor" \
    "import - --dry-run" "segments" "version" "help" "complete -- lookup"
  all_of 4 as_nobody -s "$one" -- "${writing[@]}"
  [ "$digest" = "$(sha256sum <"/dev/shm/shmreg.$one")" ] || fail "a reader wrote"
  expect 0 as_nobody -s "$two" register n/nobodys --static
  expect 0 as_nobody -s "$two" unregister n/nobodys
  expect 0 as_nobody -s "$two" run n/nobodys -- true
  expect 0 as_nobody -s "$two" gc
  expect 0 as_nobody -s "$two" import "$scratch/two" --replace
  # The file is root's, in a sticky directory; a process of root's is not his to stop.
  expect 4 as_nobody -s "$two" destroy --force
  "$REGCTL" -s "$two" -q register t/roots --pid "$wrapper"
  expect 4 as_nobody -s "$two" cleanup t --terminate
  expect 4 as_nobody -s "$segment.3" create --group 0
  [ ! -e "/dev/shm/shmreg.$segment.3" ] || fail "a segment of a group that was refused"
  chmod 600 "/dev/shm/shmreg.$one"
  all_of 4 as_nobody -s "$one" -- "${reading[@]}" "${writing[@]}"
  expect_silent 0 as_nobody -s "$one" complete -- lookup n/
  expect_out two 0 as_nobody -s "$two" lookup n/a
  chmod 644 "/dev/shm/shmreg.$one"
  # A file of his own is not trusted, in either order of the options.
  chown "$nobody" "/dev/shm/shmreg.$two"
  all_of 4 regctl -s "$two" -- "${reading[@]}" "register n/new --static" "renew n/a --id 1" "unregister n/a" "gc" "destroy --force"
  all_of 0 regctl --trust-owner "$nobody" -s "$two" -- "lookup n/a" "list" "info" "doctor" "gc"
  expect_out one 0 in_one lookup n/a
  chown 0 "/dev/shm/shmreg.$two"
fi

# --- 6: no room in one ------------------------------------------------------------------------------------------
small=$segment.small
segments+=("$small")
expect 0 regctl -s "$small" create --max-size 4M --max-processes 1
# Memory stays its partition's: room for a name once is room for the same name again.
expect 0 regctl -s "$small" register holds_the_table --static
jq -nc 'range(200) | {namespace: "fill", name: "s\(.)", owner: "static", metadata: {k: ("v" * 60000)}}' >"$scratch/fill"
expect 6 regctl -s "$small" import "$scratch/fill"
expect 6 regctl -s "$small" register big --static --meta k="$(printf 'v%.0s' {1..60000})"
expect 6 regctl -s "$small" run big --meta k="$(printf 'v%.0s' {1..60000})" -- touch "$scratch/ran"
[ ! -e "$scratch/ran" ] || fail "a command ran though there was no room for it"
expect 0 in_two register n/big --static --meta k="$(printf 'v%.0s' {1..60000})"
expect 0 regctl -s "$small" cleanup fill
expect 0 regctl -s "$small" register fill/s0 --static --meta k="$(printf 'v%.0s' {1..60000})"
expect 0 regctl -s "$small" unregister holds_the_table
"$REGCTL" -s "$small" run holds_the_table -- sleep 1000 &
processes+=($!)
eventually regctl -s "$small" -q lookup holds_the_table
processes+=("$(regctl -s "$small" lookup holds_the_table)")
expect 6 regctl -s "$small" register x --static
expect 0 regctl -s "$small" lookup holds_the_table
# More than there is.
if [ "$(df --output=avail -B1G /dev/shm | tail -1)" -lt 60 ]; then
  expect 6 regctl -s "$segment.3" create --max-size 64G --reserve
  [ ! -e "/dev/shm/shmreg.$segment.3" ] || fail "a refused create left a file"
fi

# --- one goes, the other stays ------------------------------------------------------------------------------------
before=$(in_two count)
expect 0 in_one cleanup n
expect_out 0 0 in_one count
expect_out "$before" 0 in_two count
expect 0 in_one destroy
all_of 3 regctl -s "$one" -- "lookup n/a" "list" "gc"
expect_out "$before" 0 in_two count
expect 5 in_two destroy
expect 0 in_two destroy --force
finish
