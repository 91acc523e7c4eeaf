// A descriptor of a process is that process's for good, and says when it ends.
//
// Method: real processes, ended by signals. What a process ended of is the first deadly signal that
// it was sent: one that is killed at the end of a test tells by it that nobody else has.
#include "sys/pidfd.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <utility>
#include <vector>

#include "support/child.hpp"
#include "support/chosen_pid.hpp"
#include "support/skipped.hpp"

using namespace shmreg::sys;
using namespace shmreg::test;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds kPatience{kPatienceMs};
constexpr int kKilled = 128 + SIGKILL;
constexpr int kStopped = 128 + SIGTERM;

void linger(const Parent& parent) { parent.linger(); }

std::uint32_t number_of(const Child& child) { return static_cast<std::uint32_t>(child.pid()); }

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pidfd)

BOOST_AUTO_TEST_CASE(a_process_that_is_asked_to_stop_ends) {
  Child child(linger);
  PidFd process(number_of(child));
  BOOST_TEST((process.opened() == SignalFate::ok));
  BOOST_TEST(process.pid() == number_of(child));
  BOOST_TEST((process.ask_to_stop() == SignalFate::ok));
  BOOST_TEST(child.reap() == kStopped);
}

BOOST_AUTO_TEST_CASE(a_stopped_process_that_is_asked_to_stop_ends) {
  Child child(linger);
  child.stop();
  PidFd process(number_of(child));
  BOOST_TEST((process.ask_to_stop() == SignalFate::ok));
  BOOST_TEST(child.reap() == kStopped);
}

BOOST_AUTO_TEST_CASE(who_does_not_listen_is_killed) {
  Child child([](const Parent& parent) {
    ::signal(SIGTERM, SIG_IGN);
    parent.tell();
    parent.linger();
  });
  child.await();
  PidFd process(number_of(child));
  BOOST_TEST((process.ask_to_stop() == SignalFate::ok));
  process.kill();
  BOOST_TEST(child.reap() == kKilled);
}

BOOST_AUTO_TEST_CASE(a_number_that_is_nobodys_is_no_process) {
  Child child([](const Parent&) {});
  const std::uint32_t number = number_of(child);
  (void)child.reap();
  const PidFd process(number);
  BOOST_TEST((process.opened() == SignalFate::no_such_process));
  BOOST_TEST(process.what() == "No such process");
}

BOOST_AUTO_TEST_CASE(a_process_that_has_ended_is_not_asked) {
  Child child(linger);
  PidFd process(number_of(child));
  child.kill();
  BOOST_TEST((process.ask_to_stop() == SignalFate::no_such_process));
  BOOST_TEST(process.what() == "No such process");
}

BOOST_AUTO_TEST_CASE(who_has_got_the_number_of_one_that_ended_is_left_alone) {
  Child child(linger);
  PidFd process(number_of(child));
  child.kill();
  ChosenPid next(child.pid());
  if (!next.there()) return skipped("no process can be given a number here");
  BOOST_TEST((process.ask_to_stop() == SignalFate::no_such_process));
  process.kill();
  std::vector<PidFd> both;
  both.push_back(std::move(process));
  both.emplace_back(number_of(child));
  BOOST_TEST((await_an_end(both, 0ms) == std::vector<bool>{true, false}));
  BOOST_TEST(next.end());
}

BOOST_AUTO_TEST_CASE(another_users_process_is_not_to_be_asked) {
  if (::geteuid() != 0) return skipped("only root can become somebody else");
  Child child(linger);
  Child asks([&](const Parent& parent) {
    CHILD_CHECK(::setuid(65534) == 0);
    PidFd process(number_of(child));
    CHILD_CHECK(process.opened() == SignalFate::ok);
    CHILD_CHECK(process.ask_to_stop() == SignalFate::not_permitted);
    CHILD_CHECK(process.what() == "Operation not permitted");
    parent.tell();
  });
  asks.await();
  child.kill();
  BOOST_TEST(child.reap() == kKilled);
}

BOOST_AUTO_TEST_CASE(an_end_is_waited_for_and_told_of_whom_it_was) {
  Child one(linger);
  Child other(linger);
  std::vector<PidFd> processes;
  processes.emplace_back(number_of(one));
  processes.emplace_back(number_of(other));
  const std::vector<bool> none{false, false};
  BOOST_TEST((await_an_end(processes, 0ms) == none));
  BOOST_TEST((await_an_end(processes, -1ms) == none));
  BOOST_TEST((await_an_end(processes, 5ms) == none));
  other.kill_unreaped();
  BOOST_TEST((await_an_end(processes, kPatience) == std::vector<bool>{false, true}));
  one.kill();
  BOOST_TEST((await_an_end(processes, kPatience) == std::vector<bool>{true, true}));
  BOOST_TEST(await_an_end({}, 0ms).empty());
}

BOOST_AUTO_TEST_CASE(an_end_while_it_is_waited_for_is_not_slept_through) {
  Child child([](const Parent& parent) {
    ::usleep(20'000);
    parent.tell();
  });
  std::vector<PidFd> processes;
  processes.emplace_back(number_of(child));
  const auto begin = std::chrono::steady_clock::now();
  BOOST_TEST(await_an_end(processes, kPatience).at(0));
  BOOST_TEST((std::chrono::steady_clock::now() - begin < kPatience));
}

BOOST_AUTO_TEST_CASE(a_descriptor_goes_with_the_last_that_has_it) {
  Child child(linger);
  const auto before = open_descriptors();
  {
    PidFd first(number_of(child));
    PidFd second(std::move(first));
    PidFd third(number_of(child));
    third = std::move(second);
    BOOST_TEST((third.opened() == SignalFate::ok));
    std::vector<PidFd> many;
    for (int i = 0; i < 20; ++i) many.emplace_back(number_of(child));
    many.erase(many.begin(), many.begin() + 7);
    BOOST_TEST((await_an_end(many, 0ms) == std::vector<bool>(13)));
  }
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(ones_line_goes_back_through_whatever_the_programs_are_called) {
  const auto line = own_line();
  const auto self = static_cast<std::uint32_t>(::getpid());
  BOOST_TEST(line.contains(self));
  BOOST_TEST(line.contains(static_cast<std::uint32_t>(::getppid())));
  Child stranger(linger);
  BOOST_TEST(!line.contains(number_of(stranger)));
  // The one in between has a name that looks like the rest of the line that is read.
  Child between([&](const Parent& parent) {
    ::prctl(PR_SET_NAME, "a) S 1 (b");
    Child last([&](const Parent& told) {
      auto wanted = line;
      wanted.insert(static_cast<std::uint32_t>(::getppid()));
      wanted.insert(static_cast<std::uint32_t>(::getpid()));
      CHILD_CHECK(own_line() == wanted);
      told.tell();
    });
    last.await();
    parent.tell();
  });
  between.await();
}

BOOST_AUTO_TEST_CASE(the_limit_of_descriptors_is_raised_as_far_as_it_goes) {
  Child child([](const Parent& parent) {
    rlimit limit{};
    CHILD_CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < 64 ? limit.rlim_max : 64;
    CHILD_CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    raise_descriptor_limit();
    CHILD_CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHILD_CHECK(limit.rlim_cur == limit.rlim_max);
    parent.tell();
  });
  child.await();
}

BOOST_AUTO_TEST_SUITE_END()
