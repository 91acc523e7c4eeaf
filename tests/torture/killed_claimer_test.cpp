// Processes killed as they attach.
//
// Claim: a process killed at any instant of its attaching or detaching leaves no entry of the
// process table that seems to live, nor one that nobody can claim any more.
// Method: in a table of four entries, up to six processes at once attach, register, and some detach
// and attach again; each is killed at a random instant of its first milliseconds, most within the
// first. When all are gone, no entry may live. Every so often four honest processes must be able to
// claim all four, at once; the fifth is told that the table is full and who is in it.
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "core/process_table.hpp"
#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using shmreg::Errc;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr std::uint32_t kEntries = 4;

struct Ground {
  Gate claimed;  // honest ones that have
  Gate leave;
  Counter attached{0};
  Counter detached{0};
  Counter found_it_full{0};
  Complaints complaints;
};

// Attaches, registers, and as its last handle goes, unregisters and detaches.
void come_and_go(const OwnSegment& segment, Ground& ground, const std::string& name, bool stay) {
  auto registry = segment.writer();
  auto mine = registry.register_service(name);
  if (!mine) {
    ++ground.found_it_full;
    if (mine.code() != Errc::process_table_full) ground.complaints.add(mine.message());
    return;
  }
  ++ground.attached;
  if (stay) shmreg::test::stay_until_killed();
  ++ground.detached;
}

void be_victim(const OwnSegment& segment, Ground& ground, std::uint64_t seed) {
  Random random(seed);
  const std::string name = "claim/" + std::to_string(::getpid());
  for (;;) come_and_go(segment, ground, name, random.one_in(2));
}

void be_honest(const OwnSegment& segment, Ground& ground) {
  auto registry = segment.writer();
  const auto mine = registry.register_service("honest/" + std::to_string(::getpid()));
  if (!mine) ground.complaints.add("an honest process cannot attach: " + mine.message());
  ground.claimed.advance();
  ground.leave.await(1);
}

void find_it_full(const OwnSegment& segment, Ground& ground) {
  auto registry = segment.writer();
  const auto mine = registry.register_service("honest/one-too-many");
  if (mine.code() != Errc::process_table_full) {
    ground.complaints.add("a fifth process in a table of four: " +
                          (mine ? std::string("let in") : mine.message()));
  } else if (mine.message().find(" by pid ") == std::string::npos) {
    ground.complaints.add("a full table, but by whom? " + mine.message());
  }
}

BOOST_AUTO_TEST_SUITE(killed_claimers)

BOOST_AUTO_TEST_CASE(a_process_killed_as_it_attaches_leaves_no_living_entry) {
  Random random = dice("a_process_killed_as_it_attaches_leaves_no_living_entry");
  const std::uint64_t batches = rounds(250);
  const OwnSegment segment({.partitions = 1, .max_processes = kEntries, .initial_slots = 16});
  const auto insides = segment.insides();
  const auto registry = segment.reader();
  const CommonGround<Ground> ground;
  std::uint64_t kills = 0;
  std::uint64_t claims = 0;
  for (std::uint64_t batch = 1; batch <= batches; ++batch) {
    const std::string where = "batch " + std::to_string(batch) + ": ";
    std::vector<Member> victims;
    const std::uint64_t together = 1 + random.below(6);
    for (std::uint64_t i = 0; i < together; ++i) {
      const std::uint64_t seed = random.next();
      victims.push_back(start([&, seed] { be_victim(segment, *ground, seed); }));
    }
    while (!victims.empty()) {
      pass(random.microseconds_below(random.one_in(4) ? 3000 : 600));
      std::swap(victims[random.below(victims.size())], victims.back());
      BOOST_TEST(was_alive_when_killed(victims.back()));
      victims.pop_back();
      ++kills;
    }
    for (std::uint32_t e = 0; e < kEntries; ++e) {
      const auto state =
          shmreg::layout::MarkState::of(insides->entry(e).mark_and_generation.load());
      if (!shmreg::core::is_free(state)) {
        ground->complaints.add(where + "entry " + std::to_string(e) + " seems to live, of pid " +
                               std::to_string(insides->entry(e).pid.load()) + ", generation " +
                               std::to_string(state.generation));
      }
    }
    if (const auto info = registry.info(); !info || info->processes != 0) {
      ground->complaints.add(where + "info counts a living process");
    }
    if (const auto listed = registry.list(); !listed || !listed->empty()) {
      ground->complaints.add(where + "a dead process's name is listed");
    }
    BOOST_REQUIRE_MESSAGE(ground->complaints.count() == 0, ground->complaints.text());

    if (batch % 25 != 0 && batch != batches) continue;
    ground->claimed.open(0);
    ground->leave.open(0);
    std::vector<Member> honest;
    for (std::uint32_t e = 0; e < kEntries; ++e) {
      honest.push_back(start([&] { be_honest(segment, *ground); }));
    }
    BOOST_REQUIRE_MESSAGE(ground->claimed.await(kEntries, seconds(60)),
                          where << "not all entries can be claimed" << ground->complaints.text());
    const Member fifth = start([&] { find_it_full(segment, *ground); });
    BOOST_TEST(ended_well(fifth));
    ground->leave.open(1);
    for (const Member& member : honest) BOOST_TEST(ended_well(member));
    BOOST_REQUIRE_MESSAGE(ground->complaints.count() == 0, where << ground->complaints.text());
    BOOST_REQUIRE_MESSAGE(segment.problems() == "", where << segment.problems());
    ++claims;
  }
  std::uint64_t lives = 0;
  for (std::uint32_t e = 0; e < kEntries; ++e) {
    lives += shmreg::layout::MarkState::of(insides->entry(e).mark_and_generation.load()).generation;
  }
  say("killed claimers: " + grouped(batches) + " batches, " + grouped(kills) +
      " processes killed as they came or went, " + grouped(lives) + " lives of " +
      std::to_string(kEntries) + " entries (" + grouped(ground->attached.load()) +
      " victims got as far as a name, " + grouped(ground->detached.load()) + " detaches begun, " +
      grouped(ground->found_it_full.load()) +
      " tries found the table full); none left alive; all entries claimed at once " +
      grouped(claims) + " times");
  BOOST_TEST(ground->attached.load() > 0U);
  BOOST_TEST(ground->attached.load() < kills + ground->detached.load());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
