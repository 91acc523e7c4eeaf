// Examines one partition in a segment's image.
#pragma once

#include <cstdint>
#include <vector>

#include "core/segment_image.hpp"
#include "shmreg/segment.hpp"

namespace shmreg::core {

// A partition's own words; equal before and after means that what was read between is of one piece,
// unless its lock is held.
struct PartitionPicture {
  std::vector<std::uint64_t> words = std::vector<std::uint64_t>(sizeof(layout::Partition) / 8);

  [[nodiscard]] bool take(const SegmentImage& image, std::uint32_t partition);
  [[nodiscard]] std::uint64_t at(std::size_t offset) const { return words.at(offset / 8); }
  [[nodiscard]] std::uint32_t at32(std::size_t offset) const {
    return static_cast<std::uint32_t>(words.at(offset / 8) >> (offset % 8 * 8));
  }
  [[nodiscard]] bool locked() const { return at(offsetof(layout::Partition, lock)) != 0; }
};

// Appends what is wrong; returns the number of services that its index leads to.
std::uint64_t check_partition(const SegmentImage& image, std::uint32_t partition,
                              const PartitionPicture& picture, std::vector<Problem>& problems);

}  // namespace shmreg::core
