// bytes_per_service: the memory that the services take, divided by their number.
//
// Rows: every contender, right after it was filled. For flat and flat_string_rwlock what they asked
// of the heap, for Boost of its segment, for lmdb the pages of its file, for shmreg all that its
// file has claimed from the file system: header, process table and a fresh index as well, which is
// most of it where services are few.
#include "harness.hpp"

namespace shmreg::bench {

std::vector<Row> ask_bytes_per_service(const Question& question, const Race& race) {
  return measure_once(question, race, [](const Competitor& competitor, const Workload& workload) {
    return static_cast<double>(competitor.contender->bytes()) /
           static_cast<double>(workload.services());
  });
}

}  // namespace shmreg::bench
