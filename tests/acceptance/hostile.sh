#!/usr/bin/env bash
# Hostile names and values through everything that prints, in every format, in two segments at once,
# as root and as another user: nothing gets to the terminal raw, every JSON document is valid, every
# byte comes back as it was given, and what is malformed is refused in one clean line.
# shellcheck source-path=SCRIPTDIR source=_lib.sh disable=SC2016 # '$1' is a name here
. "$(dirname "$0")/_lib.sh"
needs jq python3 iconv
other=$segment.other
segments+=("$other")
formats=(table wide json jsonl name)
backslash=\\

# What was run lies in files of its own until judged, all at once: that is a process a command.
looked=$scratch/looked
mkdir "$looked"
looks=0

# note KIND COMMAND...: runs it. KIND: json, text, or refused (status 2, one line, no output).
note() {
  local kind=$1 result
  shift
  looks=$((looks + 1))
  "$@" >"$looked/$looks.out" 2>"$looked/$looks.err" </dev/null
  result=$?
  printf '%s\0%s\0%s\0%s\0' "$looks" "$kind" "$result" "${*//[^[:print:]]/?}" >>"$looked/index"
}

judge() {
  local line
  while IFS= read -r line; do fail "$line"; done < <(python3 - "$looked" <<'PYTHON'
import json, os, re, sys
def text_of(data, what, tabs=False):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        print(f"{what}: printed no UTF-8: {data[:300]!r}")
        return ""
    if re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text) or (not tabs and "\t" in text):
        print(f"{what}: printed control characters: {data[:300]!r}")
    return text
seen = 0
with open(sys.argv[1] + "/index", "rb") as file:
    words = file.read().decode("utf-8", "replace").split("\0")[:-1]
for number, kind, status, what in zip(*[iter(words)] * 4):
    with open(f"{sys.argv[1]}/{number}.out", "rb") as file:
        out = file.read()
    with open(f"{sys.argv[1]}/{number}.err", "rb") as file:
        err = file.read()
    what = what[:200]
    text = text_of(out, what, tabs=kind == "described")
    text_of(err, what)
    seen += "x1B" in text or "u001b" in text.lower()
    if int(status) > 6 and int(status) not in (124, 127):
        print(f"{what}: exit status {status}: {err[:300]!r}")
    # An import names each conflict in a line.
    if err.count(b"\n") > (1 if kind != "lines" else 10**6):
        print(f"{what}: more than one line: {err[:300]!r}")
    if kind == "refused" and (status != "2" or out or err.count(b"\n") != 1):
        print(f"{what}: not refused in one line: {status}, {out[:300]!r}, {err[:300]!r}")
    if kind == "json":
        for line in text.splitlines() if "\u2028" not in text else text.split("\n")[:-1]:
            try:
                assert json.loads(line)["schema"] == 1
            except Exception as error:
                print(f"{what}: no valid JSON ({error}): {line[:300]!r}")
print(seen, file=open(sys.argv[1] + "/seen", "w"))
PYTHON
  )
  [ "$(cat "$looked/seen")" -gt "$1" ] || fail "no escape sequence was to be seen: nothing was tested"
  rm -rf "$looked"
  mkdir "$looked"
  looks=0
}
for name in "$segment" "$other"; do regctl -s "$name" create --mode 644; done
readers=(regctl)
can_be_nobody && readers+=(as_nobody)

# --- what is lawful, and odd --------------------------------------------------------------------------------
a255=$(printf 'a%.0s' {1..255})
smiles=$(printf '🙂%.0s' {1..63})abc # 255 bytes
names=('*' '$1' '$(touch pwned)' '`id`' "it's" '"' '"},{"name":"x' '{"schema":1}' '[x,y]' 'null' "$backslash" '\x1b[31m'
  '\u001b' '%s%n%99999d' '--force' '-s' '++' '..' '~' ' ' '  both  ' ';&|<>#!' 'a=b' ':c' '🙂👩‍👩‍👧‍👦' $'\u202eevil\u2066'
  $'zero\u200bwidth\ufeff' $'e\u0301\u0301\u0301\u0301' $'\u2028line\u2029' $'\ufffd' $'\U10ffff' $'\U000e0041' $'\u00a0'
  "$a255" "$smiles")
