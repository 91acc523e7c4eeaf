// Being told: watch.
//
// Claims: a watcher is told what is there, then every change of it, each once, those of a service
// in their order; a death once, whoever notices it, with no monitor; one that falls behind is told
// so, and what is there now. Method: real processes that are killed, and for what happens as a
// watch begins a count that the service carries.
#include "shmreg/watch.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <map>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "registry/holder.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

namespace {

// Less than the slice after which who is not woken looks by himself: he is late in each of many
// tries, who is woken in none but for what else the machine does.
constexpr auto kPrompt = 50ms;

// "registered a/b", of the next event; "-" where there was none within `timeout`.
std::string next_of(Watch& watch, WatchEvent& event, std::chrono::nanoseconds timeout = kPatience) {
  const auto got = watch.next(event, timeout);
  if (!got.ok()) return got.message();
  if (!*got) return "-";
  return std::string(to_string(event.kind)) + " " + std::string(event.service.full_name());
}
std::string next_of(Watch& watch) {
  WatchEvent event;
  return next_of(watch, event);
}
bool quiet(Watch& watch) {
  WatchEvent event;
  return next_of(watch, event, 50ms) == "-";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(watching)

BOOST_AUTO_TEST_CASE(what_is_there_is_told_first_and_then_every_change_in_order) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  auto first = registry.register_service("a/first", {.endpoint = "one"}).value();
  auto watch = registry.watch().value();
  WatchEvent event;
  BOOST_TEST(next_of(watch, event) == "present a/first");
  BOOST_TEST(event.service.endpoint() == "one");
  BOOST_TEST(event.service.id() == first.id());
  std::uint64_t last = event.change.value();
  const auto ascends = [&] {
    const bool more = event.change.value() > last;
    last = event.change.value();
    return more;
  };
  BOOST_TEST(first.update({.endpoint = "two"}).ok());
  BOOST_TEST(next_of(watch, event) == "updated a/first");
  BOOST_TEST(event.service.endpoint() == "two");
  BOOST_TEST(ascends());
  const std::uint64_t replaced = first.id();
  first = registry.register_service("a/first", {.endpoint = "three"}).value();
  BOOST_TEST(next_of(watch, event) == "registered a/first");
  BOOST_TEST(event.service.id() > replaced);
  BOOST_TEST(ascends());
  BOOST_TEST(registry.set_health("a/first", Health::passing).ok());
  BOOST_TEST(next_of(watch, event) == "health a/first");
  BOOST_TEST((event.service.health() == Health::passing));
  BOOST_TEST(ascends());
  BOOST_TEST(registry.set_health("a/first", Health::critical).ok());
  BOOST_TEST(next_of(watch, event) == "health a/first");
  BOOST_TEST((event.service.health() == Health::critical));
  BOOST_TEST(first.unregister().value());
  BOOST_TEST(next_of(watch, event) == "unregistered a/first");
  BOOST_TEST(event.service.endpoint() == "three");
  BOOST_TEST((event.service.alive() == Alive::yes));  // its owner is
  BOOST_TEST(ascends());
  BOOST_TEST(quiet(watch));
}

BOOST_AUTO_TEST_CASE(what_has_gone_again_before_it_was_told_is_told_all_the_same) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  auto watch = registry.watch().value();
  BOOST_TEST(quiet(watch));
  for (int i = 0; i < 5; ++i) {
    const auto brief =
        registry.register_service("a/brief", {.endpoint = std::to_string(i)}).value();
  }
  WatchEvent event;
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(next_of(watch, event) == "registered a/brief");
    BOOST_TEST(event.service.endpoint() == std::to_string(i));
    BOOST_TEST(next_of(watch, event) == "unregistered a/brief");
  }
  BOOST_TEST(quiet(watch));
}

