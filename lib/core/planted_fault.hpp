// Mistakes to be made on purpose, one a build, to show that the tests see them: a checker that has
// never complained has proven nothing. `cmake -DSHMREG_PLANT=NAME` plants one;
// tests/torture/planted_faults.sh plants them all in turn. Without it every `planted()` is a
// constant false and leaves no code.
#pragma once

#include <cstdint>

namespace shmreg::core {

enum class Fault : std::uint8_t {
  none,
  mismatch_unchecked,       // another key in a record counts, though the record may have changed
  stamp_unchecked,          // a copy counts whatever became of the record meanwhile
  miss_unchecked,           // a miss counts, though the index may have been replaced
  rebuilds_unchecked,       // ... or its memory filled anew, and be in use once more
  hit_unchecked,            // so does a hit, whatever has become of the index
  list_unchecked,           // so does what was read of a partition
  shared_miss_unchecked,    // no instance met counts, though instances have come and gone
  mark_unchecked,           // an owner lives as long as its record stands
  slot_before_record,       // published before it is written
  full_bucket_emptied,      // a deletion leaves no tombstone where probes have passed
  lock_from_anyone,         // a lock is taken over without asking for its holder
  lock_on_mark_alone,       // ... from a holder that is marked, though its threads may still run
  dirty_ignored,            // what a dead writer left half done is not repaired
  repair_forgets_records,   // repair gives back no record that nothing leads to
  deaths_untold,            // what an ended owner left is taken away without an entry of the log
  word_before_robust_list,  // an entry is claimed before the kernel knows what to mark
};

#if defined(SHMREG_PLANT)
inline constexpr Fault kPlanted = Fault::SHMREG_PLANT;
#else
inline constexpr Fault kPlanted = Fault::none;
#endif

[[nodiscard]] constexpr bool planted(Fault fault) noexcept { return kPlanted == fault; }

}  // namespace shmreg::core
