// lookup_hit: what finding a service costs that is there.
//
// Rows: every contender. One lookup: the name, drawn at random from those registered, is hashed and
// found, the value copied out, its endpoint read. The next lookup does not wait for it, so the
// processor overlaps them: this is throughput.
#include "harness.hpp"

namespace shmreg::bench {

std::vector<Row> ask_lookup_hit(const Question& question, const Race& race) {
  const std::span<const Key> keys = race.workload.hits();
  return run_rounds(question, race,
                    {.keys = keys,
                     .run = [](Contender& contender,
                               std::span<const Key> names) { return contender.look_up(names); },
                     .expected = sum_of_digests(keys)});
}

}  // namespace shmreg::bench
