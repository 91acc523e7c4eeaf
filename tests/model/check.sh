#!/bin/bash
# Runs the models of this directory through spin, exhaustively, and shows that each of them fails when
# a known mistake is put in.
#
#   tests/model/check.sh                    the usual form: under two minutes on one core
#   tests/model/check.sh --large            more changes, more deaths, a third process
#   tests/model/check.sh --show MODEL D...  a counterexample to MODEL built with -D..., step by step
#
# A model holds if the search was complete, found no error, and came by every line: a line that no
# form of the model reaches proves nothing, and fails the check. A mistake is caught if the search
# ends with the error that it must end with. "open" is what the code does as it is today and what a
# model says is wrong with it: caught like a mistake, and a mistake once the code is mended.
# Status 77: there is no spin here.
set -euo pipefail
directory=$(cd "$(dirname "$0")" && pwd)

command -v spin >/dev/null || {
  echo "skipped: there is no spin (Debian: apt-get install spin)"
  exit 77
}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/shmreg.model.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
megabytes=${SHMREG_MODEL_MEGABYTES:-4000}

# model, its forms
usual=(
  lookup  "-DCHANGES=4 -DCRASHES=0"
  lookup  "-DCHANGES=2 -DCRASHES=2"
  lock    "-DONE_DEATH"
  lock    "-DNO_THIRD_PROCESS"
  lock    "-DTWO_THREADS -DNO_SECOND_PROCESS"
  entry   "-DDETACHES"
  entry   "-DCOPIES -DDETACHES"
  entry   "-DBY_BYTE_LOCK"
  waiter  ""
  waiter  "-DSLICES -DDEATHS"
)
large=(
  lookup  "-DCHANGES=5 -DCRASHES=0"
  lookup  "-DCHANGES=4 -DCRASHES=1"
  lock    ""
  lock    "-DTWO_THREADS -DNO_THIRD_PROCESS -DONE_DEATH"
  entry   "-DTHREE_PROCESSES -DDETACHES"
  entry   "-DTHREE_PROCESSES -DBY_BYTE_LOCK"
)
# kind, model, what is wrong, in which form, how the search must end
missed='assertion violated ((truth&1)!=0)'
untrue='assertion violated (((truth>>copied_value)&1)!=0)'
torn='assertion violated (copied_word1==copied_value)'
not_alone='assertion violated (inside=='
not_whole='assertion violated (x==y)'
not_marked='assertion violated  !((((owner==0)&& !((died'
another_marked='assertion violated (owner=='
not_gone='assertion violated (detached[keeper_of_life[1]]'
dead_found='assertion violated ran'
asleep='invalid end state'
mistakes=(
  mistake lookup MISMATCH_UNCHECKED             "-DCHANGES=3 -DCRASHES=0" "$missed"
  mistake lookup MISS_UNCHECKED                 "-DCHANGES=3 -DCRASHES=0" "$missed"
  mistake lookup REBUILDS_UNCHECKED             "-DCHANGES=3 -DCRASHES=0" "$missed"
  mistake lookup NO_STAMP                       "-DCHANGES=3 -DCRASHES=0" "$torn"
  mistake lookup NO_SLOT_RECHECK                "-DCHANGES=3 -DCRASHES=0" "$untrue"
  mistake lookup STAMP_NOT_CLEARED              "-DCHANGES=3 -DCRASHES=0" "$torn"
  mistake lookup STAMP_ADVANCED_LATE            "-DCHANGES=3 -DCRASHES=1" "$torn"
  mistake lookup PUBLISH_BEFORE_WRITE           "-DCHANGES=3 -DCRASHES=0" "$missed"
  mistake lookup DESCRIPTOR_BEFORE_COPY         "-DCHANGES=3 -DCRASHES=0" "$missed"
  mistake lookup FULL_BUCKET_EMPTIED            "-DCHANGES=4 -DCRASHES=0" "$missed"
  mistake lookup REPAIR_FORGETS_WHAT_IS_REACHED "-DCHANGES=2 -DCRASHES=1" "$missed"
  mistake lookup STAMP_BEFORE_SLOT              "-DCHANGES=4 -DCRASHES=0" "$missed"
  mistake lookup RETIRED_BY_STAMP_AND_SLOT      "-DCHANGES=2 -DCRASHES=0" "$missed"
  mistake lookup FOUND_IN_ANY_INDEX             "-DCHANGES=3 -DCRASHES=0" "$untrue"
  mistake lock   THREAD_IDS                     "-DNO_THIRD_PROCESS" "$not_alone"
  mistake lock   NO_GENERATIONS                 "-DONE_DEATH" "$not_alone"
  mistake lock   NO_ORDINALS                    "-DTWO_THREADS -DNO_SECOND_PROCESS" "$not_alone"
  mistake lock   ORDINAL_GIVEN_FIRST            "-DTWO_THREADS -DNO_SECOND_PROCESS" "$not_alone"
  mistake lock   LOCK_FROM_ANYONE               "-DNO_THIRD_PROCESS" "$not_alone"
  mistake lock   LOCK_ON_MARK_ALONE             "-DNO_THIRD_PROCESS" "$not_alone"
  mistake lock   DIRTY_IGNORED                  "-DNO_THIRD_PROCESS" "$not_whole"
  mistake lock   DIRTY_SET_LATE                 "-DNO_THIRD_PROCESS" "$not_whole"
  mistake lock   DIRTY_CLEARED_BEFORE_REPAIR    "-DNO_THIRD_PROCESS" "$not_whole"
  mistake entry  CAS_BEFORE_POINTER             "-DDETACHES" "$not_marked"
  mistake entry  DISARMED_BEFORE_MARKED         "-DDETACHES" "$not_marked"
  mistake entry  REUSE_ON_MARK_ALONE            "-DDETACHES" "$not_gone"
  mistake entry  PROOF_BY_MARK_ALONE            "-DDETACHES" "$not_gone"
  mistake entry  LOSER_KEEPS_POINTER            "-DCOPIES -DDETACHES" "$another_marked"
  mistake entry  LOSER_UNLOCKS                  "-DCOPIES -DDETACHES" "$not_gone"
  mistake entry  NOT_MARKED_BEFORE_LOCK         "-DBY_BYTE_LOCK" "$dead_found"
  mistake entry  LOCK_LEFT_ON_CHANGED_ENTRY     "-DDETACHES" "assertion violated (byte_lock!="
  mistake entry  DETACHES_WHILE_ANOTHER_CLAIMS  "-DCOPIES -DDETACHES" "assertion violated"
  mistake entry  UNLOCKS_WHAT_STILL_RUNS        "-DCOPIES" "$not_gone"
  mistake entry  LIVENESS_AFTER_MARK            "-DBY_BYTE_LOCK" "$dead_found"
  open    entry  JUDGED_BEFORE                  "-DBY_BYTE_LOCK" "$dead_found"
  mistake waiter FLAG_WITHOUT_ORDER             "" "$asleep"
  mistake waiter RELEASE_WITHOUT_ORDER          "" "$asleep"
  mistake waiter LOOKS_BEFORE_FLAG              "" "$asleep"
  mistake waiter NEXT_ONE_FORGOTTEN             "" "$asleep"
  mistake waiter DEATHS                         "" "$asleep" # without slices
)

