// Asking owners to stop ends them, and nobody else.
//
// Method: real processes. What a process ended of is the first deadly signal that it was sent: one
// that is killed at the end of a test tells by it that nobody else has. A grace that is not to be
// used up is longer than the test's patience.
#include "shmreg/termination.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/chosen_pid.hpp"
#include "support/resources.hpp"
#include "support/scratch_segment.hpp"
#include "support/skipped.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

namespace {

using Pids = std::set<std::uint32_t>;

constexpr auto kLong = std::chrono::milliseconds(2 * kPatienceMs);
constexpr int kKilled = 128 + SIGKILL;
constexpr int kStopped = 128 + SIGTERM;

std::uint32_t number_of(const Child& child) { return static_cast<std::uint32_t>(child.pid()); }

// What a process does that is asked to stop.
enum class Manner { dies, tidies, is_deaf };
constexpr int kTidied = 7;

// Waited for, not handled: in the child of a test that has threads ThreadSanitizer may never come
// to run a handler.
void block_termination() {
  sigset_t termination;
  ::sigemptyset(&termination);
  ::sigaddset(&termination, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &termination, nullptr);
}
void await_termination() {
  sigset_t termination;
  ::sigemptyset(&termination);
  ::sigaddset(&termination, SIGTERM);
  int number = 0;
  while (::sigwait(&termination, &number) != 0) {
  }
}

struct Fixture {
  ScratchSegment segment{small_segment()};
  Registry registry = segment.attach();

