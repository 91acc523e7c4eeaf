// The descriptor of a watch, and what else ends one: cancel(), a forked child, a removed file.
//
// Claim: a descriptor is readable exactly while there is something to be had. Method: poll() with
// no time before and after each thing that happens, with all the time where it is to come.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "registry/readable.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

BOOST_FIXTURE_TEST_SUITE(descriptors, WithDescriptors)

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

BOOST_AUTO_TEST_SUITE_END()