complain() {
  echo "FAILED: $*"
  [[ -f out ]] && tail -n 25 out
  exit 1
}

# search MODEL DEFINITION...: what pan says, in `out`.
search() {
  local model=$1
  shift
  cp "$directory/$model.pml" .
  rm -f out pan pan.* ./*.trail
  spin -a "$@" "$model.pml" >out 2>&1 || complain "spin -a $* $model.pml"
  [[ ! -s out ]] || complain "spin -a $* $model.pml"
  # SAFETY: no cycles are looked for. COLLAPSE keeps every state, in less room.
  gcc -O1 -w -DSAFETY -DCOLLAPSE -DMEMLIM="$megabytes" -o pan pan.c 2>out ||
    complain "$model $*: gcc"
  ./pan -b -m100000 -w20 >out 2>&1 || true
}

# The lines of this form that were not reached, as "proctype line text", one for each line and step.
# Not what stands behind an endless loop; and each step is named once, not with its way out (unless).
unreached() {
  awk '/^unreached in/ { where = $NF }
       /^\t.*, state [0-9]+, / {
         sub(/^\t/, ""); sub(/, state [0-9]+/, "")
         line = $0; sub(/^[^:]*:/, "", line); sub(/,.*/, "", line)
         if (/"D_STEP[0-9]+"$/ && $0 !~ "D_STEP" line "\"$") next
         if (/"-end-"$/ || /"\(killed\)"$/ || /"\(?\(ended\[me\]/) next
         print where " " $0
       }' out | sort -u
}