  // The body of a process that holds a name for itself.
  [[nodiscard]] auto holder(const std::string& name, Manner manner = Manner::dies) const {
    return [this, name, manner](const Parent& parent) {
      if (manner == Manner::tidies) block_termination();
      if (manner == Manner::is_deaf) ::signal(SIGTERM, SIG_IGN);
      auto own = segment.attach();
      own.register_service(name).value().release();
      parent.tell();
      if (manner != Manner::tidies) parent.linger();
      await_termination();
      ::_exit(kTidied);
    };
  }
  // The body of the first process of a PID namespace, in which a second one has the number that
  // `other` has here, and does `act`: tells that number, or 0 where no number can be chosen.
  template <class Act>
  [[nodiscard]] auto twin_of(const Child& other, Act act) const {
    return [&other, act](const Parent& parent) {
      const pid_t twin = fork_as(other.pid());
      if (twin != 0) {
        if (twin < 0) parent.tell(0);
        parent.linger();
      }
      act();
      parent.tell(static_cast<std::uint64_t>(::getpid()));
      stay_until_killed();
    };
  }
  // Of the owners of everything that is registered.
  [[nodiscard]] Termination terminate(std::chrono::milliseconds grace) const {
    return terminate_owners(registry, registry.list().value(), grace);
  }
};

void ended_are(const Termination& termination, const Pids& pids) {
  BOOST_TEST(termination.ended == pids, boost::test_tools::per_element());
  BOOST_TEST(termination.not_asked.empty());
  BOOST_TEST(!termination.not_permitted);
}

void is_untouched(Child& child) {
  child.signal(SIGKILL);
  BOOST_TEST(child.reap() == kKilled);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(termination, Fixture)

BOOST_AUTO_TEST_CASE(an_owner_that_listens_ends_by_itself) {
  Child plain(holder("a/plain"));
  Child tidies(holder("a/tidies", Manner::tidies));
  plain.await();
  tidies.await();
  ended_are(terminate(kLong), {number_of(plain), number_of(tidies)});
  BOOST_TEST(plain.reap() == kStopped);
  BOOST_TEST(tidies.reap() == kTidied);
  BOOST_TEST(registry.list()->empty());
}

BOOST_AUTO_TEST_CASE(an_owner_that_does_not_listen_is_killed_after_the_grace) {
  Child deaf(holder("a/deaf", Manner::is_deaf));
  deaf.await();
  const auto begin = std::chrono::steady_clock::now();
  ended_are(terminate(50ms), {number_of(deaf)});
  BOOST_TEST((std::chrono::steady_clock::now() - begin >= 50ms));
  BOOST_TEST(deaf.reap() == kKilled);
}

BOOST_AUTO_TEST_CASE(a_grace_may_be_as_long_as_there_are) {
  Child slow([&](const Parent& parent) {
    block_termination();
    auto own = segment.attach();
    own.register_service("a/slow").value().release();
    parent.tell();
    await_termination();
    std::this_thread::sleep_for(50ms);
    ::_exit(kTidied);
  });
  slow.await();
  ended_are(terminate(std::chrono::milliseconds::max()), {number_of(slow)});
  BOOST_TEST(slow.reap() == kTidied);
}

BOOST_AUTO_TEST_CASE(a_stopped_owner_is_woken_to_see_to_it) {
  Child child(holder("a/stopped", Manner::tidies));
  child.await();
  child.stop();
  ended_are(terminate(kLong), {number_of(child)});
  BOOST_TEST(child.reap() == kTidied);
}

BOOST_AUTO_TEST_CASE(an_owner_of_many_names_is_asked_once) {
  Child child([&](const Parent& parent) {
    block_termination();
    auto own = segment.attach();
    for (int i = 0; i < 20; ++i) {
      own.register_service("a/" + std::to_string(i)).value().release();
    }
    parent.tell();
    for (;;) {
      await_termination();
      parent.tell();
    }
  });
  child.await();
  ended_are(terminate(2s), {number_of(child)});
  child.await();
  BOOST_TEST(child.has_closed_its_pipe());
}

BOOST_AUTO_TEST_CASE(a_process_that_somebody_registered_a_name_for_is_its_owner) {
  Child child([](const Parent& parent) { parent.linger(); });
  BOOST_TEST(registry.register_for(Owner::process(child.pid()), "a/pid").ok());
  ended_are(terminate(kLong), {number_of(child)});
  BOOST_TEST(child.reap() == kStopped);
}

BOOST_AUTO_TEST_CASE(what_no_process_owns_has_nobody_to_be_asked) {
  BOOST_TEST(registry.register_for(Owner::permanent(), "a/static").ok());
  BOOST_TEST(registry.register_for(Owner::time_to_live(1h), "a/ttl").ok());
  ended_are(terminate(kLong), {});
  BOOST_TEST(registry.list()->size() == 2U);
}

BOOST_AUTO_TEST_CASE(whoever_calls_and_those_it_descends_from_are_spared) {
  const auto mine = registry.register_service("a/test").value();
  Child bystander(holder("a/bystander"));
  bystander.await();
  Child caller([&](const Parent& parent) {
    auto own = segment.attach();
    own.register_service("a/caller").value().release();
    Child below([&](const Parent& caller_of_it) {
      auto its = segment.attach();
      its.register_service("a/below").value().release();
      const Termination outcome = terminate_owners(its, its.list().value(), kLong);
      CHILD_CHECK(outcome.ended == Pids{number_of(bystander)});
      CHILD_CHECK(outcome.not_asked.empty());
      caller_of_it.tell();
      caller_of_it.linger();
    });
    below.await();
    below.signal(SIGKILL);
    CHILD_CHECK(below.reap() == kKilled);
    parent.tell();
    parent.linger();
  });
  caller.await();
  BOOST_TEST(bystander.reap() == kStopped);
  is_untouched(caller);
}

BOOST_AUTO_TEST_CASE(who_no_longer_has_the_name_is_not_asked_nor_is_who_has_it_now) {
  Child first([&](const Parent& parent) {
    auto own = segment.attach();
    auto name = own.register_service("a/b").value();
    parent.tell();
    parent.await();
    (void)name.unregister();
    parent.tell();
    parent.linger();
  });
  first.await();
  const auto before = registry.list().value();
  BOOST_TEST_REQUIRE(before.size() == 1U);
  first.tell();
  first.await();
  Child second(holder("a/b"));
  second.await();
  ended_are(terminate_owners(registry, before, kLong), {});
  is_untouched(first);
  is_untouched(second);
}

BOOST_AUTO_TEST_CASE(an_owner_that_has_another_of_the_names_still_is_asked) {
  Child child([&](const Parent& parent) {
    auto own = segment.attach();
    auto given_up = own.register_service("a/given_up").value();
    own.register_service("a/kept").value().release();
    parent.tell();
    parent.await();
    (void)given_up.unregister();
    parent.tell();
    parent.linger();
  });
  child.await();
  // The one that it will have given up comes first.
  std::vector<Service> services;
  for (const char* name : {"a/given_up", "a/kept"}) {
    services.push_back(registry.lookup(name).value());
  }
  child.tell();
  child.await();
  ended_are(terminate_owners(registry, services, kLong), {number_of(child)});
  BOOST_TEST(child.reap() == kStopped);
}

BOOST_AUTO_TEST_CASE(who_has_got_the_number_of_an_owner_that_ended_is_left_alone) {
  Child owner(holder("a/b"));
  owner.await();
  const auto before = registry.list().value();
  BOOST_TEST_REQUIRE(before.size() == 1U);
  owner.kill();
  ended_are(terminate_owners(registry, before, kLong), {});
  ChosenPid next(owner.pid());
  if (!next.there()) return skipped("no process can be given a number here");
  ended_are(terminate_owners(registry, before, kLong), {});
  BOOST_TEST(next.end());
}

BOOST_AUTO_TEST_CASE(who_has_got_its_number_and_its_name_as_well_is_left_alone) {
  Child owner(holder("a/b"));
  owner.await();
  const auto before = registry.list().value();
  owner.kill();
  ChosenPid next(owner.pid(), [&] {
    auto own = segment.attach();
    own.register_service("a/b").value().release();
  });
  if (!next.there()) return skipped("no process can be given a number here");
  const std::vector<std::string> name{"a/b"};
  BOOST_TEST_REQUIRE(registry.wait(name, {.timeout = kLong}).ok());
  BOOST_TEST_REQUIRE(registry.lookup("a/b")->pid() == before.at(0).pid());
  ended_are(terminate_owners(registry, before, kLong), {});
  BOOST_TEST(next.end());
}

BOOST_AUTO_TEST_CASE(who_has_the_number_of_an_owner_in_another_pid_namespace_is_left_alone) {
  if (!may_make_pid_namespaces()) return skipped("no PID namespace can be made here");
  Child bystander([](const Parent& parent) { parent.linger(); });
  Child beside(twin_of(bystander,
                       [this] { segment.attach().register_service("a/beside").value().release(); }),
               Birth::new_pid_namespace);
  const std::uint64_t number = beside.hear();
  if (number == 0) return skipped("no process can be given a number here");
  BOOST_TEST(number == number_of(bystander));
  BOOST_TEST_REQUIRE(registry.lookup("a/beside").ok());
  BOOST_TEST(registry.lookup("a/beside")->pid() == number);
  ended_are(terminate(kLong), {});
  is_untouched(bystander);
  BOOST_TEST(registry.lookup("a/beside").ok());
}

BOOST_AUTO_TEST_CASE(whom_a_wrapper_in_another_pid_namespace_holds_is_left_alone) {
  if (!may_make_pid_namespaces()) return skipped("no PID namespace can be made here");
  if (!a_child_may([] { return mount_own_proc(); })) return skipped("may not mount a /proc");
  Child bystander([](const Parent& parent) { parent.linger(); });
  Child beside(twin_of(bystander,
                       [this] {
                         CHILD_CHECK(mount_own_proc());
                         auto own = segment.attach();
                         const auto self = Owner::process(::getpid(), true);
                         CHILD_CHECK(own.register_for(self, "a/wrapped").ok());
                       }),
               Birth::new_pid_namespace);
  if (beside.hear() == 0) return skipped("no process can be given a number here");
  BOOST_TEST_REQUIRE(registry.lookup("a/wrapped").ok());
  BOOST_TEST((registry.lookup("a/wrapped")->alive() == Alive::yes));
  BOOST_TEST(registry.lookup("a/wrapped")->pid() == number_of(bystander));
  ended_are(terminate(kLong), {});
  is_untouched(bystander);
  BOOST_TEST(registry.lookup("a/wrapped").ok());
}

BOOST_AUTO_TEST_CASE(an_owner_whose_number_somebody_has_in_another_pid_namespace_is_asked) {
  if (!may_make_pid_namespaces()) return skipped("no PID namespace can be made here");
  Child here(holder("a/here"));
  here.await();
  Child beside(
      twin_of(here, [this] { segment.attach().register_service("a/beside").value().release(); }),
      Birth::new_pid_namespace);
  if (beside.hear() == 0) return skipped("no process can be given a number here");
  BOOST_TEST_REQUIRE(registry.lookup("a/beside")->pid() == number_of(here));
  ended_are(terminate(kLong), {number_of(here)});
  BOOST_TEST(here.reap() == kStopped);
  BOOST_TEST(registry.lookup("a/beside").ok());
}

BOOST_AUTO_TEST_CASE(more_owners_than_the_caller_may_have_descriptors_are_asked_all_the_same) {
  std::vector<std::unique_ptr<Child>> owners;
  Pids pids;
  for (int i = 0; i < 8; ++i) {
    owners.push_back(std::make_unique<Child>(holder("a/" + std::to_string(i))));
    owners.back()->await();
    pids.insert(number_of(*owners.back()));
  }
  Child caller([&](const Parent& parent) {
    const auto own = segment.attach();
    const int next = ::dup(parent.out());
    ::close(next);
    rlimit limit{};
    CHILD_CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = static_cast<rlim_t>(next) + 3;
    CHILD_CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    const Termination outcome = terminate_owners(own, own.list().value(), kLong);
    CHILD_CHECK(outcome.ended == pids);
    CHILD_CHECK(outcome.not_asked.empty());
    parent.tell();
  });
  caller.await();
}

BOOST_AUTO_TEST_CASE(who_may_not_be_asked_is_named_and_the_others_are) {
  if (::geteuid() != 0) return skipped("only root can become somebody else");
  Child of_root(holder("a/root"));
  of_root.await();
  Child caller([&](const Parent& parent) {
    const auto reader = segment.reader();
    Child own([](const Parent& caller_of_it) {
      CHILD_CHECK(::setuid(65534) == 0);
      caller_of_it.tell();
      caller_of_it.linger();
    });
    own.await();
    auto writer = segment.attach();
    CHILD_CHECK(writer.register_for(Owner::process(own.pid()), "a/own").ok());
    CHILD_CHECK(::setuid(65534) == 0);
    const Termination outcome = terminate_owners(reader, reader.list().value(), kLong);
    CHILD_CHECK(outcome.ended == Pids{number_of(own)});
    CHILD_CHECK(outcome.not_permitted);
    CHILD_CHECK(outcome.not_asked.size() == 1);
    CHILD_CHECK(outcome.not_asked[0] ==
                "pid " + std::to_string(of_root.pid()) + ": Operation not permitted");
    parent.tell();
  });
  caller.await();
  is_untouched(of_root);
}

BOOST_AUTO_TEST_SUITE_END()
