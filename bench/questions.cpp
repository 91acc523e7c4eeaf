#include <array>

#include "harness.hpp"

namespace shmreg::bench {

std::vector<Row> ask_lookup_hit(const Question& question, const Race& race);
std::vector<Row> ask_lookup_miss(const Question& question, const Race& race);
std::vector<Row> ask_lookup_dependent(const Question& question, const Race& race);
std::vector<Row> ask_bytes_per_service(const Question& question, const Race& race);
std::vector<Row> ask_register_unregister(const Question& question, const Race& race);

std::span<const Question> questions() noexcept {
  static constexpr std::array<Question, 5> kQuestions{{
      {"lookup_hit", "ns a lookup", "ns", ask_lookup_hit},
      {"lookup_miss", "ns a lookup", "ns", ask_lookup_miss},
      {"lookup_dependent", "ns a lookup", "ns", ask_lookup_dependent},
      {"bytes_per_service", "bytes a service", "bytes", ask_bytes_per_service},
      {"register_unregister", "ns a pair", "ns", ask_register_unregister},
  }};
  return kQuestions;
}

}  // namespace shmreg::bench
