#!/bin/bash
# Shows that the tortures see what they are there to see: plants one mistake after the other in the
# library (lib/core/planted_fault.hpp), builds it, and runs the test that must fail.
#
#   tests/torture/planted_faults.sh [FAULT...]     all, unless some are named
#
# Builds in $SHMREG_PLANTED_BUILD (default: build/planted); a mistake that shows itself at random has
# $SHMREG_TORTURE_SECONDS (default: 240; most need a few) to do so, or $SHMREG_TORTURE_ROUNDS
# (default: 3000). First of all the same tests must pass without a mistake, for a tenth of that.
# Ends with "N planted, N caught"; status 0 if all were.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${SHMREG_PLANTED_BUILD:-build/planted}
seconds=${SHMREG_TORTURE_SECONDS:-240}
rounds=${SHMREG_TORTURE_ROUNDS:-3000}

# fault, the test that must see it; some are seen by two
faults=(
  mismatch_unchecked      steady_names/names_that_stay_registered_are_always_found
  stamp_unchecked         steady_names/names_that_stay_registered_are_always_found
  miss_unchecked          steady_names/names_that_stay_registered_are_always_found
  rebuilds_unchecked      held_readers
  hit_unchecked           held_readers
  list_unchecked          steady_names/a_list_beside_churn_holds_what_stayed_exactly_once
  shared_miss_unchecked   shared_names
  mark_unchecked          owner_marks
  mark_unchecked          random_kills
  slot_before_record      steady_names/names_that_stay_registered_are_always_found
  slot_before_record      random_kills
  full_bucket_emptied     steady_names/names_that_stay_registered_are_always_found
  lock_from_anyone        race_for_a_name
  lock_from_anyone        random_kills
  lock_on_mark_alone      taken_locks
  dirty_ignored           killed_writers
  dirty_ignored           random_kills
  repair_forgets_records  killed_writers
  repair_forgets_records  random_kills
  deaths_untold           watched_changes
  word_before_robust_list killed_claimers
  # The same by victims led to their deaths instead of killed at random: one of the points at which
  # it shows is among those of any run.
  dirty_ignored           every_instruction/a_replacement_leaves_the_old_or_the_new
  slot_before_record      every_instruction/a_replacement_leaves_the_old_or_the_new  # a held one
  repair_forgets_records  every_instruction/a_replacement_leaves_the_old_or_the_new
  word_before_robust_list every_instruction/an_attach_leaves_no_living_entry  # in the keeper
)

# build_with FAULT: "" for none
build_with() {
  cmake --preset release -B "$build" -DSHMREG_PLANT="$1" -DSHMREG_BENCH=OFF -DSHMREG_TOOLS=OFF \
    >"$build.log" 2>&1 &&
    cmake --build "$build" --parallel "$(nproc)" --target test_torture >>"$build.log" 2>&1 && return
  tail -n 20 "$build.log"
  return 1
}

# run TEST SECONDS ROUNDS: its status, what it said in $build.out
run() {
  SHMREG_TORTURE_SECONDS=$2 SHMREG_TORTURE_ROUNDS=$3 timeout 900 \
    "$build/bin/tests/test_torture" --run_test="$1" >"$build.out" 2>&1
}

wanted=("$@")
is_wanted() {
  ((${#wanted[@]} == 0)) || [[ " ${wanted[*]} " == *" $1 "* ]]
}

mkdir -p "$(dirname "$build")"
build_with ""
tests=()
for ((i = 0; i < ${#faults[@]}; i += 2)); do
  is_wanted "${faults[i]}" && tests+=("${faults[i + 1]}")
done
for test in $(printf '%s\n' "${tests[@]}" | sort -u); do
  if ! run "$test" "$((seconds / 10 + 1))" "$((rounds / 10 + 1))"; then
    echo "without a fault: $test FAILED"
    cat "$build.out"
    exit 1
  fi
done
echo "without a fault: all pass"

planted=0
caught=0
for ((i = 0; i < ${#faults[@]}; i += 2)); do
  fault=${faults[i]}
  test=${faults[i + 1]}
  is_wanted "$fault" || continue
  build_with "$fault"
  planted=$((planted + 1))
  from=$SECONDS
  status=0
  run "$test" "$seconds" "$rounds" || status=$?
  # A test that did not come to its end in time has seen nothing, unless it has said so before.
  if ((status == 0)) || { ((status == 124)) && ! grep -q 'error: in ' "$build.out"; }; then
    echo "$fault: NOT CAUGHT by $test in $((SECONDS - from)) s"
    continue
  fi
  caught=$((caught + 1))
  echo "$fault: caught by $test after $((SECONDS - from)) s:"
  { grep -m 1 -A 1 -E "error" "$build.out" || tail -n 2 "$build.out"; } | cut -c 1-240 |
    sed 's/^.*error: in /  in /; s/^/  /'
done
echo "$planted planted, $caught caught"
((planted > 0 && caught == planted))
