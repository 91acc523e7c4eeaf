#!/usr/bin/env bash
# doctor: clean is 0, a problem 1, for any file however corrupt; it never changes what it reads.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq python3
file=/dev/shm/shmreg.$segment

expect 3 regctl doctor
expect 0 regctl create --max-size 8M
for n in $(seq 20); do regctl -q register "space/$n" --static --meta "k=$n"; done
"$REGCTL" -s "$segment" run sleeper -- sleep 1000 &
processes+=($!)
eventually registered sleeper
processes+=("$(started sleeper)")

expect 0 regctl doctor
[ -n "$out" ] || fail "doctor says nothing"
expect_json '.problems == [] and .services == 21 and (.guarantees | length > 0)' \
  0 regctl doctor --json
expect_silent 0 regctl -q doctor

before=$(sha256sum <"$file")
expect 0 regctl doctor
[ "$before" = "$(sha256sum <"$file")" ] || fail "doctor changed the segment"

# A copy is damaged in one place after another: an answer each time, never a crash. What damage
# must be found is for the library's own tests; here it is enough that there is always an answer.
copy=$segment.copy
segments+=("$copy")
damaged=/dev/shm/shmreg.$copy
answers=
for n in $(seq $((60 / SLOWNESS))); do
  cp "$file" "$damaged"
  python3 - "$damaged" "$n" <<'PYTHON'
import os, random, sys
path, seed = sys.argv[1], int(sys.argv[2])
chance = random.Random(seed)
with open(path, "r+b") as file:
    size = os.path.getsize(path)
    if seed % 10 == 0:
        file.truncate(chance.randrange(size))
    else:
        # Most of a sparse file is holes; damage lands where there are bytes.
        where = []
        at = 0
        while True:
            try:
                begin = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            where.append((begin, at))
        for _ in range(chance.choice([1, 8, 200])):
            begin, end = chance.choice(where)
            file.seek(chance.randrange(begin, end))
            file.write(bytes(chance.randrange(256) for _ in range(chance.choice([1, 8, 64]))))
PYTHON
  run_it timeout $((20 * SLOWNESS)) "$REGCTL" -s "$copy" doctor --json
  case $status in
    0 | 1) jq -e '.schema == 1 and (.problems | type == "array")' "$scratch/out" >/dev/null ||
      fail "damage $n: no valid JSON: $out" ;;
    *) fail "damage $n: exit status $status; $err" ;;
  esac
  answers+=$status
  # Nor may anything else crash or hang on it.
  for command in "list" "lookup space/3" "info" "ps" "register new --static" "unregister space/4"; do
    # shellcheck disable=SC2086 # words are wanted
    run_it timeout $((20 * SLOWNESS)) "$REGCTL" -s "$copy" $command
    # A lock word of garbage names a holder that may live: a wait that ends is an answer (124, as is
    # timeout's own: told apart by the message).
    if [ "$status" -ge 125 ] || { [ "$status" -eq 124 ] && [ -z "$err" ]; }; then
      fail "damage $n: $command: exit status $status; $err"
    fi
  done
done
case $answers in *1*) ;; *) fail "no damage was ever found" ;; esac
finish
