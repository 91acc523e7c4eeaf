// Who lives: owners named by pid, through descriptors that are kept; and messages that name people.
#include "core/liveness.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <memory>
#include <vector>

#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/resources.hpp"

using namespace shmreg;
using namespace shmreg::test;
using core::PidWatch;

namespace {

sys::ProcessIdentity identity_of(const Child& child) {
  return sys::identity_of(static_cast<std::uint32_t>(child.pid())).value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(liveness)

BOOST_AUTO_TEST_CASE(a_watched_pid_lives_until_its_process_has_ended) {
  PidWatch watch;
  Child child([](const Parent& parent) { parent.linger(); });
  const auto identity = identity_of(child);
  for (int i = 0; i < 3; ++i) BOOST_TEST((watch.ask(identity) == Alive::yes));
  child.stop();
  BOOST_TEST((watch.ask(identity) == Alive::yes));
  child.kill_unreaped();
  for (int i = 0; i < 3; ++i) BOOST_TEST((watch.ask(identity) == Alive::no));
  (void)child.reap();
  BOOST_TEST((watch.ask(identity) == Alive::no));
}

BOOST_AUTO_TEST_CASE(a_pid_that_has_come_round_is_another_process) {
  PidWatch watch;
  Child child([](const Parent& parent) { parent.linger(); });
  auto earlier = identity_of(child);
  earlier.start_ticks -= 1;  // the process that had this number before
  BOOST_TEST((watch.ask(earlier) == Alive::no));
  BOOST_TEST((watch.ask(identity_of(child)) == Alive::yes));
  BOOST_TEST((watch.ask(earlier) == Alive::no));
}

BOOST_AUTO_TEST_CASE(a_pid_of_another_namespace_cannot_be_judged) {
  PidWatch watch;
  Child child([](const Parent& parent) { parent.linger(); });
  auto elsewhere = identity_of(child);
  elsewhere.pid_namespace += 1;
  BOOST_TEST((watch.ask(elsewhere) == Alive::unknown));
  elsewhere = identity_of(child);
  elsewhere.start_ticks = 0;
  BOOST_TEST((watch.ask(elsewhere) == Alive::unknown));
}

BOOST_AUTO_TEST_CASE(more_pids_than_are_kept_are_all_judged_and_descriptors_stay_bounded) {
  PidWatch watch;
  std::vector<std::unique_ptr<Child>> children;
  std::vector<sys::ProcessIdentity> identities;
  for (int i = 0; i < 80; ++i) {
    children.push_back(std::make_unique<Child>([](const Parent& parent) { parent.linger(); }));
    identities.push_back(identity_of(*children.back()));
  }
  const int before = open_descriptors();
  for (int round = 0; round < 3; ++round) {
    for (const auto& identity : identities) BOOST_TEST((watch.ask(identity) == Alive::yes));
  }
  BOOST_TEST(open_descriptors() <= before + 2 * 64);  // a pidfd and a /proc/PID/stat each
  for (std::size_t i = 0; i < children.size(); i += 2) children[i]->kill();
  for (std::size_t i = 0; i < children.size(); ++i) {
    BOOST_TEST((watch.ask(identities[i]) == (i % 2 == 0 ? Alive::no : Alive::yes)));
  }
}

BOOST_AUTO_TEST_CASE(an_entry_is_described_by_pid_program_and_state) {
  const ScratchSegment scratch(one_partition());
  Child child([&](const Parent& parent) {
    const Insides own(scratch);
    parent.tell(own.writer.life.entry);
    parent.linger();
  });
  const auto entry = static_cast<std::uint32_t>(child.hear());
  const Insides insides(scratch);
  const layout::EntryLife life{entry, 1};
  const std::string name = "pid " + std::to_string(child.pid()) + " (test_core)";
  BOOST_TEST(core::describe_entry(insides.segment(), life) == name);
  child.stop();
  BOOST_TEST(core::describe_entry(insides.segment(), life) == name + ", stopped");
  child.kill();
  BOOST_TEST(core::describe_entry(insides.segment(), life) == name + ", ended");
  BOOST_TEST(core::describe_entry(insides.segment(), {entry, 7}) == "a process that has ended");
  BOOST_TEST(core::describe_entry(insides.segment(), {60'000, 1}) == "a process that has ended");
}

BOOST_AUTO_TEST_CASE(nobody_lives_in_an_entry_that_does_not_exist_or_was_never_claimed) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  BOOST_TEST(!core::entry_lives(insides.segment(), {60'000, 1}));
  BOOST_TEST(!core::entry_lives(insides.segment(), {3, 0}));
  BOOST_TEST(!core::entry_lives(insides.segment(), {3, 1}));
  BOOST_TEST(core::proven_gone(insides.segment(), {60'000, 1}));
  BOOST_TEST(core::proven_gone(insides.segment(), {3, 1}));
  BOOST_TEST(core::entry_lives(insides.segment(), insides.writer.life));
  BOOST_TEST(!core::proven_gone(insides.segment(), insides.writer.life));
}

BOOST_AUTO_TEST_SUITE_END()
