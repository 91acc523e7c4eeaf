// The process table: claiming an entry, standing for a process, giving it up; and owners that are
// known by their byte lock alone.
#include "core/keeper.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "core/liveness.hpp"
#include "core/process_table.hpp"
#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/sanitizers.hpp"
#include "sys/kernel_mark.hpp"

using namespace shmreg;
using namespace shmreg::test;
using layout::MarkState;

namespace {

std::shared_ptr<core::Segment> attach(const ScratchSegment& scratch) {
  return core::Segment::attach(scratch.file_name(), true, {}).value();
}

// A keeper as an attachment has it.
class Keeper {
 public:
  explicit Keeper(std::shared_ptr<core::Segment> segment)
      : keeper_(std::move(segment), name_lost_) {}
  [[nodiscard]] auto start(const sys::ProcessIdentity& self) { return keeper_.start(self); }
  void stop() { keeper_.stop(); }

 private:
  std::atomic<bool> name_lost_{false};
  core::Keeper keeper_;
};

MarkState mark_of(const core::Segment& segment, std::uint32_t entry) {
  return MarkState::of(segment.entry(entry).mark_and_generation.load());
}

// In a child: from here on as on a kernel whose robust futexes do not work.
void without_marks() { sys::set_kernel_marks_ends(false); }

}  // namespace

BOOST_AUTO_TEST_SUITE(keeper)

BOOST_AUTO_TEST_CASE(an_entry_that_is_claimed_is_locked_marked_and_described) {
  const ScratchSegment scratch(one_partition());
  const auto segment = attach(scratch);
  Keeper own(segment);
  const auto life = own.start(sys::own_identity()).value();
  BOOST_TEST(life.entry == 0U);
  BOOST_TEST(life.generation == 1U);
  BOOST_TEST(core::entry_lives(*segment, life));
  BOOST_TEST(!core::proven_gone(*segment, life));
  BOOST_TEST(segment->file().lock_state(0)->locked);
  BOOST_TEST(core::has_own_entry(*segment, sys::own_identity()));
  BOOST_TEST(core::count_processes(*segment) == 1U);
  const auto identity = core::identity_of_entry(*segment, life);
  BOOST_TEST_REQUIRE(identity.has_value());
  BOOST_TEST(identity->process.pid == sys::own_pid());
  BOOST_TEST(identity->program == "test_core");

  own.stop();
  BOOST_TEST(!core::entry_lives(*segment, life));
  BOOST_TEST(core::proven_gone(*segment, life));
  BOOST_TEST(!segment->file().lock_state(0)->locked);
  BOOST_TEST(!core::has_own_entry(*segment, sys::own_identity()));
  BOOST_TEST(core::count_processes(*segment) == 0U);
}

BOOST_AUTO_TEST_CASE(the_next_claim_of_an_entry_is_another_life_of_it) {
  const ScratchSegment scratch(one_partition());
  const auto segment = attach(scratch);
  for (std::uint32_t generation = 1; generation <= 5; ++generation) {
    Keeper own(segment);
    const auto life = own.start(sys::own_identity()).value();
    BOOST_TEST(life.entry == 0U);
    BOOST_TEST(life.generation == generation);
  }
}

BOOST_AUTO_TEST_CASE(a_killed_owners_entry_is_marked_by_the_kernel_and_claimed_anew) {
  const ScratchSegment scratch(one_partition());
  const auto segment = attach(scratch);
  Child owner([&](const Parent& parent) {
    Keeper own(attach(scratch));
    CHILD_CHECK(own.start(sys::own_identity()).ok());
    parent.tell();
    parent.linger();
  });
  owner.await();
  BOOST_TEST(core::entry_lives(*segment, {0, 1}));
  owner.kill();
  BOOST_TEST((mark_of(*segment, 0).mark & sys::kOwnerDied) != 0U);
  BOOST_TEST(!core::entry_lives(*segment, {0, 1}));
  BOOST_TEST(core::proven_gone(*segment, {0, 1}));
  Keeper own(segment);
  BOOST_TEST(own.start(sys::own_identity())->generation == 2U);
  BOOST_TEST(core::proven_gone(*segment, {0, 1}));
  BOOST_TEST(!core::proven_gone(*segment, {0, 2}));
}

// Two copies of the library in one process are two keepers that know nothing of each other.
BOOST_AUTO_TEST_CASE(two_copies_in_one_process_have_two_entries_and_end_by_themselves) {
  const ScratchSegment scratch(one_partition());
  const auto one = attach(scratch);
  const auto two = attach(scratch);
  Keeper first(one);
  const auto life = first.start(sys::own_identity()).value();
  {
    Keeper second(two);
    const auto other = second.start(sys::own_identity()).value();
    BOOST_TEST(other.entry != life.entry);
    BOOST_TEST(core::entry_lives(*one, other));
  }
  BOOST_TEST(core::entry_lives(*one, life));
  BOOST_TEST(one->file().lock_state(life.entry)->locked);
  BOOST_TEST(!one->file().lock_state(1)->locked);
  first.stop();
  Keeper third(two);
  BOOST_TEST(third.start(sys::own_identity())->entry == life.entry);
}

