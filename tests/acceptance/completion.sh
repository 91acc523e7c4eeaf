#!/usr/bin/env bash
# Completion: what `regctl complete` offers, and that bash and zsh, at a terminal with a TAB pressed,
# insert exactly the name, however odd it is.
# shellcheck source-path=SCRIPTDIR source=_lib.sh disable=SC2016 # '$1' is part of a name here
. "$(dirname "$0")/_lib.sh"
needs python3 jq
completion=${SHMREG_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}/tools/completion
other=$segment.other
segments+=("$other")
regctl create
regctl -s "$other" create

# name, what is typed of it: unquoted, which the one character makes unique
odd=('a b' 'b*b' 'c:o:n' 'd$1' 'e=q=r' "f'f" 'g"g' 'h\h' 'i$(id)' 'j;j' 'k&k' 'l|l' 'm<>' 'n`n`' 'o!o'
  'p#p' 'q~q' 'r[a-z]' 's{x,y}' 'tä名🙂' $'ue\u0301' 'v?v' 'w  w' 'x%s%q' 'y@z' 'z ')
for name in "${odd[@]}"; do regctl -q register "odd/$name" --static || fail "$name"; done
regctl -q register -- 'default/-dashed' --static 2>/dev/null || regctl -q register --static -- -dashed
regctl -q register production/web --static --endpoint $'tcp://x'
regctl -q register production/db --static
regctl -q register plain --static
regctl -q register test/7f3a/config_server --static
regctl -q register 'sp ace/in:it/$x' --static
"$REGCTL" -s "$other" -q register elsewhere/other --static

# offered WANTED WORD...: exactly these, in any order, as one line with spaces between.
offered() {
  local wanted=$1
  shift
  expect 0 regctl complete -- "$@"
  [ -z "$err" ] || fail "complete $*: said '$err'"
  [ "$(sort "$scratch/out" | tr '\n' ' ')" = "$wanted${wanted:+ }" ] ||
    fail "complete $*: offered ($(sort "$scratch/out" | tr '\n' ' ')), not ($wanted )"
}
# offers VALUE WORD...: among others.
offers() {
  local wanted=$1
  shift
  expect 0 regctl complete -- "$@"
  grep -qxF -e "$wanted" "$scratch/out" || fail "complete $*: does not offer '$wanted': $out"
}
offers_no() {
  local unwanted=$1
  shift
  expect 0 regctl complete -- "$@"
  ! grep -qxF -e "$unwanted" "$scratch/out" || fail "complete $*: offers '$unwanted'"
}

# --- words ----------------------------------------------------------------------------------------------
offered 'wait watch' wa
offered 'register' regi
offered 'register renew' -q -o json re
offered '' nonsense ''
offered '' nonsense x
offered 'default/ odd/ plain production/ sp ace/ test/' lookup ''
offered 'plain production/' lookup p
offered 'production/db production/web' lookup production/
offered 'test/7f3a/' lookup test/
offered 'test/7f3a/config_server' lookup test/7f3a/
offered 'default/-dashed default/plain' lookup default/
offered '-dashed default/ odd/ plain production/ sp ace/ test/' lookup -- ''
offered 'odd/c:o:n' lookup odd/c:
offered 'odd/e=q=r' lookup odd/e=
offered 'odd' list o
offered 'test/7f3a' list test
offered 'test test/7f3a' cleanup test
offered 'test/' watch t
offered 'plain' wait production/web pl
offered '--depends=production/db' register x --depends=production/d
offered 'production/db' register x --depends production/d
offered 'production/db' register x --static --wants production/d
offered 'json jsonl' list -o j
offered '--output=json --output=jsonl' list --output=j
offered '-ojson -ojsonl' list -oj
offered '-qojson -qojsonl' -qoj
offered 'always auto never' --color ''
offered 'critical maintenance passing starting unknown warning' list --health ''
offered 'gone passing registered' wait --for ''
offered 'static' import --as ''
offered '--static' register x --stat
offered 'run' help ru
offered "$segment $other" -s "$segment"
offered $'\tfiles' import ''
offered $'\tprogram 3' run x -- sl
offered $'\tprogram 2' run -- sl
offered $'\tprogram 5' run x --tag t -- sleep 1
offered '' create x
offered '' register x --ttl ''
offers "$$" register x --pid ''
regctl -q register held --pid $$
offered "$$" list --pid ''
offered "held" lookup he
offers_no --all lookup ''
offers --all lookup plain ''
offers --all lookup --
# An option's value is never an option, nor a command.
offered '' list --tag lo
expect 2 regctl complete
expect_silent 0 regctl complete -- nonsense lo
expect_silent 0 regctl -q complete -- lo

