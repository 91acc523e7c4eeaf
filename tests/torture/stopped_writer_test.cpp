// Writers stopped in the middle of what they do.
//
// Claim: a reader is not held up by a writer that is stopped, wherever it is stopped: in the middle
// of an update, of a rebuild, with a partition's lock in its hand. Lookups go on, find every steady
// name whole, and are never "busy".
// Method: one process keeps the steady names and two make trouble, all in one partition; two
// readers go through the steady names again and again. The parent stops the writers with SIGSTOP,
// all of them or one, at random instants, half of them aimed at a change under way, and lets them
// go on only when each reader has begun and finished a whole pass over all names since. How long
// that takes is counted in lookups, and a reader that cannot come round fails the test. Stops are
// worth something only where they hit: the parent looks into the partition and counts how many
// found it locked and how many in the middle of a change.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
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

constexpr std::size_t kReaders = 2;

struct Ground {
  Gate ready;
  std::atomic<std::uint32_t> stop{0};
  std::array<Counter, kReaders> passes;  // whole ones
  std::array<Counter, kReaders> lookups;
  std::array<Counter, kReaders> slowest_ns;  // lookup, since last asked
  Deeds steady;
  Deeds trouble;
  Complaints complaints;
};

struct Scene {
  const OwnSegment& segment;
  const std::vector<std::string>& steady;
  const std::vector<std::string>& trouble;
  Ground& ground;
};

void go_round(const Scene& scene, std::size_t lane) {
  Ground& ground = scene.ground;
  ground.ready.await(1);
  const auto registry = scene.segment.reader();
  shmreg::Service found;
  while (ground.stop.load(std::memory_order_relaxed) == 0) {
    for (const std::string& name : scene.steady) {
      const std::uint64_t before = now_ns();
      const Errc outcome = registry.lookup(name, found);
      raise_to(ground.slowest_ns.at(lane), now_ns() - before);
      ++ground.lookups.at(lane);
      if (outcome != Errc::ok) {
        ground.complaints.add("lookup of " + name + ": " + shmreg::describe(outcome));
      } else if (const Verdict verdict = judge(found, name); !verdict.complaint.empty()) {
        ground.complaints.add(verdict.complaint);
      }
    }
    ++ground.passes.at(lane);
  }
}

void keep_steady(const Scene& scene, std::uint64_t seed) {
  SteadyKeeper keeper(scene.segment.writer(), scene.steady, scene.ground.steady,
                      scene.ground.complaints, seed);
  scene.ground.ready.open(1);
  for (;;) keeper.step();
}

void make_trouble(const Scene& scene, std::uint64_t seed) {
  scene.ground.ready.await(1);
  Troublemaker troublemaker(scene.segment.writer(), scene.trouble, 14, scene.ground.trouble,
                            scene.ground.complaints, seed);
  for (;;) troublemaker.step();
}

// Waits until every reader has begun and finished a pass from here on. How many lookups the slower
// one did meanwhile; 0 where one did not come round.
std::uint64_t a_pass_of_all(Ground& ground) {
  std::array<std::uint64_t, kReaders> passes{};
  std::array<std::uint64_t, kReaders> lookups{};
  for (std::size_t lane = 0; lane < kReaders; ++lane) {
    passes.at(lane) = ground.passes.at(lane).load();
    lookups.at(lane) = ground.lookups.at(lane).load();
  }
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  std::uint64_t fewest = ~std::uint64_t{0};
  for (std::size_t lane = 0; lane < kReaders; ++lane) {
    // The one under way may have been nearly done: it does not count.
    while (ground.passes.at(lane).load() < passes.at(lane) + 2) {
      if (std::chrono::steady_clock::now() > deadline) return 0;
      pass(microseconds(100));
    }
    fewest = std::min(fewest, ground.lookups.at(lane).load() - lookups.at(lane));
  }
  return fewest;
}

void stop(const std::vector<const Member*>& members) {
  for (const Member* member : members) (*member)->signal(SIGSTOP);
  for (const Member* member : members) (*member)->stop();
}

BOOST_AUTO_TEST_SUITE(stopped_writers)

