// The measures that every structure of a segment is cut by. They are part of the layout: changing
// one is a new layout version.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace shmreg::layout {

inline constexpr std::size_t kCacheLine = 64;  // hardware_destructive_interference_size is no ABI
inline constexpr std::uint64_t kGranuleBytes = 4096;  // the heap is handed out in runs of these
inline constexpr std::uint64_t kUnitBytes = 64;       // records are addressed in these

// Shared words. Fixed width, lock-free on both architectures, of the plain integer's size: other
// compilers' and other C libraries' view of the same bytes.
using Word32 = std::atomic<std::uint32_t>;
using Word64 = std::atomic<std::uint64_t>;
static_assert(sizeof(Word32) == 4 && Word32::is_always_lock_free);
static_assert(sizeof(Word64) == 8 && Word64::is_always_lock_free);

}  // namespace shmreg::layout
