// What a program can wait for with poll(2): a watch, a wait, the loss of a name. And how a wait
// ends early: by cancel(), by a signal, in a forked child.
//
// Claim: a descriptor is readable exactly while there is something to be had. Method: poll() with
// no time before and after each thing that happens, with all the time where it is to come.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/resources.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

namespace {

bool readable(int descriptor, int timeout_ms = 0) {
  pollfd wanted{descriptor, POLLIN, 0};
  return ::poll(&wanted, 1, timeout_ms) == 1 && (wanted.revents & POLLIN) != 0;
}
// Less than the slice after which who is not woken looks by himself.
constexpr auto kPrompt = 50ms;

bool becomes_readable(int descriptor) { return readable(descriptor, kPatienceMs); }

struct Fixture {
  ScratchSegment segment{small_segment()};
  Registry registry = segment.attach();

  std::uint64_t add(const std::string& name, bool replace = false) {
    return registry.register_for(Owner::permanent(), name, {}, {.replace = replace}).value();
  }
};

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

BOOST_FIXTURE_TEST_SUITE(descriptors, Fixture)

// --- watch ---------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_watch_is_readable_while_there_are_events) {
  add("a/x");
  Watch watch = registry.watch("a/").value();
  const int descriptor = watch.descriptor().value();
  BOOST_TEST(watch.descriptor().value() == descriptor);
  BOOST_TEST(becomes_readable(descriptor));
  WatchEvent event;
  BOOST_TEST(watch.next(event, 0ns).value());
  BOOST_TEST((event.kind == WatchEventKind::present));
  BOOST_TEST(!readable(descriptor));
  BOOST_TEST(!watch.next(event, 0ns).value());

  const std::uint64_t id = add("a/y");
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(readable(descriptor));  // until it is taken
  BOOST_TEST(watch.next(event).value());
  BOOST_TEST((event.kind == WatchEventKind::registered));
  BOOST_TEST(event.service.id() == id);
  BOOST_TEST(!readable(descriptor));
  add("b/other");
  BOOST_TEST(!readable(descriptor, 200));
}

// Claim: a watch begins when its descriptor is had. Method: what happens right after, many times.
BOOST_AUTO_TEST_CASE(what_happens_right_after_a_watch_got_its_descriptor_is_told) {
  for (int i = 0; i < 50; ++i) {
    Watch watch = registry.watch("a/").value();
    BOOST_TEST_REQUIRE(watch.descriptor().ok());
    add("a/x");
    BOOST_TEST_REQUIRE(registry.unregister("a/x", {.force = true}).value());
    WatchEvent event;
    BOOST_TEST_REQUIRE(watch.next(event, 10s).value());
    BOOST_TEST_REQUIRE((event.kind == WatchEventKind::registered));
    BOOST_TEST_REQUIRE(watch.next(event, 10s).value());
    BOOST_TEST_REQUIRE((event.kind == WatchEventKind::unregistered));
  }
}

// Claim: no call of a watch is a cancellation point. Method: threads that are cancelled before and
// while they are in it go on to their ends; one that is cancelled there would end the process,
// since the library unwinds nothing.
BOOST_AUTO_TEST_CASE(a_thread_is_not_cancelled_in_a_watch) {
  Watch watch = registry.watch("a/").value();
  BOOST_TEST_REQUIRE(watch.descriptor().ok());
  for (int i = 0; i < 20; ++i) {
    std::atomic<bool> begun{false};
    std::atomic<int> told{0};
    std::thread reader([&] {
      begun = true;
      for (int n = 0; n < 2; ++n) {
        WatchEvent event;
        if (watch.next(event, 10s).value()) ++told;
      }
      Watch own = registry.watch("b/").value();
      (void)own.descriptor().value();
    });
    while (!begun) std::this_thread::yield();
    ::pthread_cancel(reader.native_handle());
    add("a/x");
    BOOST_TEST_REQUIRE(registry.unregister("a/x", {.force = true}).value());
    reader.join();
    BOOST_TEST_REQUIRE(told == 2);
  }
}

