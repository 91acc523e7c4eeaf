// A segment's file is truncated by somebody while processes are attached to it.
//
// Claim: no process that is attached dies of it or hangs. What it writes fails with one line that
// says what happened; what it looks up is found as it was or fails, and is never "not found" though
// it was registered; lists and counts fail. Other segments go on. The file does not become longer
// again. Where the handler is switched off, the process dies as it would have.
// Method: children attach, the test truncates, to every kind of length; what a child finds wrong,
// and what it dies of, is its exit status. That this proves something is proven in
// unhandled_truncation_test.cpp.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "registry/truncation.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

BOOST_AUTO_TEST_SUITE(truncated)

BOOST_AUTO_TEST_CASE(lookups_find_what_was_there_or_fail) {
  at_every_length([](Registry& registry, auto&, bool something_gone) {
    // Where nothing in use is gone, nothing is missed yet.
    check_lookups(registry, !something_gone);
  });
}

BOOST_AUTO_TEST_CASE(the_first_miss_is_no_not_found) {
  at_every_length([](Registry& registry, auto&, bool something_gone) {
    if (!something_gone) return;
    Service found;
    CHILD_CHECK(registry.lookup("a/missing", found) == Errc::corrupt);
  });
}

BOOST_AUTO_TEST_CASE(lists_fail) {
  at_every_length([](Registry& registry, auto&, bool) { check_lists(registry); });
}

BOOST_AUTO_TEST_CASE(processes_fail) {
  at_every_length(
      [](Registry& registry, auto&, bool) { CHILD_CHECK(says_so(registry.processes())); });
}

BOOST_AUTO_TEST_CASE(a_register_fails) {
  at_every_length([](Registry& registry, auto&, bool something_gone) {
    if (something_gone) CHILD_CHECK(says_so(registry.register_service("a/new")));
  });
}

BOOST_AUTO_TEST_CASE(a_name_that_is_taken_is_not_given_away) {
  at_every_length([](Registry& registry, auto&, bool something_gone) {
    for (int i = 0; something_gone && i < kServices; ++i) {
      CHILD_CHECK(says_so(registry.register_for(Owner::permanent(), name_of(i))));
    }
  });
}

BOOST_AUTO_TEST_CASE(updates_and_unregistering_fail) {
  at_every_length([](Registry&, std::vector<Registration>& mine, bool something_gone) {
    if (!something_gone) return;
    CHILD_CHECK(says_so(mine[11].update({})));
    CHILD_CHECK(says_so(mine[12].unregister()));
  });
}

BOOST_AUTO_TEST_CASE(registrations_are_destroyed) {
  at_every_length([](Registry&, std::vector<Registration>& mine, bool) {
    for (int i = 100; i < 200; ++i) mine[static_cast<std::size_t>(i)] = Registration();
  });
}

BOOST_AUTO_TEST_CASE(detaching_is_the_first_thing_that_notices) {
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{4096}, std::uint64_t{5000}}) {
    const ScratchSegment segment(small_segment());
    Child child([&](const Parent& parent) {
      leave_sigbus_to_the_kernel();
      {
        auto registry = segment.attach();
        (void)registry.register_service("a/b").value();
        parent.tell();
        parent.await();
      }
      parent.tell();
    });
    child.await();
    truncate(segment, length);
    child.tell();
    BOOST_CHECK_NO_THROW(child.await());
    BOOST_TEST(child.reap() == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_read_only_client_survives_as_well) {
  std::vector<std::uint64_t> tried{0};
  for (std::size_t i = 0; i < tried.size(); ++i) {
    const ScratchSegment segment(small_segment());
    Child owner([&](const Parent& parent) {
      leave_sigbus_to_the_kernel();
      auto registry = segment.attach();
      const auto mine = fill(registry);
      parent.tell();
      parent.linger();
    });
    owner.await();
    tried = lengths(segment);
    Child child([&](const Parent& parent) {
      leave_sigbus_to_the_kernel();
      const auto reader = segment.reader();
      parent.tell();
      const bool something_gone = parent.hear() != 0;
      check_lookups(reader, !something_gone);
      check_lists(reader);
      check_lookups(reader);
    });
    child.await();
    const bool something_gone = takes_something(segment, tried[i]);
    truncate(segment, tried[i]);
    child.tell(something_gone ? 1 : 0);
    BOOST_TEST(child.reap() == 0, "truncated to " << tried[i]);
  }
}

// The keeper touches the process's entry, and looks at the file's length.
BOOST_AUTO_TEST_CASE(the_keeper_survives_and_tells_of_it_by_itself) {
  for (const bool everything : {true, false}) {
    const ScratchSegment segment(small_segment());
    Child child([&](const Parent& parent) {
      leave_sigbus_to_the_kernel();
      auto registry = segment.attach();
      auto mine = registry.register_service("a/b").value();
      parent.tell();
      parent.await();
      if (everything) std::this_thread::sleep_for(std::chrono::milliseconds(2500));
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      while (registry.register_service("a/c").ok()) {
        CHILD_CHECK(std::chrono::steady_clock::now() < deadline);
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
      CHILD_CHECK(says_so(mine.update({})));
    });
    child.await();
    // Nothing in use: no access notices.
    truncate(segment, everything ? 0 : head_of(segment).claimed_end);
    child.tell();
    BOOST_TEST(child.reap() == 0);
  }
}

BOOST_AUTO_TEST_CASE(many_threads_come_to_it_at_once) {
  for (int round = 0; round < 10; ++round) {
    const ScratchSegment segment(small_segment());
    Child child([&](const Parent& parent) {
      leave_sigbus_to_the_kernel();
      auto registry = segment.attach();
      auto mine = fill(registry);
      std::atomic<bool> told{false};
      std::vector<std::thread> threads;
      for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&, t] {
          const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
          for (int i = t; std::chrono::steady_clock::now() < deadline; ++i) {
            const std::string name = "a/" + std::to_string(t) + "/" + std::to_string(i % 50);
            const auto one = registry.register_service(name, spec_of(i));
            Service found;
            const Errc outcome = registry.lookup(name_of(i % kServices), found);
            CHILD_CHECK(outcome == Errc::ok || outcome == Errc::corrupt);
            if (one.ok() && outcome == Errc::ok) continue;
            if (!one.ok()) CHILD_CHECK(says_so(one));
            CHILD_CHECK(told.load());
            CHILD_CHECK(says_so(registry.list()));
            return;
          }
          const bool noticed_in_time = false;
          CHILD_CHECK(noticed_in_time);
        });
      }
      parent.tell();
      parent.await();
      told.store(true);
      parent.tell();
      for (auto& thread : threads) thread.join();
      check_lists(registry);
      check_writes(registry, mine);
    });
    child.await();
    child.tell();
    child.await();
    const std::vector<std::uint64_t> all = lengths(segment);
    truncate(segment, all.at(static_cast<std::size_t>(round) % (all.size() - 1)));
    BOOST_TEST(child.reap() == 0, "round " << round);
  }
}

