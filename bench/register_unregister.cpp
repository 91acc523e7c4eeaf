// register_unregister: what it costs to come and to go.
//
// Rows: every contender. A pair: a name that is not there is registered with an endpoint, and at
// once unregistered; names in random order. For shmreg a Registration is taken and given back.
#include <algorithm>

#include "harness.hpp"

namespace shmreg::bench {

std::vector<Row> ask_register_unregister(const Question& question, const Race& race) {
  // Fewer than lookups: the slowest contender takes microseconds.
  constexpr std::size_t kPairs = std::size_t{1} << 16;
  const std::span<const Key> visitors = race.workload.visitors();
  const std::span<const Key> keys = visitors.first(std::min(visitors.size(), kPairs));
  return run_rounds(
      question, race,
      {.keys = keys,
       .run = [](Contender& contender,
                 std::span<const Key> names) { return contender.register_unregister(names); },
       .expected = keys.size()});
}

}  // namespace shmreg::bench
