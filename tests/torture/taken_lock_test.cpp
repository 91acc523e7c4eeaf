// Whose lock may be taken over, and when.
//
// Claim: a partition's lock is taken over from a process that is proven gone, and from no other:
// not from one that is stopped, however long, and not from one that is marked as ending while its
// threads may still run. Who waits in vain is told who holds it. Once the holder is gone the next
// writer takes the lock, mends what was half done, and goes on.
// Method: a victim writes without pause in a segment of one partition; it is stopped, again and
// again, until it stands in the middle of a change with the lock in its hand. Another writer then
// tries, with little patience: it must be refused. Then the victim's entry is marked by hand, as
// the kernel marks it while the other threads of a dying process are still on their processors: the
// other must be refused again (a lock taken now would be held twice, which no pause can rule out in
// a real death and which kills at random hit too seldom to prove). Then the victim is killed, and
// the other must get through.
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>

#include "sys/kernel_mark.hpp"
#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/neighbours.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using shmreg::Errc;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLittlePatience{40};

struct Ground {
  Gate ready;
  Deeds deeds;
  Complaints complaints;
};

// The other writer's try: what it is told.
void try_to_write(const OwnSegment& segment, Ground& ground, milliseconds patience, Errc wanted,
                  const std::string& named, const char* when) {
  const Member other = start([&] {
    auto registry = segment.writer(patience);
    const auto mine = registry.register_service("other/one");
    const std::string told = mine ? "let in" : mine.message();
    if (mine.code() != wanted) {
      ground.complaints.add(std::string(when) + ": " + told);
    } else if (told.find(named) == std::string::npos) {
      ground.complaints.add(std::string(when) + ", not a word of " + named + ": " + told);
    }
  });
  if (!ended_well(other)) ground.complaints.add(std::string(when) + ": the other writer failed");
}

BOOST_AUTO_TEST_SUITE(taken_locks)

BOOST_AUTO_TEST_CASE(a_lock_is_taken_only_from_a_process_that_is_proven_gone) {
  Random random = dice("a_lock_is_taken_only_from_a_process_that_is_proven_gone");
  const std::uint64_t last = rounds(15);
  const OwnSegment segment({.partitions = 1, .max_processes = 8, .initial_slots = 16});
  const auto insides = segment.insides(/*writable=*/true);
  auto& partition = insides->partition(0);
  const auto names = names_in_every_partition(*insides, "prey/p", 24);
  const CommonGround<Ground> ground;
  std::uint64_t stops = 0;
  for (std::uint64_t round = 1; round <= last; ++round) {
    ground->ready.open(0);
    const std::uint64_t seed = random.next();
    const Member victim = start([&] {
      Troublemaker troublemaker(segment.writer(), names, names.size(), ground->deeds,
                                ground->complaints, seed);
      ground->ready.open(1);
      for (;;) troublemaker.step();
    });
    BOOST_REQUIRE(ground->ready.await(1, seconds(60)));
    const auto deadline = std::chrono::steady_clock::now() + seconds(60);
    do {
      BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline,
                            "no stop hits the middle of a change" << ground->complaints.text());
      victim->resume();
      pass(random.microseconds_below(500));
      await_any(partition.dirty);
      victim->stop();
      ++stops;
    } while (partition.lock.load() == 0 || partition.dirty.load() == 0);
    const std::uint64_t held = partition.lock.load();
    const std::uint32_t entry = shmreg::layout::LockHolder::of(held).entry;
    const std::string named = "pid " + std::to_string(victim->pid());
    try_to_write(segment, *ground, kLittlePatience, Errc::timed_out, named, "holder stopped");
    insides->entry(entry).mark_and_generation.fetch_or(shmreg::sys::kOwnerDied);
    try_to_write(segment, *ground, kLittlePatience, Errc::timed_out, named,
                 "holder marked, but not gone");
    BOOST_TEST(partition.lock.load() == held);
    BOOST_TEST(was_alive_when_killed(victim));
    try_to_write(segment, *ground, seconds(30), Errc::ok, "let in", "holder gone");
    BOOST_TEST(partition.dirty.load() == 0U);
    BOOST_TEST(segment.problems() == "");
    BOOST_REQUIRE_MESSAGE(ground->complaints.count() == 0,
                          "round " << round << ":" << ground->complaints.text());
  }
  say("taken locks: " + grouped(last) + " holders stopped in the middle of a change (of " +
      grouped(stops) +
      " stops): kept while they stood, kept while they were only marked, taken "
      "over and mended when they were gone; " +
      grouped(ground->deeds.all()) + " changes by the victims");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