# --- where the names come from ------------------------------------------------------------------------------
offered 'elsewhere/' -s "$other" lookup ''
offered 'elsewhere/' lookup -s "$other" ''
offered 'elsewhere/' lookup --segment="$other" ''
offered 'elsewhere/' "-qs$other" lookup ''
export SHMREG_SEGMENT=$other
expect_out elsewhere/ 0 "$REGCTL" complete -- lookup ''
unset SHMREG_SEGMENT
# No segment, a malformed name, no segment at all, one that nobody writes: no names, no word.
odd_file=/dev/shm/shmreg.$segment.odd
segments+=("$segment.odd")
for where in "$segment.none" 'a/b' '' "$segment.odd"; do
  for what in file fifo directory link; do
    rm -rf "$odd_file"
    case $what in
      file) head -c 100000 /dev/urandom >"$odd_file" ;;
      fifo) mkfifo "$odd_file" ;;
      directory) mkdir "$odd_file" ;;
      link) ln -s /dev/zero "$odd_file" ;;
    esac
    expect_silent 0 timeout 10 "$REGCTL" complete -- -s "$where" lookup ''
    expect_silent 0 timeout 10 "$REGCTL" complete -- list -s "$where" ''
    expect_silent 0 timeout 10 "$REGCTL" complete -- cleanup --trust-owner nobody-at-all -s "$where" ''
    [ "$where" = "$segment.odd" ] || break
  done
done
rm -rf "$odd_file"

# --- described -----------------------------------------------------------------------------------------------
expect_out $'production/web\ttcp://x' 0 regctl complete --describe -- lookup production/w
expect_out $'production/\t2 services' 0 regctl complete --describe -- lookup prod
expect 0 regctl complete --describe -- lookup pl
expect_out $'wait\tWait until services are there, or are gone' 0 regctl complete --describe -- wai

# --- many: an end is put to it ----------------------------------------------------------------------------
python3 -c 'import json
for i in range(9000): print(json.dumps({"namespace": "many", "name": f"service_{i}"}))' |
  regctl -q import -
expect 0 regctl complete -- lookup many/
[ "$(wc -l <"$scratch/out")" -eq 2000 ] || fail "offered $(wc -l <"$scratch/out") of 9000"
offered 'many/service_8999' lookup many/service_8999

# --- at a terminal --------------------------------------------------------------------------------------------
# A regctl that notes its arguments, so that what the shell makes of the completed line can be seen.
mkdir "$scratch/bin" "$scratch/files"
cat >"$scratch/bin/regctl" <<SCRIPT
#!/bin/bash
[ "\$1" != complete ] || exec "$REGCTL" "\$@"
printf '%s\\0' "\$@" >"$scratch/noted.new"
mv "$scratch/noted.new" "$scratch/noted"
SCRIPT
chmod 755 "$scratch/bin/regctl"
: >"$scratch/files/some export.jsonl"
: >"$scratch/bin/a-program-to-run"
chmod 755 "$scratch/bin/a-program-to-run"

cat >"$scratch/type.py" <<'PYTHON'
# type.py CASES SHELL ARGUMENT...: types each line of the cases into the shell, presses TAB and Enter, and
# compares what arrived. A case: [typed, [argument...]]; the first line is what to type beforehand.
import json, os, pty, select, sys, time
noted = os.environ["NOTED"]
with open(sys.argv[1], encoding="utf-8") as file:
    setup, *cases = [json.loads(line) for line in file]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
def until(condition, what):
    global shown
    deadline = time.monotonic() + 20 * int(os.environ["SLOWNESS"])
    while not condition():
        if time.monotonic() > deadline:
            print(f"{sys.argv[2]}: {what}; the terminal shows {shown[-600:]!r}")
            os.kill(pid, 9)
            sys.exit(1)
        if select.select([terminal], [], [], 0.02)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                time.sleep(0.02)
prompts = 0
def prompt():
    return shown.count(b"READY>") > prompts
def arrived():
    return os.path.exists(noted)
# The prompt is written so that its own echo is none.
for line in setup:
    os.write(terminal, line.encode() + b"\n")
until(prompt, "there is no prompt")
failed = 0
for typed, wanted in cases:
    prompts = shown.count(b"READY>")
    os.write(terminal, typed.encode() + b"\t")
    time.sleep(0.01)
    os.write(terminal, b"\n")
    until(arrived, f"{typed!r} TAB did not become a command")
    with open(noted, "rb") as file:
        got = [each.decode("utf-8", "replace") for each in file.read().split(b"\0")[:-1]]
    os.unlink(noted)
    if got != wanted:
        print(f"{sys.argv[2]}: {typed!r} TAB became {got!r}, not {wanted!r}")
        failed = 1
    until(prompt, "the prompt does not come back")
# Where there are several, they are shown.
before = len(shown)
os.write(terminal, b"regctl lookup production/\t\t")
until(lambda: b"web" in shown[before:] and b"db" in shown[before:], "several are not shown")
os.kill(pid, 9)
sys.exit(failed)
PYTHON

