#include "harness.hpp"

#include <algorithm>
#include <utility>

namespace shmreg::bench {
namespace {

constexpr std::size_t kWarmUpPart = 16;

double nanoseconds_per_key(Contender& contender, const Task& task, std::uint64_t& answer) {
  const double begin = processor_time_ns();
  answer = task.run(contender, task.keys);
  return (processor_time_ns() - begin) / static_cast<double>(task.keys.size());
}

bool takes_part(const Task& task, std::string_view name) {
  return task.only.empty() ||
         std::find(task.only.begin(), task.only.end(), name) != task.only.end();
}

// Figures of all rounds, one vector a contender; ratios to the first where that is the floor.
std::vector<Row> rows_of(const Question& question, const Race& race,
                         std::span<const Competitor* const> field,
                         const std::vector<std::vector<double>>& figures) {
  const bool has_floor = !field.empty() && field.front()->name == contenders().front().name;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < field.size(); ++i) {
    Row row{.question = question.name,
            .contender = field[i]->name,
            .services = race.workload.services(),
            .figure = spread_of(figures[i]),
            .ratio = std::nullopt,
            .rounds = static_cast<unsigned>(figures[i].size())};
    if (has_floor) {
      std::vector<double> ratios;
      for (std::size_t round = 0; round < figures[i].size(); ++round) {
        ratios.push_back(figures[i][round] / figures[0][round]);
      }
      row.ratio = spread_of(std::move(ratios));
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

WrongAnswer::WrongAnswer(std::string_view question, std::string_view contender)
    : std::runtime_error(std::string(question) + ": " + std::string(contender) +
                         " gave wrong answers") {}

std::vector<Row> run_rounds(const Question& question, const Race& race, const Task& task) {
  std::vector<const Competitor*> field;
  for (const Competitor& competitor : race.competitors) {
    if (takes_part(task, competitor.name)) field.push_back(&competitor);
  }
  // A power of two, since that is what a task may rely on.
  const std::size_t warm_up = std::max<std::size_t>(task.keys.size() / kWarmUpPart, 1);
  std::vector<std::vector<double>> figures(field.size());
  // Round 0 is not counted: first touches and branch history belong to it.
  for (unsigned round = 0; round <= race.rounds; ++round) {
    for (std::size_t turn = 0; turn < field.size(); ++turn) {
      const std::size_t who = (turn + round) % field.size();
      Contender& contender = *field[who]->contender;
      keep(task.run(contender, task.keys.first(warm_up)));
      std::uint64_t answer = 0;
      const double figure = nanoseconds_per_key(contender, task, answer);
      if (answer != task.expected) throw WrongAnswer(question.name, field[who]->name);
      if (round > 0) figures[who].push_back(figure);
    }
  }
  return rows_of(question, race, field, figures);
}

std::vector<Row> measure_once(const Question& question, const Race& race,
                              double (*measure)(const Competitor& competitor,
                                                const Workload& workload)) {
  std::vector<const Competitor*> field;
  std::vector<std::vector<double>> figures;
  for (const Competitor& competitor : race.competitors) {
    field.push_back(&competitor);
    figures.push_back({measure(competitor, race.workload)});
  }
  return rows_of(question, race, field, figures);
}

}  // namespace shmreg::bench
