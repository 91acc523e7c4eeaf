// fork, clone, exec: a child owns nothing of its parent's, and a new program nothing of the old
// one's.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <optional>
#include <set>
#include <string>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/scratch_segment.hpp"
#include "support/skipped.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

// What must hold of a child however it was made. The test's process is the parent that owns
// "a/parents" while its child runs.
void a_child_owns_nothing(Birth birth) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  std::optional<Registration> mine = registry.register_service("a/parents").value();
  const std::uint64_t id = mine->id();
  Child child(
      [&](const Parent& parent) {
        // It reads through what it inherited.
        CHILD_CHECK(registry.lookup("a/parents").ok());
        // It unregisters nothing, by call or by destructor.
        CHILD_CHECK(mine->unregister().value() == false);
        mine.reset();
        CHILD_CHECK(registry.lookup("a/parents").ok());
        parent.tell();
        parent.await();

        // Its first write gives it an entry of its own.
        const auto own = registry.register_service("a/childs");
        CHILD_CHECK(own.ok());
        CHILD_CHECK(registry.lookup("a/childs")->pid() == static_cast<std::uint32_t>(::getpid()));
        CHILD_CHECK(registry.register_service("a/parents").code() == Errc::already_registered);
        CHILD_CHECK(registry.unregister("a/parents").code() == Errc::not_owner);
        CHILD_CHECK(registry.unregister("a/parents", {.id = id}).code() == Errc::not_owner);
        CHILD_CHECK(registry.update("a/parents", {}).code() == Errc::not_owner);
        parent.tell();
        parent.linger();
      },
      birth);
  child.await();
  BOOST_TEST(registry.lookup("a/parents")->id() == id);
  BOOST_TEST(registry.processes()->size() == 1U);
  child.tell();
  child.await();
  BOOST_TEST(registry.processes()->size() == 2U);
  BOOST_TEST(registry.lookup("a/childs").ok());
  child.kill();
  BOOST_TEST(!registry.lookup("a/childs").ok());
  BOOST_TEST(registry.lookup("a/parents")->id() == id);
  BOOST_TEST(registry.processes()->size() == 1U);
  BOOST_TEST(mine->unregister().value());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(forks)

BOOST_AUTO_TEST_CASE(a_forked_child_owns_nothing_and_its_first_write_makes_it_one_of_its_own) {
  a_child_owns_nothing(Birth::forked);
}

BOOST_AUTO_TEST_CASE(a_child_of_a_raw_clone_is_told_from_its_parent_as_well) {
  if (kUnderTsan) return skipped("ThreadSanitizer is not told of a raw clone");
  a_child_owns_nothing(Birth::raw_clone);
}

BOOST_AUTO_TEST_CASE(what_the_parent_owns_ends_with_the_parent_though_the_child_lives) {
  const ScratchSegment segment;
  const auto reader = segment.reader();
  Child parent_process([&](const Parent& test) {
    auto registry = segment.attach();
    registry.register_service("a/b").value().release();
    Child child([&](const Parent&) {
      // Not bound to its parent's life, but to the test's: the pipe's end ends it.
      ::prctl(PR_SET_PDEATHSIG, 0);
      test.tell(static_cast<std::uint64_t>(::getpid()));
      test.linger();
    });
    test.linger();
  });
  const auto child = static_cast<pid_t>(parent_process.hear());
  BOOST_TEST(reader.lookup("a/b").ok());
  parent_process.kill();
  BOOST_TEST(::kill(child, 0) == 0);
  // The child still has the parent's descriptors and mapping: neither keeps the service.
  BOOST_TEST(!reader.lookup("a/b").ok());
  auto registry = segment.attach();
  BOOST_TEST(registry.register_service("a/b").ok());
}

BOOST_AUTO_TEST_CASE(a_child_whose_parent_never_wrote_attaches_by_itself) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  Child child([&](const Parent& parent) {
    registry.register_service("a/b").value().release();
    parent.tell();
    parent.linger();
  });
  child.await();
  BOOST_TEST(registry.lookup("a/b")->pid() == static_cast<std::uint32_t>(child.pid()));
  const auto mine = registry.register_service("a/c").value();
  BOOST_TEST(registry.processes()->size() == 2U);
}

BOOST_AUTO_TEST_CASE(each_generation_of_children_has_an_entry_of_its_own) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/0").value();
  Child child([&](const Parent& test) {
    const auto own = registry.register_service("a/1");
    CHILD_CHECK(own.ok());
    Child grandchild([&](const Parent& parent) {
      CHILD_CHECK(registry.lookup("a/1").ok());
      CHILD_CHECK(registry.unregister("a/1").code() == Errc::not_owner);
      registry.register_service("a/2").value().release();
      parent.tell();
      parent.linger();
    });
    grandchild.await();
    test.tell();
    test.await();
    grandchild.kill();
    CHILD_CHECK(!registry.lookup("a/2").ok());
    CHILD_CHECK(registry.lookup("a/1").ok());
    test.tell();
    test.linger();
  });
  child.await();
  std::set<std::uint32_t> entries;
  const auto processes = registry.processes().value();
  for (const auto& process : processes) entries.insert(process.entry);
  BOOST_TEST(entries.size() == 3U);
  child.tell();
  child.await();
  BOOST_TEST(registry.lookup("a/0").ok());
  BOOST_TEST(registry.lookup("a/1").ok());
}

BOOST_AUTO_TEST_CASE(a_forked_child_that_exits_in_order_leaves_its_parents_services) {
  // exit() runs destructors of static objects and what atexit() was told, unlike _exit().
  const ScratchSegment segment;
  Child parent_process([&](const Parent& test) {
    static auto registry = segment.attach();
    static auto mine = registry.register_service("a/b").value();
    const pid_t child = ::fork();
    if (child == 0) {
      mine = Registration();
      registry.register_service("a/childs").value().release();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHILD_CHECK(status == 0);
    CHILD_CHECK(registry.lookup("a/b").ok());
    CHILD_CHECK(!registry.lookup("a/childs").ok());
    test.tell();
    test.linger();
  });
  parent_process.await();
  BOOST_TEST(segment.reader().lookup("a/b").ok());
}

BOOST_AUTO_TEST_CASE(exec_ends_ownership_though_the_process_goes_on) {
  const ScratchSegment segment;
  const auto reader = segment.reader();
  Child child([&](const Parent& parent) {
    auto registry = segment.attach();
    registry.register_service("a/b").value().release();
    parent.tell();
    parent.await();
    ::execl("/bin/sleep", "sleep", "1000", nullptr);
    ::_exit(kFailedCheck);
  });
  child.await();
  BOOST_TEST(reader.lookup("a/b").ok());
  child.tell();
  BOOST_TEST(child.has_closed_its_pipe());
  BOOST_TEST(!reader.lookup("a/b").ok());
  BOOST_TEST(::kill(child.pid(), 0) == 0);
  auto registry = segment.attach();
  BOOST_TEST(registry.register_service("a/b").ok());
  // Its entry is free for others, though its pid goes on.
  BOOST_TEST(registry.processes()->size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
