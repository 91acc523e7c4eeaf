#include "core/segment_image.hpp"

#include <algorithm>
#include <string>

#include "core/liveness.hpp"
#include "core/process_table.hpp"

namespace shmreg::core {

SegmentSummary summarize(const sys::SharedFile& file, std::uint64_t file_bytes) {
  SegmentSummary summary;
  const SegmentImage image(file);
  layout::Identity identity{};
  if (!image.read(0, &identity, 1)) {
    summary.problem = Status(Errc::incompatible, "the file is not a shmreg segment (it has " +
                                                     std::to_string(file_bytes) + " bytes)");
    return summary;
  }
  summary.problem = check_identity(identity, file_bytes);
  if (!summary.problem) return summary;
  const layout::Geometry geometry = geometry_of(identity);
  summary.bytes_limit = geometry.bytes_limit;
  const sys::ProcessIdentity self = sys::own_identity();
  constexpr std::size_t kEntryWords = sizeof(layout::ProcessEntry) / 8;
  std::vector<std::uint64_t> entries(geometry.max_processes * kEntryWords);
  if (!image.read(geometry.processes_offset(), entries.data(), entries.size())) return summary;
  for (std::uint32_t e = 0; e < geometry.max_processes; ++e) {
    const auto state = layout::MarkState::of(entries.at(e * kEntryWords));
    const auto liveness = static_cast<std::uint32_t>(entries.at(e * kEntryWords + 1) >> 32);
    if (is_free(state)) continue;
    const std::uint64_t* entry = entries.data() + e * kEntryWords;
    summary.own_entry =
        summary.own_entry || (static_cast<std::uint32_t>(entry[1]) == self.pid &&
                              entry[2] == self.start_ticks && entry[3] == self.pid_namespace);
    const auto lock =
        liveness == kByteLock ? file.lock_state(e) : Result<sys::LockState>({true, 0});
    if (!lock.ok() || lock->locked) ++summary.processes;
  }
  return summary;
}

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