# The lines to type: plain, in either quote, with what precedes.
cases() { # PREPARATION...
  python3 - "$segment" "$other" "$@" <<'PYTHON'
import json, sys
segment, other, *setup = sys.argv[1:]
print(json.dumps(setup))
odd = ["a b", "b*b", "c:o:n", "d$1", "e=q=r", "f'f", 'g"g', "h\\h", "i$(id)", "j;j", "k&k", "l|l", "m<>", "n`n`",
       "o!o", "p#p", "q~q", "r[a-z]", "s{x,y}", "tä名🙂", "ue\u0301", "v?v", "w  w", "x%s%q", "y@z", "z "]
def case(typed, *wanted):
    print(json.dumps([typed, wanted]))
for name in odd:
    wanted = "odd/" + name
    case("regctl lookup odd/" + name[0], "lookup", wanted)
    case("regctl lookup 'odd/" + name[0], "lookup", wanted)
    case('regctl lookup "odd/' + name[0], "lookup", wanted)
    case("regctl register x --depends odd/" + name[0], "register", "x", "--depends", wanted)
    case("regctl register x --depends=odd/" + name[0], "register", "x", "--depends=" + wanted)
case("regctl lookup odd/c:", "lookup", "odd/c:o:n")
case("regctl lookup odd/c:o", "lookup", "odd/c:o:n")
case("regctl lookup odd/c\\:o", "lookup", "odd/c:o:n")
case("regctl lookup odd/e=q", "lookup", "odd/e=q=r")
case("regctl lookup odd/a\\ ", "lookup", "odd/a b")
case("regctl lookup odd/d\\$", "lookup", "odd/d$1")
case("regctl lookup sp\\ ace/in:it/", "lookup", "sp ace/in:it/$x")
case("regctl lookup 'sp ace/in:it'/", "lookup", "sp ace/in:it/$x")
case("regctl lookup sp", "lookup", "sp ace/")
case("regctl lookup sp\\ ace/", "lookup", "sp ace/in:it/")
case("regctl look", "look" + "up")
case("regctl lookup plain --hea", "lookup", "plain", "--healthy")
case("regctl list --output=ta", "list", "--output=table")
case("regctl -s " + other + " lookup elsewhere/", "-s", other, "lookup", "elsewhere/other")
case("regctl -s '" + other + "' lookup elsewhere/", "-s", other, "lookup", "elsewhere/other")
case("regctl -s none.at.all lookup p", "-s", "none.at.all", "lookup", "p")
case("true; regctl lookup pla", "lookup", "plain")
case("echo x | regctl lookup pla", "lookup", "plain")
case("regctl lookup 2>/dev/null pla", "lookup", "plain")
case("regctl import so", "import", "some export.jsonl")
case("regctl run x -- a-program-to", "run", "x", "--", "a-program-to-run")
case("regctl run x -- a-program-to-run so", "run", "x", "--", "a-program-to-run", "some export.jsonl")
case("regctl lookup nothing-like-this", "lookup", "nothing-like-this")
PYTHON
}

type_into() { # NAME SHELL ARGUMENT...
  local name=$1
  shift
  (cd "$scratch/files" &&
    env PATH="$scratch/bin:$PATH" NOTED="$scratch/noted" SHMREG_SEGMENT="$segment" HOME="$scratch/files" \
      LC_ALL=C.UTF-8 TERM=dumb INPUTRC=/dev/null python3 "$scratch/type.py" "$scratch/cases" "$@") >"$scratch/typed" ||
    fail "$name: $(cat "$scratch/typed")"
}

if ! python3 -c 'import pty; pty.openpty()' 2>/dev/null; then
  [ "$failures" -ne 0 ] || skip "no terminal is to be had here (no /dev/pts?); what complete offers is well"
  finish
fi
ready='PS1=READ; PS1+="Y> "; PS2="more> "'
in_bash="bind 'set enable-bracketed-paste off'; bind 'set completion-query-items 0'; bind 'set page-completions off'; HISTFILE=; set +m"
cases "$in_bash" "source '$completion/regctl.bash'" "$ready" >"$scratch/cases"
type_into bash bash --norc --noprofile -i
# Without ':' and '=' as breaks, as some have it.
cases "$in_bash" "source '$completion/regctl.bash'" "COMP_WORDBREAKS=\${COMP_WORDBREAKS//[:=]/}" "$ready" >"$scratch/cases"
type_into 'bash, fewer breaks' bash --norc --noprofile -i
package=/usr/share/bash-completion/bash_completion
if [ -r "$package" ]; then
  # Found by the package itself, which loads what it needs when it is needed.
  mkdir -p "$scratch/files/.local/share/bash-completion/completions"
  cp "$completion/regctl.bash" "$scratch/files/.local/share/bash-completion/completions/regctl"
  cases "$in_bash" "source $package" "$ready" >"$scratch/cases"
  type_into 'bash with bash-completion' bash --norc --noprofile -i
else
  echo "bash-completion is not installed; bash alone is tested"
fi
if command -v zsh >/dev/null; then
  cases "fpath=('$completion' \$fpath); autoload -Uz compinit; compinit -u -D; unsetopt prompt_sp prompt_cr zle_bracketed_paste; LISTMAX=0; setopt no_beep interactive_comments" \
    "$ready" >"$scratch/cases"
  type_into zsh zsh -f -i
elif [ "$failures" -eq 0 ]; then
  skip "zsh is not installed; all else is well"
fi
finish
