// Quantities as people write and read them: durations, sizes, plain numbers, moments.
//
// What is parsed has a unit or is refused: "5" may be seconds to one and milliseconds to another.
// What is rendered for people is rounded to one unit; what is rendered for programs (rfc3339) is
// exact.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "shmreg/error.hpp"

namespace shmreg::output {

inline constexpr std::string_view kDurationUnits = "ns, us, ms, s, m, h or d";
inline constexpr std::string_view kSizeUnits = "B, K, M, G or T";

// "250us", "1.5s", "2m". invalid_argument with a message that says which units there are.
[[nodiscard]] Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
// "64K", "1.5G"; powers of 1024.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);
// Decimal digits alone, at most `largest`.
[[nodiscard]] Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t largest);
// A process id: 1 to 2^31 - 1.
[[nodiscard]] Result<std::uint64_t> parse_pid(std::string_view text);
// File permissions: octal digits, at most 0777.
[[nodiscard]] Result<std::uint64_t> parse_mode(std::string_view text);

// "4 min", "850 ms": the largest unit that gives at least 1, rounded down.
[[nodiscard]] std::string human_duration(std::uint64_t nanoseconds);
// "1500 ms", "4 min": the largest unit that gives a whole number, for what somebody has chosen.
[[nodiscard]] std::string exact_duration(std::uint64_t nanoseconds);
// "3.9 MiB", "64 KiB".
[[nodiscard]] std::string human_size(std::uint64_t bytes);
// "0660".
[[nodiscard]] std::string octal_mode(std::uint32_t mode);
// "2024-05-01T12:00:00.000000001Z", from nanoseconds since 1970-01-01 UTC.
[[nodiscard]] std::string rfc3339(std::int64_t nanoseconds);

}  // namespace shmreg::output
