// Shared names whose instances come and go.
//
// Claim: a name that has an instance at every moment is found by every lookup, though none of its
// instances stays; what is found was registered under that name, whole; and the same where the
// instances end by kill -9. Method: a keeper holds one to three static instances of each of a few
// names, always registering the next one before it takes one away, so that the ordinals in use move
// about in front of the readers; a relay of processes holds one name more, each registering itself
// before the one before it is killed. Two readers look up, and ask for all instances, without
// pause. At the end the names are taken away: nothing is left of them.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <deque>
#include <string>
#include <vector>

#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/numbered_record.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using shmreg::Errc;
using shmreg::Owner;
using std::chrono::milliseconds;

constexpr std::size_t kNames = 3;
constexpr shmreg::RegisterOptions kShared{.shared = true};
const std::string kRelay = "shared/relay";

std::string name_of(std::size_t which) { return "shared/n" + std::to_string(which); }

struct Ground {
  Gate ready;
  Gate held;  // how many of the relay have registered themselves
  Gate over;  // nobody looks any more
  std::atomic<std::uint32_t> stop{0};
  Counter lookups{0};
  Counter alls{0};
  Counter moves{0};
  Complaints complaints;
};

void keep(const OwnSegment& segment, Ground& ground, std::uint64_t seed) {
  Random random(seed);
  auto registry = segment.writer();
  std::vector<std::deque<std::uint64_t>> ids(kNames);
  const auto add = [&](std::size_t which) {
    const auto id = registry.register_for(Owner::permanent(), name_of(which),
                                          {.endpoint = name_of(which)}, kShared);
    if (!id) return ground.complaints.add("register: " + id.message());
    ids.at(which).push_back(id.value());
  };
  for (std::size_t i = 0; i < kNames; ++i) add(i);
  ground.ready.open(1);
  while (ground.stop.load() == 0) {
    const std::size_t which = random.below(kNames);
    auto& own = ids.at(which);
    if (random.one_in(16)) {
      // The new one first, then the others go.
      const auto id =
          registry.register_for(Owner::permanent(), name_of(which), {.endpoint = name_of(which)},
                                {.replace = true, .shared = true});
      if (!id) ground.complaints.add("replace: " + id.message());
      own.assign(1, id.value());
      continue;
    }
    add(which);
    while (own.size() > 1 + random.below(3)) {
      // Not always the oldest: the free ordinals lie anywhere.
      const std::size_t victim = random.below(own.size() - 1);
      const auto gone = registry.unregister(name_of(which), {.id = own.at(victim)});
      if (!gone || !*gone) ground.complaints.add("unregister: " + gone.message());
      own.erase(own.begin() + static_cast<std::ptrdiff_t>(victim));
      ++ground.moves;
    }
  }
  ground.over.await(1);
  for (std::size_t i = 0; i < kNames; ++i) {
    if (!registry.unregister(name_of(i)).ok()) ground.complaints.add("the last ones stay");
  }
}

void hold_relay(const OwnSegment& segment, Ground& ground) {
  auto registry = segment.writer();
  const auto mine = registry.register_service(kRelay, {.endpoint = kRelay}, kShared);
  if (!mine) ground.complaints.add("relay: " + mine.message());
  ground.held.advance();
  shmreg::test::stay_until_killed();
}

void look_up(const OwnSegment& segment, Ground& ground, std::uint64_t seed) {
  Random random(seed);
  const auto registry = segment.reader();
  ground.ready.await(1);
  shmreg::Service found;
  while (ground.stop.load() == 0) {
    const std::size_t which = random.below(kNames + 1);
    const std::string name = which == kNames ? kRelay : name_of(which);
    const Errc outcome = registry.lookup(name, found);
    ++ground.lookups;
    if (outcome != Errc::ok) {
      ground.complaints.add("lookup of " + name + ": " + shmreg::describe(outcome));
    } else if (found.full_name() != name || found.endpoint() != name || !found.shared()) {
      ground.complaints.add("lookup of " + name + " gave " + std::string(found.full_name()));
    }
    if (!random.one_in(4)) continue;
    const auto all = registry.lookup_all(name);
    ++ground.alls;
    if (!all) ground.complaints.add("all of " + name + ": " + all.message());
  }
}

BOOST_AUTO_TEST_SUITE(shared_names)

BOOST_AUTO_TEST_CASE(a_name_that_always_has_an_instance_is_always_found) {
  Random random = dice("a_name_that_always_has_an_instance_is_always_found");
  const OwnSegment segment({.partitions = 1, .max_processes = 16, .initial_slots = 16});
  const CommonGround<Ground> ground;
  std::uint32_t relays = 0;
  const auto next_relay = [&] {
    Member member = start([&] { hold_relay(segment, *ground); });
    ground->held.await(++relays);
    return member;
  };
  Member relay = next_relay();
  const Member keeper = start([&, seed = random.next()] { keep(segment, *ground, seed); });
  std::vector<Member> readers;
  for (int i = 0; i < 2; ++i) {
    readers.push_back(start([&, seed = random.next()] { look_up(segment, *ground, seed); }));
  }
  const auto end = std::chrono::steady_clock::now() + duration(milliseconds(5000));
  while (std::chrono::steady_clock::now() < end && ground->complaints.count() == 0) {
    Member next = next_relay();
    BOOST_TEST(was_alive_when_killed(relay));
    relay = std::move(next);
  }
  ground->stop.store(1);
  for (const Member& reader : readers) BOOST_TEST(ended_well(reader));
  ground->over.open(1);
  BOOST_TEST(ended_well(keeper));
  BOOST_TEST(was_alive_when_killed(relay));
  BOOST_TEST(ground->complaints.count() == 0U, ground->complaints.text());
  BOOST_TEST(ground->moves.load() > 0U);

  auto registry = segment.writer();
  BOOST_TEST(registry.collect_garbage().ok());
  BOOST_TEST(registry.info()->services == 0U);
  BOOST_TEST(segment.insides()->partition(0).services.load() == 0U);  // no anchor either
  BOOST_TEST(segment.problems() == "");
  say("shared names: " + grouped(ground->lookups.load()) + " lookups and " +
      grouped(ground->alls.load()) + " of all instances, not one miss; beside " +
      grouped(ground->moves.load()) + " instances that went, and " + grouped(relays) +
      " processes, each killed when the next one stood");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
