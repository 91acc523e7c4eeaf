#include "report.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <iomanip>
#include <ostream>
#include <string>

#include "numbers.hpp"

namespace shmreg::bench {
namespace {

std::string range(const Spread& spread) {
  return short_number(spread.least) + " to " + short_number(spread.most);
}

void add(boost::json::object& object, std::string_view field, const std::optional<Spread>& spread) {
  const auto name = [&](std::string_view suffix) {
    return std::string(field) + std::string(suffix);
  };
  if (spread) {
    object[name("")] = rounded(spread->median);
    object[name("_min")] = rounded(spread->least);
    object[name("_max")] = rounded(spread->most);
  } else {
    object[name("")] = object[name("_min")] = object[name("_max")] = nullptr;
  }
}

const Question& question_of(const Row& row) {
  const std::span<const Question> all = questions();
  return *std::find_if(all.begin(), all.end(),
                       [&](const Question& question) { return question.name == row.question; });
}

}  // namespace

void print_rows(std::ostream& out, const Question& question, std::span<const Row> rows) {
  if (rows.empty()) return;
  out << question.name << ", " << grouped(rows.front().services) << " services, " << question.unit;
  if (rows.front().rounds > 1) out << ": median (least to most) of " << rows.front().rounds;
  out << '\n';
  for (const Row& row : rows) {
    const bool has_spread = row.rounds > 1;
    out << "  " << std::left << std::setw(20) << row.contender << std::right << std::setw(8)
        << short_number(row.figure.median) << "  " << std::left << std::setw(18)
        << (has_spread ? "(" + range(row.figure) + ")" : "");
    if (row.ratio) {
      out << std::right << std::setw(8) << short_number(row.ratio->median) << " x";
      if (has_spread) out << "  (" << range(*row.ratio) << ')';
    }
    out << '\n';
  }
  out << std::endl;
}

void print_json(std::ostream& out, unsigned rounds, std::span<const Row> rows,
                std::span<const Skipped> skipped) {
  boost::json::array row_array;
  for (const Row& row : rows) {
    boost::json::object object;
    object["question"] = row.question;
    object["contender"] = row.contender;
    object["services"] = row.services;
    add(object, question_of(row).json_field, row.figure);
    add(object, "ratio", row.ratio);
    object["rounds"] = row.rounds;
    row_array.push_back(std::move(object));
  }
  boost::json::array skipped_array;
  for (const Skipped& one : skipped) {
    skipped_array.push_back(
        {{"contender", one.contender}, {"services", one.services}, {"reason", one.reason}});
  }
  out << boost::json::value({{"schema", 1},
                             {"rounds", rounds},
                             {"rows", std::move(row_array)},
                             {"skipped", std::move(skipped_array)}})
      << '\n';
}

}  // namespace shmreg::bench
