#include "core/segment_image.hpp"

#include <algorithm>

namespace shmreg::core {

const layout::Run* SegmentImage::run_at(std::uint64_t granule) const {
  const FoundRun* found = find_run(granule);
  return found != nullptr && found->granule == granule ? &found->run : nullptr;
}

std::optional<FoundRun> SegmentImage::run_over(std::uint64_t offset) const {
  const FoundRun* found = find_run(offset / layout::kGranuleBytes);
  if (found == nullptr || offset >= claimed_end) return std::nullopt;
  return *found;
}

const FoundRun* SegmentImage::find_run(std::uint64_t granule) const {
  const auto after =
      std::upper_bound(runs.begin(), runs.end(), granule,
                       [](std::uint64_t g, const FoundRun& run) { return g < run.granule; });
  if (after == runs.begin()) return nullptr;
  const FoundRun& found = *(after - 1);
  return granule < found.granule + found.run.granules ? &found : nullptr;
}

}  // namespace shmreg::core