BOOST_AUTO_TEST_CASE(a_watch_tells_of_its_scope_and_of_nothing_else) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  auto service = registry.watch("a/b/one").value();
  auto space = registry.watch("a/b/").value();
  BOOST_TEST(quiet(service));
  BOOST_TEST(quiet(space));
  std::vector<Registration> held;
  for (const char* name : {"a/one", "a/bb/one", "a/b/two", "a/b/c/one", "a/b/one"}) {
    held.push_back(registry.register_service(name).value());
  }
  BOOST_TEST(next_of(service) == "registered a/b/one");
  BOOST_TEST(quiet(service));
  std::vector<std::string> told{next_of(space), next_of(space), next_of(space)};
  std::sort(told.begin(), told.end());
  BOOST_TEST(told == (std::vector<std::string>{"registered a/b/c/one", "registered a/b/one",
                                               "registered a/b/two"}));
  BOOST_TEST(quiet(space));
  BOOST_TEST((registry.watch("a//").code() == Errc::invalid_name));
  // Nor of what was there before it.
  auto later = registry.watch("a/b/one").value();
  BOOST_TEST(next_of(later) == "present a/b/one");
  BOOST_TEST(quiet(later));
  auto later_space = registry.watch("a/b/c/").value();
  BOOST_TEST(next_of(later_space) == "present a/b/c/one");
  BOOST_TEST(quiet(later_space));
}

// Claim: between what is there and the changes nothing is missing, and nothing is told twice.
// Method: a service's number goes up while watches begin, one after the other; each must be told of
// all numbers from its first one on. The list that it begins with takes a while: hundreds of
// services are in the same partition.
BOOST_AUTO_TEST_CASE(a_watch_that_begins_among_changes_misses_none_and_repeats_none) {
  CreateOptions options = small_segment();
  options.partitions = 1;
  const ScratchSegment segment(options);
  auto registry = segment.attach();
  for (int i = 0; i < 1000; ++i) {
    BOOST_TEST_REQUIRE(registry.register_for(Owner::permanent(), "by/" + std::to_string(i)).ok());
  }
  auto counted = registry.register_service("a/counted", {.endpoint = "0"}).value();
  const std::jthread counts([&](const std::stop_token& stop) {
    for (int i = 1; !stop.stop_requested(); ++i) {
      (void)counted.update({.endpoint = std::to_string(i)}).ok();
      std::this_thread::sleep_for(10us);
    }
  });
  int followed = 0;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (followed < 1000 && std::chrono::steady_clock::now() < end) {
    auto watch = registry.watch("a/counted").value();
    WatchEvent event;
    BOOST_TEST_REQUIRE(next_of(watch, event) == "present a/counted");
    for (int i = 0; i < 10; ++i) {
      const int number = std::stoi(std::string(event.service.endpoint()));
      if (next_of(watch, event) == "lost ") break;  // a machine as busy as that
      BOOST_TEST_REQUIRE(event.service.endpoint() == std::to_string(number + 1));
      ++followed;
    }
  }
  BOOST_TEST(followed > 0);
}

BOOST_AUTO_TEST_CASE(a_death_is_told_once_with_no_monitor_running) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  auto watch = registry.watch().value();
  BOOST_TEST(quiet(watch));
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back("d/" + std::to_string(i));
  const Child bystander = holder_of(segment, {"d/bystander"});
  Child owner = holder_of(segment, names);
  owner.await();
  WatchEvent event;
  for (int i = 0; i < 101; ++i) {
    BOOST_TEST(next_of(watch, event).substr(0, 10) == "registered");
  }
  owner.kill_unreaped();
  std::map<std::string, int> died;
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST(next_of(watch, event).substr(0, 4) == "died");
    BOOST_TEST((event.service.alive() == Alive::no));
    BOOST_TEST(event.change.has_value());
    ++died[std::string(event.service.full_name())];
  }
  BOOST_TEST(died.size() == 100U);
  BOOST_TEST(quiet(watch));
  BOOST_TEST(doctor(segment.name()).problems.empty());
  BOOST_TEST(doctor(segment.name()).services == 1U);  // what the dead left is gone
}

BOOST_AUTO_TEST_CASE(who_may_only_read_is_told_of_a_death_though_nobody_else_is_there) {
  const ScratchSegment segment(small_segment());
  Child owner = holder_of(segment, {"d/one", "d/two"});
  owner.await();
  auto registry = segment.reader();
  auto watch = registry.watch().value();
  BOOST_TEST(next_of(watch).substr(0, 7) == "present");
  BOOST_TEST(next_of(watch).substr(0, 7) == "present");
  owner.kill();
  WatchEvent event;
  BOOST_TEST(next_of(watch, event).substr(0, 4) == "died");
  BOOST_TEST(!event.change.has_value());
  BOOST_TEST(next_of(watch, event).substr(0, 4) == "died");
  // Who writes next takes away what is left: that is not told again.
  const Child next = holder_of(segment, {"d/one"});
  BOOST_TEST(next_of(watch, event) == "registered d/one");
  BOOST_TEST(quiet(watch));
}

