// The two clocks. Registrations are dated by the wall clock; every duration and deadline is of the
// monotonic one, which all processes of a host share (but for time namespaces).
#pragma once

#include <cstdint>

namespace shmreg::sys {

[[nodiscard]] std::int64_t wall_clock_ns() noexcept;        // since 1970-01-01 UTC
[[nodiscard]] std::uint64_t monotonic_clock_ns() noexcept;  // CLOCK_MONOTONIC, a vDSO call

}  // namespace shmreg::sys
