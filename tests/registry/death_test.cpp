// The end of an owner, whichever kind: what it owned is not found any more, and nothing else
// changes.
//
// Method throughout: real processes, ended by signals. A process that waitpid() has returned for
// has been marked by the kernel before, so "at once" needs no patience: the first lookup after it
// must say not found.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

bool found(const Registry& registry, const std::string& name) {
  Service service;
  const Errc outcome = registry.lookup(name, service);
  BOOST_TEST((outcome == Errc::ok || outcome == Errc::not_found));
  return outcome == Errc::ok;
}

void hold(const Parent& parent, const ScratchSegment& segment, const std::string& name,
          int count = 1) {
  auto registry = segment.attach();
  for (int i = 0; i < count; ++i) {
    const std::string full = count == 1 ? name : name + std::to_string(i);
    registry.register_service(full, {.endpoint = "held"}).value().release();
  }
  parent.tell();
  parent.linger();
}

// A pid that was a process's and is nobody's now.
pid_t pid_of_nobody() {
  Child brief([](const Parent&) {});
  const pid_t pid = brief.pid();
  (void)brief.reap();
  return pid;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(death)

BOOST_AUTO_TEST_CASE(a_killed_owner_is_not_found) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, "a/b"); });
  owner.await();
  const auto writer = segment.attach();
  const auto reader = segment.reader();
  BOOST_TEST(found(writer, "a/b"));
  BOOST_TEST(found(reader, "a/b"));
  owner.kill();
  BOOST_TEST(!found(writer, "a/b"));
  BOOST_TEST(!found(reader, "a/b"));
  BOOST_TEST(reader.count().value() == 0U);
  BOOST_TEST(reader.list()->empty());
  BOOST_TEST(reader.namespaces()->empty());
  BOOST_TEST(reader.info()->services == 0U);
  BOOST_TEST(reader.info()->processes == 0U);
  BOOST_TEST(reader.processes()->empty());
}

BOOST_AUTO_TEST_CASE(a_zombie_that_nobody_has_reaped_is_not_found) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, "a/b"); });
  owner.await();
  const auto reader = segment.reader();
  owner.kill_unreaped();
  BOOST_TEST(::kill(owner.pid(), 0) == 0);  // still there, as far as its number goes
  BOOST_TEST(!found(reader, "a/b"));
}

BOOST_AUTO_TEST_CASE(a_stopped_owner_is_alive) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, "a/b"); });
  owner.await();
  const auto reader = segment.reader();
  owner.stop();
  BOOST_TEST(found(reader, "a/b"));
  auto other = segment.attach();
  BOOST_TEST((other.register_service("a/b").code() == Errc::already_registered));
  owner.kill();
  BOOST_TEST(!found(reader, "a/b"));
}

BOOST_AUTO_TEST_CASE(every_way_to_end_a_process_ends_its_services) {
  const ScratchSegment segment;
  const auto reader = segment.reader();
  const auto ended_by = [&](auto end) {
    Child owner([&](const Parent& parent) {
      ::signal(SIGABRT, SIG_DFL);
      ::signal(SIGSEGV, SIG_DFL);
      auto registry = segment.attach();
      registry.register_service("a/b").value().release();
      parent.tell();
      parent.await();
      end();
    });
    owner.await();
    BOOST_TEST(found(reader, "a/b"));
    owner.tell();
    const int status = owner.reap();
    BOOST_TEST(!found(reader, "a/b"));
    return status;
  };
  BOOST_TEST(ended_by([] { ::_exit(3); }) == 3);
  BOOST_TEST(ended_by([] { ::raise(SIGTERM); }) == 128 + SIGTERM);
  BOOST_TEST(ended_by([] { ::kill(::getpid(), SIGABRT); }) == 128 + SIGABRT);
  BOOST_TEST(ended_by([] { ::kill(::getpid(), SIGKILL); }) == 128 + SIGKILL);
  // A thread other than the first ends it.
  BOOST_TEST(ended_by([] { std::thread([] { ::_exit(5); }).join(); }) == 5);
}

