// unregister_own: does one name among many of one's own cost more to take back than the only one?
//
// Two processes among a million other services: one owns ten thousand names, the other one. In turn
// each takes a name back, timed, and registers another. Before each time the name is looked up, and
// then so many others that the nearest caches hold as little of the one's as of the other's.
#include <string>
#include <utility>
#include <vector>

#include "crew.hpp"
#include "latencies.hpp"
#include "numbers.hpp"
#include "population.hpp"
#include "question.hpp"

namespace shmreg::scale {
namespace {

constexpr std::size_t kMany = 10'000;
constexpr unsigned kRounds = 41;
constexpr std::size_t kTimes = 11;             // of each a round, turn by turn
constexpr std::size_t kLookupsBetween = 8000;  // some MiB of slots and records

struct Shared {
  FutexWord ready{0};
  Step turn;
  FutexWord done{0};
  double ns = 0;
  bool over = false;
};

void say(FutexWord& word) {
  word.fetch_add(1);
  futex_wake_all(word);
}

// Turns of the one come between those of the other: odd and even steps.
void own(const OwnSegment& segment, Shared& shared, std::size_t names, std::uint32_t first_turn,
         std::size_t others) {
  Registry registry = segment.attach();
  ServiceSpec spec;
  spec.endpoint = endpoint_of(names);
  const std::string prefix = "production/of-" + std::to_string(names) + "-";
  std::vector<Registration> mine;
  std::size_t next = 0;
  while (next < names) {
    mine.push_back(registry.register_service(Name(prefix, next++).view(), spec).value());
  }
  Dice dice(names);
  Service found;
  say(shared.ready);
  for (std::uint32_t turn = first_turn;; turn += 2) {
    shared.turn.await(turn);
    if (shared.over) return;
    Registration& chosen = mine[dice.below(names)];
    require(registry.lookup(chosen.full_name(), found) == Errc::ok, "one's own name was not found");
    for (std::size_t i = 0; i < kLookupsBetween; ++i) {
      require(registry.lookup(Name(kOthers, dice.below(others)).view(), found) == Errc::ok,
              "one of the others was not found");
    }
    const std::uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
    const bool gone = chosen.unregister().value();
    shared.ns = static_cast<double>(clock_ns(CLOCK_MONOTONIC) - began_ns);
    require(gone, "one's own name was not there");
    chosen = registry.register_service(Name(prefix, next++).view(), spec).value();
    say(shared.done);
  }
}

}  // namespace

void unregister_own(const Options& options, Report& report) {
  const OwnSegment segment(options.services + kMany);
  Registry registry = segment.attach();
  populate(registry, kOthers, options.services);
  const Common<Shared> shared;
  Crew crew;
  crew.start([&] { own(segment, *shared, 1, 1, options.services); });
  crew.start([&] { own(segment, *shared, kMany, 2, options.services); });
  crew.await(shared->ready, 2);
  std::vector<double> only_ns;
  std::vector<double> among_many_ns;
  std::vector<double> ratio;
  std::uint32_t turns = 0;
  const auto turn_ns = [&] {
    shared->turn.advance();
    crew.await(shared->done, ++turns);
    return shared->ns;
  };
  const auto round = [&] {
    std::vector<double> only;
    std::vector<double> among_many;
    for (std::size_t i = 0; i < kTimes; ++i) {
      only.push_back(turn_ns());
      among_many.push_back(turn_ns());
    }
    only_ns.push_back(bench::spread_of(std::move(only)).median);
    among_many_ns.push_back(bench::spread_of(std::move(among_many)).median);
    ratio.push_back(among_many_ns.back() / only_ns.back());
  };
  for (Rounds rounds(options, kRounds); rounds.more();) round();
  shared->over = true;
  shared->turn.advance();
  shared->turn.advance();
  crew.await_all();
  report.add("unregister_only", "ns", std::move(only_ns));
  report.add("unregister_among_" + std::to_string(kMany), "ns", std::move(among_many_ns));
  report.add("ratio", "x", std::move(ratio));
}

}  // namespace shmreg::scale