BOOST_AUTO_TEST_CASE(what_a_watch_has_told_before_its_descriptor_is_not_told_again) {
  add("a/x");
  Watch watch = registry.watch("a/").value();
  WatchEvent event;
  BOOST_TEST(watch.next(event, 0ns).value());
  const int descriptor = watch.descriptor().value();
  BOOST_TEST(!readable(descriptor, 200));
  BOOST_TEST(registry.unregister("a/x").value());
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(watch.next(event).value());
  BOOST_TEST((event.kind == WatchEventKind::unregistered));
}

BOOST_AUTO_TEST_CASE(a_death_makes_a_watch_readable) {
  Child owner([&](const Parent& parent) {
    auto own = segment.attach();
    const auto mine = own.register_service("a/x").value();
    parent.await();
  });
  Watch watch = registry.watch("a/x").value();
  const int descriptor = watch.descriptor().value();
  WatchEvent event;
  BOOST_TEST(watch.next(event).value());
  BOOST_TEST(!readable(descriptor));
  owner.kill();
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(watch.next(event).value());
  BOOST_TEST((event.kind == WatchEventKind::died));
}

BOOST_AUTO_TEST_CASE(cancel_makes_a_watch_readable_once) {
  Watch watch = registry.watch().value();
  const int descriptor = watch.descriptor().value();
  BOOST_TEST(!readable(descriptor));
  watch.cancel();
  BOOST_TEST(readable(descriptor));
  WatchEvent event;
  BOOST_TEST((watch.next(event).code() == Errc::cancelled));
  BOOST_TEST(!readable(descriptor));
  std::thread other([&] {
    std::this_thread::sleep_for(20ms);
    watch.cancel();
  });
  BOOST_TEST((watch.next(event).code() == Errc::cancelled));
  other.join();
}

BOOST_AUTO_TEST_CASE(a_cancel_among_events_is_told_after_them) {
  Watch watch = registry.watch("a/").value();
  const int descriptor = watch.descriptor().value();
  add("a/x");
  BOOST_TEST(becomes_readable(descriptor));
  watch.cancel();
  WatchEvent event;
  BOOST_TEST(watch.next(event, 0ns).value());
  BOOST_TEST(readable(descriptor));
  BOOST_TEST((watch.next(event, 0ns).code() == Errc::cancelled));
  BOOST_TEST(!readable(descriptor));
}

