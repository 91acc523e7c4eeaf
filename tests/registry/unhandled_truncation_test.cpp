// A segment's file is truncated while processes are attached that wanted no SIGBUS handler of ours.
//
// Claim: each access to what has gone is the process's end, as it would have been; a handler of the
// program's own that asks the library saves it. This is also the proof that truncated_test.cpp
// proves something: the same accesses end a process whose SIGBUS nobody handles.
// Method: children attach, the test truncates; what a child dies of is its exit status.
#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>
#include <vector>

#include "registry/truncation.hpp"
#include "shmreg/bus_error.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

Registry attach_without_handler(const ScratchSegment& segment) {
  AttachOptions options;
  options.handle_bus_errors = false;
  return Registry::attach(segment.name(), options);
}

void dies_of(void (*access)(Registry& registry, std::vector<Registration>& mine)) {
  const ScratchSegment segment(small_segment());
  Child child([&](const Parent& parent) {
    leave_sigbus_to_the_kernel();
    auto registry = attach_without_handler(segment);
    auto mine = fill(registry);
    parent.tell();
    parent.await();
    access(registry, mine);
  });
  child.await();
  truncate(segment, 0);
  child.tell();
  BOOST_TEST(child.reap() == kDiedOfSigbus);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(truncated)

BOOST_AUTO_TEST_CASE(switched_off_each_access_is_the_end_as_it_would_have_been) {
  dies_of([](Registry& registry, auto&) { check_lookups(registry); });
  dies_of([](Registry& registry, auto&) { check_lists(registry); });
  dies_of([](Registry& registry, auto&) { (void)registry.processes().ok(); });
  dies_of([](Registry& registry, auto&) { (void)registry.register_service("a/new").ok(); });
  dies_of([](Registry& registry, auto&) { (void)registry.unregister(name_of(1)).ok(); });
  dies_of([](Registry&, auto& mine) { (void)mine[1].update({}).ok(); });
  dies_of([](Registry&, auto& mine) { mine[1] = Registration(); });
  dies_of([](Registry&, auto&) {  // the keeper
    std::this_thread::sleep_for(std::chrono::seconds(60));
  });
}

BOOST_AUTO_TEST_CASE(switched_off_a_handler_of_the_programs_own_that_asks_us_saves_it) {
  const ScratchSegment segment(small_segment());
  Child child([&](const Parent& parent) {
    struct sigaction own {};
    own.sa_flags = SA_SIGINFO;
    own.sa_sigaction = [](int, siginfo_t* info, void*) {
      if (!handle_sigbus(info)) ::_exit(kFailedCheck);
    };
    CHILD_CHECK(::sigaction(SIGBUS, &own, nullptr) == 0);
    auto registry = attach_without_handler(segment);
    auto mine = fill(registry);
    parent.tell();
    parent.await();
    check_lookups(registry);
    check_lists(registry);
    check_writes(registry, mine);
    struct sigaction now {};
    CHILD_CHECK(::sigaction(SIGBUS, nullptr, &now) == 0);
    CHILD_CHECK(now.sa_sigaction == own.sa_sigaction);
  });
  child.await();
  truncate(segment, 0);
  child.tell();
  BOOST_TEST(child.reap() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