# Metadata may be any UTF-8, and so may hold every control character.
values=('' ' ' '*' '$1' '$(touch pwned)' '"' "$backslash" '\\x1b' '{"a":[1,2' '"}]}' 'null' '=' 'k=v=w' $'\e[31mred\e[0m' $'\e[2J\e[H'
  $'\e]0;title\a' $'\e]52;c;cm0gLXJm\a' $'\e]8;;http://evil/\e\\x\e]8;;\e\\' $'\eP$qm\e\\' $'\eZ\e[c\e[6n' $'\u009b31m' $'\u009d0;t\u009c' $'\u0085'
  $'line\nfeed' $'\n' $'\r\nregctl: all is well' $'\ttab' $'\b\b\b' $'\x7f' $'\x01\x02\x1f' $'\x0e\x0f' $'\u202e' $'\u2028'
  "$(printf 'v%.0s' {1..62000})" "$(printf '\033[31m%.0s' {1..12000})")

n=0
for name in "${names[@]}"; do
  value=${values[n % ${#values[@]}]}
  for where in "$segment" "$other"; do
    expect 0 regctl -s "$where" register --static --endpoint "is:$name" --meta "name=$name" --meta "value=$value" \
      --tag "$name" --depends "odd/$name" --wants "$name/$name" -- "odd/$name"
    harmless "register $name"
  done
  n=$((n + 1))
done
for value in "${values[@]}"; do
  printf '%s' "$value" >"$scratch/value"
  expect 0 regctl register "values/$n" --static --meta "k=$value"
  run_it regctl lookup "values/$n" --json
  jq -j .metadata.k "$scratch/out" | cmp -s - "$scratch/value" || fail "a value changed: $(cat -v "$scratch/value" | head -c 200)"
  n=$((n + 1))
done
# NUL comes by import alone.
printf '{"namespace":"values","name":"nul","metadata":{"k":"a\\u0000b"}}\n' >"$scratch/nul"
expect 0 regctl import "$scratch/nul"
[ "$(regctl lookup values/nul --json | jq .metadata.k)" = '"a\u0000b"' ] || fail "NUL in a value changed"

for name in "${names[@]}"; do
  for where in "$segment" "$other"; do
    expect 0 regctl -s "$where" lookup --json -- "odd/$name"
    jq -e --arg name "$name" '.namespace == "odd" and .name == $name and .endpoint == "is:" + $name
      and .metadata.name == $name and .tags == [$name] and .depends == ["odd/" + $name]
      and .wants == [$name + "/" + $name]' "$scratch/out" >/dev/null || fail "$where: '$name' came back as $out"
  done
done

# --- every command that prints ----------------------------------------------------------------------------------
# look READER SEGMENT COMMAND...: in every format.
look() {
  local reader=$1 where=$2 format kind
  shift 2
  for format in "${formats[@]}"; do
    kind=text
    case $format in json | jsonl) kind=json ;; esac
    note "$kind" "$reader" -s "$where" -o "$format" "$@"
  done
}

look_at_everything() { # READER SEGMENT
  look "$1" "$2" list
  look "$1" "$2" list odd
  look "$1" "$2" list --match '*'
  look "$1" "$2" list --tag '*'
  look "$1" "$2" list --meta 'name=$1'
  look "$1" "$2" count
  look "$1" "$2" count odd
  look "$1" "$2" namespaces
  look "$1" "$2" tree
  look "$1" "$2" ps
  look "$1" "$2" segments
  look "$1" "$2" info
  look "$1" "$2" doctor
  look "$1" "$2" export
  look "$1" "$2" import --dry-run "$scratch/nul"
  note text "$1" -s "$2" complete -- lookup ''
  note text "$1" -s "$2" complete -- lookup odd/
  note text "$1" -s "$2" complete -- list ''
  note text "$1" -s "$2" complete -- list --pid ''
  note text "$1" -s "$2" complete -- -s ''
}
for reader in "${readers[@]}"; do
  for where in "$segment" "$other"; do look_at_everything "$reader" "$where"; done
  all_formats=("${formats[@]}") formats=(table json)
  for name in '*' '$(touch pwned)' '"' "$backslash" '--force' $'\u202eevil\u2066' "$a255" "$smiles"; do
    look "$reader" "$other" lookup -- "odd/$name"
    look "$reader" "$other" lookup --all -- "odd/$name"
    look "$reader" "$other" lookup -- "od/$name"
    look "$reader" "$other" wait --timeout 5s -- "odd/$name"
    look "$reader" "$other" wait --timeout 1ms -- "odd/$name" "${name:0:1}"
    look "$reader" "$other" register --static -- "odd/$name"
    look "$reader" "$other" unregister --id 1 -- "odd/$name"
    look "$reader" "$other" renew --id 1 -- "odd/$name"
    look "$reader" "$other" cleanup -- "none/$name"
  done
  formats=("${all_formats[@]}")
done
judge 0
[ ! -e pwned ] || fail "somebody ran a name"

# What complete prints are the names to the byte, or with a description that is harmless but for the tab.
# What would have to be escaped is not offered, since what is offered is inserted as it is.
expect 0 regctl complete -- lookup -- odd/
for name in "${names[@]}"; do
  case $name in
    *[$'\u2028'-$'\u202e']*) grep -qF -e "$name" "$scratch/out" && fail "complete offers '$name', which turns a line round" ;;
    *) grep -qxF -e "odd/$name" "$scratch/out" || fail "complete does not offer '$name'" ;;
  esac
