// Taking away what ended owners have left. It changes nothing that can be found: what has ended is
// not found from its owner's mark on.
#pragma once

#include <cstdint>

#include "core/partition_lock.hpp"
#include "layout/process_entry.hpp"
#include "shmreg/error.hpp"

namespace shmreg::core {

// Takes away what earlier lives of this writer's entry left behind; how many.
[[nodiscard]] Result<std::uint64_t> reclaim_earlier_lives(const Writer& writer);
// Takes away what a life that has ended left behind, in proportion to that; how many. timed_out
// where a partition's lock was not to be had: what is left there goes another time.
[[nodiscard]] Result<std::uint64_t> reclaim(const Writer& writer, const layout::EntryLife& ended);
// Takes away everything whose owner has ended, whatever the owner is; looks at every service.
[[nodiscard]] Result<std::uint64_t> collect_garbage(const Writer& writer);

}  // namespace shmreg::core