BOOST_AUTO_TEST_CASE(a_dead_owners_name_is_taken_at_once) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, "a/b"); });
  owner.await();
  auto registry = segment.attach();
  const std::uint64_t old_id = registry.lookup("a/b")->id();
  owner.kill();
  const auto mine = registry.register_service("a/b", {.endpoint = "new"});
  BOOST_TEST_REQUIRE(mine.ok(), mine.message());
  BOOST_TEST(mine->id() > old_id);
  BOOST_TEST(registry.lookup("a/b")->endpoint() == "new");
  BOOST_TEST(registry.count().value() == 1U);
  BOOST_TEST(doctor(segment.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(a_killed_owner_of_thousands_leaves_none_and_touches_no_other) {
  constexpr int kNames = kSanitized ? 500 : 3'000;
  const ScratchSegment segment;
  Child bystander([&](const Parent& parent) { hold(parent, segment, "b/", 100); });
  bystander.await();
  Child owner([&](const Parent& parent) { hold(parent, segment, "a/", kNames); });
  owner.await();
  auto registry = segment.attach();
  BOOST_TEST(registry.count("a").value() == static_cast<std::uint64_t>(kNames));
  owner.kill();
  BOOST_TEST(registry.count("a").value() == 0U);
  BOOST_TEST(registry.count("b").value() == 100U);
  BOOST_TEST(registry.namespaces()->size() == 1U);
  int refused = 0;
  for (int i = 0; i < kNames; ++i) {
    auto mine = registry.register_service("a/" + std::to_string(i));
    if (mine.ok()) {
      mine->release();
    } else {
      ++refused;
    }
  }
  BOOST_TEST(refused == 0);
  BOOST_TEST(registry.count("a").value() == static_cast<std::uint64_t>(kNames));
  BOOST_TEST(registry.count("b").value() == 100U);
  const auto report = doctor(segment.name());
  BOOST_TEST(report.problems.empty());
}

BOOST_AUTO_TEST_CASE(rounds_of_register_and_kill_let_nothing_grow) {
  constexpr int kRounds = kSanitized ? 12 : 50;
  const ScratchSegment segment(small_segment());
  const auto reader = segment.reader();
  std::uint64_t settled = 0;
  for (int round = 0; round < kRounds; ++round) {
    Child owner([&](const Parent& parent) { hold(parent, segment, "a/", 40); });
    owner.await();
    BOOST_TEST(reader.count().value() == 40U);
    owner.kill();
    BOOST_TEST(reader.count().value() == 0U);
    if (round == 5) settled = reader.info()->bytes_used;
  }
  BOOST_TEST(reader.info()->bytes_used == settled);
  BOOST_TEST(reader.processes()->empty());
  // Each took the place of the one before: what is left are the last one's forty.
  const auto report = doctor(segment.name());
  BOOST_TEST(report.problems.empty());
  BOOST_TEST(report.services == 40U);
}

BOOST_AUTO_TEST_CASE(the_creator_of_a_segment_goes_and_everything_stays) {
  const ScratchSegment segment{ScratchSegment::Absent{}};
  Child creator([&](const Parent& parent) {
    create_segment(segment.name());
    parent.tell();
    parent.await();
  });
  creator.await();
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/b").value();
  creator.tell();
  BOOST_TEST(creator.reap() == 0);
  BOOST_TEST(found(registry, "a/b"));
  BOOST_TEST(registry.register_service("a/c").ok());
}

// --- other owners --------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_r_registers_for_p_stays_when_r_goes_and_goes_when_p_goes) {
  const ScratchSegment segment;
  const auto reader = segment.reader();
  Child p([](const Parent& parent) { parent.linger(); });
  Child r([&](const Parent& parent) {
    auto registry = segment.attach();
    parent.tell(registry.register_for(Owner::process(p.pid()), "a/b", {.endpoint = "p's"}).value());
    parent.linger();
  });
  const std::uint64_t id = r.hear();
  const Service service = reader.lookup("a/b").value();
  BOOST_TEST(service.id() == id);
  BOOST_TEST((service.owner() == OwnerKind::pid));
  BOOST_TEST(service.pid() == static_cast<std::uint32_t>(p.pid()));
  BOOST_TEST((service.alive() == Alive::yes));
  r.kill();
  BOOST_TEST(found(reader, "a/b"));
  BOOST_TEST(reader.count().value() == 1U);
  p.kill();
  BOOST_TEST(!found(reader, "a/b"));
  BOOST_TEST(reader.count().value() == 0U);
}

BOOST_AUTO_TEST_CASE(what_a_wrapper_registers_ends_with_either) {
  const ScratchSegment segment;
  const auto reader = segment.reader();
  const auto with_wrapper = [&](bool kill_wrapper) {
    Child command([](const Parent& parent) { parent.linger(); });
    Child wrapper([&](const Parent& parent) {
      auto registry = segment.attach();
      (void)registry.register_for(Owner::process(command.pid(), true), "a/b").value();
      parent.tell();
      parent.linger();
    });
    wrapper.await();
    BOOST_TEST(found(reader, "a/b"));
    (kill_wrapper ? wrapper : command).kill();
    BOOST_TEST(!found(reader, "a/b"));
  };
  with_wrapper(true);
  with_wrapper(false);
}

BOOST_AUTO_TEST_CASE(an_owner_by_pid_that_is_a_zombie_or_killed_is_not_found_and_a_stopped_one_is) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto reader = segment.reader();
  Child owner([](const Parent& parent) { parent.linger(); });
  BOOST_TEST(registry.register_for(Owner::process(owner.pid()), "a/b").ok());
  BOOST_TEST(found(reader, "a/b"));
  owner.stop();
  BOOST_TEST(found(reader, "a/b"));
  owner.kill_unreaped();
  BOOST_TEST(!found(reader, "a/b"));
  (void)owner.reap();
  BOOST_TEST(!found(reader, "a/b"));
  BOOST_TEST(registry.register_service("a/b").ok());
}

