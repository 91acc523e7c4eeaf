// Durations for people: "4 min", "1.5 s", "300 us".
#pragma once

#include <cstdint>
#include <string>

namespace shmreg::core {

[[nodiscard]] std::string human_duration(std::uint64_t ns);

}  // namespace shmreg::core