// Claim: of many claimers, in threads of one process and in several processes, no two get the same
// life of an entry, and no loser marks a winner dead. Method: claim and give up without pause; each
// looks that its own life is alive and locked all along.
BOOST_AUTO_TEST_CASE(racing_claimers_never_share_an_entry) {
  constexpr int kRounds = kSanitized ? 10 : 60;
  const ScratchSegment scratch(one_partition());
  const auto claim_in_rounds = [&] {
    int wrong = 0;
    const auto segment = attach(scratch);
    for (int i = 0; i < kRounds; ++i) {
      Keeper own(segment);
      const auto life = own.start(sys::own_identity());
      if (!life.ok()) {
        if (life.code() != Errc::process_table_full) ++wrong;
        continue;
      }
      for (int look = 0; look < 20; ++look) {
        if (!core::entry_lives(*segment, life.value())) ++wrong;
        if (mark_of(*segment, life->entry).generation != life->generation) ++wrong;
      }
    }
    return wrong;
  };
  Child one([&](const Parent&) { CHILD_CHECK(claim_in_rounds() == 0); });
  Child two([&](const Parent&) { CHILD_CHECK(claim_in_rounds() == 0); });
  int wrong_in_thread = 0;
  std::thread thread([&] { wrong_in_thread = claim_in_rounds(); });
  const int wrong = claim_in_rounds();
  thread.join();
  BOOST_TEST(wrong == 0);
  BOOST_TEST(wrong_in_thread == 0);
  BOOST_TEST(one.reap() == 0);
  BOOST_TEST(two.reap() == 0);
  const auto segment = attach(scratch);
  BOOST_TEST(core::count_processes(*segment) == 0U);
  for (std::uint32_t i = 0; i < 4; ++i) BOOST_TEST(!segment->file().lock_state(i)->locked);
}

BOOST_AUTO_TEST_CASE(a_byte_lock_that_a_stray_close_dropped_is_taken_again_within_two_seconds) {
  const ScratchSegment scratch(one_partition());
  Child owner([&](const Parent& parent) {
    Keeper own(attach(scratch));
    CHILD_CHECK(own.start(sys::own_identity()).ok());
    parent.tell();
    parent.await();
    ::close(::open(scratch.path().c_str(), O_RDONLY));
    parent.tell();
    parent.linger();
  });
  const auto segment = attach(scratch);
  owner.await();
  owner.tell();
  owner.await();
  // Nothing is taken from it meanwhile: it is not marked, and lives by its pidfd.
  BOOST_TEST(!core::proven_gone(*segment, {0, 1}));
  bool locked = false;
  for (int i = 0; i < 400 && !locked; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    locked = segment->file().lock_state(0)->locked;
  }
  BOOST_TEST(locked);
  owner.kill();
  BOOST_TEST(core::proven_gone(*segment, {0, 1}));
}

