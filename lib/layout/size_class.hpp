// The sizes that records come in. Every record of one run has the run's size, so that repair can
// enumerate the records of a partition from the run map alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace shmreg::layout {

struct SizeClass {
  std::uint32_t record_bytes;
  std::uint32_t run_granules;  // the smallest run that wastes little
};

inline constexpr std::array<SizeClass, 22> kSizeClasses{{
    {128, 1},   {192, 1},   {256, 1},   {320, 1},   {384, 1},    {448, 1},    {512, 1},  {640, 1},
    {768, 1},   {1024, 1},  {1344, 1},  {2048, 1},  {3072, 3},   {4096, 1},   {6144, 3}, {8192, 2},
    {12288, 3}, {16384, 4}, {24576, 6}, {32768, 8}, {49152, 12}, {65536, 16},
}};
inline constexpr std::size_t kMaxRecordBytes = 65536;

// The smallest class that holds `bytes`; kSizeClasses.size() where none does.
[[nodiscard]] constexpr std::size_t size_class_for(std::size_t bytes) noexcept {
  std::size_t size_class = 0;
  while (size_class < kSizeClasses.size() && kSizeClasses.at(size_class).record_bytes < bytes) {
    ++size_class;
  }
  return size_class;
}

}  // namespace shmreg::layout
