// How long a torture goes on, by which dice, and how it says what it counted.
//
//   SHMREG_TORTURE_SECONDS   of each test that runs for a time
//   SHMREG_TORTURE_ROUNDS    of each test that runs in rounds
//   SHMREG_TORTURE_EVERY     of the victims of every_instruction_test.cpp: stepped_operation.hpp
//   SHMREG_TORTURE_SEED      repeats the choices of an earlier run (not its timing)
//
// Unset: short, for every build. Sanitized builds, some ten times slower, do a fifth.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace torture {

// SplitMix64: small, and the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  // 0 <= x < bound
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }
  std::chrono::microseconds microseconds_below(std::uint64_t bound) noexcept {
    return std::chrono::microseconds(below(bound));
  }

 private:
  std::uint64_t state_;
};

// The dice of one test; says its seed.
[[nodiscard]] Random dice(const std::string& test);

[[nodiscard]] std::chrono::milliseconds duration(std::chrono::milliseconds usual);
[[nodiscard]] std::uint64_t rounds(std::uint64_t usual);

// One line of what was counted: to the test's log and to standard output.
void say(const std::string& line);

// "1234567" -> "1,234,567"
[[nodiscard]] std::string grouped(std::uint64_t number);

}  // namespace torture
