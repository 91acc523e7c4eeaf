# shellcheck shell=bash
# Completion of regctl(1) for bash 4.2 and later, with or without the package bash-completion. Source
# it, or install it as `regctl` where bash-completion looks (.../bash-completion/completions).
#
# `regctl complete` knows what may come next. What is left to do here is quoting: the line that was
# typed becomes words, and what is inserted must be one word of the shell again, to the byte. Bash's
# own COMP_WORDS are of no help, since they are cut at every ':' and '=' of COMP_WORDBREAKS; and
# what readline replaces is only what stands behind the last of those.

# Sets, of _regctl's variables: words (the last one is being typed), quote (that is open at the end),
# kept (of the last word, what readline leaves standing), redirected (the last word is a file).
_regctl_read_line() {
  local line=${COMP_LINE:0:COMP_POINT} word='' char i begun='' outside=''
  quote='' kept='' redirected='' words=()
  for ((i = 0; i < ${#line}; i++)); do
    char=${line:i:1}
    case $quote,$char in
      "','" | '","') quote='' kept=$outside ;;
      "',"*) word+=$char ;;
      '"',\\)
        i=$((i + 1))
        case ${line:i:1} in
          [\"\\\$\`]) word+=${line:i:1} ;;
          *) word+=\\${line:i:1} ;;
        esac
        ;;
      '",'*) word+=$char ;;
      ,[\'\"]) quote=$char outside=$kept kept=$word begun=1 ;;
      ,\\)
        i=$((i + 1))
        word+=${line:i:1} begun=1
        ;;
      ,[[:space:]\<\>])
        # Of `2>/dev/null` and `&>x` nothing is an argument.
        [[ $char != [\<\>] || ! $word =~ ^([0-9]*|\&)$ ]] || begun=''
        [[ -z $begun ]] || { [[ -n $redirected ]] || words+=("$word"); redirected=''; }
        [[ $char != [\<\>] ]] || redirected=1
        word='' kept='' begun=''
        ;;
      *)
        word+=$char begun=1
        [[ $COMP_WORDBREAKS != *"$char"* ]] || kept=$word
        ;;
    esac
  done
  words+=("$word")
}

# The candidate $1 as it is to stand in the line, in REPLY.
_regctl_quote() {
  local rest=${1#"$kept"}
  case $quote in
    "'") REPLY=${rest//\'/\'\\\'\'} ;;
    '"')
      rest=${rest//\\/\\\\}
      rest=${rest//\"/\\\"}
      rest=${rest//\$/\\\$}
      rest=${rest//\`/\\\`}
      REPLY=${rest//!/\"\\!\"}
      ;;
    *) printf -v REPLY %q "$rest" ;;
  esac
}

_regctl() {
  local words quote kept redirected candidates candidate REPLY at
  _regctl_read_line
  COMPREPLY=()
  if [[ -n $redirected ]]; then
    compopt -o default
    return
  fi
  mapfile -t candidates < <("${words[0]/#\~\//$HOME/}" complete -- "${words[@]:1}" 2>/dev/null)
  case ${candidates[0]-} in
    $'\tfiles')
      compopt -o default
      return
      ;;
    $'\tprogram '*)
      if declare -F _command_offset >/dev/null; then
        for at in "${!COMP_WORDS[@]}"; do
          [[ ${COMP_WORDS[at]} != -- ]] || break
        done
        _command_offset $((at + 1))
      elif ((${#words[@]} - 2 == ${candidates[0]#*program })); then
        mapfile -t COMPREPLY < <(compgen -c -- "${words[-1]}")
      else
        compopt -o default
      fi
      return
      ;;
  esac
  for candidate in "${candidates[@]}"; do
    _regctl_quote "$candidate"
    COMPREPLY+=("$REPLY")
  done
  ((${#COMPREPLY[@]} == 1)) || return 0
  if [[ ${candidates[0]} == */ ]]; then
    compopt -o nospace
  else
    # Readline closes a quote only where the word does not end in one.
    COMPREPLY[0]+=$quote
  fi
}

complete -F _regctl regctl
