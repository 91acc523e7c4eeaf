// A partition's own memory: records by size class, health cells, indices. All of it lies in runs
// that belong to this partition for good; what is not in use hangs on the partition's free lists.
//
// Callers hold the partition's lock and are inside a DirtySection: a list cut short by death is
// rebuilt by repair from the run map. Memory of one use is never given to another: a stale reader
// that looks at a freed record sees a record, retired or new, and at a freed index sees slots.
#pragma once

#include <cstdint>

#include "core/segment.hpp"

namespace shmreg::core {

class PartitionMemory {
 public:
  PartitionMemory(const Segment& segment, std::uint32_t partition) noexcept
      : segment_(segment), partition_(segment.partition(partition)), index_(partition) {}

  // Locations in units of kUnitBytes. segment_full, no_space, corrupt.
  [[nodiscard]] Result<std::uint32_t> take_record(std::size_t size_class);
  void give_record(std::uint32_t location, std::size_t size_class) noexcept;

  // Cells by offset / 32.
  [[nodiscard]] Result<std::uint32_t> take_cell();
  void give_cell(std::uint32_t cell) noexcept;

  // All slots empty. Whoever takes one must have advanced `rebuilds` before.
  [[nodiscard]] Result<layout::IndexDescriptor> take_index(std::uint32_t log2_slots);
  void give_index(const layout::IndexDescriptor& index) noexcept;

 private:
  [[nodiscard]] Status add_record_run(std::size_t size_class);
  [[nodiscard]] Status add_cell_run();

  const Segment& segment_;
  layout::Partition& partition_;
  std::uint32_t index_;
};

}  // namespace shmreg::core