BOOST_AUTO_TEST_CASE(who_does_not_come_to_read_is_told_how_much_is_lost) {
  Watch watch = registry.watch("a/x").value();
  const int descriptor = watch.descriptor().value();
  add("a/x");
  BOOST_TEST(becomes_readable(descriptor));  // it has begun
  // More than the queue and the log hold together.
  for (int i = 0; i < 6'000; ++i) add("a/x", true);
  BOOST_TEST(becomes_readable(descriptor));
  // Where none is lost each follows the one before; and no more are lost than there were.
  const std::uint64_t partitions = registry.info().value().partitions;
  std::uint64_t lost = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool follows = false;
  WatchEvent event;
  while (watch.next(event, 500ms).value()) {
    if (event.kind == WatchEventKind::lost) {
      lost += event.lost;
      follows = false;
      continue;
    }
    if (follows) BOOST_TEST(event.change.value() == last + partitions);
    last = event.change.value();
    if (first == 0) first = last;
    follows = true;
  }
  BOOST_TEST(lost > 0U);
  BOOST_TEST(lost <= (last - first) / partitions);
  BOOST_TEST(last == registry.lookup("a/x").value().change());
  BOOST_TEST(!readable(descriptor));
}

BOOST_AUTO_TEST_CASE(a_watch_of_a_destroyed_segment_stays_readable) {
  Watch watch = registry.watch().value();
  const int descriptor = watch.descriptor().value();
  destroy_segment(segment.name(), true);
  BOOST_TEST(becomes_readable(descriptor));
  WatchEvent event;
  BOOST_TEST((watch.next(event).code() == Errc::segment_retired));
  BOOST_TEST((watch.next(event).code() == Errc::segment_retired));
  BOOST_TEST(readable(descriptor));
}

BOOST_AUTO_TEST_CASE(an_event_that_is_given_back_makes_a_watch_readable_again) {
  add("a/x");
  Watch watch = registry.watch().value();
  const int descriptor = watch.descriptor().value();
  WatchEvent event;
  BOOST_TEST(watch.next(event).value());
  BOOST_TEST(!readable(descriptor));
  const std::uint64_t id = event.service.id();
  watch.unread(std::move(event));
  BOOST_TEST(readable(descriptor));
  BOOST_TEST(watch.next(event, 0ns).value());
  BOOST_TEST(event.service.id() == id);
  BOOST_TEST(!readable(descriptor));
  Watch plain = registry.watch().value();
  BOOST_TEST(plain.next(event).value());
  plain.unread(std::move(event));
  BOOST_TEST(plain.next(event, 0ns).value());
  BOOST_TEST(event.service.id() == id);
}

BOOST_AUTO_TEST_CASE(a_cancel_before_there_is_a_descriptor_counts) {
  Watch watch = registry.watch().value();
  watch.cancel();
  BOOST_TEST(readable(watch.descriptor().value()));
  WatchEvent event;
  BOOST_TEST((watch.next(event).code() == Errc::cancelled));
}

BOOST_AUTO_TEST_CASE(a_file_that_was_removed_ends_watches_waits_and_registrations) {
  Registration mine = registry.register_service("a/x").value();
  Watch watch = registry.watch("b/").value();
  Watch reading = segment.reader().watch("b/").value();
  PendingWait wait = registry.start_wait({"b/x"}, {.timeout = std::nullopt}).value();
  const int loss = mine.loss_descriptor().value();
  const int descriptor = watch.descriptor().value();
  BOOST_TEST(mine.holds());
  BOOST_REQUIRE(::unlink(segment.path().c_str()) == 0);
  BOOST_TEST(becomes_readable(loss));
  BOOST_TEST(!mine.holds());
  BOOST_TEST(becomes_readable(descriptor));
  WatchEvent event;
  BOOST_TEST((watch.next(event).code() == Errc::segment_retired));
  BOOST_TEST((wait.outcome().code() == Errc::segment_retired));
  BOOST_TEST((reading.next(event).code() == Errc::segment_retired));
}

// The thread that a full queue keeps waiting is not there in the child.
BOOST_AUTO_TEST_CASE(a_forked_child_can_drop_a_watch_whose_queue_is_full) {
  Watch watch = registry.watch("a/x").value();
  const int descriptor = watch.descriptor().value();
  add("a/x");
  BOOST_TEST(becomes_readable(descriptor));
  for (int i = 0; i < 1'500; ++i) add("a/x", true);
  for (int i = 0; i < 20; ++i) {
    Child child([&](const Parent&) {
      watch.cancel();
      watch = Watch();
    });
    BOOST_TEST(child.reap() == 0);
  }
  WatchEvent event;
  BOOST_TEST(watch.next(event).value());
}

BOOST_AUTO_TEST_CASE(a_forked_child_is_told_that_the_watch_is_not_its_own) {
  Watch watch = registry.watch().value();
  (void)watch.descriptor().value();
  Child child([&](const Parent&) {
    WatchEvent event;
    CHILD_CHECK(watch.next(event, 0ns).code() == Errc::invalid_argument);
    watch = registry.watch().value();
    add("a/x");
    CHILD_CHECK(watch.next(event).value());
  });
  BOOST_TEST(child.reap() == 0);
  WatchEvent event;
  BOOST_TEST(watch.next(event).value());
}

// --- wait ----------------------------------------------------------------------------------------

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

// --- the loss of a name --------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_registration_knows_whether_it_holds) {
  Registration mine = registry.register_service("a/x").value();
  BOOST_TEST(mine.holds());
  BOOST_REQUIRE(mine.update({.endpoint = "e"}));
  BOOST_TEST(mine.holds());
  const int descriptor = mine.loss_descriptor().value();
  BOOST_TEST(!readable(descriptor, 150));
  add("a/x", true);
  BOOST_TEST(!mine.holds());
  BOOST_TEST(becomes_readable(descriptor));
  Registration other = registry.register_service("a/y").value();
  BOOST_TEST(!readable(other.loss_descriptor().value()));
  BOOST_TEST(registry.unregister("a/y").value());
  BOOST_TEST(becomes_readable(other.loss_descriptor().value()));
  BOOST_TEST(!Registration().holds());
  BOOST_TEST((Registration().loss_descriptor().code() == Errc::registration_lost));
}

// Who is not woken looks again a tenth of a second after he has begun, and is late each time.
BOOST_AUTO_TEST_CASE(the_loss_of_a_name_is_told_at_once) {
  auto least_late = 1000ms;
  for (int i = 0; i < 100 && least_late >= kPrompt; ++i) {
    Registration mine = registry.register_service("a/x").value();
    const int descriptor = mine.loss_descriptor().value();
    BOOST_TEST(!readable(descriptor, 20));
    const auto lost = std::chrono::steady_clock::now();
    BOOST_TEST(registry.unregister("a/x").value());
    BOOST_TEST(becomes_readable(descriptor));
    least_late = std::min(least_late, std::chrono::duration_cast<std::chrono::milliseconds>(
                                          std::chrono::steady_clock::now() - lost));
  }
  BOOST_TEST((least_late < kPrompt));
}

BOOST_AUTO_TEST_CASE(an_instance_knows_whether_it_holds) {
  Registration mine = registry.register_service("a/x", {}, {.shared = true}).value();
  const int descriptor = mine.loss_descriptor().value();
  const std::uint64_t other =
      registry.register_for(Owner::permanent(), "a/x", {}, {.shared = true}).value();
  BOOST_TEST(mine.holds());
  BOOST_TEST(registry.unregister("a/x", {.id = other}).value());
  BOOST_TEST(mine.holds());
  BOOST_TEST(!readable(descriptor, 150));
  BOOST_TEST(registry.unregister("a/x", {.id = mine.id()}).value());
  BOOST_TEST(!mine.holds());
  BOOST_TEST(becomes_readable(descriptor));
}

BOOST_AUTO_TEST_CASE(a_destroyed_segment_is_a_loss) {
  Registration mine = registry.register_service("a/x").value();
  const int descriptor = mine.loss_descriptor().value();
  destroy_segment(segment.name(), true);
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(!mine.holds());
}

BOOST_AUTO_TEST_CASE(a_registration_with_a_notice_can_be_moved_forked_and_ended) {
  Registration first = registry.register_service("a/x").value();
  const int descriptor = first.loss_descriptor().value();
  Registration mine = std::move(first);
  BOOST_TEST(mine.loss_descriptor().value() == descriptor);
  Registration assigned;
  assigned = std::move(mine);
  BOOST_TEST(assigned.loss_descriptor().value() == descriptor);
  mine = std::move(assigned);
  Child child([&](const Parent&) {
    CHILD_CHECK(!mine.holds());
    CHILD_CHECK(mine.loss_descriptor().code() == Errc::registration_lost);
    // Also once it has been attached itself.
    const Registration own = registry.register_service("a/childs").value();
    CHILD_CHECK(own.holds());
    CHILD_CHECK(!mine.holds());
    CHILD_CHECK(mine.loss_descriptor().code() == Errc::registration_lost);
    CHILD_CHECK(mine.update({}).code() == Errc::registration_lost);
    CHILD_CHECK(!mine.unregister().value());
    mine = Registration();
  });
  BOOST_TEST(child.reap() == 0);
  BOOST_TEST(mine.holds());
  BOOST_TEST(mine.unregister().value());
  BOOST_TEST(!mine.holds());
}

BOOST_AUTO_TEST_SUITE_END()
