// The descriptor of a wait; and how a call that waits ends early: by cancel(), by a signal.
//
// Claim: a descriptor is readable exactly while there is something to be had. Method: poll() with
// no time before and after each thing that happens, with all the time where it is to come.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "registry/readable.hpp"
#include "support/resources.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

namespace {

extern "C" void do_nothing(int /*number*/) {}

// A signal handler that lets calls return, while it is there; and a thread that sends the signal to
// another until it is told to stop.
class Signals {
 public:
  explicit Signals(int flags = 0) {
    struct sigaction handler {};
    handler.sa_handler = &do_nothing;
    handler.sa_flags = flags;
    ::sigaction(SIGUSR1, &handler, &before_);
    sender_ = std::thread([this, to = ::pthread_self()] {
      while (!stop_) {
        ::pthread_kill(to, SIGUSR1);
        std::this_thread::sleep_for(1ms);
      }
    });
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals() {
    stop_ = true;
    sender_.join();
    ::sigaction(SIGUSR1, &before_, nullptr);
  }

 private:
  struct sigaction before_ {};
  std::atomic<bool> stop_{false};
  std::thread sender_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(descriptors, WithDescriptors)

BOOST_AUTO_TEST_CASE(a_wait_is_readable_once_it_is_over) {
  PendingWait wait = registry.start_wait({"a/x", "a/y"}, {.timeout = std::nullopt}).value();
  BOOST_TEST(!readable(wait.descriptor()));
  add("a/x");
  BOOST_TEST(!readable(wait.descriptor(), 100));
  BOOST_TEST(!wait.over());
  add("a/y");
  BOOST_TEST(becomes_readable(wait.descriptor()));
  BOOST_TEST(wait.over());
  BOOST_TEST(wait.outcome().value() == (std::vector<bool>{true, true}));
  BOOST_TEST(wait.outcome().ok());  // as often as it is asked
}

BOOST_AUTO_TEST_CASE(a_wait_runs_out_of_time_and_says_for_whom) {
  PendingWait wait = registry.start_wait({"a/x"}, {.timeout = 20ms}).value();
  BOOST_TEST(becomes_readable(wait.descriptor()));
  BOOST_TEST((wait.outcome().code() == Errc::timed_out));
  BOOST_TEST(wait.outcome().message().find("'a/x'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_forked_child_is_told_that_the_wait_is_not_its_own) {
  PendingWait wait = registry.start_wait({"a/x"}, {.timeout = std::nullopt}).value();
  Child child([&](const Parent&) {
    ::alarm(kPatienceMs / 1000);  // one that took it for its own would wait for ever
    CHILD_CHECK(wait.outcome().code() == Errc::invalid_argument);
    CHILD_CHECK(!wait.over());
    wait.cancel();
    wait = PendingWait();
  });
  BOOST_TEST(child.reap() == 0);
  BOOST_TEST(!wait.over());
  add("a/x");
  BOOST_TEST(wait.outcome().ok());
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_dropped_leaves_nothing_open) {
  const int before = open_descriptors();
  {
    const PendingWait dropped = registry.start_wait({"a/x"}, {.timeout = std::nullopt}).value();
    BOOST_TEST(open_descriptors() > before);
  }
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(a_wait_can_be_given_up) {
  PendingWait wait = registry.start_wait({"a/x"}, {.timeout = std::nullopt}).value();
  wait.cancel();
  BOOST_TEST((wait.outcome().code() == Errc::cancelled));
  { const PendingWait dropped = registry.start_wait({"a/x"}, {.timeout = std::nullopt}).value(); }
  wait = registry.start_wait({"a/x"}, {.timeout = std::nullopt}).value();
  wait = PendingWait();
  BOOST_TEST(wait.descriptor() == -1);
  BOOST_TEST((wait.outcome().code() == Errc::invalid_argument));
  BOOST_TEST((registry.start_wait({"a/"}).code() == Errc::invalid_name));

  std::atomic<bool> cancelled{false};
  std::thread other([&] { cancelled = true; });
  const std::vector<std::string> names{"a/x"};
  BOOST_TEST((registry.wait(names, {.timeout = std::nullopt, .cancelled = &cancelled}).code() ==
              Errc::cancelled));
  other.join();
}

// --- signals -------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_signal_ends_a_wait_that_is_to_be_ended) {
  const std::vector<std::string> names{"a/x"};
  const Signals signals;
  BOOST_TEST((registry.wait(names, {.timeout = std::nullopt, .return_on_signal = true}).code() ==
              Errc::interrupted));
  BOOST_TEST((registry.wait(names, {.timeout = 50ms}).code() == Errc::timed_out));
}

BOOST_AUTO_TEST_CASE(a_signal_ends_a_watch_that_is_to_be_ended) {
  Watch plain = registry.watch("a/", {.return_on_signal = true}).value();
  Watch polled = registry.watch("a/", {.return_on_signal = true}).value();
  (void)polled.descriptor().value();
  Watch patient = registry.watch("a/").value();
  const Signals signals;
  WatchEvent event;
  BOOST_TEST((plain.next(event).code() == Errc::interrupted));
  BOOST_TEST((polled.next(event).code() == Errc::interrupted));
  BOOST_TEST(!patient.next(event, 50ms).value());
}

BOOST_AUTO_TEST_SUITE_END()