BOOST_AUTO_TEST_CASE(a_writer_stopped_at_random_points_holds_up_no_reader) {
  Random random = dice("a_writer_stopped_at_random_points_holds_up_no_reader");
  const std::uint64_t stops = rounds(150);
  const OwnSegment segment(
      {.max_size_bytes = 256 << 20, .partitions = 1, .max_processes = 16, .initial_slots = 16});
  const auto steady = names_in_every_partition(*segment.insides(), "steady/s", 12);
  const auto trouble = names_in_every_partition(*segment.insides(), "trouble/t", 40, Crowd::all);
  const CommonGround<Ground> ground;
  const Scene scene{segment, steady, trouble, *ground};
  const auto cast = [&](void (*role)(const Scene&, std::uint64_t)) {
    const std::uint64_t seed = random.next();
    return start([&scene, role, seed] { role(scene, seed); });
  };
  std::vector<Member> writers;
  writers.push_back(cast(keep_steady));
  writers.push_back(cast(make_trouble));
  writers.push_back(cast(make_trouble));
  std::vector<Member> readers;
  for (std::size_t lane = 0; lane < kReaders; ++lane) {
    readers.push_back(start([&scene, lane] { go_round(scene, lane); }));
  }
  const auto insides = segment.insides();
  const auto& partition = insides->partition(0);

  BOOST_REQUIRE(ground->ready.await(1, seconds(60)));
  BOOST_REQUIRE(a_pass_of_all(*ground) > 0U);
  std::uint64_t of_all = 0;
  std::uint64_t locked = 0;
  std::uint64_t in_a_change = 0;
  std::uint64_t lookups = 0;
  std::uint64_t slowest_while_stopped_ns = 0;
  for (std::uint64_t i = 0; i < stops; ++i) {
    pass(microseconds(100) + random.microseconds_below(3000));
    std::vector<const Member*> stopped;
    const std::uint64_t only = random.below(2 * writers.size());  // else all
    for (std::size_t w = 0; w < writers.size(); ++w) {
      if (only >= writers.size() || only == w) stopped.push_back(&writers[w]);
    }
    stop(stopped);
    // Every second stop has several tries to hit a change.
    for (int tries = i % 2 == 0 ? 6 : 0; tries > 0 && partition.dirty.load() == 0; --tries) {
      for (const Member* member : stopped) (*member)->resume();
      await_any(partition.dirty);
      stop(stopped);
    }
    if (stopped.size() == writers.size()) {
      ++of_all;
      locked += partition.lock.load() != 0 ? 1 : 0;
      in_a_change += partition.dirty.load() != 0 ? 1 : 0;
    }
    for (auto& slowest : ground->slowest_ns) slowest.store(0);
    const std::uint64_t done = a_pass_of_all(*ground);
    for (auto& slowest : ground->slowest_ns) {
      slowest_while_stopped_ns = std::max(slowest_while_stopped_ns, slowest.load());
    }
    for (const Member* member : stopped) (*member)->resume();
    BOOST_REQUIRE_MESSAGE(
        done >= steady.size(),
        "stop " << i << ": a reader did not come round all names" << ground->complaints.text());
    BOOST_REQUIRE_MESSAGE(ground->complaints.count() == 0,
                          "stop " << i << ":" << ground->complaints.text());
    lookups += done;
  }
  ground->stop.store(1);
  for (const Member& reader : readers) BOOST_TEST(ended_well(reader));
  for (const Member& writer : writers) BOOST_TEST(was_alive_when_killed(writer));

  say("stopped writers: " + grouped(stops) + " stops, " + grouped(of_all) +
      " of them of all writers at once, of which " + grouped(locked) +
      " left the partition locked and " + grouped(in_a_change) +
      " in the middle of a change; lookups of the slower reader while they stood: " +
      grouped(lookups) + ", slowest lookup while they stood " +
      grouped(slowest_while_stopped_ns / 1000) + " us; beside " + grouped(ground->steady.all()) +
      " changes of steady names and " + grouped(ground->trouble.all()) + " of others, " +
      grouped(segment.rebuilds()) + " indices built anew");
  BOOST_TEST(locked > 0U);
  BOOST_TEST(in_a_change > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
