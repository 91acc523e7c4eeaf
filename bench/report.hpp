// Figures as text for people, and as JSON for programs.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness.hpp"

namespace shmreg::bench {

// A contender that did not run at this size, and why.
struct Skipped {
  std::string_view contender;
  std::size_t services = 0;
  std::string reason;
};

// One question at one size.
void print_rows(std::ostream& out, const Question& question, std::span<const Row> rows);

// {"schema":1, "rounds":N, "rows":[{question, contender, services, ns, ns_min, ns_max, ratio,
// ratio_min, ratio_max, rounds}], "skipped":[{contender, services, reason}]}; rows that count bytes
// have bytes, bytes_min, bytes_max in place of ns. Without the first contender ratios are null.
void print_json(std::ostream& out, unsigned rounds, std::span<const Row> rows,
                std::span<const Skipped> skipped);

}  // namespace shmreg::bench
