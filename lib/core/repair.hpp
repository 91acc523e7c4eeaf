// Mends a partition that a writer left in the middle of a change, from what its index reaches and
// the run map owns. Rebuilds: free lists, health cells, owner lists, counts; completes an
// unregistration whose stamp was cleared; turns a slot that leads to nothing sensible into a
// tombstone. Idempotent: may be killed anywhere and begun again, the partition stays dirty until
// it is through.
#pragma once

#include <cstdint>

#include "core/partition_lock.hpp"

namespace shmreg::core {

// The caller holds the lock. corrupt where not even the index can be found.
[[nodiscard]] Status repair_partition(const Writer& writer, std::uint32_t partition);

}  // namespace shmreg::core
