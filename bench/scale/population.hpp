// What a question's segment is filled with: a segment of its own, names by number, and services
// that stay.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "scratch.hpp"
#include "shmreg/registry.hpp"

namespace shmreg::scale {

// A prefix and seven digits: "production/service-0000042". In place: to make one allocates nothing.
class Name {
 public:
  Name(std::string_view prefix, std::size_t number) noexcept;
  [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), bytes_}; }

 private:
  std::array<char, 39> text_{};
  std::uint8_t bytes_ = 0;
};

// What belongs to each name, and whether it was found.
[[nodiscard]] std::string endpoint_of(std::size_t number);
[[nodiscard]] bool is_endpoint_of(std::string_view endpoint, std::size_t number) noexcept;

inline constexpr std::string_view kOthers = "production/service-";

// Gone with this object, but not with a forked copy of it.
class OwnSegment {
 public:
  // As `regctl create` makes it, but for a limit that has room for so many services.
  explicit OwnSegment(std::size_t services);
  OwnSegment(const OwnSegment&) = delete;
  OwnSegment& operator=(const OwnSegment&) = delete;
  ~OwnSegment();

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] Registry attach(Access access = Access::read_write) const;

 private:
  pid_t creator_;
  std::string name_;
  bench::ScratchFile file_;
};

// Registers the first `count` names of that prefix as static services.
void populate(Registry& registry, std::string_view prefix, std::size_t count);

// A quick sequence of numbers: between two operations that are timed it must not count.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) noexcept : state_(seed * 0x9e3779b97f4a7c15 | 1) {}
  [[nodiscard]] std::size_t below(std::size_t end) noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::size_t>((state_ >> 32) * end >> 32);
  }

 private:
  std::uint64_t state_;
};

}  // namespace shmreg::scale
