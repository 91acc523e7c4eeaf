#include "numbers.hpp"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace shmreg::bench {

Spread spread_of(std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  const std::size_t middle = figures.size() / 2;
  const double median =
      figures.size() % 2 == 1 ? figures[middle] : (figures[middle - 1] + figures[middle]) / 2;
  return {median, figures.front(), figures.back()};
}

double processor_time_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

std::string grouped(std::size_t number) {
  std::string text = std::to_string(number);
  for (std::size_t from_end = 3; from_end < text.size(); from_end += 4) {
    text.insert(text.size() - from_end, 1, ',');
  }
  return text;
}

std::string short_number(double number) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(number < 10 ? 2 : number < 100 ? 1 : 0) << number;
  return text.str();
}

double rounded(double number) { return std::round(number * 1000) / 1000; }

}  // namespace shmreg::bench