check_model() {
  local model=$1 from=${EPOCHREALTIME/./} states tenths megabytes_used
  # shellcheck disable=SC2086 # definitions are words
  search "$model" $2
  grep -q '^pan:.*\(violated\|invalid\|error\)' out && complain "$model $2"
  grep -qi 'not completed\|max search depth\|reached -DMEMLIM\|out of memory' out &&
    complain "$model $2: the search was cut short"
  grep -q 'errors: 0$' out || complain "$model $2: no result"
  states=$(awk '/states, stored/ { print $1; exit }' out)
  megabytes_used=$(awk '/total actual memory usage/ { print int($1 + 1); exit }' out)
  tenths=$(((${EPOCHREALTIME/./} - from) / 100000))
  printf '%-8s %-42s %9s states %4s s %5s MB\n' "$model" "$2" "$states" \
    "$((tenths / 10)).$((tenths % 10))" "$megabytes_used"
  # Of a model's forms each line must be reached by one.
  if [[ -f unreached.$model ]]; then
    unreached | comm -12 - "unreached.$model" >unreached.both
    mv unreached.both "unreached.$model"
  else
    unreached >"unreached.$model"
  fi
}

check_reached() {
  local list=$1 model=${1#unreached.}
  # A line of the model says of which statements that is so, and why.
  while read -r line; do
    text=${line#*, \"}
    grep -qF "not reached: ${text%\"}" "$directory/$model.pml" && continue
    rm -f out
    complain "$model: never reached: $line"
  done <"$list"
}

cd "$scratch"
case ${1:-} in
  --show)
    search "$2" "${@:3}"
    [[ -f $2.pml.trail ]] || complain "$2 ${*:3}: no counterexample"
    spin -t -p "${@:3}" "$2.pml" | grep -v 'goto)\]\|\[IF\]\|\[DO\]\|\[else\]\|sub-sequence'
    exit 0
    ;;
  --large) forms=("${usual[@]}" "${large[@]}") ;;
  "") forms=("${usual[@]}") ;;
  *)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$directory/check.sh"
    exit 2
    ;;
esac

for ((i = 0; i < ${#forms[@]}; i += 2)); do
  check_model "${forms[i]}" "${forms[i + 1]}"
done
for list in unreached.*; do
  check_reached "$list"
done

for ((i = 0; i < ${#mistakes[@]}; i += 5)); do
  kind=${mistakes[i]} model=${mistakes[i + 1]} macro=${mistakes[i + 2]}
  # shellcheck disable=SC2086
  search "$model" "-D$macro" ${mistakes[i + 3]}
  grep -F "${mistakes[i + 4]}" out >/dev/null ||
    complain "$model: $macro was not caught, or otherwise than by: ${mistakes[i + 4]}"
  depth=$(sed -n 's/^pan:1:.*(at depth \([0-9]*\)).*/\1/p' out)
  if [[ $kind == open ]]; then
    printf '%-8s %-42s open: the code does this; found at step %s\n' "$model" "$macro" "$depth"
  else
    printf '%-8s %-42s caught at step %s\n' "$model" "$macro" "$depth"
  fi
done
echo "$((${#forms[@]} / 2)) forms hold, $((${#mistakes[@]} / 5)) mistakes caught, in $SECONDS s"
