// A part of the table with its own lock, index and memory: 512 bytes, and the runs it has claimed.
//
//      0  descriptor        8  of the index (slot.hpp); published with one store
//      8  rebuilds          8  advanced before the memory of any index is written again
//     16  reserve          48
//     64  lock              8  holder: entry + 1 (16), thread ordinal (16), generation (32); 0 free
//     72  contended         4  futex word: 1 where somebody waits
//     76  dirty             4  1 while a change is under way; found set at a lock's end: repair
//     80  watch             4  futex word: advanced by a change that watchers wait for
//     84  watched           4  1 where a watcher waits
//     88  reserve          40
//    128  stamp_counter     8  } advanced before use, never again used
//    136  change_counter    8  }  the change log's last entry (change.hpp)
//    144  services          4  slots that lead to a record, of live owners or not, or an anchor
//    148  tombstones        4
//    152  free_cells        4  list of health cells: offset / 32
//    156  reserve           4
//    160  free_records 22 x 4  by size class, lists of records: location
//    248  free_indices 17 x 4  by log2 of slots - 4, lists of indices: first granule
//    316  runs        22 x 4   how many runs each size class has (how large the next one is made)
//    404  held_bytes        4  of records that the change log keeps from being used again
//    408  change_tail       8  entries of the change log up to this one are gone
//    416  reserve          96
//
// The first line is what readers touch. From 76 on everything is written under the lock, but for
// `watched`, which waiting sets; repair rebuilds 144..315 and 404 from what the index and the
// change log reach and the run map says.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "layout/size_class.hpp"
#include "layout/slot.hpp"
#include "layout/units.hpp"

namespace shmreg::layout {

struct alignas(kCacheLine) Partition {
  Word64 descriptor;
  Word64 rebuilds;
  std::array<std::uint64_t, 6> reserve0;

  Word64 lock;
  Word32 contended;
  Word32 dirty;
  Word32 watch;
  Word32 watched;
  std::array<std::uint64_t, 5> reserve1;

  Word64 stamp_counter;
  Word64 change_counter;
  Word32 services;
  Word32 tombstones;
  Word32 free_cells;
  Word32 reserve2;
  std::array<Word32, kSizeClasses.size()> free_records;
  std::array<Word32, kMaxLog2Slots - kMinLog2Slots + 1> free_indices;
  std::array<Word32, kSizeClasses.size()> runs;
  Word32 held_bytes;
  Word64 change_tail;
  std::array<std::uint64_t, 12> reserve3;
};
static_assert(sizeof(Partition) == 512);
static_assert(offsetof(Partition, lock) == 64 && offsetof(Partition, dirty) == 76);
static_assert(offsetof(Partition, stamp_counter) == 128 && offsetof(Partition, services) == 144);
static_assert(offsetof(Partition, free_records) == 160 && offsetof(Partition, free_indices) == 248);
static_assert(offsetof(Partition, watch) == 80 && offsetof(Partition, watched) == 84);
static_assert(offsetof(Partition, runs) == 316 && offsetof(Partition, held_bytes) == 404);
static_assert(offsetof(Partition, change_tail) == 408 && offsetof(Partition, reserve3) == 416);

// What a lock word says of its holder.
struct LockHolder {
  std::uint32_t entry = 0;
  std::uint32_t generation = 0;
  std::uint32_t thread = 0;  // ordinal within the process, from 1

  [[nodiscard]] constexpr std::uint64_t word() const noexcept {
    return std::uint64_t{generation} << 32 | std::uint64_t{thread & 0xffff} << 16 |
           ((entry + 1) & 0xffff);
  }
  static constexpr LockHolder of(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word & 0xffff) - 1, static_cast<std::uint32_t>(word >> 32),
            static_cast<std::uint32_t>(word >> 16 & 0xffff)};
  }
};

// What a run of granules is used for, at the run map's word of its first granule. 0: not handed
// out yet. Once set it never changes: the owner of memory is known whoever dies.
//
//   31    29 28     24 23         12 11        0
//   [ kind 3 ][ class 5 ][ partition 12 ][ granules 12 ]
enum class RunKind : std::uint8_t { records = 1, cells = 2, index = 3 };

struct Run {
  RunKind kind = RunKind::records;
  std::uint32_t size_class = 0;  // of records; log2 of slots - 4 of an index
  std::uint32_t partition = 0;
  std::uint32_t granules = 0;

  [[nodiscard]] constexpr std::uint32_t word() const noexcept {
    return static_cast<std::uint32_t>(kind) << 29 | size_class << 24 | partition << 12 | granules;
  }
  static constexpr Run of(std::uint32_t word) noexcept {
    return {static_cast<RunKind>(word >> 29), word >> 24 & 0x1f, word >> 12 & 0xfff, word & 0xfff};
  }
};
inline constexpr std::uint32_t kMaxPartitions = 4096;
inline constexpr std::uint32_t kMaxRunGranules = 4095;

}  // namespace shmreg::layout