BOOST_AUTO_TEST_CASE(another_segment_goes_on_untouched) {
  const ScratchSegment lost(small_segment());
  const ScratchSegment kept(small_segment());
  Child child([&](const Parent& parent) {
    leave_sigbus_to_the_kernel();
    auto one = lost.attach();
    auto other = kept.attach();
    auto mine = fill(one);
    auto others = fill(other);
    parent.tell();
    parent.await();
    check_lookups(one);
    check_lists(one);
    check_writes(one, mine);
    check_lookups(other, true);
    CHILD_CHECK(other.count().value() == kServices);
    CHILD_CHECK(other.register_service("a/new").ok());
    CHILD_CHECK(other.info()->processes == 1);
    CHILD_CHECK(others[3].update({}).ok());
  });
  child.await();
  truncate(lost, 4096);
  child.tell();
  BOOST_TEST(child.reap() == 0);
}

BOOST_AUTO_TEST_CASE(a_forked_child_survives_and_so_does_its_parent) {
  for (const bool before_the_fork : {true, false}) {
    const ScratchSegment segment(small_segment());
    Child parent_process([&](const Parent& test) {
      leave_sigbus_to_the_kernel();
      auto registry = segment.attach();
      auto mine = fill(registry);
      if (before_the_fork) {
        test.tell();
        test.await();
        check_lookups(registry);
      }
      Child child([&](const Parent& parent) {
        parent.tell();
        parent.await();
        check_lookups(registry);
        check_lists(registry);
        CHILD_CHECK(says_so(registry.register_service("a/new")));
        CHILD_CHECK(mine[5].unregister().value() == false);
        mine.clear();
        { const Registry gone = std::move(registry); }
      });
      child.await();
      if (!before_the_fork) {
        test.tell();
        test.await();
      }
      child.tell();
      CHILD_CHECK(child.reap() == 0);
      check_lookups(registry);
      check_writes(registry, mine);
    });
    parent_process.await();
    truncate(segment, before_the_fork ? 0 : 4096);
    parent_process.tell();
    BOOST_TEST(parent_process.reap() == 0);
  }
}

BOOST_AUTO_TEST_CASE(it_is_refused_to_who_comes_later_and_can_be_replaced) {
  const ScratchSegment segment(small_segment());
  Child child([&](const Parent& parent) {
    leave_sigbus_to_the_kernel();
    auto registry = segment.attach();
    auto mine = fill(registry);
    parent.tell();
    parent.await();
    // The same process too: it does not share what it has.
    for (int i = 0; i < 2; ++i) {
      try {
        (void)segment.attach();
        const bool refused = false;
        CHILD_CHECK(refused);
      } catch (const Error& error) {
        CHILD_CHECK(error.errc() == Errc::corrupt);
        CHILD_CHECK(std::string(error.what()).find("truncated to 8192 of") != std::string::npos);
      }
      check_lookups(registry);
    }
    CHILD_CHECK(!doctor(segment.name()).problems.empty());
    CHILD_CHECK(!segments().empty());
    (void)destroy_segment(segment.name(), true);
    create_segment(segment.name(), small_segment());
    auto anew = segment.attach();
    const auto again = fill(anew);
    check_lookups(anew, true);
    check_writes(registry, mine);
    CHILD_CHECK(anew.count().value() == kServices);
  });
  child.await();
  truncate(segment, 8192);
  child.tell();
  BOOST_TEST(child.reap() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
