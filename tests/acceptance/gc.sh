#!/usr/bin/env bash
# gc: what the dead left is reclaimed, what lives stays. doctor --repair: mends, and says why not.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq python3
file=/dev/shm/shmreg.$segment
expect_err '*no segment*' 3 regctl gc
expect 3 regctl doctor --repair
regctl create
expect_out 0 0 regctl gc
expect_json '.reclaimed == 0' 0 regctl gc --json
expect 2 regctl gc anything

# --- nobody notices by itself that a pid has ended, or a time: gc does ---------------------------------
sleep 1000 &
sleeper=$!
processes+=("$sleeper")
for n in $(seq 20); do regctl -q register "dead/$n" --pid "$sleeper"; done
for n in 1 2 3; do regctl -q register "expired/$n" --ttl 1ms; done
regctl -q register lives/static --static --endpoint stays
regctl -q register lives/ttl --ttl 1h
"$REGCTL" -s "$segment" run lives/running -- sleep 1000 &
processes+=($!)
eventually registered lives/running
processes+=("$(started lives/running)")
kill -KILL "$sleeper"
wait "$sleeper" 2>/dev/null
sleep 0.1
expect_out 3 0 regctl count
expect_json '.reclaimed == 23' 0 regctl gc --json
expect_out 0 0 regctl gc
expect_silent 0 regctl -q gc
expect_out 3 0 regctl count
expect_out stays 0 regctl lookup lives/static
expect 0 regctl lookup lives/running
expect 0 regctl doctor

# --- repair: of a clean segment nothing ------------------------------------------------------------------
before=$(regctl list -o name)
expect_json '.repaired == 0 and .repair_error == null and .problems == []' 0 regctl doctor --repair --json
expect 0 regctl doctor --repair
case $out in *"repaired: 0 partitions"*) ;; *) fail "does not say how many: $out" ;; esac
expect_json 'has("repaired") == false' 0 regctl doctor --json
expect_silent 0 regctl -q doctor --repair
[ "$(regctl list -o name)" = "$before" ] || fail "repairing changed what is found"

# A writer killed at any instant: whatever it left, repair mends all of it.
for n in $(seq $((20 / SLOWNESS + 3))); do
  (while :; do regctl -q register "busy/$((RANDOM % 50))" --static --replace; done) &
  writer=$!
  processes+=("$writer")
  sleep "0.0$((RANDOM % 10))"
  kill -KILL "$writer"
  wait "$writer" 2>/dev/null
  run_it regctl doctor --repair --json
  [ "$status" -eq 0 ] || fail "after a killed writer: exit status $status; $out $err"
  jq -e '.repaired >= 0 and .problems == []' "$scratch/out" >/dev/null || fail "not mended: $out"
done
expect 0 regctl doctor

# --- what cannot be attached is examined, and it is said why it was not repaired ------------------------------
copy=$segment.copy
segments+=("$copy")
echo "this is no segment" >"/dev/shm/shmreg.$copy"
chmod 600 "/dev/shm/shmreg.$copy"
expect_err "*not repaired: *$copy*" 1 regctl -s "$copy" doctor --repair
case $out in *problem*) ;; *) fail "not examined: $out" ;; esac
expect_json '.repaired == null and (.repair_error | type == "string") and (.problems | length > 0)' \
  1 regctl -s "$copy" doctor --repair --json
expect 1 regctl -s "$copy" doctor
[ -z "$err" ] || fail "asked for no repair, it said: $err"
cp "$file" "/dev/shm/shmreg.$copy"
truncate -s 100K "/dev/shm/shmreg.$copy"
expect_err "*not repaired: *" 1 regctl -s "$copy" doctor --repair

# Two partitions that a writer left half way (layout/header.hpp and partition.hpp say where): found
# by reading alone, mended when told to.
regctl -s "$copy" -q destroy --force
regctl -q -s "$copy" create
for n in $(seq 20); do regctl -q -s "$copy" register "s/$n" --static; done
python3 - "/dev/shm/shmreg.$copy" <<'PYTHON'
import struct, sys
with open(sys.argv[1], "r+b") as file:
    header = file.read(4096)
    size, = struct.unpack_from("<I", header, 28)
    partitions, = struct.unpack_from("<Q", header, 112)
    for partition in (3, 40):
        file.seek(partitions + partition * size + 76)
        file.write(struct.pack("<I", 1))
PYTHON
expect_json '.problems | length == 2 and all(.repairable)' 1 regctl -s "$copy" doctor --json
expect_json '.repaired == 2 and .problems == [] and .services == 20' 0 regctl -s "$copy" doctor --repair --json
expect 0 regctl -s "$copy" doctor
expect_json '.repaired == 0' 0 regctl -s "$copy" doctor --repair --json

# --- who may only read may not -----------------------------------------------------------------------------------
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
  nobody=65534
  binary=$scratch/regctl
  cp "$REGCTL" "$binary"
  chmod 755 "$scratch" "$binary"
  chmod 644 "$file"
  # shellcheck disable=SC2317 # called by name
  as_nobody() { setpriv --reuid "$nobody" --regid "$nobody" --clear-groups "$binary" -s "$segment" "$@"; }
  before=$(sha256sum <"$file")
  expect 0 as_nobody doctor
  expect 4 as_nobody doctor --repair
  [ -z "$out" ] || fail "not permitted, it printed: $out"
  expect 4 as_nobody gc
  [ "$before" = "$(sha256sum <"$file")" ] || fail "it changed the segment all the same"
  chmod 666 "$file"
  expect_out 0 0 as_nobody gc
  expect_json '.repaired == 0' 0 as_nobody doctor --repair --json
fi
finish
