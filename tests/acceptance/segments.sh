#!/usr/bin/env bash
# Segments: create, destroy, segments, ps, info; their exit codes; two at once; what is no segment.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq
file=/dev/shm/shmreg.$segment

# --- nothing there -----------------------------------------------------------------------------------
for command in "list" "info" "ps" "count" "namespaces" "doctor" "destroy" "lookup x" \
  "register x --static" "renew x --id 1" "unregister x" "run x -- true" "export" "import -"; do
  # shellcheck disable=SC2086 # words are wanted
  expect_err "*$segment*" 3 regctl $command
  [ -z "$out" ] || fail "$command: printed '$out'"
done
[ ! -e "$file" ] || fail "a command that must not create the segment did"

# --- create ------------------------------------------------------------------------------------------
expect_silent 0 regctl create
[ -f "$file" ] || fail "create made no $file"
[ "$(stat -c %a "$file")" = 600 ] || fail "the mode is $(stat -c %a "$file")"
used=$(($(stat -c '%b * %B' "$file")))
[ "$used" -lt $((4 << 20)) ] || fail "a fresh segment holds $used bytes"
expect_err "*$segment*" 5 regctl create
expect_silent 0 regctl create --if-missing
expect_json '.created == false' 0 regctl create --if-missing --json

# --- info --------------------------------------------------------------------------------------------
expect_json '.segment == "'"$segment"'" and (.layout_version | type == "string")
  and (.created_at | test("^20[0-9-]+T[0-9:]+\\.[0-9]{9}Z$")) and .services == 0 and .namespaces == 0
  and .bytes_limit == 1073741824 and .bytes_used > 0 and .bytes_used < 4194304
  and .partitions >= 64 and (.changes | type == "number") and (.load_factor_max | type == "number")
  and (.liveness == "kernel_mark" or .liveness == "byte_lock") and has("processes")' \
  0 regctl info --json
expect 0 regctl info
expect_out "$segment" 0 regctl info -o name
regctl register a --static -q
regctl register n/b --static -q
expect_json '.services == 2 and .namespaces == 2 and .changes >= 2 and .load_factor_max > 0' \
  0 regctl info --json

# --- ps ----------------------------------------------------------------------------------------------
"$REGCTL" -s "$segment" run sleeper -- sleep 1000 &
wrapper=$!
processes+=("$wrapper")
eventually registered sleeper
sleeper=$(started sleeper)
processes+=("$sleeper")
expect_json '[.processes[] | select(.pid == '"$wrapper"')] | length == 1 and (.[0]
  | .program == "regctl" and .state == "running" and .waiting_for == null
  and (.pid_namespace | type == "number") and (.attached_at | endswith("Z"))
  and (.services | type == "number"))' 0 regctl ps --json
kill -STOP "$wrapper"
eventually stopped "$wrapper"
expect_json '.processes[] | select(.pid == '"$wrapper"') | .state == "stopped"' 0 regctl ps --json
expect 0 regctl ps
kill -CONT "$wrapper"

# --- segments ----------------------------------------------------------------------------------------
expect_json '.segments[] | select(.name == "'"$segment"'") | .mode == "0600" and .processes >= 1
  and .bytes_limit == 1073741824 and .problem == null and .owner == "'"$(id -un)"'"' \
  0 regctl segments --json
expect 0 regctl segments -o name
echo "$out" | grep -qx "$segment" || fail "segments -o name does not name $segment"

# --- destroy -----------------------------------------------------------------------------------------
expect_err "*of pid $sleeper (sleep)*-s $segment list*--force*" 5 regctl destroy
[ -f "$file" ] || fail "a refused destroy removed the segment"
kill -KILL "$sleeper"
wait "$wrapper"
# What is registered for nobody's life is no live owner.
expect 0 regctl destroy --force
[ ! -e "$file" ] || fail "destroy left $file"
expect 3 regctl destroy
expect 3 regctl list

# --- a destroyed segment is no longer written to ---------------------------------------------------------
regctl create
"$REGCTL" -s "$segment" run sleeper -- sleep 1000 &
wrapper=$!
processes+=("$wrapper")
eventually registered sleeper
sleeper=$(started sleeper)
processes+=("$sleeper")
expect_json '.services == 1' 0 regctl destroy --force --json
# The command that ran under it ends as it would have.
kill -TERM "$wrapper"
wait "$wrapper"
[ $? -eq 143 ] || fail "after its segment was destroyed, run ended with another status"

# --- options of create -------------------------------------------------------------------------------
expect 0 regctl create --max-size 16M --partitions 128 --mode 0640 --max-processes 7 \
  --group "$(id -g)"