BOOST_AUTO_TEST_CASE(a_service_for_a_pid_of_nobody_is_refused) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto refused = registry.register_for(Owner::process(pid_of_nobody()), "a/b");
  BOOST_TEST((refused.code() == Errc::owner_not_alive));
  BOOST_TEST(!found(registry, "a/b"));
  Child zombie([](const Parent& parent) { parent.linger(); });
  zombie.kill_unreaped();
  BOOST_TEST(
      (registry.register_for(Owner::process(zombie.pid()), "a/b").code() == Errc::owner_not_alive));
  for (const pid_t pid : {0, -1, -4711}) {
    BOOST_TEST(
        (registry.register_for(Owner::process(pid), "a/b").code() == Errc::invalid_argument));
  }
  BOOST_TEST(registry.count().value() == 0U);
}

BOOST_AUTO_TEST_CASE(the_same_pids_own_name_again_is_replaced_whoever_registers_it) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  Child p([&](const Parent& parent) {
    parent.await();
    auto own = segment.attach();
    const auto id = own.register_service("a/b", {.endpoint = "itself"}).value().id();
    // The handle has ended with that expression, and its service with it.
    parent.tell(id);
    parent.linger();
  });
  const auto first = registry.register_for(Owner::process(p.pid()), "a/b").value();
  const auto second = registry.register_for(Owner::process(p.pid()), "a/b").value();
  BOOST_TEST(second > first);
  BOOST_TEST(registry.count().value() == 1U);
  // Somebody else's it is not.
  BOOST_TEST((registry.register_service("a/b").code() == Errc::already_registered));
  p.tell();
  BOOST_TEST(p.hear() > second);
  BOOST_TEST(!found(registry, "a/b"));
}

