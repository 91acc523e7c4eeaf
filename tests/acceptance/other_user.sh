#!/usr/bin/env bash
# Another user: trust, permission, reading only. Needs root, to become somebody else.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq setpriv
file=/dev/shm/shmreg.$segment
can_be_nobody || skip "cannot run as user $nobody here: it takes root"

# --- not even readable ---------------------------------------------------------------------------------
regctl create
regctl -q register a --static --endpoint e
for command in "lookup a" "list" "info" "ps" "doctor" "register b --static" "destroy" "destroy --force"; do
  # shellcheck disable=SC2086 # words are wanted
  expect_err "*$segment*" 4 as_nobody $command
done
expect 5 as_nobody create
expect_err '*may not be read by user *: it belongs to user root, its mode is 0600*' 4 as_nobody create --if-missing
expect_json '.segments[] | select(.name == "'"$segment"'") | .problem | type == "string"' \
  0 as_nobody segments --json
expect 0 regctl destroy --force

# --- readable, not writable --------------------------------------------------------------------------------
regctl create --mode 644
regctl -q register a --static --endpoint e --tag t
"$REGCTL" -s "$segment" run sleeper -- sleep 1000 &
wrapper=$!
processes+=("$wrapper")
eventually registered sleeper
command=$(started sleeper)
processes+=("$command")
before=$(sha256sum <"$file")
expect_out e 0 as_nobody lookup a
expect_json '.pid == '"$command"' and .alive == true' 0 as_nobody lookup sleeper --json
expect_json '.services | length == 2' 0 as_nobody list --json
expect_json '.services[0].name == "a"' 0 as_nobody list --tag t --json
expect_out $'default/a\ndefault/sleeper' 0 as_nobody export -o name
expect_out 2 0 as_nobody count
expect 0 as_nobody namespaces
expect_json '.services == 2' 0 as_nobody info --json
expect_json '.processes | map(.pid) | contains(['"$wrapper"'])' 0 as_nobody ps --json
expect 0 as_nobody doctor
expect 1 as_nobody lookup nothing
[ "$before" = "$(sha256sum <"$file")" ] || fail "a reader wrote"
expect_err '*may not be written by user *: it belongs to user root, its mode is 0644*' 4 as_nobody register b --static
expect 0 as_nobody create --if-missing
expect 4 as_nobody unregister a
expect 4 as_nobody renew a --id 1
expect 4 as_nobody import -
expect 0 as_nobody import - --dry-run
: >"$scratch/secret"
chmod 600 "$scratch/secret"
expect_err '*secret*Permission denied*' 4 as_nobody import "$scratch/secret"
expect 4 as_nobody run b -- touch "$scratch/ran"
expect 4 as_nobody destroy
expect 4 as_nobody destroy --force
[ ! -e "$scratch/ran" ] || fail "a command ran though it could not be registered"
# Death is seen by the reader as well.
kill -KILL "$command"
eventually ended "$command"
expect 1 as_nobody lookup sleeper
wait "$wrapper"
expect 0 regctl destroy --force

# --- writable by all ------------------------------------------------------------------------------------------
regctl create --mode 666
expect 0 as_nobody register b --static
expect_out nobody 0 as_nobody run c -- echo nobody
expect 0 regctl unregister b
# Not one's own file: /dev/shm is sticky.
expect 4 as_nobody destroy
expect 0 regctl destroy

# --- whose file it is --------------------------------------------------------------------------------------------
as_nobody create --mode 666 || fail "user $nobody could not create a segment"
expect_err "*--trust-owner*" 4 regctl list
expect 4 regctl register x --static
expect 0 regctl list --trust-owner "$nobody"
expect 0 regctl --trust-owner "$nobody" register x --static
expect 4 regctl list --trust-owner 65533
expect 0 regctl list --trust-owner 65533 --trust-owner "$nobody"
name=$(id -un "$nobody" 2>/dev/null) && expect 0 regctl list --trust-owner "$name"
expect 0 as_nobody list
expect 0 as_nobody destroy --force
finish