[ "$(stat -c %a:%g "$file")" = "640:$(id -g)" ] || fail "mode and group: $(stat -c %a:%g "$file")"
expect_json '.bytes_limit == 16777216 and .partitions == 128 and .processes_limit == 7' \
  0 regctl info --json
expect 0 regctl destroy
expect 0 bash -c "umask 077; \"\$REGCTL\" -s $segment create --mode 666"
[ "$(stat -c %a "$file")" = 666 ] || fail "the umask changed the mode: $(stat -c %a "$file")"
expect 0 regctl destroy
expect 0 regctl create --max-size 8M --reserve
used=$(($(stat -c '%b * %B' "$file")))
[ "$used" -ge $((8 << 20)) ] || fail "--reserve claimed $used bytes"
expect_silent 0 regctl -q destroy
for bad in "--partitions 0" "--partitions 3" "--partitions 8192" "--max-size 1K" "--max-size 1T" "--max-processes 0" \
  "--max-processes 65535"; do
  # shellcheck disable=SC2086 # words are wanted
  expect 2 regctl create $bad
  [ ! -e "$file" ] || fail "create $bad left a file"
done

# --- --create: only where it is said ---------------------------------------------------------------------
expect 0 regctl register x --static --create
expect 0 regctl register y --static --create
expect_out 2 0 regctl count
expect 0 regctl destroy --force
expect_out hello 0 regctl run x --create -- echo hello
expect 0 regctl info

# --- create --if-missing accepts a segment, not whatever has its name -------------------------------------
echo garbage >"$file"
expect_err '*not a shmreg segment*' 3 regctl create --if-missing
expect_err '*exists already*' 5 regctl create
expect_err '*not a shmreg segment*' 3 regctl register x --static --create
rm "$file"
expect 0 regctl create

# --- two segments at once know nothing of each other -------------------------------------------------------
second=$segment.second
segments+=("$second")
expect 0 regctl create -s "$second"
expect 0 regctl register same --static --endpoint first
expect 0 regctl register same --static --endpoint second -s "$second"
expect_out first 0 regctl lookup same
expect_out second 0 regctl lookup same -s "$second"
expect_out second 0 env SHMREG_SEGMENT="$second" "$REGCTL" lookup same
expect 0 regctl unregister same
expect 1 regctl lookup same
expect 0 regctl lookup same -s "$second"
expect 0 regctl destroy --force
expect_out second 0 regctl lookup same -s "$second"

# --- out of room ---------------------------------------------------------------------------------------------
expect 0 regctl create --max-size 4M
big=$(head -c 60000 /dev/zero | tr '\0' x)
n=0
status=0
while [ "$status" -eq 0 ] && [ "$n" -lt 200 ]; do
  n=$((n + 1))
  run_it regctl register "big/$n" --static --meta "payload=$big"
done
[ "$status" -eq 6 ] || fail "filling 4 MiB ended with $status after $n: $err"
[ "$n" -gt 10 ] || fail "full after $n services of 60 KB"
expect 0 regctl lookup big/1
expect_out "$((n - 1))" 0 regctl count big
expect 0 regctl unregister big/1
# Room is a partition's own: the same name finds it for certain, another one perhaps.
expect 0 regctl register big/1 --static --meta "payload=$big"
expect 0 regctl doctor
expect 0 regctl destroy --force

expect 0 regctl create --max-processes 1
"$REGCTL" -s "$segment" run only -- sleep 1000 &
wrapper=$!
processes+=("$wrapper")
eventually registered only
processes+=("$(started only)")
expect_err '*process*' 6 regctl register more --static
expect 0 regctl lookup only
kill -TERM "$wrapper"
wait "$wrapper"
expect 0 regctl register more --static
expect 0 regctl destroy --force

# --- files that are no segment -----------------------------------------------------------------------------------
head -c 65536 /dev/urandom >"$file"
chmod 600 "$file"
for command in "list" "info" "lookup x" "register x --static" "destroy"; do
  # shellcheck disable=SC2086 # words are wanted
  expect_err "*$segment*" 3 regctl $command
done
expect_json '.problems | length > 0' 1 regctl doctor --json
expect_json '.segments[] | select(.name == "'"$segment"'") | .problem | type == "string"' \
  0 regctl segments --json
expect 5 regctl create
: >"$file"
expect 3 regctl list
expect 1 regctl doctor
expect 0 regctl destroy --force
[ ! -e "$file" ] || fail "destroy --force left garbage"
mkdir "$file"
expect 3 regctl list
rmdir "$file"
ln -s /etc/passwd "$file"
run_it regctl list
case $status in 3 | 4) ;; *) fail "a symbolic link was followed: $status" ;; esac
rm "$file"
finish