done
note described regctl complete --describe -- lookup odd/

# --- watch ------------------------------------------------------------------------------------------------------------
watchers=()
for reader in "${readers[@]}"; do
  binary=("$REGCTL")
  [ "$reader" = regctl ] || binary=(setpriv --reuid "$nobody" --regid "$nobody" --clear-groups "$scratch/regctl")
  for format in "${formats[@]}"; do
    "${binary[@]}" -s "$other" watch -o "$format" >"$scratch/watch.$reader.$format" 2>"$scratch/watch.$reader.$format.err" &
    watchers+=($!)
    processes+=($!)
  done
done
present=$(regctl -s "$other" count)
for reader in "${readers[@]}"; do
  eventually sh -c '[ "$(wc -l <"$1")" -ge "$2" ]' _ "$scratch/watch.$reader.jsonl" "$present"
  eventually sh -c '[ "$(wc -l <"$1")" -ge "$2" ]' _ "$scratch/watch.$reader.table" "$present"
done
for name in "${names[@]}"; do
  expect 0 regctl -s "$other" register --replace --static --meta k=$'\e[31m\n' -- "odd/$name"
  expect 0 regctl -s "$other" unregister -- "odd/$name"
done
for reader in "${readers[@]}"; do
  for format in "${formats[@]}"; do
    eventually sh -c '[ "$(wc -l <"$1")" -ge "$2" ]' _ "$scratch/watch.$reader.$format" $((present + 2 * ${#names[@]}))
    cp "$scratch/watch.$reader.$format" "$scratch/out"
    cp "$scratch/watch.$reader.$format.err" "$scratch/err"
    harmless "watch -o $format"
    case $format in
      json | jsonl) jq -se --argjson wanted $((present + 2 * ${#names[@]})) 'length >= $wanted' "$scratch/out" >/dev/null ||
        fail "watch -o $format: no valid JSON" ;;
    esac
  done
done
for pid in "${watchers[@]}"; do kill "$pid"; done

# --- there and back ----------------------------------------------------------------------------------------------------
expect_out 0 0 regctl -s "$other" cleanup odd
regctl export >"$scratch/first"
expect 0 regctl -s "$other" import "$scratch/first"
harmless import
regctl -s "$other" export >"$scratch/second"
lasting() { jq -cS 'del(.id, .registered_at, .uptime_ms)' "$1"; }
cmp -s <(lasting "$scratch/first") <(lasting "$scratch/second") || fail "export, import, export: not the same"
[ "$(wc -l <"$scratch/first")" -eq "$(regctl count)" ] || fail "export is not a line for each service"
# Everything there already: told, each in a line, harmlessly.
for format in "${formats[@]}"; do
  note lines regctl -s "$other" import "$scratch/first" -o "$format"
done

# --- malformed: refused, in one clean line, and nothing is stored ----------------------------------------------------
before=$(regctl count)
digest=$(regctl export -o name | sha256sum)
malformed=($'\e[31m' $'a\nb' $'tab\t' $'\r' $'\x01' $'\x7f' $'c1\u009b' $'\u0085' $'bad\xff' $'cut\xe2\x82' $'over\xc0\xaf' $'sur\xed\xa0\x80'
  $'high\xf4\x90\x80\x80' $'\x80' '' "${a255}a" 'a//b')
refused() { note refused "$@"; }
for name in "${malformed[@]}"; do
  refused regctl register --static -- "$name"
  refused regctl register --static -- "$name/x"
  refused regctl register x --static --depends "$name"
  refused regctl register x --static --wants "$name"
  refused regctl lookup -- "$name"
  refused regctl lookup --all -- "$name"
  refused regctl unregister -- "$name"
  refused regctl renew --id 1 -- "$name"
  refused regctl run "$name" -- touch "$scratch/ran"
  refused regctl wait -- x "$name"
  refused regctl watch -- "$name"
  refused regctl watch -- "$name/"
  refused regctl list -- "$name"
  refused regctl count -- "$name"
  refused regctl export -- "$name"
  refused regctl cleanup --force -- "$name"
  refused regctl -s "$name" list
  [ -z "$name" ] || expect_silent 0 regctl complete -- lookup -- "$name"
  case $name in
    "${a255}a" | a//b | '') ;;
    *)
      refused regctl register x --static --tag "$name"
      refused regctl register x --static --endpoint "$name"
      refused regctl register x --static --meta "$name=v"
      refused regctl "$name"
      refused regctl help "$name"
      refused regctl list "--$name"
      refused regctl list "-$name"
      refused regctl list -o "$name"
      refused regctl list --color "$name"
      refused regctl list --trust-owner "$name"
      refused regctl list --health "$name"
      refused regctl list --pid "$name"
      refused regctl list --meta "$name"
      refused regctl wait x --for "$name"
      refused regctl wait x --timeout "1$name"
      refused regctl renew x --id "$name"
      refused regctl create --group "$name"
      refused regctl create --mode "$name"
      refused regctl create --partitions "$name"
      refused regctl create --max-size "1$name"
      refused regctl import x --as "$name"
      refused regctl version "$name"
      note text regctl import "$scratch/$name"
      note text regctl list --match "$name"
      note text regctl run x -- "$scratch/$name"
      ;;
  esac
  # The name as a line of an import, as bytes and as JSON's own escapes.
  printf '{"namespace":"n","name":"%s"}\n' "$name" >"$scratch/line"
  refused regctl -q import "$scratch/line"
  printf '%s\n' "$name{" >"$scratch/line"
  refused regctl -q import "$scratch/line"
done
for escaped in '\u001b[31m' '\u0000' 'a\u0000b' '\n' '\u009b' '\ud800' '\ud83d' '\udc00x' '\u007f'; do
  printf '{"namespace":"n","name":"%s"}\n' "$escaped" >"$scratch/line"
  refused regctl -q import "$scratch/line"
done
refused regctl register x --static --meta $'k=\xff'
refused regctl register x --static --meta $'k=\xed\xa0\x80'
judge -1
[ ! -e "$scratch/ran" ] || fail "a command ran under a malformed name"
expect_out "$before" 0 regctl count
[ "$digest" = "$(regctl export -o name | sha256sum)" ] || fail "something malformed was stored"

# --- hostile bytes: somebody with write permission has put them there ------------------------------------------------
evil_segment=$segment.evil
segments+=("$evil_segment")
first=$segment segment=$evil_segment
regctl create --mode 644
regctl -q register 'EVIL-NAMESPACE/EVIL-NAME-xxxxxxxx' --static --endpoint EVIL-ENDPOINT-xxx \
  --meta EVIL-KEY-xxxxxxxx=EVIL-VALUE-xxxxxx --tag EVIL-TAG-xxxxxxxx --depends EVIL-DEPEND/EVIL-DEPEND-xx
regctl -q register 'good/endpoint' --static --endpoint EVIL-ENDPOINT-yyy
regctl -q register 'good/EVIL-NAME-zzzzzzzz' --static
# A program whose own name is an escape sequence: as holder, and as an attached process.
evil=$scratch/$'\e]0;evil\a'
cp "$(command -v sleep)" "$evil"
"$evil" 1000 &
holder=$!
processes+=("$holder")
regctl -q register held --pid "$holder"
regctl -q register going/held --pid "$holder"
evil_regctl=$scratch/$'\e[31mctl\x9b'
cp "$REGCTL" "$evil_regctl"
"$evil_regctl" -s "$segment" run attached -- sleep 1000 &
processes+=($!)
eventually registered attached
processes+=("$(started attached)")

python3 - "/dev/shm/shmreg.$segment" <<'PYTHON'
import re, sys
hostile = b"\x1b]0;p\x07\xff\xc2\x9b\n\r\x00\x7f\xed\xa0\x80\"\\\xc3"
with open(sys.argv[1], "r+b") as file:
    data = file.read()
    # Every letter stays in its place: only the marks change, to the same length.
    for mark in re.finditer(rb"EVIL-[A-Z]+(-[a-z]+)?", data):
        length = mark.end() - mark.start()
        file.seek(mark.start())
        file.write((hostile * 3)[:length])
PYTHON
# A file of the right name: a title no segment can have.
odd_file=/dev/shm/shmreg.$'\e[31m'$$
: >"$odd_file"
segments+=($'\e[31m'$$)

for reader in "${readers[@]}"; do
  look_at_everything "$reader" "$segment"
  for command in "list good" "lookup good/endpoint" "lookup good/endpoint --all" "lookup held" "lookup good/endpoin" \
    "lookup nothing" "register held --static" "unregister held --id 1" "renew held --id 1" "run held -- true" \
    "register attached --static" "unregister attached" "list --match *" "list --tag t" "list --meta EVIL=1" "wait held" \
    "wait good/endpoint --timeout 1ms" "wait nothing --timeout 1ms" "destroy" "gc"; do
    set -f
    # shellcheck disable=SC2086 # words are wanted
    look "$reader" "$segment" $command
    set +f
  done
done
judge 0
run_it regctl register held --static
case $err in *"$holder"*evil*) ;; *) fail "the holder is not named: $err" ;; esac
expect 0 regctl complete -- lookup good/
[ "$out" = good/endpoint ] || fail "complete offers what cannot be a name: $out"
for format in "${formats[@]}"; do
  case $format in json | jsonl) kind=json ;; *) kind=text ;; esac
  note "$kind" timeout "$((SLOWNESS / 3)).3" "$REGCTL" -s "$segment" watch -o "$format"
done
look regctl "$segment" cleanup going
look regctl "$segment" doctor --repair
look regctl "$segment" cleanup good
look regctl "$segment" destroy --force
judge 0
segment=$first
finish
