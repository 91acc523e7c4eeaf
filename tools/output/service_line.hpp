// A service as one line of JSON: what ServiceView wrote, read again.
//
// Only what makes a service is kept: its name, what it says of itself, and what kind of owner it
// had. The other keys of ServiceView are checked for their type; keys that are not known, which a
// later version may write, are passed over. A key that is given twice is refused, since nobody
// could say which of the two was meant.
//
// Boost.JSON's parser is included by service_members.cpp alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shmreg/registry.hpp"

namespace shmreg::output {

// Where and why a line was refused. Columns are bytes, counted from 1.
struct BadLine {
  std::size_t column = 1;
  std::string why;
};

struct ServiceLine {
  std::string full_name;
  ServiceSpec spec;
  bool shared = false;
  // Where the line names none: pid if it has a pid, else permanent.
  OwnerKind owner = OwnerKind::permanent;
  std::uint32_t pid = 0;           // 0: none
  std::chrono::nanoseconds ttl{};  // of an owner of kind ttl: above 0

  // Reads `text` into `line`. What comes out breaks no rule of the library (check_spec).
  [[nodiscard]] static std::optional<BadLine> read(std::string_view text, ServiceLine& line);
};

}  // namespace shmreg::output
