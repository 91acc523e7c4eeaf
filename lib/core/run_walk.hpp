// The run map read from its beginning: which memory belongs to which partition, for what.
#pragma once

#include <cstdint>

#include "core/segment.hpp"

namespace shmreg::core {

// Calls visit(first granule, run) for every run handed out so far, in order; stops at the first
// word that makes no sense.
template <class Visit>
void for_each_run(const Segment& segment, Visit visit) {
  std::uint64_t granule = segment.geometry().heap_offset() / layout::kGranuleBytes;
  while (granule < segment.geometry().granules_limit()) {
    const layout::Word32* word = segment.run_word(granule);
    const std::uint32_t value = word != nullptr ? word->load(std::memory_order_acquire) : 0;
    if (value == 0) return;
    const layout::Run run = layout::Run::of(value);
    if (run.granules == 0) return;
    visit(granule, run);
    granule += run.granules;
  }
}

// Whether a record of that class lies there, on the stride of a run of that partition.
[[nodiscard]] bool is_record_of(const Segment& segment, std::uint32_t partition,
                                std::uint32_t location, std::uint32_t size_class) noexcept;
[[nodiscard]] bool is_cell_of(const Segment& segment, std::uint32_t partition,
                              std::uint32_t cell) noexcept;

}  // namespace shmreg::core
