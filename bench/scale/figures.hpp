// The figures that a question answers with: as text when each is known, as JSON at the end.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "numbers.hpp"

namespace shmreg::scale {

struct Figure {
  std::string_view question;
  std::string name;  // as in the menu
  std::string unit;
  bench::Spread value;         // all three the same where it was measured once
  std::size_t rounds = 1;      // how many measurements it is of
  std::optional<double> mark;  // what it should stay under; stated, not asserted
};

class Report {
 public:
  // `text`: where figures are printed as they come; null for JSON.
  explicit Report(std::ostream* text) : text_(text) {}

  void begin(std::string_view question, std::size_t services);
  // Measured once, or counted.
  void add(std::string name, std::string unit, double value,
           std::optional<double> mark = std::nullopt);
  // Measured in rounds.
  void add(std::string name, std::string unit, std::vector<double> values,
           std::optional<double> mark = std::nullopt);

  // {"schema":1, "services":N, "figures":[{question, figure, unit, value, min, max, rounds,
  // mark}]}; mark is null where there is none.
  void print_json(std::ostream& out) const;

  // Progress, for whoever waits at a terminal.
  static void say(const std::string& what);

 private:
  void print(const Figure& figure);

  std::ostream* text_;
  std::string_view question_;
  std::size_t services_ = 0;
  std::vector<Figure> figures_;
};

}  // namespace shmreg::scale
