#include "core/partition_memory.hpp"

#include <algorithm>

#include "core/heap.hpp"

namespace shmreg::core {
namespace {

using layout::IndexDescriptor;
using layout::kGranuleBytes;
using layout::kSizeClasses;
using layout::kUnitBytes;
using layout::Run;
using layout::RunKind;

// The next run of a class grows with the number it has: few calls for large partitions, little
// waste in small ones.
constexpr std::uint32_t kLargestRunFactor = 16;

Status free_list_corrupt() {
  return {Errc::corrupt, "a free list leads outside of the segment; regctl doctor tells more"};
}

}  // namespace

Status PartitionMemory::add_record_run(std::size_t size_class) {
  const layout::SizeClass& shape = kSizeClasses.at(size_class);
  layout::Word32& runs = partition_.runs.at(size_class);
  const std::uint32_t have = runs.load(std::memory_order_relaxed);
  std::uint32_t factor = std::clamp(have / 4, 1U, kLargestRunFactor);
  if (shape.run_granules > 4) factor = 1;
  const Run run{RunKind::records, static_cast<std::uint32_t>(size_class), index_,
                shape.run_granules * factor};
  const Result<std::uint64_t> taken = take_run(segment_, run);
  if (!taken) return taken.status();
  runs.store(have + 1, std::memory_order_relaxed);
  const std::uint64_t begin = taken.value() * kGranuleBytes;
  const std::uint64_t count = run.granules * kGranuleBytes / shape.record_bytes;
  // From the end, so that they are handed out in ascending order.
  for (std::uint64_t i = count; i-- > 0;) {
    give_record(static_cast<std::uint32_t>((begin + i * shape.record_bytes) / kUnitBytes),
                size_class);
  }
  return {};
}

Result<std::uint32_t> PartitionMemory::take_record(std::size_t size_class) {
  layout::Word32& list = partition_.free_records.at(size_class);
  if (list.load(std::memory_order_relaxed) == 0) {
    if (Status added = add_record_run(size_class); !added) return added;
  }
  const std::uint32_t location = list.load(std::memory_order_relaxed);
  layout::Word64* words = segment_.record(location, kSizeClasses.at(size_class).record_bytes);
  if (words == nullptr) return free_list_corrupt();
  list.store(static_cast<std::uint32_t>(words[layout::kNextFreeWord].load()),
             std::memory_order_relaxed);
  return location;
}

void PartitionMemory::give_record(std::uint32_t location, std::size_t size_class) noexcept {
  if (size_class >= kSizeClasses.size()) return;
  layout::Word64* words = segment_.record(location, kSizeClasses.at(size_class).record_bytes);
  if (words == nullptr) return;
  layout::Word32& list = partition_.free_records.at(size_class);
  // (tests/model/lookup.pml: give_record)
  // The stamp first: a reader that is still in here must see that it has lost its ground before it
  // can see the link.
  words[layout::kStampWord].store(0, std::memory_order_release);
  words[layout::kNextFreeWord].store(list.load(std::memory_order_relaxed),
                                     std::memory_order_release);
  list.store(location, std::memory_order_relaxed);
}

Status PartitionMemory::add_cell_run() {
  const Run run{RunKind::cells, 0, index_, layout::kCellRunGranules};
  const Result<std::uint64_t> taken = take_run(segment_, run);
  if (!taken) return taken.status();
  const std::uint64_t first = taken.value() * kGranuleBytes / layout::kCellBytes;
  const std::uint64_t count = run.granules * kGranuleBytes / layout::kCellBytes;
  for (std::uint64_t i = count; i-- > 0;) give_cell(static_cast<std::uint32_t>(first + i));
  return {};
}

Result<std::uint32_t> PartitionMemory::take_cell() {
  if (partition_.free_cells.load(std::memory_order_relaxed) == 0) {
    if (Status added = add_cell_run(); !added) return added;
  }
  const std::uint32_t cell = partition_.free_cells.load(std::memory_order_relaxed);
  layout::HealthCell* taken = segment_.cell(cell);
  if (taken == nullptr) return free_list_corrupt();
  partition_.free_cells.store(taken->next.load(std::memory_order_relaxed),
                              std::memory_order_relaxed);
  return cell;
}

void PartitionMemory::give_cell(std::uint32_t cell) noexcept {
  layout::HealthCell* given = segment_.cell(cell);
  if (given == nullptr) return;
  given->id.store(0, std::memory_order_release);
  given->prev.store(0, std::memory_order_release);
  given->next.store(partition_.free_cells.load(std::memory_order_relaxed),
                    std::memory_order_release);
  partition_.free_cells.store(cell, std::memory_order_relaxed);
}

Result<IndexDescriptor> PartitionMemory::take_index(std::uint32_t log2_slots) {
  if (log2_slots < layout::kMinLog2Slots || log2_slots > layout::kMaxLog2Slots) {
    return Status(Errc::segment_full,
                  "a partition cannot hold more services; create the segment "
                  "anew with more --partitions");
  }
  layout::Word32& list = partition_.free_indices.at(log2_slots - layout::kMinLog2Slots);
  IndexDescriptor index{list.load(std::memory_order_relaxed), log2_slots};
  if (index.first_granule != 0) {
    layout::Word64* slots = segment_.slots(index);
    if (slots == nullptr) return free_list_corrupt();
    list.store(static_cast<std::uint32_t>(slots[0].load(std::memory_order_relaxed) >> 32),
               std::memory_order_relaxed);
  } else {
    const auto granules = static_cast<std::uint32_t>(
        (index.slots() * sizeof(layout::Word64) + kGranuleBytes - 1) / kGranuleBytes);
    const Result<std::uint64_t> taken = take_run(
        segment_, Run{RunKind::index, log2_slots - layout::kMinLog2Slots, index_, granules});
    if (!taken) return taken.status();
    index.first_granule = taken.value();
  }
  layout::Word64* slots = segment_.slots(index);
  if (slots == nullptr) return free_list_corrupt();
  for (std::uint64_t i = 0; i < index.slots(); ++i) {
    slots[i].store(layout::kEmptySlot, std::memory_order_release);
  }
  return index;
}

void PartitionMemory::give_index(const IndexDescriptor& index) noexcept {
  layout::Word64* slots = segment_.slots(index);
  if (slots == nullptr) return;
  layout::Word32& list = partition_.free_indices.at(index.log2_slots - layout::kMinLog2Slots);
  // Location 0: to a stale reader a tombstone, never a record.
  slots[0].store(std::uint64_t{list.load(std::memory_order_relaxed)} << 32,
                 std::memory_order_release);
  list.store(static_cast<std::uint32_t>(index.first_granule), std::memory_order_relaxed);
}

}  // namespace shmreg::core
