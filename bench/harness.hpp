// Rounds: how a question is put to several contenders so that the answers can be compared on a
// machine that does other work as well.
//
// In each round every contender does the same batch, one right after the other, each time beginning
// with another of them; whatever slows the machine for a while slows them all. A batch is preceded
// by a sixteenth of itself untimed, so that it does not pay for what the contender before it left
// in the caches. Time is the thread's processor time: nobody here waits for anybody, and what the
// others on the machine are given is not the contender's doing. A figure is the median over the
// rounds, and so is a ratio: of the ratios that the rounds had, each to the first contender in the
// same round. Least and most are the spread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "contender.hpp"
#include "numbers.hpp"
#include "workload.hpp"

namespace shmreg::bench {

// What one contender answered to one question at one size.
struct Row {
  std::string_view question;
  std::string_view contender;
  std::size_t services = 0;
  Spread figure;                // in the question's unit
  std::optional<Spread> ratio;  // to the first contender; absent where that one did not take part
  unsigned rounds = 0;
};

struct Competitor {
  std::string_view name;
  std::unique_ptr<Contender> contender;  // filled
};

// Everything a question needs to be put at one size.
struct Race {
  std::span<const Competitor> competitors;
  const Workload& workload;
  unsigned rounds = 1;
};

struct Question {
  std::string_view name;
  std::string_view unit;
  std::string_view json_field;  // "ns" or "bytes"
  std::vector<Row> (*ask)(const Question& question, const Race& race);
};

// All of them in the order they are asked: what only reads comes before what changes the table.
[[nodiscard]] std::span<const Question> questions() noexcept;

// One question's task: what a contender does with a list of names, and what must come of it.
struct Task {
  std::span<const Key> keys;
  std::uint64_t (*run)(Contender& contender, std::span<const Key> keys);
  std::uint64_t expected = 0;                // what run returns for all the keys
  std::span<const std::string_view> only{};  // contenders that take part; empty: all
};

// Times the task, in nanoseconds a key. Throws WrongAnswer where run returns something else.
[[nodiscard]] std::vector<Row> run_rounds(const Question& question, const Race& race,
                                          const Task& task);

// A row for something that does not vary from round to round.
[[nodiscard]] std::vector<Row> measure_once(const Question& question, const Race& race,
                                            double (*measure)(const Competitor& competitor,
                                                              const Workload& workload));

// A contender that is fast because it is wrong has no figure.
class WrongAnswer : public std::runtime_error {
 public:
  WrongAnswer(std::string_view question, std::string_view contender);
};

}  // namespace shmreg::bench
