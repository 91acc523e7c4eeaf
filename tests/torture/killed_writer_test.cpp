// Writers killed in the middle of what they do.
//
// Claim: after kill -9 of a writer at any instant its names are not found, all others are, whole;
// what the doctor finds is repairable; once the next writer has touched the partitions the doctor
// finds nothing; and nothing is leaked: after the first hundred rounds neither the claimed bytes
// nor the heap within them grow. Method: round after round a fresh process attaches and, with one
// thread or two, registers, updates and unregisters what it likes; it is killed at a random
// instant, a third of the time while it still attaches (and takes away what the one before it
// left). The caretaker keeps steady names in every partition. In every other round it stands still
// meanwhile, so that nobody mends anything before the doctor has been; in the others it writes
// without pause, and it is its waiting for a lock that takes over from the dead. A reader looks up
// the steady names all along. Before the first round one writer ends in peace after holding every
// name in every size: from there on, all memory that there could be a use for has been claimed.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/neighbours.hpp"
#include "torture/numbered_record.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using shmreg::Errc;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr std::uint32_t kPartitions = 2;
constexpr std::size_t kVictimThreads = 2;
constexpr std::size_t kSteadyEach = 6;
constexpr std::size_t kPreyEach = 20;    // the victims' names, of one thread and partition
constexpr std::uint64_t kSettled = 100;  // rounds after which nothing may grow

enum Order : std::uint32_t { kStand = 0, kWrite = 1, kTouch = 2, kGo = 3 };

struct Ground {
  Gate ready;
  Gate order_given;  // counts
  Gate order_taken;  // the caretaker has seen so many orders, and done what can be done at once
  std::atomic<std::uint32_t> order{kStand};
  std::atomic<std::uint32_t> stop{0};
  Gate begun;  // the victim's first registration stands
  Deeds steady;
  Deeds prey;
  Counter lookups{0};
  Complaints complaints;
};

struct Scene {
  const OwnSegment& segment;
  const std::vector<std::string>& steady;
  const std::vector<std::vector<std::string>>& prey;  // by thread
  Ground& ground;
};

void take_care(const Scene& scene, std::uint64_t seed) {
  Ground& ground = scene.ground;
  SteadyKeeper keeper(scene.segment.writer(), scene.steady, ground.steady, ground.complaints, seed,
                      Sizes::small);
  ground.ready.open(1);
  std::uint32_t seen = 0;
  for (;;) {
    if (const std::uint32_t given = ground.order_given.value(); given != seen) {
      seen = given;
      const std::uint32_t order = ground.order.load();
      if (order == kTouch) keeper.touch_all();
      ground.order_taken.open(seen);
      if (order == kGo) return;
    }
    if (ground.order.load() == kWrite) {
      keeper.step();
    } else {
      ground.order_given.await(seen + 1);
    }
  }
}

void be_victim(const Scene& scene, std::uint64_t seed, std::size_t threads) {
  Ground& ground = scene.ground;
  const auto registry = scene.segment.writer();
  const auto live = [&](std::size_t lane) {
    Troublemaker troublemaker(registry, scene.prey[lane], scene.prey[lane].size(), ground.prey,
                              ground.complaints, seed + lane, Sizes::small);
    troublemaker.step();
    ground.begun.open(1);
    for (;;) troublemaker.step();
  };
  std::vector<std::thread> others;
  for (std::size_t lane = 1; lane < threads; ++lane) others.emplace_back(live, lane);
  live(0);
}

void watch_steady(const Scene& scene) {
  Ground& ground = scene.ground;
  ground.ready.await(1);
  const auto registry = scene.segment.reader();
  shmreg::Service found;
  while (ground.stop.load(std::memory_order_relaxed) == 0) {
    for (const std::string& name : scene.steady) {
      const Errc outcome = registry.lookup(name, found);
      ++ground.lookups;
      if (outcome != Errc::ok) {
        ground.complaints.add("lookup of " + name + ": " + shmreg::describe(outcome));
      } else if (const Verdict verdict = judge(found, name, Sizes::small);
                 !verdict.complaint.empty()) {
        ground.complaints.add(verdict.complaint);
      }
    }
    // Most of the time should be the victims'.
    std::this_thread::sleep_for(microseconds(200));
  }
}

// What can be seen of a killed victim from outside, before anybody has mended anything.
void check_what_is_left(const shmreg::Registry& registry, const Scene& scene) {
  Complaints& complaints = scene.ground.complaints;
  shmreg::Service found;
  for (const auto& names : scene.prey) {
    for (const std::string& name : names) {
      const Errc outcome = registry.lookup(name, found);
      if (outcome == Errc::not_found) continue;
      complaints.add("the victim's " + name + ": " +
                     (outcome == Errc::ok ? "still found" : shmreg::describe(outcome)));
    }
  }
  const auto listed = registry.list();
  if (!listed) {
    complaints.add("list: " + listed.message());
  } else if (listed->size() != scene.steady.size()) {
    complaints.add("a list of " + std::to_string(listed->size()) + " instead of " +
                   std::to_string(scene.steady.size()));
  }
  const auto counted = registry.count();
  if (!counted || counted.value() != scene.steady.size()) complaints.add("counts wrong");
}

struct Heap {
  std::uint64_t bytes_used = 0;
  std::uint64_t granules = 0;
};

Heap heap_of(const shmreg::Registry& registry, const shmreg::core::Segment& insides) {
  return {registry.info().value().bytes_used, insides.header().heap_top.load()};
}

BOOST_AUTO_TEST_SUITE(killed_writers)

