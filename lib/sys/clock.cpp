#include "sys/clock.hpp"

#include <ctime>

namespace shmreg::sys {
namespace {

std::int64_t read_clock_ns(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

std::int64_t wall_clock_ns() noexcept { return read_clock_ns(CLOCK_REALTIME); }

std::uint64_t monotonic_clock_ns() noexcept {
  return static_cast<std::uint64_t>(read_clock_ns(CLOCK_MONOTONIC));
}

}  // namespace shmreg::sys
