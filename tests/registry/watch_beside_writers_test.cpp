// A watch beside writers.
//
// Claim: beside writers that are killed, each change is told once and in its service's order.
// Method: each writer registers its names with a number that goes up, updates and unregisters them;
// per name the numbers that are told may only go up, by one within a registration, and what is told
// last of all is what is there.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shmreg/registry.hpp"
#include "shmreg/watch.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(watching)

BOOST_AUTO_TEST_CASE(beside_writers_that_are_killed_each_change_is_told_once_and_in_order) {
  constexpr int kWriters = 3;
  constexpr int kRounds = kSanitized ? 3 : 12;
  const ScratchSegment segment;
  auto registry = segment.attach();
  auto watch = registry.watch("w/").value();
  WatchEvent none;
  BOOST_TEST(!watch.next(none, 50ms).value());
  struct Seen {
    bool there = false;
    std::uint64_t id = 0;
    std::uint64_t number = 0;
    std::uint64_t change = 0;
  };
  std::map<std::string, Seen> seen;
  std::uint64_t told = 0;
  std::uint64_t died = 0;
  std::uint64_t lost = 0;
  const auto take = [&](std::chrono::nanoseconds timeout) {
    WatchEvent event;
    const auto got = watch.next(event, timeout);
    BOOST_TEST_REQUIRE(got.ok(), got.message());
    if (!got.value()) return false;
    if (event.kind == WatchEventKind::lost) {
      ++lost;
      seen.clear();
      return true;
    }
    ++told;
    Seen& last = seen[std::string(event.service.full_name())];
    BOOST_TEST_REQUIRE(event.change.has_value());
    BOOST_TEST_REQUIRE(*event.change > last.change);
    last.change = *event.change;
    const auto number = std::stoull(std::string(event.service.endpoint()));
    switch (event.kind) {
      case WatchEventKind::registered:
        BOOST_TEST_REQUIRE((!last.there || last.id < event.service.id()));
        last = {true, event.service.id(), number, last.change};
        BOOST_TEST_REQUIRE(number == 0U);
        break;
      case WatchEventKind::updated:
        BOOST_TEST_REQUIRE((last.there && last.id == event.service.id()));
        BOOST_TEST_REQUIRE(number == last.number + 1);
        last.number = number;
        break;
      case WatchEventKind::present:
        last = {true, event.service.id(), number, last.change};
        break;
      default:
        BOOST_TEST_REQUIRE((last.there && last.id == event.service.id()));
        BOOST_TEST_REQUIRE(number == last.number);
        last.there = false;
        died += event.kind == WatchEventKind::died ? 1 : 0;
    }
    return true;
  };
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::unique_ptr<Child>> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.push_back(std::make_unique<Child>([&segment, w](const Parent&) {
        auto own = segment.attach(Access::read_write);
        std::map<int, Registration> held;
        for (unsigned step = 0;; ++step) {
          const int which = static_cast<int>(step * 7 % 10);
          const std::string name = "w/" + std::to_string(w) + "." + std::to_string(which);
          auto mine = own.register_service(name, {.endpoint = "0"});
          CHILD_CHECK(mine.ok());
          held[which] = std::move(mine).value();
          for (int i = 1; i <= static_cast<int>(step % 4); ++i) {
            CHILD_CHECK(held[which].update({.endpoint = std::to_string(i)}).ok());
          }
          if (step % 3 == 0) held.erase(which);
          // The watcher shares two processors with them, and with whatever else runs.
          std::this_thread::sleep_for(1ms);
        }
      }));
    }
    const auto end = std::chrono::steady_clock::now() + 120ms;
    while (std::chrono::steady_clock::now() < end) (void)take(10ms);
    for (auto& writer : writers) writer->kill();
    while (take(200ms)) {
    }
    for (const auto& [name, last] : seen) BOOST_TEST_REQUIRE(!last.there, name);
  }
  BOOST_TEST_MESSAGE("watch: " << told << " changes told, " << died << " deaths, lost " << lost
                               << " times");
  BOOST_TEST(told > 100U);
  BOOST_TEST(died > 0U);
  // On a machine so busy that the watcher did not get to run for a log's length.
  BOOST_TEST(lost * 4 <= kRounds);
  BOOST_TEST(doctor(segment.name()).problems.empty());
}

// Claim: what a watch begins with may be newer than the point from which it follows the log; what
// lies between is not told after it. Method: watches that begin while one name is replaced without
// a pause; the change numbers that each tells may only go up.
BOOST_AUTO_TEST_CASE(a_watch_that_begins_amid_changes_never_goes_back) {
  constexpr int kRounds = kSanitized ? 200 : 2'000;
  const ScratchSegment segment;
  auto registry = segment.attach();
  const std::jthread writer([&](const std::stop_token& enough) {
    while (!enough.stop_requested()) registry.register_service("w/x").value().release();
  });
  std::uint64_t backwards = 0;
  for (int i = 0; i < kRounds; ++i) {
    auto watch = registry.watch("w/x").value();
    std::uint64_t last = 0;
    WatchEvent event;
    for (int n = 0; n < 20 && watch.next(event, 1s).value(); ++n) {
      // After a loss what is there is told anew, though it may have been told before.
      if (event.kind == WatchEventKind::lost && last > 0) --last;
      const std::uint64_t change = event.change.value_or(0);
      if (change != 0 && change <= last) ++backwards;
      if (change != 0) last = change;
    }
  }
  BOOST_TEST(backwards == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