BOOST_AUTO_TEST_CASE(a_writer_killed_at_random_points_breaks_nothing) {
  Random random = dice("a_writer_killed_at_random_points_breaks_nothing");
  const std::uint64_t last = rounds(400);
  const OwnSegment segment({.partitions = kPartitions, .max_processes = 8, .initial_slots = 16});
  const auto insides = segment.insides();
  const auto steady = names_in_every_partition(*insides, "steady/s", kSteadyEach);
  std::vector<std::vector<std::string>> prey;
  for (std::size_t lane = 0; lane < kVictimThreads; ++lane) {
    prey.push_back(
        names_in_every_partition(*insides, "prey" + std::to_string(lane) + "/p", kPreyEach));
  }
  const CommonGround<Ground> ground;
  const Scene scene{segment, steady, prey, *ground};
  const auto registry = segment.reader();
  const std::uint64_t caretakers_seed = random.next();
  const Member caretaker = start([&] { take_care(scene, caretakers_seed); });
  BOOST_REQUIRE(ground->ready.await(1, seconds(60)));
  const Member watcher = start([&] { watch_steady(scene); });
  const Member first = start([&] {
    std::vector<std::string> all;
    for (const auto& names : prey) all.insert(all.end(), names.begin(), names.end());
    if (!hold_everything(segment.writer(), all)) ground->complaints.add("cannot hold everything");
  });
  BOOST_REQUIRE(ended_well(first));
  const auto order = [&](Order what) {
    ground->order.store(what);
    ground->order_given.advance();
    return ground->order_taken.await(ground->order_given.value(), seconds(60));
  };

  std::uint64_t while_attaching = 0;
  std::uint64_t left_locked = 0;
  std::uint64_t left_dirty = 0;
  std::uint64_t with_problems = 0;
  Heap settled;
  for (std::uint64_t round = 1; round <= last; ++round) {
    const bool alone = round % 2 == 0;
    BOOST_REQUIRE(order(alone ? kStand : kWrite));
    ground->begun.open(0);
    const std::uint64_t seed = random.next();
    const std::size_t threads = 1 + random.below(kVictimThreads);
    const Member victim = start([&] { be_victim(scene, seed, threads); });
    if (random.one_in(3)) {
      pass(random.microseconds_below(1500));
    } else {
      BOOST_REQUIRE_MESSAGE(
          ground->begun.await(1, seconds(60)),
          "round " << round << ": the victim cannot begin" << ground->complaints.text());
      pass(random.microseconds_below(2000));
      // Half of these in the middle of a change, as like as not; somewhere in the middle of it.
      if (random.one_in(2)) {
        await_any(insides->partition(static_cast<std::uint32_t>(random.below(kPartitions))).dirty);
        pass(std::chrono::nanoseconds(random.below(4000)));
      }
    }
    while_attaching += ground->begun.value() == 0 ? 1 : 0;
    BOOST_REQUIRE(was_alive_when_killed(victim));
    if (alone) {
      for (std::uint32_t p = 0; p < kPartitions; ++p) {
        left_locked += insides->partition(p).lock.load() != 0 ? 1 : 0;
        left_dirty += insides->partition(p).dirty.load() != 0 ? 1 : 0;
      }
      const shmreg::DoctorReport report = shmreg::doctor(segment.name());
      with_problems += report.problems.empty() ? 0 : 1;
      for (const shmreg::Problem& problem : report.problems) {
        if (problem.repairable) continue;
        ground->complaints.add("doctor, before anybody came by: " + problem.where + ": " +
                               problem.what);
      }
    }
    check_what_is_left(registry, scene);
    BOOST_REQUIRE_MESSAGE(order(kTouch), "round " << round << ": the next writer does not go on"
                                                  << ground->complaints.text());
    BOOST_REQUIRE_MESSAGE(segment.problems() == "",
                          "round " << round << ", doctor after the next writer came by:"
                                   << segment.problems() << ground->complaints.text());
    check_what_is_left(registry, scene);
    BOOST_REQUIRE_MESSAGE(ground->complaints.count() == 0,
                          "round " << round << ":" << ground->complaints.text());
    if (round == kSettled) settled = heap_of(registry, *insides);
  }
  const Heap end = heap_of(registry, *insides);
  ground->stop.store(1);
  BOOST_TEST(ended_well(watcher));
  BOOST_REQUIRE(order(kGo));
  BOOST_TEST(ended_well(caretaker));

  say("killed writers: " + grouped(last) + " kills, " + grouped(while_attaching) +
      " of them before the victim's first name stood; of " + grouped(last / 2) +
      " with nobody about, locks left held " + grouped(left_locked) + ", changes left half done " +
      grouped(left_dirty) + ", the doctor had something to say of " + grouped(with_problems) +
      ", always repairable; clean after the next writer every time; beside " +
      grouped(ground->lookups.load()) + " lookups of steady names, " + grouped(ground->prey.all()) +
      " changes by victims and " + grouped(ground->steady.all()) + " by the next writer");
  if (last > kSettled) {
    say("killed writers: after round " + std::to_string(kSettled) + " " +
        grouped(settled.bytes_used) + " bytes used, of them " + grouped(settled.granules * 4) +
        " KiB up to the heap's top; at the end " + grouped(end.bytes_used) + " and " +
        grouped(end.granules * 4) + " KiB");
  }
  BOOST_TEST(ground->prey.all() > 0U);
  BOOST_TEST(while_attaching > 0U);
  BOOST_TEST(left_locked > 0U);
  if (last > kSettled) {
    BOOST_TEST(end.bytes_used <= settled.bytes_used);
    // What the change logs keep varies, in the size classes that it is of, up to their bound; that
    // no granule is lost is the doctor's to say, every round.
    constexpr std::uint64_t kKeptGranules =
        std::uint64_t{kPartitions} * shmreg::layout::kMaxHeldBytes / shmreg::layout::kGranuleBytes;
    BOOST_TEST(end.granules <= settled.granules + kKeptGranules);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
