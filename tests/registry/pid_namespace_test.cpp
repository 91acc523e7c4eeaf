// Processes in PID namespaces of their own, as containers have them: the same numbers mean other
// processes there, and nobody may be taken for another.
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <string>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/resources.hpp"
#include "support/scratch_segment.hpp"
#include "support/skipped.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

const char* const kMayNot = "may not make PID namespaces";

}  // namespace

BOOST_AUTO_TEST_SUITE(pid_namespaces)

BOOST_AUTO_TEST_CASE(an_owner_in_another_pid_namespace_is_found_and_killed_it_is_not) {
  if (!may_make_pid_namespaces()) return skipped(kMayNot);
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto reader = segment.reader();
  Child owner(
      [&](const Parent& parent) {
        CHILD_CHECK(::getpid() == 1);
        auto own = segment.attach();
        own.register_service("a/b", {.endpoint = "inside"}).value().release();
        parent.tell();
        parent.linger();
      },
      Birth::new_pid_namespace);
  owner.await();
  const Service found = reader.lookup("a/b").value();
  BOOST_TEST(found.endpoint() == "inside");
  BOOST_TEST(found.pid() == 1U);
  BOOST_TEST((found.alive() == Alive::yes));
  const auto refused = registry.register_service("a/b");
  BOOST_TEST((refused.code() == Errc::already_registered));
  BOOST_TEST(refused.message().find("PID namespace") != std::string::npos, refused.message());
  owner.kill();
  BOOST_TEST(!reader.lookup("a/b").ok());
  BOOST_TEST(registry.register_service("a/b").ok());
}

BOOST_AUTO_TEST_CASE(from_inside_the_end_of_an_owner_outside_is_seen_as_well) {
  if (!may_make_pid_namespaces()) return skipped(kMayNot);
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) {
    auto registry = segment.attach();
    registry.register_service("a/b").value().release();
    parent.tell();
    parent.linger();
  });
  owner.await();
  Child inside(
      [&](const Parent& parent) {
        auto registry = segment.attach();
        CHILD_CHECK(registry.lookup("a/b").ok());
        CHILD_CHECK(registry.register_service("a/b").code() == Errc::already_registered);
        parent.tell();
        parent.await();
        CHILD_CHECK(!registry.lookup("a/b").ok());
        CHILD_CHECK(registry.register_service("a/b").ok());
      },
      Birth::new_pid_namespace);
  inside.await();
  owner.kill();
  inside.tell();
  BOOST_TEST(inside.reap() == 0);
}

