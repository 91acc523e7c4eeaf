#!/usr/bin/env bash
# Names and values as data: what looks special is ordinary, what is malformed is refused whole, and
# nobody's bytes get to the terminal as they are, nor make JSON invalid.
# shellcheck source-path=SCRIPTDIR source=_lib.sh disable=SC2016 # '$1' is a name here
. "$(dirname "$0")/_lib.sh"
needs jq python3
regctl create

# --- what looks special is ordinary ------------------------------------------------------------------
ordinary=('*' '$1' '$(id)' 'a b' ' ' "it's" '"quoted"' 'back\slash' '\x41' '[x,y]' '{a,b}' '%s%n' '-dash'
  '--json' '--' '~' '.' '..' '#' '!' ';' '&' '|' '<>' '?' 'a=b' 'ä' '名前' '🙂' $'e\u0301' $'\u00a0'
  'null' 'true' '0' 'list')
for name in "${ordinary[@]}"; do
  expect 0 regctl register --static --endpoint "is:$name" -- "odd/$name"
  expect_out "is:$name" 0 regctl lookup -- "odd/$name"
done
expect_out "${#ordinary[@]}" 0 regctl count odd
expect 0 regctl register ++ --static --endpoint plus
expect_out plus 0 regctl lookup ++
expect_out 0 0 regctl count ++
expect 0 regctl unregister ++
expect 0 regctl list odd --json
for name in "${ordinary[@]}"; do
  jq -e --arg name "$name" '.services | map(select(.name == $name)) | length == 1
    and .[0].endpoint == "is:" + $name' "$scratch/out" >/dev/null || fail "list lacks '$name'"
done
# A glob matches as a glob, a name as a name.
expect_out 'odd/*' 0 regctl list odd --match '\*' -o name
expect_out is:* 0 regctl lookup 'odd/*'
for name in "${ordinary[@]}"; do expect 0 regctl unregister -- "odd/$name"; done
expect_out 0 0 regctl count odd

# Composed and decomposed are different bytes, hence different names.
expect 0 regctl register $'\u00e9' --static --endpoint composed
expect 1 regctl lookup $'e\u0301'
expect_out composed 0 regctl lookup $'\u00e9'

# --- namespaces with slashes -------------------------------------------------------------------------------
expect 0 regctl register test/7f3a/config_server --static
expect_json '.namespace == "test/7f3a" and .name == "config_server"' \
  0 regctl lookup test/7f3a/config_server --json
expect_out 1 0 regctl count test/7f3a
expect_out 0 0 regctl count test
expect 0 regctl register 'sp ace/*/$1' --static
expect_json '.namespace == "sp ace/*" and .name == "$1"' 0 regctl lookup 'sp ace/*/$1' --json
expect_out 'sp ace/*/$1' 0 regctl list 'sp ace/*' -o name

# --- lengths: 255 bytes, never cut -------------------------------------------------------------------------
a255=$(printf 'a%.0s' {1..255})
expect 0 regctl register "$a255/$a255" --static --endpoint long
expect_out long 0 regctl lookup "$a255/$a255"
expect 2 regctl register "${a255}a" --static
expect 2 regctl register "${a255}a/x" --static
expect 2 regctl lookup "${a255}a"
umlauts=$(printf 'ä%.0s' {1..127}) # 254 bytes
expect 0 regctl register "${umlauts}x" --static
expect 2 regctl register "${umlauts}ä" --static
expect 1 regctl lookup "$a255"

# --- malformed --------------------------------------------------------------------------------------------
before=$(regctl count)
malformed=('' / /a a/ a//b //a a/b/ $'tab\there' $'new\nline' $'\e[31m' $'del\x7f' $'c1\xc2\x9b' $'bad\xff'
  $'cut\xc3' $'overlong\xc0\x80' $'surrogate\xed\xa0\x80' $'ns\n/name')
for name in "${malformed[@]}"; do
  for command in register lookup unregister renew run; do
    case $command in
      register) more=(--static) ;;
      renew) more=(--id 1) ;;
      *) more=() ;;
    esac
    if [ "$command" = run ]; then
      expect 2 regctl run "$name" -- touch "$scratch/ran"
    else
      expect 2 regctl "$command" "$name" "${more[@]}"
    fi
    [ -z "$out" ] || fail "$command of a malformed name printed '$out'"
  done
  expect 2 regctl list -- "$name/"
  expect 2 regctl register x --static --depends "$name"
done
[ ! -e "$scratch/ran" ] || fail "a command ran under a malformed name"
expect_out "$before" 0 regctl count

# --- values that are any UTF-8 come back to the byte, and are printed harmlessly -------------------------------
value=$'line\nfeed\ttab \e]0;title\a \xc2\x9b31m "quotes" \\ \x7f end'
expect 0 regctl register valued --static --meta "k=$value"
[ "$(regctl lookup valued --json | jq -r .metadata.k)" = "$value" ] || fail "a value changed"
expect 2 regctl register bad --static --meta $'k=\xff'

# --- hostile bytes: somebody with write permission has put them there --------------------------------------------
regctl -q register 'EVIL-NAMESPACE/EVIL-NAME-xxxxxxxx' --static --endpoint EVIL-ENDPOINT-xxx \
  --meta EVIL-KEY-xxxxxxxx=EVIL-VALUE-xxxxxx --tag EVIL-TAG-xxxxxxxx --depends EVIL-DEPEND/EVIL-DEPEND-xx
regctl -q register 'good/endpoint' --static --endpoint EVIL-ENDPOINT-yyy
# A program whose own name is an escape sequence: as holder, and as an attached process.
evil=$scratch/$'\e]0;evil\a'
cp "$(command -v sleep)" "$evil"
"$evil" 1000 &
holder=$!
processes+=("$holder")
regctl -q register held --pid "$holder"
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
# As files of the right name: a title no segment can have.
odd_file=/dev/shm/shmreg.$'\e[31m'$$
: >"$odd_file"
segments+=($'\e[31m'$$)

harmless() { # what was printed holds no control character and is UTF-8
  local file
  for file in "$scratch/out" "$scratch/err"; do
    if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$file"; then
      fail "$*: printed control characters: $(cat -v "$file")"
    fi
    iconv -f UTF-8 -t UTF-8 "$file" >/dev/null 2>&1 || fail "$*: printed no UTF-8: $(cat -v "$file")"
  done
}

seen=0
for format in table wide json jsonl name; do
  for command in "list" "list good" "lookup good/endpoint" "lookup good/endpoint --all" "lookup held" \
    "lookup good/endpoin" "lookup nothing" "namespaces" "count" "ps" "segments" "info" "doctor" \
    "register held --static" "unregister held --id 1" "renew held --id 1" "run held -- true" \
    "register attached --static" "list --match *" "list --tag t" "list --meta EVIL=1"; do
    set -f
    # shellcheck disable=SC2086 # words are wanted
    run_it regctl $command -o "$format"
    set +f
    harmless "$command -o $format"
    [ "$status" -le 5 ] || fail "$command -o $format: exit status $status: $err"
    case $format in
      json | jsonl) jq -e . "$scratch/out" >/dev/null 2>&1 || [ ! -s "$scratch/out" ] ||
        fail "$command -o $format: no valid JSON: $out" ;;
    esac
    case $out in *x1B* | *u001b*) seen=$((seen + 1)) ;; esac
  done
done
[ "$seen" -gt 0 ] || fail "the hostile bytes were nowhere to be seen: nothing was tested"
run_it regctl register held --static
case $err in *"$holder"*evil*) ;; *) fail "the holder is not named: $err" ;; esac
finish
