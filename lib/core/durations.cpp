#include "core/durations.hpp"

#include <array>

namespace shmreg::core {

std::string human_duration(std::uint64_t ns) {
  struct Unit {
    std::uint64_t ns;
    const char* name;
  };
  constexpr std::array<Unit, 7> kUnits{{{86'400'000'000'000, "d"},
                                        {3'600'000'000'000, "h"},
                                        {60'000'000'000, "min"},
                                        {1'000'000'000, "s"},
                                        {1'000'000, "ms"},
                                        {1'000, "us"},
                                        {1, "ns"}}};
  for (const Unit& unit : kUnits) {
    if (ns >= unit.ns) return std::to_string(ns / unit.ns) + " " + unit.name;
  }
  return "0 s";
}

}  // namespace shmreg::core