BOOST_AUTO_TEST_CASE(a_dead_owners_name_that_is_taken_at_once_is_told_as_died_and_registered) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  Child owner = holder_of(segment, {"d/one"});
  owner.await();
  auto watch = registry.watch().value();
  BOOST_TEST(next_of(watch) == "present d/one");
  owner.kill();
  const auto mine = registry.register_service("d/one").value();
  BOOST_TEST(next_of(watch) == "died d/one");
  BOOST_TEST(next_of(watch) == "registered d/one");
  BOOST_TEST(quiet(watch));
}

BOOST_AUTO_TEST_CASE(the_end_of_a_pid_and_of_a_time_to_live_is_told) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  auto watch = registry.watch().value();
  BOOST_TEST(quiet(watch));
  Child process([](const Parent& parent) { parent.linger(); });
  BOOST_TEST(registry.register_for(Owner::process(process.pid()), "e/pid").ok());
  BOOST_TEST(next_of(watch) == "registered e/pid");
  process.kill_unreaped();
  BOOST_TEST(next_of(watch) == "died e/pid");
  BOOST_TEST(registry.register_for(Owner::time_to_live(50ms), "e/ttl").ok());
  BOOST_TEST(next_of(watch) == "registered e/ttl");
  BOOST_TEST(next_of(watch) == "expired e/ttl");
  BOOST_TEST(quiet(watch));
  BOOST_TEST(registry.count().value() == 0U);
}

// By one who may only read, who judges by himself whether an owner has ended.
BOOST_AUTO_TEST_CASE(what_was_replaced_has_no_end_of_its_own) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  Child process([](const Parent& parent) { parent.linger(); });
  BOOST_TEST(registry.register_for(Owner::process(process.pid()), "e/one").ok());
  auto reader = segment.reader();
  auto watch = reader.watch().value();
  BOOST_TEST(next_of(watch) == "present e/one");
  BOOST_TEST(registry.register_for(Owner::permanent(), "e/one", {}, {.replace = true}).ok());
  BOOST_TEST(next_of(watch) == "registered e/one");
  process.kill();
  BOOST_TEST(quiet(watch));
}

BOOST_AUTO_TEST_CASE(what_ended_while_a_watch_was_behind_has_no_other_end) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  Child process([](const Parent& parent) { parent.linger(); });
  BOOST_TEST(registry.register_for(Owner::process(process.pid()), "e/one").ok());
  auto mine = registry.register_service("e/mine").value();
  auto reader = segment.reader();
  auto watch = reader.watch().value();
  BOOST_TEST(next_of(watch).substr(0, 7) == "present");
  BOOST_TEST(next_of(watch).substr(0, 7) == "present");
  BOOST_TEST(registry.unregister("e/one").value());
  for (int name = 0; name < 64; ++name) {  // each partition's log goes round
    const std::string other = "f/" + std::to_string(name);
    for (int i = 0; i < 100; ++i) {
      BOOST_TEST_REQUIRE(
          registry.register_for(Owner::permanent(), other, {}, {.replace = true}).ok());
    }
  }
  WatchEvent event;
  std::string told;
  do {
    told = next_of(watch, event, 0s);
    BOOST_TEST(told.find("e/one") == std::string::npos);
  } while (told != "-");
  process.kill();
  BOOST_TEST(quiet(watch));
}

// Nobody who may write is there to write it down.
BOOST_AUTO_TEST_CASE(who_may_only_read_tells_of_a_time_to_live_at_its_end_and_not_before) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  const auto begin = std::chrono::steady_clock::now();
  BOOST_TEST(registry.register_for(Owner::time_to_live(200ms), "e/ttl").ok());
  auto reader = segment.reader();
  auto watch = reader.watch().value();
  BOOST_TEST(next_of(watch) == "present e/ttl");
  BOOST_TEST(next_of(watch) == "expired e/ttl");
  BOOST_TEST((std::chrono::steady_clock::now() - begin >= 200ms));
  BOOST_TEST(quiet(watch));
}

