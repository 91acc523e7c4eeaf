#include "core/run_walk.hpp"

#include <optional>

namespace shmreg::core {
namespace {

struct Found {
  std::uint64_t first_granule;
  layout::Run run;
};

// The run that a granule lies in: its word is the last one set at or before it, and runs are short.
std::optional<Found> run_of(const Segment& segment, std::uint64_t granule) noexcept {
  const std::uint64_t lowest = segment.geometry().heap_offset() / layout::kGranuleBytes;
  for (std::uint64_t back = 0; back <= layout::kMaxRunGranules && granule >= lowest + back;
       ++back) {
    const layout::Word32* word = segment.run_word(granule - back);
    const std::uint32_t value = word != nullptr ? word->load(std::memory_order_acquire) : 0;
    if (value == 0) continue;
    const layout::Run run = layout::Run::of(value);
    if (run.granules <= back) return std::nullopt;
    return Found{granule - back, run};
  }
  return std::nullopt;
}

}  // namespace

bool is_record_of(const Segment& segment, std::uint32_t partition, std::uint32_t location,
                  std::uint32_t size_class) noexcept {
  const std::uint64_t offset = std::uint64_t{location} * layout::kUnitBytes;
  const auto found = run_of(segment, offset / layout::kGranuleBytes);
  if (!found || size_class >= layout::kSizeClasses.size()) return false;
  const std::uint64_t stride = layout::kSizeClasses.at(size_class).record_bytes;
  const std::uint64_t within = offset - found->first_granule * layout::kGranuleBytes;
  return found->run.kind == layout::RunKind::records && found->run.partition == partition &&
         found->run.size_class == size_class && within % stride == 0 &&
         within + stride <= found->run.granules * layout::kGranuleBytes;
}

bool is_cell_of(const Segment& segment, std::uint32_t partition, std::uint32_t cell) noexcept {
  const auto found = run_of(segment, cell * layout::kCellBytes / layout::kGranuleBytes);
  return found && found->run.kind == layout::RunKind::cells && found->run.partition == partition;
}

}  // namespace shmreg::core
