#include "figures.hpp"

#include <unistd.h>

#include <boost/json.hpp>
#include <iomanip>
#include <iostream>
#include <utility>

namespace shmreg::scale {

using bench::grouped;
using bench::rounded;
using bench::short_number;

void Report::begin(std::string_view question, std::size_t services) {
  question_ = question;
  services_ = services;
  say(std::string(question) + ", " + grouped(services) + " services");
  if (text_ != nullptr) {
    *text_ << question << ", " << grouped(services) << " services" << std::endl;
  }
}

void Report::add(std::string name, std::string unit, double value, std::optional<double> mark) {
  print({question_, std::move(name), std::move(unit), {value, value, value}, 1, mark});
}

void Report::add(std::string name, std::string unit, std::vector<double> values,
                 std::optional<double> mark) {
  const std::size_t rounds = values.size();
  print({question_, std::move(name), std::move(unit), bench::spread_of(std::move(values)), rounds,
         mark});
}

void Report::print(const Figure& figure) {
  figures_.push_back(figure);
  if (text_ == nullptr) return;
  // A count is no measurement: all its digits.
  const double value = figure.value.median;
  const bool is_whole = figure.rounds == 1 && value >= 0 && value < 1e15 &&
                        value == static_cast<double>(static_cast<std::size_t>(value));
  *text_ << "  " << std::left << std::setw(36) << figure.name << std::right << std::setw(12)
         << (is_whole ? grouped(static_cast<std::size_t>(value)) : short_number(value)) << ' '
         << std::left << std::setw(12) << figure.unit;
  if (figure.rounds > 1) {
    *text_ << " (" << short_number(figure.value.least) << " to " << short_number(figure.value.most)
           << ", " << figure.rounds << " times)";
  }
  if (figure.mark) *text_ << "  mark: under " << short_number(*figure.mark);
  *text_ << std::endl;
}

void Report::print_json(std::ostream& out) const {
  boost::json::array figures;
  for (const Figure& figure : figures_) {
    boost::json::object object{{"question", figure.question},
                               {"figure", figure.name},
                               {"unit", figure.unit},
                               {"value", rounded(figure.value.median)},
                               {"min", rounded(figure.value.least)},
                               {"max", rounded(figure.value.most)},
                               {"rounds", figure.rounds},
                               {"mark", nullptr}};
    if (figure.mark) object["mark"] = *figure.mark;
    figures.push_back(std::move(object));
  }
  out << boost::json::value(
             {{"schema", 1}, {"services", services_}, {"figures", std::move(figures)}})
      << '\n';
}

void Report::say(const std::string& what) {
  if (isatty(STDERR_FILENO) == 1) std::cerr << "# " << what << std::endl;
}

}  // namespace shmreg::scale
