#include "output/units.hpp"

#include <time.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <limits>

namespace shmreg::output {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t kSecond_ns = 1'000'000'000;
constexpr std::array<Unit, 7> kDurations{{{"ns", 1},
                                          {"us", 1'000},
                                          {"ms", 1'000'000},
                                          {"s", kSecond_ns},
                                          {"m", 60 * kSecond_ns},
                                          {"h", 3600 * kSecond_ns},
                                          {"d", 86400 * kSecond_ns}}};
constexpr std::uint64_t kKibi = 1024;
constexpr std::array<Unit, 5> kSizes{{{"B", 1},
                                      {"K", kKibi},
                                      {"M", kKibi* kKibi},
                                      {"G", kKibi* kKibi* kKibi},
                                      {"T", kKibi* kKibi* kKibi* kKibi}}};

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

Status refuse(std::string message) { return Status(Errc::invalid_argument, std::move(message)); }

// WHOLE[.FRACTION]UNIT, no sign, no space. `noun` and `units` are for the message.
template <std::size_t N>
Result<std::uint64_t> parse_quantity(std::string_view text, const std::array<Unit, N>& known,
                                     std::uint64_t largest, const std::string& noun,
                                     std::string_view units, std::string_view example) {
  const std::string rule = "a " + noun + " is a number and one of " + std::string(units) +
                           ", as in " + std::string(example);
  std::size_t at = 0;
  std::uint64_t whole = 0;
  while (at < text.size() && is_digit(text[at])) {
    const auto digit = static_cast<std::uint64_t>(text[at++] - '0');
    if (whole > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) {
      return refuse(quoted(text) + " is too large for a " + noun);
    }
    whole = whole * 10 + digit;
  }
  if (at == 0) return refuse(quoted(text) + " is no " + noun + ": " + rule);

  // Decimal places beyond the ninth are below any unit's grain.
  std::uint64_t fraction = 0;
  std::uint64_t scale = 1;
  if (at < text.size() && text[at] == '.') {
    const std::size_t point = at++;
    for (; at < text.size() && is_digit(text[at]); ++at) {
      if (scale == kSecond_ns) continue;
      fraction = fraction * 10 + static_cast<std::uint64_t>(text[at] - '0');
      scale *= 10;
    }
    if (at == point + 1) return refuse(quoted(text) + " is no " + noun + ": " + rule);
  }

  const std::string_view name = text.substr(at);
  if (name.empty()) return refuse(quoted(text) + " has no unit: " + rule);
  for (const Unit& unit : known) {
    if (unit.name != name) continue;
    // Two steps: fraction times a large factor would not fit in 64 bits.
    const std::uint64_t part =
        unit.factor / scale * fraction + unit.factor % scale * fraction / scale;
    if (whole > (largest - part) / unit.factor) {
      return refuse(quoted(text) + " is too large for a " + noun);
    }
    return whole * unit.factor + part;
  }
  return refuse(quoted(text) + " has the unknown unit " + quoted(name) + ": " + rule);
}

// As people read it: a minute is "min", since "m" may be a metre.
std::string in_unit(std::uint64_t nanoseconds, std::size_t unit) {
  constexpr std::array<std::string_view, kDurations.size()> kNames{"ns",  "us", "ms", "s",
                                                                   "min", "h",  "d"};
  return std::to_string(nanoseconds / kDurations[unit].factor) + " " + std::string(kNames[unit]);
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  auto parsed = parse_quantity(text, kDurations, std::numeric_limits<std::int64_t>::max(),
                               "duration", kDurationUnits, "250us, 10ms, 5s, 2m, 1h");
  if (!parsed) return parsed.status();
  return std::chrono::nanoseconds(static_cast<std::int64_t>(*parsed));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse_quantity(text, kSizes, std::numeric_limits<std::int64_t>::max(), "size", kSizeUnits,
                        "64K, 16M, 1G");
}

Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t largest) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
    return refuse(quoted(text) + " is not a whole number");
  }
  if (error != std::errc() || number > largest) {
    return refuse(quoted(text) + " is too large: at most " + std::to_string(largest));
  }
  return number;
}

Result<std::uint64_t> parse_pid(std::string_view text) {
  auto pid = parse_number(text, std::numeric_limits<std::int32_t>::max());
  if (!pid || *pid == 0) {
    return refuse(quoted(text) + " is no process id: a whole number from 1 to 2147483647");
  }
  return pid;
}

Result<std::uint64_t> parse_mode(std::string_view text) {
  std::uint64_t mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc() || end != text.data() + text.size() || mode > 0777) {
    return refuse(quoted(text) + " is no mode: octal digits up to 777, as in 0660");
  }
  return mode;
}

std::string human_duration(std::uint64_t nanoseconds) {
  std::size_t unit = 0;
  while (unit + 1 < kDurations.size() && nanoseconds >= kDurations[unit + 1].factor) ++unit;
  return in_unit(nanoseconds, unit);
}

std::string exact_duration(std::uint64_t nanoseconds) {
  std::size_t unit = nanoseconds == 0 ? 0 : kDurations.size() - 1;
  while (nanoseconds % kDurations[unit].factor != 0) --unit;
  return in_unit(nanoseconds, unit);
}

std::string human_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, kSizes.size()> kNames{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (unit + 1 < kSizes.size() && bytes >= kSizes[unit + 1].factor) ++unit;
  const std::uint64_t factor = kSizes[unit].factor;
  const std::uint64_t tenths = bytes % factor * 10 / factor;
  std::string text = std::to_string(bytes / factor);
  if (tenths != 0) text += "." + std::to_string(tenths);
  return text + " " + std::string(kNames[unit]);
}

std::string octal_mode(std::uint32_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04o", mode & 07777u);
  return text.data();
}

std::string rfc3339(std::int64_t nanoseconds) {
  // Rounded towards the past, also before 1970: the rest is never negative.
  constexpr auto kSecond = static_cast<std::int64_t>(kSecond_ns);
  std::int64_t seconds = nanoseconds / kSecond;
  std::int64_t rest = nanoseconds % kSecond;
  if (rest < 0) {
    --seconds;
    rest += kSecond;
  }
  const auto moment = static_cast<time_t>(seconds);
  struct tm parts {};
  ::gmtime_r(&moment, &parts);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09lldZ",
                parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                parts.tm_sec, static_cast<long long>(rest));
  return text.data();
}

}  // namespace shmreg::output
