// Where everything lies, computed from the limits a segment was created with. The creator writes it
// into the header; who attaches computes it anew and refuses a header that says otherwise, so no
// offset from the segment is ever trusted.
//
//   header | process entries | owner lists | partitions | wait words | change logs | run map | heap
//
// Each part begins on a granule. The run map has a word for every granule from the segment's start
// to its limit, so that a granule's number needs no conversion.
#pragma once

#include <bit>
#include <cstdint>

#include "layout/change.hpp"
#include "layout/header.hpp"
#include "layout/partition.hpp"
#include "layout/process_entry.hpp"
#include "layout/record.hpp"
#include "layout/units.hpp"

namespace shmreg::layout {

inline constexpr std::uint64_t kMinLimitBytes = std::uint64_t{4} << 20;
inline constexpr std::uint64_t kMaxLimitBytes = std::uint64_t{64} << 30;
inline constexpr std::uint32_t kMaxProcesses = 65534;  // 16 bits in a lock word, 0 is nobody

struct Geometry {
  std::uint64_t bytes_limit = 0;
  std::uint32_t partitions = 0;
  std::uint32_t max_processes = 0;
  std::uint32_t initial_slots = 0;

  [[nodiscard]] static constexpr std::uint64_t round_up(std::uint64_t bytes) noexcept {
    return (bytes + kGranuleBytes - 1) / kGranuleBytes * kGranuleBytes;
  }
  [[nodiscard]] constexpr std::uint64_t processes_offset() const noexcept { return kHeaderBytes; }
  [[nodiscard]] constexpr std::uint64_t owner_lists_offset() const noexcept {
    return processes_offset() + round_up(std::uint64_t{max_processes} * sizeof(ProcessEntry));
  }
  [[nodiscard]] constexpr std::uint64_t partitions_offset() const noexcept {
    return owner_lists_offset() +
           round_up(std::uint64_t{max_processes} * partitions * sizeof(OwnerList));
  }
  [[nodiscard]] constexpr std::uint64_t wait_words_offset() const noexcept {
    return partitions_offset() + round_up(std::uint64_t{partitions} * sizeof(Partition));
  }
  [[nodiscard]] constexpr std::uint64_t change_logs_offset() const noexcept {
    return wait_words_offset() + round_up(kWaitWords * sizeof(WaitWord));
  }
  [[nodiscard]] constexpr std::uint64_t run_map_offset() const noexcept {
    return change_logs_offset() +
           round_up(std::uint64_t{partitions} * kChangeLogEntries * sizeof(Change));
  }
  [[nodiscard]] constexpr std::uint64_t heap_offset() const noexcept {
    return run_map_offset() + round_up(bytes_limit / kGranuleBytes * sizeof(Word32));
  }
  [[nodiscard]] constexpr std::uint64_t granules_limit() const noexcept {
    return bytes_limit / kGranuleBytes;
  }
  [[nodiscard]] constexpr std::uint32_t initial_run_granules() const noexcept {
    return static_cast<std::uint32_t>(round_up(std::uint64_t{initial_slots} * 8) / kGranuleBytes);
  }
  // What a fresh segment claims of the heap: an index a partition.
  [[nodiscard]] constexpr std::uint64_t initial_end() const noexcept {
    return heap_offset() + std::uint64_t{partitions} * initial_run_granules() * kGranuleBytes;
  }
  // The part of the run map that speaks of granules below `heap_end`.
  [[nodiscard]] constexpr std::uint64_t run_map_end(std::uint64_t heap_end) const noexcept {
    return run_map_offset() + round_up(heap_end / kGranuleBytes * sizeof(Word32));
  }

  [[nodiscard]] constexpr bool valid() const noexcept {
    return bytes_limit >= kMinLimitBytes && bytes_limit <= kMaxLimitBytes &&
           bytes_limit % kGranuleBytes == 0 && std::has_single_bit(partitions) &&
           partitions <= kMaxPartitions && max_processes >= 1 && max_processes <= kMaxProcesses &&
           std::has_single_bit(initial_slots) && initial_slots >= (1U << kMinLog2Slots) &&
           initial_slots <= 65536 && initial_end() <= bytes_limit;
  }
};

}  // namespace shmreg::layout
