// lookup_miss: what it costs to learn that there is no such service.
//
// Rows: every contender. The names have the length and the beginning of those registered, so that
// nothing but the hash and the index can tell them apart.
#include "harness.hpp"

namespace shmreg::bench {

std::vector<Row> ask_lookup_miss(const Question& question, const Race& race) {
  return run_rounds(question, race,
                    {.keys = race.workload.misses(),
                     .run = [](Contender& contender,
                               std::span<const Key> names) { return contender.look_up(names); },
                     .expected = 0});
}

}  // namespace shmreg::bench
