#!/usr/bin/env bash
# Names as data: what looks special is ordinary, what is malformed is refused whole. What happens to
# hostile bytes on their way to the terminal is for hostile.sh.
# shellcheck source-path=SCRIPTDIR source=_lib.sh disable=SC2016 # '$1' is a name here
. "$(dirname "$0")/_lib.sh"
needs jq
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

finish
