// Numbers: what is made of many measurements of one thing, and how it is written.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace shmreg::bench {

struct Spread {
  double median = 0;
  double least = 0;
  double most = 0;
};
// Of at least one.
[[nodiscard]] Spread spread_of(std::vector<double> figures);

// What this thread has run for, in itself and in the kernel on its behalf.
[[nodiscard]] double processor_time_ns();

// "1,000,000"
[[nodiscard]] std::string grouped(std::size_t number);
// Three digits that matter, where there are so many before the point all of them.
[[nodiscard]] std::string short_number(double number);
// Thousandths: more is noise.
[[nodiscard]] double rounded(double number);

}  // namespace shmreg::bench