BOOST_AUTO_TEST_CASE(a_process_marked_though_it_lives_is_told_once_and_attached_anew) {
  const ScratchSegment scratch(one_partition());
  auto registry = scratch.attach();
  auto mine = registry.register_service("a/b").value();
  const auto reader = scratch.reader();
  const auto segment = attach(scratch);
  const MarkState alive = mark_of(*segment, 0);
  segment->entry(0).mark_and_generation.store(MarkState{sys::kOwnerDied, alive.generation}.word());
  BOOST_TEST(!reader.lookup("a/b").ok());
  BOOST_TEST((registry.register_service("a/c").code() == Errc::registration_lost));
  const auto again = registry.register_service("a/b");
  BOOST_TEST(again.ok(), again.message());
  BOOST_TEST(reader.lookup("a/b").ok());
  BOOST_TEST(reader.count().value() == 1U);
  BOOST_TEST(reader.processes()->size() == 1U);
  // The handle of the life before has lost its name.
  BOOST_TEST((mine.update({}).code() == Errc::registration_lost));
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

// --- known by the byte lock alone ----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_owner_known_by_its_byte_lock_is_found_and_killed_it_is_not) {
  const ScratchSegment scratch(one_partition());
  Child owner([&](const Parent& parent) {
    without_marks();
    auto registry = scratch.attach();
    registry.register_service("a/b").value().release();
    CHILD_CHECK(registry.lookup("a/b").ok());
    CHILD_CHECK(registry.info()->liveness == Liveness::byte_lock);
    const auto guarantees = doctor(scratch.name()).guarantees;
    CHILD_CHECK(guarantees.front().find("lock") != std::string::npos);
    parent.tell();
    parent.linger();
  });
  owner.await();
  auto registry = scratch.attach();
  const auto reader = scratch.reader();
  BOOST_TEST(reader.lookup("a/b").ok());
  BOOST_TEST_REQUIRE(reader.processes()->size() == 1U);
  BOOST_TEST((reader.processes()->front().liveness == Liveness::byte_lock));
  BOOST_TEST((reader.info()->liveness == Liveness::kernel_mark));
  BOOST_TEST((registry.register_service("a/b").code() == Errc::already_registered));
  owner.stop();
  BOOST_TEST(reader.lookup("a/b").ok());
  owner.kill();
  BOOST_TEST(!reader.lookup("a/b").ok());
  BOOST_TEST(reader.count().value() == 0U);
  BOOST_TEST(reader.processes()->size() == 1U);  // this one, which wrote above
  BOOST_TEST(registry.register_service("a/b").ok());
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(without_marks_a_clean_detach_frees_the_entry_at_once) {
  const ScratchSegment scratch(one_partition());
  Child owner([&](const Parent& parent) {
    without_marks();
    {
      auto registry = scratch.attach();
      const auto mine = registry.register_service("a/b").value();
    }
    parent.tell();
    parent.linger();
  });
  owner.await();
  const auto reader = scratch.reader();
  BOOST_TEST(!reader.lookup("a/b").ok());
  BOOST_TEST(reader.processes()->empty());
}

BOOST_AUTO_TEST_CASE(without_marks_a_forked_child_and_exec_own_nothing_either) {
  const ScratchSegment scratch(one_partition());
  const auto reader = scratch.reader();
  Child owner([&](const Parent& parent) {
    without_marks();
    auto registry = scratch.attach();
    registry.register_service("a/b").value().release();
    Child child([&](const Parent& from) {
      CHILD_CHECK(registry.register_service("a/b").code() == Errc::already_registered);
      const auto own = registry.register_service("a/c");
      CHILD_CHECK(own.ok());
      from.tell();
      from.linger();
    });
    child.await();
    parent.tell();
    parent.await();
    child.kill();
    CHILD_CHECK(!registry.lookup("a/c").ok());
    CHILD_CHECK(registry.lookup("a/b").ok());
    ::execl("/bin/sleep", "sleep", "1000", nullptr);
    ::_exit(kFailedCheck);
  });
  owner.await();
  BOOST_TEST(reader.lookup("a/c").ok());
  BOOST_TEST(reader.processes()->size() == 2U);
  owner.tell();
  BOOST_TEST(owner.has_closed_its_pipe());
  // exec closes descriptors one after the other: the pipe may go before the segment's file.
  bool gone = false;
  for (int i = 0; i < 1'000 && !gone; ++i) {
    gone = !reader.lookup("a/b").ok();
    if (!gone) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  BOOST_TEST(gone);
}

BOOST_AUTO_TEST_CASE(a_lock_is_taken_over_from_a_killed_holder_known_by_its_byte_lock) {
  const ScratchSegment scratch(one_partition());
  Child owner([&](const Parent& parent) {
    without_marks();
    const Insides own(scratch);
    core::PartitionLock lock(own.writer);
    CHILD_CHECK(lock.acquire(0).ok());
    const core::DirtySection dirty(lock.partition());
    parent.tell();
    parent.linger();
  });
  owner.await();
  const Insides insides(scratch);
  owner.kill();
  BOOST_TEST(insides.add("a/b").ok());
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

// Claim: what a dead owner known by its byte lock had registered stays not found while its entry is
// claimed anew: the claimer's own lock must not be taken for the dead one's life. Method: a reader
// looks without pause while claimers, with and without marks, come and go over the dead one's
// entry.
BOOST_AUTO_TEST_CASE(the_dead_stay_dead_while_their_entry_is_claimed_anew) {
  constexpr int kRounds = kSanitized ? 8 : 40;
  CreateOptions options = one_partition();
  options.max_processes = 1;  // the next claim is of that entry
  const ScratchSegment scratch(options);
  const auto reader = scratch.reader();
  int resurrected = 0;
  for (int round = 0; round < kRounds; ++round) {
    Child owner([&](const Parent& parent) {
      without_marks();
      auto registry = scratch.attach();
      registry.register_service("a/dead").value().release();
      parent.tell();
      parent.linger();
    });
    owner.await();
    owner.kill();
    Child claimer([&](const Parent& parent) {
      if (round % 2 == 0) without_marks();
      Keeper own(attach(scratch));
      CHILD_CHECK(own.start(sys::own_identity()).ok());
      parent.tell();
      parent.await();
      own.stop();
    });
    std::atomic<bool> claimed{false};
    std::thread looker([&] {
      Service found;
      while (!claimed.load()) resurrected += reader.lookup("a/dead", found) == Errc::ok ? 1 : 0;
    });
    claimer.await();
    claimed.store(true);
    looker.join();
    claimer.tell();
    BOOST_TEST(claimer.reap() == 0);
  }
  BOOST_TEST(resurrected == 0);
}

BOOST_AUTO_TEST_SUITE_END()
