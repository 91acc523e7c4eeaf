#!/usr/bin/env bash
# What --help lists, what regctl(1) describes and what completion offers are the same commands with the
# same options.
# shellcheck source-path=SCRIPTDIR source=_lib.sh
. "$(dirname "$0")/_lib.sh"
manual=${SHMREG_SOURCE_DIR:-$(dirname "$0")/../..}/man/regctl.1
[ -r "$manual" ] || skip "there is no $manual"

# The long options in `.It` lines of one subsection of the manual.
in_manual() {
  awk -v section="$1" '
    /^\.S[sh] / { here = ($0 == ".Ss " section); next }
    here && /^\.It / {
      for (i = 2; i <= NF; i++) if ($i == "Fl" && $(i + 1) ~ /^-/) print "-" $(i + 1)
    }' "$manual" | sort
}

# The long options that --help lists under a heading.
in_help() { # HEADING COMMAND...
  local heading=$1
  shift
  "$REGCTL" "$@" --help | awk -v heading="$heading" '
    /^[A-Z].*:$/ { here = ($0 == heading); next }
    /^$/ { here = 0 }
    here { for (i = 1; i <= 2; i++) if ($i ~ /^--/) print $i }' | sort
}

# What completion offers of that kind.
offered() { # WORD...
  "$REGCTL" complete -- "$@" | grep -e "^${*: -1}" | sort
}

compare_offered() { # WHAT HELP OFFERED
  [ "$2" = "$3" ] || fail "$1: --help has ($(echo "$2" | xargs)), completion offers ($(echo "$3" | xargs))"
}

compare() { # WHAT MANUAL HELP
  [ "$2" = "$3" ] || fail "$1: regctl(1) has ($(echo "$2" | xargs)), --help has ($(echo "$3" | xargs))"
}

commands=$("$REGCTL" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ -n "$commands" ] || fail "regctl help lists no commands"
compare commands \
  "$(sed -n '/^\.Sh COMMANDS/,/^\.Sh JSON/s/^\.Ss //p' "$manual" | sort)" "$(echo "$commands" | sort)"

compare_offered commands "$(echo "$commands" | sort)" "$(offered '')"
compare_offered "commands to explain" "$(echo "$commands" | sort)" "$(offered help '')"

common=$(in_help "Options of every command, before or after it:")
[ -n "$common" ] || fail "regctl help lists no common options"
compare "common options" "$(in_manual 'Options of every command')" "$common"
compare_offered "common options" "$common" "$(offered --)"

for command in $commands; do
  compare "$command" "$(in_manual "$command")" "$(in_help "Options:" "$command")"
  compare "$command, common" "$common" "$(in_help "Options of every command:" "$command")"
  compare_offered "$command" "$(printf '%s\n' "$(in_help "Options:" "$command")" "$common" | sed '/^$/d' | sort)" \
    "$(offered "$command" --)"
  # The short names too.
  shorts=$("$REGCTL" "$command" --help | sed -n 's/^  \(-[a-z]\), --.*/\1/p' | sort)
  compare_offered "$command, short" "$shorts" "$(offered "$command" - | grep -xe '-.')"
  expect 0 "$REGCTL" help "$command"
  [ "$out" = "$("$REGCTL" "$command" --help)" ] || fail "help $command is not $command --help"
done

# Planted: the comparison must see a missing option.
[ "$(in_manual create)" != "$(in_manual create | sed 1d)" ] || fail "the comparison sees nothing"

if command -v mandoc >/dev/null; then
  # Other manuals of the project may not be installed.
  lint=$(mandoc -T lint "$manual" | grep -v 'referenced manual not found')
  [ -z "$lint" ] || fail "$lint"
fi
finish
