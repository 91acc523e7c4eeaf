// What doctor asks of a partition's shared names: each anchor has instances, and its cell says so;
// each instance has an anchor.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/check.hpp"
#include "core/record_image.hpp"
#include "core/segment_image.hpp"

namespace shmreg::core {

class SharingCheck {
 public:
  explicit SharingCheck(const SegmentImage& image) : image_(image) {}

  // A sound record of the partition; `at` says where.
  void note(const std::string& at, const RecordView& record);
  // After the last of them.
  void report(std::vector<Problem>& problems) const;
  [[nodiscard]] std::uint64_t anchors() const noexcept;

 private:
  struct SharedName {
    std::string anchor_at;  // empty: none
    std::string instance_at;
    layout::AnchorState said;
    layout::AnchorState counted;
    bool says_health = false;
    bool has_health = false;
  };

  const SegmentImage& image_;
  std::map<std::string, SharedName> names_;
  std::vector<std::string> misplaced_;
};

}  // namespace shmreg::core
