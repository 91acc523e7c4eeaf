#include "torture/setting.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "support/sanitizers.hpp"

namespace torture {
namespace {

// What the environment says; 0 where it says nothing.
double from_environment(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtod(text, nullptr) : 0;
}

}  // namespace

Random dice(const std::string& test) {
  const char* given = std::getenv("SHMREG_TORTURE_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  say(test + ": SHMREG_TORTURE_SEED=" + std::to_string(seed));
  return Random(seed);
}

std::chrono::milliseconds duration(std::chrono::milliseconds usual) {
  const double seconds = from_environment("SHMREG_TORTURE_SECONDS");
  if (seconds > 0) return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  return usual;
}

std::uint64_t rounds(std::uint64_t usual) {
  const double given = from_environment("SHMREG_TORTURE_ROUNDS");
  if (given > 0) return static_cast<std::uint64_t>(given);
  return shmreg::test::kSanitized ? usual / 5 + 1 : usual;
}

void say(const std::string& line) {
  BOOST_TEST_MESSAGE(line);
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

std::string grouped(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace torture
