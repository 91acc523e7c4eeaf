#include "core/check_sharing.hpp"

#include <algorithm>
#include <array>

namespace shmreg::core {

void SharingCheck::note(const std::string& at, const RecordView& record) {
  const layout::RecordHeader& header = record.header();
  if (!is_anchor(record) && header.ordinal == 0) return;
  if (is_anchor(record) && header.ordinal != 0) {
    misplaced_.push_back(at);
    return;
  }
  SharedName& name = names_[std::string(record.key())];
  // A cell that is none is reported elsewhere.
  std::array<std::uint64_t, sizeof(layout::HealthCell) / 8> cell{};
  (void)image_.read(header.cell * layout::kCellBytes, cell.data(), cell.size());
  const bool has_health = cell.at(offsetof(layout::HealthCell, location) / 8) >> 32 != 0;
  if (is_anchor(record)) {
    name.anchor_at = at;
    name.said = layout::AnchorState::of(cell.at(offsetof(layout::HealthCell, deadline_ns) / 8));
    name.says_health = has_health;
    return;
  }
  name.instance_at = at;
  ++name.counted.count;
  name.counted.last = std::max(name.counted.last, header.ordinal);
  name.has_health = name.has_health || has_health;
}

void SharingCheck::report(std::vector<Problem>& problems) const {
  for (const std::string& at : misplaced_) {
    problems.push_back({at, "what leads to a shared name's instances lies among them", true});
  }
  for (const auto& [key, name] : names_) {
    if (name.anchor_at.empty()) {
      problems.push_back({name.instance_at, "an instance of a name that nobody shares", true});
    } else if (name.counted.count == 0) {
      problems.push_back({name.anchor_at, "a shared name without an instance", true});
    } else if (name.said.count != name.counted.count || name.said.last != name.counted.last) {
      problems.push_back({name.anchor_at,
                          "a shared name says " + std::to_string(name.said.count) +
                              " instances up to " + std::to_string(name.said.last) + ", has " +
                              std::to_string(name.counted.count) + " up to " +
                              std::to_string(name.counted.last),
                          true});
    } else if (name.has_health && !name.says_health) {
      problems.push_back(
          {name.anchor_at, "a shared name does not know of its instances' health", true});
    }
  }
}

std::uint64_t SharingCheck::anchors() const noexcept {
  return static_cast<std::uint64_t>(
      std::count_if(names_.begin(), names_.end(),
                    [](const auto& each) { return !each.second.anchor_at.empty(); }));
}

}  // namespace shmreg::core
