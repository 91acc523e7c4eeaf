// How long a killed owner's names are still found.
//
// Claim: a process that registered through the library and is killed with -9 is no longer found, by
// another process, from another PID namespace, by another user with a read-only mapping, with no
// daemon's help; and once it is not found it never is again, also when its entry of the process
// table has passed to others.
// Method: a reader finds the victim, says so, and looks on without pause; the parent notes the time
// and kills; the reader notes the time of the first lookup that says not found, looks on for a
// while, and in every later round asks for the names of earlier victims once more. Every eighth
// victim has 32 MiB of memory to be taken down. The times are printed, not judged: they are the
// machine's.
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "support/resources.hpp"
#include "support/skipped.hpp"
#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using shmreg::Errc;
using shmreg::test::Birth;
using std::chrono::seconds;

constexpr std::uint64_t kNamesEach = 3;
constexpr std::uint64_t kLooksAfter = 500;
constexpr std::uint64_t kRemembered = 16;  // earlier victims

struct Ground {
  Gate registered;  // round: the victim's names stand
  Gate watching;    // round: the reader has found them
  Gate gone;        // round: and does not find them any more
  Gate over;
  Counter gone_at_ns{0};
  Counter lookups{0};
  Complaints complaints;
};

std::string name_of(std::uint64_t round, std::uint64_t i) {
  return "mark/r" + std::to_string(round) + "." + std::to_string(i);
}

void be_victim(const OwnSegment& segment, Ground& ground, std::uint32_t round) {
  std::vector<char> memory(round % 8 == 0 ? std::size_t{32} << 20 : 1);
  for (std::size_t at = 0; at < memory.size(); at += 4096) {
    static_cast<volatile char*>(memory.data())[at] = 1;
  }
  auto registry = segment.writer();
  std::vector<shmreg::Registration> held;
  for (std::uint64_t i = 0; i < kNamesEach; ++i) {
    held.push_back(registry.register_service(name_of(round, i)).value());
  }
  ground.registered.open(round);
  shmreg::test::stay_until_killed();
}

void watch(const OwnSegment& segment, Ground& ground, std::uint32_t last) {
  const auto registry = segment.reader();
  shmreg::Service found;
  const auto expect = [&](const std::string& name, Errc wanted, const char* when) {
    const Errc outcome = registry.lookup(name, found);
    ++ground.lookups;
    if (outcome == wanted) return;
    ground.complaints.add(name + ", " + when + ": " +
                          (outcome == Errc::ok ? "found" : shmreg::describe(outcome)));
  };
  for (std::uint32_t round = 1; round <= last; ++round) {
    ground.registered.await(round);
    for (std::uint64_t i = 0; i < kNamesEach; ++i) {
      expect(name_of(round, i), Errc::ok, "before the kill");
    }
    const std::string name = name_of(round, round % kNamesEach);
    ground.watching.open(round);
    const std::uint64_t patience_until = now_ns() + 20'000'000'000U;
    Errc outcome = Errc::ok;
    std::uint64_t now = 0;
    do {
      outcome = registry.lookup(name, found);
      now = now_ns();
      ++ground.lookups;
    } while (outcome == Errc::ok && now < patience_until);
    ground.gone_at_ns.store(now);
    expect(name, Errc::not_found, "when it had gone");
    for (std::uint64_t look = 0; look < kLooksAfter; ++look) {
      expect(name_of(round, look % kNamesEach), Errc::not_found, "after the kill");
    }
    for (std::uint64_t back = 1; back <= kRemembered && back < round; ++back) {
      expect(name_of(round - back, round % kNamesEach), Errc::not_found, "rounds after the kill");
    }
    ground.gone.open(round);
  }
}

struct Reader {
  const char* who;
  Birth birth;
  bool as_nobody;
};
constexpr std::array<Reader, 3> kReaders{{
    {"another process", Birth::forked, false},
    {"from another PID namespace", Birth::new_pid_namespace, false},
    {"another user, read-only", Birth::forked, true},
}};

bool is_possible(const Reader& reader) {
  if (reader.birth == Birth::new_pid_namespace) return shmreg::test::may_make_pid_namespaces();
  if (reader.as_nobody) {
    return ::geteuid() == 0 && shmreg::test::a_child_may(shmreg::test::become_nobody);
  }
  return true;
}

// In microseconds, with one decimal.
std::string microseconds_of(std::uint64_t ns) {
  return std::to_string(ns / 1000) + "." + std::to_string(ns / 100 % 10);
}

BOOST_AUTO_TEST_SUITE(owner_marks)

BOOST_AUTO_TEST_CASE(a_killed_owner_is_not_found_and_never_comes_back) {
  const auto each = static_cast<std::uint32_t>(rounds(80));
  for (const Reader& reader : kReaders) {
    if (!is_possible(reader)) {
      shmreg::test::skipped(std::string(reader.who) + ": not allowed here");
      continue;
    }
    const OwnSegment segment({.partitions = 2, .max_processes = 8, .mode = 0644});
    const CommonGround<Ground> ground;
    const Member watcher = start(
        [&] {
          if (reader.as_nobody && !shmreg::test::become_nobody()) {
            throw std::runtime_error("cannot become nobody");
          }
          watch(segment, *ground, each);
        },
        reader.birth);
    std::vector<std::uint64_t> took_ns;
    for (std::uint32_t round = 1; round <= each; ++round) {
      const Member victim = start([&] { be_victim(segment, *ground, round); });
      BOOST_REQUIRE_MESSAGE(ground->watching.await(round, seconds(60)),
                            "round " << round << ": not found" << ground->complaints.text());
      pass(std::chrono::microseconds(200));  // until it sleeps, and the reader is at it
      const std::uint64_t killed_at_ns = now_ns();
      victim->signal(SIGKILL);
      BOOST_REQUIRE_MESSAGE(ground->gone.await(round, seconds(60)),
                            "round " << round << ": no answer" << ground->complaints.text());
      BOOST_REQUIRE_MESSAGE(ground->complaints.count() == 0,
                            "round " << round << ":" << ground->complaints.text());
      BOOST_TEST(was_alive_when_killed(victim));
      const std::uint64_t gone_at_ns = ground->gone_at_ns.load();
      took_ns.push_back(gone_at_ns > killed_at_ns ? gone_at_ns - killed_at_ns : 0);
    }
    BOOST_TEST(ended_well(watcher));
    std::sort(took_ns.begin(), took_ns.end());
    say(std::string("owner marks, ") + reader.who + ": " + grouped(each) +
        " owners killed with -9, not found after " + microseconds_of(took_ns[took_ns.size() / 2]) +
        " us (median), " + microseconds_of(took_ns[took_ns.size() * 9 / 10]) + " us (9 of 10), " +
        microseconds_of(took_ns.back()) + " us (worst); none came back in " +
        grouped(ground->lookups.load()) + " lookups");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