BOOST_AUTO_TEST_CASE(what_a_process_registered_for_itself_nobody_else_registers_for_it) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  Child p([&](const Parent& parent) {
    auto own = segment.attach();
    const auto mine = own.register_service("a/b").value();
    parent.tell();
    parent.linger();
  });
  p.await();
  BOOST_TEST(
      (registry.register_for(Owner::process(p.pid()), "a/b").code() == Errc::already_registered));
  BOOST_TEST((registry.lookup("a/b")->owner() == OwnerKind::process));
  BOOST_TEST(registry.register_for(Owner::process(p.pid()), "a/b", {}, {.replace = true}).ok());
}

BOOST_AUTO_TEST_CASE(a_time_to_live_ends_unless_it_is_renewed) {
  using std::chrono::milliseconds;
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto reader = segment.reader();
  constexpr milliseconds kPeriod{400};
  const std::uint64_t id = registry.register_for(Owner::time_to_live(kPeriod), "a/b").value();
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST((reader.lookup("a/b")->owner() == OwnerKind::ttl));
  BOOST_TEST(reader.lookup("a/b")->pid() == 0U);
  BOOST_TEST(registry.renew("a/b", id + 1).value() == false);
  std::this_thread::sleep_for(milliseconds(250));
  bool renewed = registry.renew("a/b", id).value();
  std::this_thread::sleep_for(milliseconds(250));
  // Beyond the first period, within the second (but for a machine that slept meanwhile).
  if (renewed && std::chrono::steady_clock::now() - began < milliseconds(600)) {
    BOOST_TEST(found(reader, "a/b"));
  }
  std::this_thread::sleep_for(kPeriod + milliseconds(50));
  BOOST_TEST(!found(reader, "a/b"));
  BOOST_TEST(reader.count().value() == 0U);
  BOOST_TEST(registry.renew("a/b", id).value() == false);
  BOOST_TEST(!found(reader, "a/b"));
  BOOST_TEST(registry.unregister("a/b").value() == false);
  BOOST_TEST(registry.register_service("a/b").ok());
}

BOOST_AUTO_TEST_CASE(a_time_to_live_stays_when_its_registrar_goes_and_an_update_does_not_renew_it) {
  const ScratchSegment segment;
  const auto reader = segment.reader();
  Child registrar([&](const Parent& parent) {
    auto registry = segment.attach();
    parent.tell(registry.register_for(Owner::time_to_live(std::chrono::hours(1)), "a/b").value());
    parent.linger();
  });
  const std::uint64_t id = registrar.hear();
  registrar.kill();
  BOOST_TEST(found(reader, "a/b"));
  // Whoever knows the id renews it.
  auto registry = segment.attach();
  BOOST_TEST(registry.renew("a/b", id).value());
  BOOST_TEST((registry.register_service("a/b").code() == Errc::already_registered));
  BOOST_TEST(registry.unregister("a/b").value());
}

BOOST_AUTO_TEST_CASE(what_has_no_time_to_live_is_not_renewed) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/b").value();
  BOOST_TEST((registry.renew("a/b", mine.id()).code() == Errc::invalid_argument));
  BOOST_TEST(registry.renew("a/none", 1).value() == false);
}

BOOST_AUTO_TEST_CASE(a_static_service_stays_until_it_is_unregistered) {
  const ScratchSegment segment;
  const auto reader = segment.reader();
  Child registrar([&](const Parent& parent) {
    auto registry = segment.attach();
    (void)registry.register_for(Owner::permanent(), "a/b", {.endpoint = "for ever"}).value();
    parent.tell();
    parent.linger();
  });
  registrar.await();
  registrar.kill();
  BOOST_TEST(reader.lookup("a/b")->endpoint() == "for ever");
  BOOST_TEST((reader.lookup("a/b")->owner() == OwnerKind::permanent));
  BOOST_TEST(reader.lookup("a/b")->pid() == 0U);
  auto registry = segment.attach();
  const auto refused = registry.register_service("a/b");
  BOOST_TEST((refused.code() == Errc::already_registered));
  BOOST_TEST(refused.message().find("static") != std::string::npos);
  BOOST_TEST(registry.unregister("a/b").value());
  BOOST_TEST(!found(reader, "a/b"));
}

BOOST_AUTO_TEST_SUITE_END()
