#!/usr/bin/env bash
# cleanup: a namespace and those below it are emptied, no other; owners are stopped only when told to,
# and never the caller. tree: what is where.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
needs jq python3
expect_err '*no segment*' 3 regctl cleanup test
expect_err '*no segment*' 3 regctl tree
regctl create

# --- tree --------------------------------------------------------------------------------------------
expect_silent 0 regctl tree
expect_json '.namespaces == []' 0 regctl tree --json
regctl -q register a/x --static --endpoint tcp://x
regctl -q register a/y --static
regctl -q register a/b/c/z --static
regctl -q register a/d/w --static
regctl -q register other --static
expect_out 'a/
├── x  tcp://x
├── y
├── b/
│   └── c/
│       └── z
└── d/
    └── w
default/
└── other' 0 regctl tree
expect_json '.namespaces | map(.name) == ["a", "default"]' 0 regctl tree --json
expect_json '.namespaces[0] | (.services | map(.name) == ["x", "y"])
  and (.namespaces | map(.name) == ["b", "d"]) and .namespaces[0].services == []
  and .namespaces[0].namespaces[0].services[0].namespace == "a/b/c"
  and .services[0].endpoint == "tcp://x"' 0 regctl tree --json
expect_out $'a/x\na/y\na/b/c/z\na/d/w\ndefault/other' 0 regctl tree -o name
expect 0 regctl tree -o jsonl
[ "$(jq -s 'map(.schema) | length' "$scratch/out")" -eq 2 ] || fail "jsonl: $out"
expect 0 regctl tree -o wide
case $out in *static*unknown*) ;; *) fail "wide: $out" ;; esac
expect_silent 0 regctl -q tree
expect 2 regctl tree a
# As deep as a name can be: deeper than jq reads.
deep=$(printf 'n/%.0s' {1..127})
regctl -q register "${deep}leaf" --static
expect 0 regctl tree
[ "$(wc -l <"$scratch/out")" -ge 128 ] || fail "too shallow: $out"
expect 0 regctl tree --json
python3 -c 'import json, sys
node = json.load(open(sys.argv[1]))["namespaces"][-1]
for _ in range(126): node = node["namespaces"][0]
assert node["services"][0]["name"] == "leaf"' "$scratch/out" || fail "deep JSON"
expect_out 1 0 regctl cleanup n

# --- cleanup: that one and those below ------------------------------------------------------------------
for name in test/x test/7f3a/x test/7f3a/deep/x test/7f3ab/x testing/x t/x '*/x'; do
  regctl -q register "$name" --static
done
expect_out 0 0 regctl cleanup nowhere
expect_out 2 0 regctl cleanup test/7f3a
names() { regctl list -o name | grep '/x$' | grep -v '^a/' | xargs; }
# shellcheck disable=SC2035 # a namespace of that name
[ "$(names)" = "*/x t/x test/7f3ab/x test/x testing/x" ] || fail "left: $(names)"
expect_json '.namespace == "test" and .removed == 2 and .terminated == 0' 0 regctl cleanup test --json
[ "$(names)" = "*/x t/x testing/x" ] || fail "left: $(names)"
expect_out 1 0 regctl cleanup '*'
[ "$(names)" = "t/x testing/x" ] || fail "left: $(names)"
expect_silent 0 regctl -q cleanup testing
expect_out 0 0 regctl cleanup testing
for name in '' / a/ /a a//b; do expect 2 regctl cleanup "$name"; done
expect 2 regctl cleanup
expect_out tcp://x 0 regctl lookup a/x

# --- production and default only with --force --------------------------------------------------------------
regctl -q register production/p --static
regctl -q register production/eu/p --static
regctl -q register productions/p --static
for name in production production/eu default default/x; do
  expect_err '*--force*' 4 regctl cleanup "$name"
  expect 4 regctl cleanup "$name" --terminate
done
expect 0 regctl lookup production/eu/p
expect_out 1 0 regctl cleanup productions
expect_out 2 0 regctl cleanup production --force
expect_out 1 0 regctl cleanup default --force

# --- what lives is removed, its owner is left alone unless told otherwise -------------------------------------
sleep 1000 &
polite=$!
bash -c 'trap "" TERM; while :; do sleep 0.1; done' &
stubborn=$!
sleep 1000 &
elsewhere=$!
processes+=("$polite" "$stubborn" "$elsewhere")
"$REGCTL" -s "$segment" run e2e/run -- sleep 1000 &
wrapper=$!
processes+=("$wrapper")
eventually registered e2e/run
running=$(started e2e/run)
processes+=("$running")
fill() {
  regctl -q register e2e/polite --pid "$polite" --replace
  regctl -q register e2e/polite2 --pid "$polite" --replace
  regctl -q register e2e/below/stubborn --pid "$stubborn" --replace
  regctl -q register elsewhere/e --pid "$elsewhere" --replace
  regctl -q register e2e/static --static --replace
  # The caller: this script, and a shell that it calls.
  regctl -q register e2e/caller --pid $$ --replace
}
fill
expect_out 6 0 regctl cleanup e2e
expect 1 regctl lookup e2e/run
for pid in "$polite" "$stubborn" "$elsewhere" "$running"; do
  ended "$pid" && fail "$pid was stopped without being told to"
done
fill
regctl -q register e2e/run --pid "$running"
expect_json '.removed == 6 and .terminated == 3' 0 \
  bash -c '"$REGCTL" -s "$1" cleanup e2e --terminate --json; exit $?' - "$segment"
for pid in "$polite" "$stubborn" "$running"; do ended "$pid" || fail "$pid was not stopped"; done
ended "$elsewhere" && fail "an owner of another namespace was stopped"
expect 0 regctl lookup elsewhere/e
expect_out 0 0 regctl count e2e
expect_json '.removed == 0 and .terminated == 0' 0 regctl cleanup e2e --terminate --json
wait "$polite" 2>/dev/null
[ $? -eq 143 ] || fail "the polite one was not asked, but killed"
wait "$stubborn" 2>/dev/null
[ $? -eq 137 ] || fail "the stubborn one did not have to be killed"

# --- another user: may not write, may not stop ---------------------------------------------------------------------
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
  nobody=65534
  binary=$scratch/regctl
  cp "$REGCTL" "$binary"
  chmod 755 "$scratch" "$binary"
  # shellcheck disable=SC2317 # called by name
  as_nobody() { setpriv --reuid "$nobody" --regid "$nobody" --clear-groups "$binary" -s "$segment" "$@"; }
  chmod 644 "/dev/shm/shmreg.$segment"
  expect 4 as_nobody cleanup elsewhere
  expect 4 as_nobody cleanup elsewhere --terminate
  expect 0 as_nobody tree
  ended "$elsewhere" && fail "stopped by one who may only read"
  chmod 666 "/dev/shm/shmreg.$segment"
  expect_err "*pid $elsewhere: *" 4 as_nobody cleanup elsewhere --terminate
  ended "$elsewhere" && fail "stopped by another user"
  expect 1 regctl lookup elsewhere/e
fi

# --- hostile names -------------------------------------------------------------------------------------------------
regctl -q register EVIL-NAMESPACE/EVIL-NAME-xxxxxx/EVIL-NAME-yyyyyy --static --endpoint EVIL-ENDPOINT-xx
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
  run_it regctl tree -o "$format"
  LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$scratch/out" &&
    fail "tree -o $format printed control characters: $(cat -v "$scratch/out")"
  grep -q -e x1B -e u001b "$scratch/out" || fail "tree -o $format: nothing was tested"
done
finish
