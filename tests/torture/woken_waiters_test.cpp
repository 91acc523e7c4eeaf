// Many who wait for one name, some of them killed as they are woken.
//
// Claim: everybody who waits for a name comes back once it is registered, and once its owner is
// dead, whichever of the others are killed at that moment. Method: ten processes of ten threads
// each wait for a name, round after round; a process of its own registers it, is then killed with
// -9, and with it, each time, a few of the waiting processes at random moments from just before to
// just after. The others must all come back; who was killed is started anew for the next round. A
// wake-up that gets lost shows as a wait that ends with its slice, a tenth of a second later: how
// late the last one was is said.
#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kProcesses = 10;
constexpr std::size_t kThreads = 10;
const std::vector<std::string> kName{"waited/for"};

struct Ground {
  Gate round;
  // By process: how many of its threads wait, have seen it registered, have seen it gone.
  std::array<Counter, kProcesses> ready;
  std::array<Counter, kProcesses> met;
  std::array<Counter, kProcesses> gone;
  Complaints complaints;
};

void wait_for_it(const shmreg::Registry& registry, Ground& ground, std::size_t process,
                 shmreg::WaitFor condition, Counter& done) {
  shmreg::WaitOptions options;
  options.condition = condition;
  options.timeout = seconds(60);
  const auto met = registry.wait(kName, options);
  if (!met) {
    ground.complaints.add("a thread of process " + std::to_string(process) + ": " + met.message());
  }
  ++done;
}

// Round after round until it is killed.
void wait_on(const OwnSegment& segment, Ground& ground, std::size_t process, std::uint32_t round) {
  auto registry = segment.writer();
  CHILD_CHECK(registry.unregister("attached/for-writing").ok());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, round]() mutable {
      for (;; ++round) {
        ground.round.await(round);
        ++ground.ready.at(process);
        wait_for_it(registry, ground, process, shmreg::WaitFor::registered, ground.met.at(process));
        wait_for_it(registry, ground, process, shmreg::WaitFor::gone, ground.gone.at(process));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

void own(const OwnSegment& segment, const shmreg::test::Parent& parent) {
  auto registry = segment.writer();
  CHILD_CHECK(registry.unregister("attached/for-writing").ok());
  parent.tell();
  parent.await();
  const auto mine = registry.register_service(kName.front());
  CHILD_CHECK(mine.ok());
  parent.tell();
  shmreg::test::stay_until_killed();
}

class Crowd {
 public:
  Crowd(const OwnSegment& segment, Ground& ground) : segment_(segment), ground_(ground) {}

  void open(std::uint32_t round) {
    for (std::size_t p = 0; p < kProcesses; ++p) {
      ground_.ready.at(p).store(0);
      ground_.met.at(p).store(0);
      ground_.gone.at(p).store(0);
      if (!members_.at(p)) {
        members_.at(p) = start([this, p, round] { wait_on(segment_, ground_, p, round); });
      }
    }
    ground_.round.open(round);
  }
  void kill_one(Random& random) {
    const std::size_t victim = random.below(kProcesses);
    if (!members_.at(victim)) return;
    BOOST_TEST(was_alive_when_killed(members_.at(victim)));
    members_.at(victim).reset();
    ++killed_;
  }
  // Whether every thread of those that live has counted; for half a minute at most.
  [[nodiscard]] bool all(const std::array<Counter, kProcesses>& counters) const {
    const auto end = std::chrono::steady_clock::now() + seconds(30);
    for (std::size_t p = 0; p < kProcesses; ++p) {
      while (members_.at(p) && counters.at(p).load() < kThreads) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    }
    return true;
  }
  [[nodiscard]] std::uint64_t killed() const { return killed_; }

 private:
  const OwnSegment& segment_;
  Ground& ground_;
  std::array<Member, kProcesses> members_;
  std::uint64_t killed_ = 0;
};

BOOST_AUTO_TEST_SUITE(woken_waiters)

BOOST_AUTO_TEST_CASE(who_is_killed_as_it_is_woken_keeps_nobody_asleep) {
  Random random = dice("who_is_killed_as_it_is_woken_keeps_nobody_asleep");
  const auto last = static_cast<std::uint32_t>(rounds(20));
  const OwnSegment segment({.partitions = 4, .max_processes = 64, .initial_slots = 16});
  const CommonGround<Ground> ground;
  Crowd crowd(segment, *ground);
  std::chrono::microseconds latest_met{0};
  std::chrono::microseconds latest_gone{0};
  const auto time = [](std::chrono::microseconds& latest,
                       std::chrono::steady_clock::time_point from) {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - from);
    latest = std::max(latest, took);
  };
  for (std::uint32_t round = 1; round <= last && ground->complaints.count() == 0; ++round) {
    crowd.open(round);
    shmreg::test::Child owner([&](const shmreg::test::Parent& parent) { own(segment, parent); });
    owner.await();
    BOOST_REQUIRE(crowd.all(ground->ready));
    std::this_thread::sleep_for(milliseconds(2));  // most are asleep by now

    auto from = std::chrono::steady_clock::now();
    owner.tell();
    std::this_thread::sleep_for(random.microseconds_below(300));
    crowd.kill_one(random);
    owner.await();
    crowd.kill_one(random);
    BOOST_REQUIRE_MESSAGE(crowd.all(ground->met), "somebody sleeps on though it is registered");
    time(latest_met, from);

    std::this_thread::sleep_for(milliseconds(2));
    from = std::chrono::steady_clock::now();
    owner.kill();
    std::this_thread::sleep_for(random.microseconds_below(300));
    crowd.kill_one(random);
    (void)owner.reap();
    crowd.kill_one(random);
    BOOST_REQUIRE_MESSAGE(crowd.all(ground->gone), "somebody sleeps on though the owner is dead");
    time(latest_gone, from);
  }
  BOOST_TEST(ground->complaints.count() == 0U, ground->complaints.text());
  // What the last one left half done, and no more than that, is found and repaired.
  BOOST_TEST(segment.damage() == "");
  BOOST_TEST(segment.writer().collect_garbage().ok());
  BOOST_TEST(segment.problems() == "");
  say("woken waiters: " + grouped(last) + " rounds of " + grouped(kProcesses * kThreads) +
      " waiters, " + grouped(crowd.killed()) +
      " processes of them killed meanwhile; the last one back " +
      grouped(static_cast<std::uint64_t>(latest_met.count())) + " us after a registration, " +
      grouped(static_cast<std::uint64_t>(latest_gone.count())) + " us after a death, at the most");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
