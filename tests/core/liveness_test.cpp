// Who lives: owners named by pid, through descriptors that are kept; and messages that name people.
#include "core/liveness.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/resources.hpp"
#include "support/sanitizers.hpp"

using namespace shmreg;
using namespace shmreg::test;
using core::PidWatch;

namespace {

sys::ProcessIdentity identity_of(const Child& child) {
  return sys::identity_of(static_cast<std::uint32_t>(child.pid())).value();
}

// With so many threads besides its first.
void start_threads(int count) {
  for (int i = 0; i < count; ++i) std::thread(stay_until_killed).detach();
}

// The descriptors that a PidWatch keeps: of processes, and of their /proc/PID/stat.
std::vector<int> watching_descriptors() {
  std::vector<int> found;
  for (int descriptor = 3; descriptor < 1024; ++descriptor) {
    std::array<char, 256> target{};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    if (::readlink(link.c_str(), target.data(), target.size() - 1) <= 0) continue;
    const std::string text = target.data();
    if (text.find("pidfd") != std::string::npos || text.find("/stat") != std::string::npos) {
      found.push_back(descriptor);
    }
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(liveness)

// The kernel kills every other thread then, the first among them, and the process lives on.
BOOST_AUTO_TEST_CASE(an_execve_of_a_later_thread_ends_nobody) {
  for (int round = 0; round < (kSanitized ? 5 : 40); ++round) {
    Child child([](const Parent& parent) {
      start_threads(10);
      std::thread([&parent] {
        parent.await();
        ::execl("/bin/sleep", "sleep", "1000", nullptr);
      }).detach();
      parent.tell();
      stay_until_killed();
    });
    child.await();
    const auto identity = identity_of(child);
    PidWatch watch;
    BOOST_TEST_REQUIRE((watch.ask(identity) == Alive::yes));
    child.tell();
    bool replaced = false;
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!replaced && std::chrono::steady_clock::now() < patience) {
      for (int i = 0; i < 200; ++i) BOOST_REQUIRE((watch.ask(identity) == Alive::yes));
      replaced = sys::program_of(identity.pid) == "sleep";
    }
    BOOST_TEST(replaced);
    BOOST_TEST((watch.ask(identity) == Alive::yes));
    BOOST_TEST((PidWatch().ask(identity) == Alive::yes));
  }
}

BOOST_AUTO_TEST_CASE(a_killed_process_of_many_threads_is_gone_at_once_and_stays_gone) {
  Child child([](const Parent& parent) {
    start_threads(64);
    parent.tell();
    stay_until_killed();
  });
  child.await();
  const auto identity = identity_of(child);
  BOOST_TEST_REQUIRE((PidWatch().ask(identity) == Alive::yes));
  child.signal(SIGKILL);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  bool gone = false;
  // Asked anew each time: what is held has made up its mind.
  while (std::chrono::steady_clock::now() < end) {
    const bool lives = PidWatch().ask(identity) != Alive::no;
    BOOST_REQUIRE(!(gone && lives));
    gone = gone || !lives;
  }
  BOOST_TEST(gone);
}

BOOST_AUTO_TEST_CASE(descriptors_that_the_program_has_closed_are_opened_anew) {
  Child other([](const Parent& parent) { parent.linger(); });
  const auto identity = identity_of(other);
  Child program([&](const Parent& parent) {
    PidWatch watch;
    const auto check_lives = [&] { CHILD_CHECK(watch.ask(identity) == Alive::yes); };
    check_lives();
    CHILD_CHECK(!watching_descriptors().empty());
    for (const int descriptor : watching_descriptors()) ::close(descriptor);
    check_lives();
    // Their numbers are the program's own now, of files that can be read.
    const std::vector<int> numbers = watching_descriptors();
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (const int number : numbers) CHILD_CHECK(::dup2(null, number) == number);
    check_lives();
    parent.tell();
    parent.await();
    CHILD_CHECK(watch.ask(identity) == Alive::no);
    for (const int number : numbers) CHILD_CHECK(::fcntl(number, F_GETFD) >= 0);
  });
  program.await();
  other.kill();
  program.tell();
  BOOST_TEST(program.reap() == 0);
}

BOOST_AUTO_TEST_CASE(where_no_descriptor_is_left_one_that_is_held_gives_way) {
  Child first([](const Parent& parent) { parent.linger(); });
  Child second([](const Parent& parent) { parent.linger(); });
  const auto first_identity = identity_of(first);
  const auto second_identity = identity_of(second);
  Child program([&](const Parent&) {
    PidWatch watch;
    PidWatch elsewhere;
    CHILD_CHECK(elsewhere.ask(first_identity) == Alive::yes);
    CHILD_CHECK(watch.ask(first_identity) == Alive::yes);
    rlimit limit{64, 64};
    CHILD_CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) {
    }
    CHILD_CHECK(PidWatch().ask(second_identity) == Alive::unknown);
    CHILD_CHECK(watch.ask(first_identity) == Alive::yes);
    // Opening takes one more than is kept.
    CHILD_CHECK(::close(63) == 0);
    CHILD_CHECK(watch.ask(second_identity) == Alive::yes);
    CHILD_CHECK(elsewhere.ask(first_identity) == Alive::yes);
  });
  BOOST_TEST(program.reap() == 0);
}

BOOST_AUTO_TEST_CASE(a_watched_pid_lives_until_its_process_has_ended) {
  PidWatch watch;
  Child child([](const Parent& parent) { parent.linger(); });
  const auto identity = identity_of(child);
  for (int i = 0; i < 3; ++i) BOOST_TEST((watch.ask(identity) == Alive::yes));
  child.stop();
  BOOST_TEST((watch.ask(identity) == Alive::yes));
  child.kill_unreaped();
  for (int i = 0; i < 3; ++i) BOOST_TEST((watch.ask(identity) == Alive::no));
  (void)child.reap();
  BOOST_TEST((watch.ask(identity) == Alive::no));
}

BOOST_AUTO_TEST_CASE(a_pid_that_has_come_round_is_another_process) {
  PidWatch watch;
  Child child([](const Parent& parent) { parent.linger(); });
  auto earlier = identity_of(child);
  earlier.start_ticks -= 1;  // the process that had this number before
  BOOST_TEST((watch.ask(earlier) == Alive::no));
  BOOST_TEST((watch.ask(identity_of(child)) == Alive::yes));
  BOOST_TEST((watch.ask(earlier) == Alive::no));
}

BOOST_AUTO_TEST_CASE(a_pid_of_another_namespace_cannot_be_judged) {
  PidWatch watch;
  Child child([](const Parent& parent) { parent.linger(); });
  auto elsewhere = identity_of(child);
  elsewhere.pid_namespace += 1;
  BOOST_TEST((watch.ask(elsewhere) == Alive::unknown));
  elsewhere = identity_of(child);
  elsewhere.start_ticks = 0;
  BOOST_TEST((watch.ask(elsewhere) == Alive::unknown));
}

BOOST_AUTO_TEST_CASE(more_pids_than_are_kept_are_all_judged_and_descriptors_stay_bounded) {
  PidWatch watch;
  std::vector<std::unique_ptr<Child>> children;
  std::vector<sys::ProcessIdentity> identities;
  for (int i = 0; i < 80; ++i) {
    children.push_back(std::make_unique<Child>([](const Parent& parent) { parent.linger(); }));
    identities.push_back(identity_of(*children.back()));
  }
  const int before = open_descriptors();
  for (int round = 0; round < 3; ++round) {
    for (const auto& identity : identities) BOOST_TEST((watch.ask(identity) == Alive::yes));
  }
  BOOST_TEST(open_descriptors() <= before + 2 * 64);  // a pidfd and a /proc/PID/stat each
  for (std::size_t i = 0; i < children.size(); i += 2) children[i]->kill();
  for (std::size_t i = 0; i < children.size(); ++i) {
    BOOST_TEST((watch.ask(identities[i]) == (i % 2 == 0 ? Alive::no : Alive::yes)));
  }
}

BOOST_AUTO_TEST_CASE(an_entry_is_described_by_pid_program_and_state) {
  const ScratchSegment scratch(one_partition());
  Child child([&](const Parent& parent) {
    const Insides own(scratch);
    parent.tell(own.writer.life.entry);
    parent.linger();
  });
  const auto entry = static_cast<std::uint32_t>(child.hear());
  const Insides insides(scratch);
  const layout::EntryLife life{entry, 1};
  const std::string name = "pid " + std::to_string(child.pid()) + " (test_core)";
  BOOST_TEST(core::describe_entry(insides.segment(), life) == name);
  child.stop();
  BOOST_TEST(core::describe_entry(insides.segment(), life) == name + ", stopped");
  child.kill();
  BOOST_TEST(core::describe_entry(insides.segment(), life) == name + ", ended");
  BOOST_TEST(core::describe_entry(insides.segment(), {entry, 7}) == "a process that has ended");
  BOOST_TEST(core::describe_entry(insides.segment(), {60'000, 1}) == "a process that has ended");
}

BOOST_AUTO_TEST_CASE(nobody_lives_in_an_entry_that_does_not_exist_or_was_never_claimed) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  BOOST_TEST(!core::entry_lives(insides.segment(), {60'000, 1}));
  BOOST_TEST(!core::entry_lives(insides.segment(), {3, 0}));
  BOOST_TEST(!core::entry_lives(insides.segment(), {3, 1}));
  BOOST_TEST(core::proven_gone(insides.segment(), {60'000, 1}));
  BOOST_TEST(core::proven_gone(insides.segment(), {3, 1}));
  BOOST_TEST(core::entry_lives(insides.segment(), insides.writer.life));
  BOOST_TEST(!core::proven_gone(insides.segment(), insides.writer.life));
}

BOOST_AUTO_TEST_SUITE_END()