// Claim: the watcher's own timer tells a time to live's end, when nothing else wakes it. Method:
// who only looks ten times a second would each time be 90 ms late.
BOOST_AUTO_TEST_CASE(a_time_to_live_ends_on_time) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  auto watch = registry.watch().value();
  BOOST_TEST(quiet(watch));
  auto least_late = 1000ms;
  for (int i = 0; i < 100 && least_late >= kPrompt; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    BOOST_TEST(registry.register_for(Owner::time_to_live(110ms), "e/ttl").ok());
    BOOST_TEST(next_of(watch) == "registered e/ttl");
    BOOST_TEST(next_of(watch) == "expired e/ttl");
    const auto took = std::chrono::steady_clock::now() - begin - 110ms;
    BOOST_TEST((took >= 0ms));
    least_late = std::min(least_late, std::chrono::duration_cast<std::chrono::milliseconds>(took));
  }
  BOOST_TEST((least_late < kPrompt));
}

BOOST_AUTO_TEST_CASE(who_falls_behind_is_told_how_far_and_what_is_there_now) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  auto watch = registry.watch("l/one").value();
  const auto before = registry.register_service("l/one").value();
  BOOST_TEST(next_of(watch) == "present l/one");
  auto mine = registry.register_service("l/one").value();
  for (int i = 0; i < 1'000; ++i) {
    BOOST_TEST_REQUIRE(mine.update({.endpoint = std::to_string(i)}).ok());
  }
  WatchEvent event;
  BOOST_TEST(next_of(watch, event) == "lost ");
  BOOST_TEST(event.lost == 1'001U);
  BOOST_TEST(next_of(watch, event) == "present l/one");
  BOOST_TEST(event.service.endpoint() == "999");
  BOOST_TEST(mine.update({.endpoint = "after"}).ok());
  BOOST_TEST(next_of(watch, event) == "updated l/one");
  BOOST_TEST(event.service.endpoint() == "after");
}

// Who is not woken looks again a tenth of a second after he has begun, and is late each time.
BOOST_AUTO_TEST_CASE(a_change_wakes_who_watches) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  auto watch = registry.watch().value();
  BOOST_TEST(quiet(watch));
  auto least_late = 1000ms;
  for (int i = 0; i < 100 && least_late >= kPrompt; ++i) {
    std::chrono::steady_clock::time_point changed;
    std::thread other([&] {
      std::this_thread::sleep_for(20ms);
      changed = std::chrono::steady_clock::now();
      (void)registry.register_for(Owner::permanent(), "a/" + std::to_string(i)).ok();
    });
    const std::string told = next_of(watch);
    const auto back = std::chrono::steady_clock::now();
    other.join();
    BOOST_TEST(told == "registered a/" + std::to_string(i));
    least_late =
        std::min(least_late, std::chrono::duration_cast<std::chrono::milliseconds>(back - changed));
  }
  BOOST_TEST((least_late < kPrompt));
}

BOOST_AUTO_TEST_CASE(a_watch_that_is_cancelled_comes_back_at_once) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  auto watch = registry.watch().value();
  // Who is not woken sees it a tenth of a second after he has begun, and is late each time.
  auto least_late = 1000ms;
  for (int i = 0; i < 100 && least_late >= kPrompt; ++i) {
    std::chrono::steady_clock::time_point cancelled;
    std::thread other([&] {
      std::this_thread::sleep_for(20ms);
      cancelled = std::chrono::steady_clock::now();
      watch.cancel();
    });
    WatchEvent event;
    const auto got = watch.next(event);
    const auto back = std::chrono::steady_clock::now();
    other.join();
    BOOST_TEST((got.code() == Errc::cancelled));
    least_late = std::min(least_late,
                          std::chrono::duration_cast<std::chrono::milliseconds>(back - cancelled));
  }
  BOOST_TEST((least_late < kPrompt));
}

BOOST_AUTO_TEST_SUITE_END()
