// Sixteen processes race for one name.
//
// Claim: each round has exactly one winner; every loser is told already_registered, with a message
// that names the winner's pid; a reader finds the winner. The name is free again once the winner
// has unregistered it, and once the winner has been killed.
// Method: the racers attach once. In each round they meet at a gate, the last to come opens it, and
// all register the same name. The parent judges what they report; then the winner unregisters, or,
// about one round in sixteen, is killed with -9 where it stands: its name is then left to the next
// round as a dead owner's, and a fresh process takes its place, which attaches as it races.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using shmreg::Errc;

constexpr std::size_t kRacers = 16;
constexpr const char* kName = "race/prize";

struct Report {
  Counter pid{0};
  Counter outcome{0};    // an Errc
  Counter named_pid{0};  // whom the message names; 0: nobody
  Counter id{0};
};

struct Ground {
  Gate round;     // parent: race
  Gate arrived;   // counts, over all rounds
  Gate go;        // the round that may run
  Gate reported;  // counts, over all rounds
  Gate judged;    // parent: tidy up
  Gate tidied;    // counts, over all rounds
  std::array<Report, kRacers> reports;
  Complaints complaints;
};

// "... is already registered by pid 4711 (test_torture), ..." -> 4711
std::uint64_t pid_named_in(const std::string& message) {
  const std::string before = "already registered by pid ";
  const std::size_t at = message.find(before);
  return at == std::string::npos ? 0
                                 : std::strtoull(message.c_str() + at + before.size(), nullptr, 10);
}

void race(const OwnSegment& segment, Ground& ground, std::size_t lane, std::uint32_t first,
          std::uint32_t last) {
  auto registry = segment.writer();
  Report& report = ground.reports.at(lane);
  for (std::uint32_t round = first; round <= last; ++round) {
    ground.round.await(round);
    ground.arrived.advance();
    if (ground.arrived.value() == round * kRacers) ground.go.open(round);
    ground.go.await(round);
    auto won = registry.register_service(kName, {.endpoint = std::to_string(round)});
    report.pid.store(static_cast<std::uint64_t>(::getpid()));
    report.outcome.store(static_cast<std::uint64_t>(won.code()));
    report.named_pid.store(won ? 0 : pid_named_in(won.message()));
    report.id.store(won ? won->id() : 0);
    if (!won && won.code() != Errc::already_registered) ground.complaints.add(won.message());
    ground.reported.advance();
    ground.judged.await(round);
    if (won) {
      const auto gone = won->unregister();
      if (!gone.ok() || !gone.value()) {
        ground.complaints.add("round " + std::to_string(round) + ": the winner's own name " +
                              (gone.ok() ? "was gone" : "stays: " + gone.message()));
      }
    }
    ground.tidied.advance();
  }
}

BOOST_AUTO_TEST_SUITE(race_for_a_name)

BOOST_AUTO_TEST_CASE(sixteen_processes_race_for_one_name) {
  Random random = dice("sixteen_processes_race_for_one_name");
  const auto last = static_cast<std::uint32_t>(rounds(300));
  const OwnSegment segment({.partitions = 1, .max_processes = 64, .initial_slots = 16});
  const CommonGround<Ground> ground;
  std::vector<Member> racers(kRacers);
  const auto enter = [&](std::size_t lane, std::uint32_t first) {
    racers[lane] = start([&, lane, first] { race(segment, *ground, lane, first, last); });
  };
  for (std::size_t lane = 0; lane < kRacers; ++lane) enter(lane, 1);
  const auto registry = segment.reader();

  std::uint64_t kills = 0;
  std::uint64_t losers = 0;
  std::vector<std::uint64_t> wins(kRacers);
  for (std::uint32_t round = 1; round <= last; ++round) {
    const std::string where = "round " + std::to_string(round) + ": ";
    ground->round.open(round);
    BOOST_REQUIRE_MESSAGE(ground->reported.await(round * kRacers, std::chrono::seconds(60)),
                          where << "only " << ground->reported.value() - (round - 1) * kRacers
                                << " of " << kRacers << " answered within a minute"
                                << ground->complaints.text());
    std::vector<std::size_t> winners;
    for (std::size_t lane = 0; lane < kRacers; ++lane) {
      if (ground->reports.at(lane).outcome.load() == 0) winners.push_back(lane);
    }
    BOOST_REQUIRE_MESSAGE(winners.size() == 1,
                          where << winners.size() << " winners" << ground->complaints.text());
    const std::size_t winner = winners.front();
    const Report& prize = ground->reports.at(winner);
    ++wins[winner];
    for (std::size_t lane = 0; lane < kRacers; ++lane) {
      if (lane == winner) continue;
      const Report& report = ground->reports.at(lane);
      ++losers;
      if (report.outcome.load() != static_cast<std::uint64_t>(Errc::already_registered)) {
        ground->complaints.add(where + "a loser was told something else");
      } else if (report.named_pid.load() != prize.pid.load()) {
        ground->complaints.add(where + "a loser was told of pid " +
                               std::to_string(report.named_pid.load()) + ", the winner is " +
                               std::to_string(prize.pid.load()));
      }
    }
    shmreg::Service found;
    if (registry.lookup(kName, found) != Errc::ok || found.pid() != prize.pid.load() ||
        found.id() != prize.id.load() || found.endpoint() != std::to_string(round)) {
      ground->complaints.add(where + "a reader does not find the winner");
    }
    if (random.one_in(16)) {
      BOOST_TEST(was_alive_when_killed(racers[winner]));
      ++kills;
      if (registry.lookup(kName, found) != Errc::not_found) {
        ground->complaints.add(where + "a killed winner is still found");
      }
      ground->tidied.advance();  // in its place
      enter(winner, round + 1);
    }
    ground->judged.open(round);
    BOOST_REQUIRE_MESSAGE(ground->tidied.await(round * kRacers, std::chrono::seconds(60)),
                          where << "not all came to its end" << ground->complaints.text());
    BOOST_REQUIRE_MESSAGE(ground->complaints.count() == 0, ground->complaints.text());
  }
  for (const Member& racer : racers) BOOST_TEST(ended_well(racer));

  const auto sometimes = std::count_if(wins.begin(), wins.end(), [](auto n) { return n != 0; });
  say("race: " + grouped(last) + " rounds of " + std::to_string(kRacers) +
      " processes, one winner each; " + grouped(losers) +
      " losers, each told the winner's pid; winners killed with -9: " + grouped(kills) +
      "; places that won at least once: " + std::to_string(sometimes));
  BOOST_TEST(sometimes > 1);  // else it was no race
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
