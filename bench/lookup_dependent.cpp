// lookup_dependent: how long one waits for the answer of a lookup.
//
// Rows: flat and shmreg. As lookup_hit, but which name is asked for next depends on the endpoint
// found last, so that nothing overlaps: this is latency.
#include <array>

#include "harness.hpp"

namespace shmreg::bench {
namespace {

constexpr std::array<std::string_view, 2> kContenders{"flat", "shmreg"};

std::uint64_t expected_sum(std::span<const Key> keys) {
  const std::size_t mask = keys.size() - 1;
  std::uint64_t sum = 0;
  std::size_t index = 0;
  for (std::size_t step = 0; step < keys.size(); ++step) {
    const std::uint64_t answer = digest(value_of(keys[index]).view());
    sum += answer;
    index = next_index(answer, step, mask);
  }
  return sum;
}

}  // namespace

std::vector<Row> ask_lookup_dependent(const Question& question, const Race& race) {
  const std::span<const Key> keys = race.workload.hits();
  return run_rounds(
      question, race,
      {.keys = keys,
       .run = [](Contender& contender,
                 std::span<const Key> names) { return contender.look_up_dependent(names); },
       .expected = expected_sum(keys),
       .only = kContenders});
}

}  // namespace shmreg::bench