// Claim: equal pids and thread ids in two namespaces are never taken for one process, by the mark,
// by the lock of a partition, or by "own name again". Method: two first processes (pid 1 both,
// keeper threads of equal numbers) write in the same partition without pause; one is killed in the
// middle of it; the other must go on, and lose nothing.
BOOST_AUTO_TEST_CASE(equal_pids_in_two_namespaces_do_not_disturb_each_other) {
  if (!may_make_pid_namespaces()) return skipped(kMayNot);
  CreateOptions options = small_segment();
  options.partitions = 1;
  const ScratchSegment segment(options);
  const auto write_without_pause = [&](const std::string& space) {
    return [&segment, space](const Parent& parent) {
      CHILD_CHECK(::getpid() == 1);
      auto registry = segment.attach();
      // The other may hold it for an instant: see below.
      auto first = registry.register_service(space + "/kept");
      while (!first.ok()) first = registry.register_service(space + "/kept");
      Registration kept = std::move(first).value();
      parent.tell();
      for (std::uint64_t i = 0;; ++i) {
        auto brief = registry.register_service(space + "/brief");
        CHILD_CHECK(brief.ok());
        CHILD_CHECK(kept.update({.endpoint = std::to_string(i)}).ok());
        // The other's names are not one's own, though its pid is.
        const auto refused = registry.register_service(space == "a" ? "b/kept" : "a/kept");
        CHILD_CHECK(refused.code() == Errc::already_registered || refused.ok());
        if (i == 200) parent.tell();
      }
    };
  };
  const auto reader = segment.reader();
  Child survivor(write_without_pause("a"), Birth::new_pid_namespace);
  survivor.await();
  survivor.await();
  for (int round = 0; round < 8; ++round) {
    Child victim(write_without_pause("b"), Birth::new_pid_namespace);
    victim.await();
    BOOST_TEST(reader.lookup("b/kept")->pid() == 1U);
    if (round % 2 == 0) victim.await();
    BOOST_TEST(reader.processes()->size() == 2U);
    victim.kill();
    const auto left = reader.lookup("b/kept");
    // The survivor may have taken it at once; the victim's it is not.
    if (left.ok()) BOOST_TEST(reader.processes()->size() == 1U);
    BOOST_TEST(reader.lookup("a/kept").ok());
  }
  // It still writes.
  const std::string before(reader.lookup("a/kept")->endpoint());
  for (int i = 0; i < 1'000 && reader.lookup("a/kept")->endpoint() == before; ++i) {
    ::usleep(10'000);
  }
  BOOST_TEST(reader.lookup("a/kept")->endpoint() != before);
  survivor.kill();
  auto registry = segment.attach();
  BOOST_TEST(registry.register_service("a/kept").ok());
  BOOST_TEST(doctor(segment.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(whether_a_pid_of_another_namespace_lives_is_not_known_but_for_its_wrapper) {
  if (!may_make_pid_namespaces()) return skipped(kMayNot);
  if (!a_child_may([] { return mount_own_proc(); })) return skipped("may not mount a /proc");
  const ScratchSegment segment;
  const auto reader = segment.reader();
  Child wrapper(
      [&](const Parent& parent) {
        CHILD_CHECK(mount_own_proc());
        Child command([](const Parent& self) { self.linger(); });
        auto registry = segment.attach();
        CHILD_CHECK(registry.register_for(Owner::process(command.pid()), "a/alone").ok());
        CHILD_CHECK(registry.register_for(Owner::process(command.pid(), true), "a/wrapped").ok());
        // In its own namespace it is known.
        CHILD_CHECK(registry.lookup("a/alone")->alive() == Alive::yes);
        parent.tell();
        parent.await();
        command.kill();
        CHILD_CHECK(!registry.lookup("a/alone").ok());
        CHILD_CHECK(!registry.lookup("a/wrapped").ok());
        parent.tell();
        parent.linger();
      },
      Birth::new_pid_namespace);
  wrapper.await();
  BOOST_TEST((reader.lookup("a/alone")->alive() == Alive::unknown));
  BOOST_TEST(reader.lookup("a/wrapped").ok());
  wrapper.tell();
  wrapper.await();
  wrapper.kill();
  BOOST_TEST(!reader.lookup("a/wrapped").ok());
}

BOOST_AUTO_TEST_CASE(a_process_is_called_what_it_is_though_proc_numbers_it_otherwise) {
  // /proc here is still the outer namespace's, where pid 1 is somebody else.
  if (!may_make_pid_namespaces()) return skipped(kMayNot);
  const ScratchSegment segment;
  Child inside(
      [&](const Parent& parent) {
        auto registry = segment.attach();
        registry.register_service("a/b").value().release();
        parent.tell();
        parent.linger();
      },
      Birth::new_pid_namespace);
  inside.await();
  const auto processes = segment.reader().processes().value();
  BOOST_TEST_REQUIRE(processes.size() == 1U);
  BOOST_TEST(processes.front().program == "test_registry");
  BOOST_TEST(processes.front().pid == 1U);
}

BOOST_AUTO_TEST_CASE(by_a_proc_of_another_namespace_nobody_is_made_an_owner) {
  // The number of a child in there is, in the outer /proc, nobody's or a stranger's.
  if (!may_make_pid_namespaces()) return skipped(kMayNot);
  const ScratchSegment segment;
  Child inside(
      [&](const Parent&) {
        auto registry = segment.attach();
        Child command([](const Parent& self) { self.linger(); });
        const auto refused = registry.register_for(Owner::process(command.pid()), "a/b");
        CHILD_CHECK(refused.code() == Errc::unsupported);
        CHILD_CHECK(refused.message().find("/proc") != std::string::npos);
        CHILD_CHECK(registry.count().value() == 0);
        // By the kernel's mark it can be one, and its own name again is not another's.
        CHILD_CHECK(registry.register_service("a/b").ok());
      },
      Birth::new_pid_namespace);
  BOOST_TEST(inside.reap() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
