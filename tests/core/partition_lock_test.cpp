// A partition's lock: who may take it over, from whom, when; and that nobody else may.
//
// Method throughout: a child holds the lock through the library and is killed, stopped or replaced
// there; the test's process then wants it.
#include "core/partition_lock.hpp"

#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/sanitizers.hpp"

using namespace shmreg;
using namespace shmreg::test;
using core::DirtySection;
using core::PartitionLock;
using layout::LockHolder;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// Holds partition 0 until it is told to let go, then does that and lingers.
void hold_the_lock(const Parent& parent, const ScratchSegment& scratch) {
  const Insides insides(scratch);
  {
    PartitionLock lock(insides.writer);
    CHILD_CHECK(lock.acquire(0).ok());
    parent.tell();
    parent.await();
  }
  parent.tell();
  parent.linger();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(partition_lock)

BOOST_AUTO_TEST_CASE(a_lock_names_its_holder_and_is_free_afterwards) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  auto& word = insides.segment().partition(0).lock;
  {
    PartitionLock lock(insides.writer);
    BOOST_TEST_REQUIRE(lock.acquire(0).ok());
    const auto holder = LockHolder::of(word.load());
    BOOST_TEST(holder.entry == insides.writer.life.entry);
    BOOST_TEST(holder.generation == insides.writer.life.generation);
    BOOST_TEST(holder.thread != 0U);
  }
  BOOST_TEST(word.load() == 0U);
  PartitionLock lock(insides.writer);
  BOOST_TEST(lock.acquire(0).ok());
  lock.release();
  lock.release();  // does no harm
  BOOST_TEST(word.load() == 0U);
}

BOOST_AUTO_TEST_CASE(a_lock_is_taken_over_from_a_killed_holder) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  Child holder([&](const Parent& parent) { hold_the_lock(parent, scratch); });
  holder.await();
  holder.kill();
  BOOST_TEST(insides.segment().partition(0).lock.load() != 0U);
  const auto began = steady_clock::now();
  PartitionLock lock(insides.writer);
  BOOST_TEST(lock.acquire(0).ok());
  BOOST_TEST((steady_clock::now() - began < milliseconds(kSanitized ? 5'000 : 500)));
}

BOOST_AUTO_TEST_CASE(a_lock_is_taken_over_from_a_zombie) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  Child holder([&](const Parent& parent) { hold_the_lock(parent, scratch); });
  holder.await();
  holder.kill_unreaped();
  PartitionLock lock(insides.writer);
  BOOST_TEST(lock.acquire(0).ok());
}

BOOST_AUTO_TEST_CASE(who_waits_while_the_holder_is_killed_gets_the_lock) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  Child holder([&](const Parent& parent) { hold_the_lock(parent, scratch); });
  holder.await();
  Status outcome(Errc::busy);
  std::thread waiter([&] {
    PartitionLock lock(insides.writer);
    outcome = lock.acquire(0);
  });
  std::this_thread::sleep_for(milliseconds(50));
  holder.kill();
  waiter.join();
  BOOST_TEST(outcome.ok(), outcome.message());
}

BOOST_AUTO_TEST_CASE(what_a_killed_holder_left_half_done_is_repaired_before_anything_else) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST_REQUIRE(insides.add("a/" + std::to_string(i)).ok());
  }
  Child holder([&](const Parent& parent) {
    const Insides own(scratch);
    PartitionLock lock(own.writer);
    CHILD_CHECK(lock.acquire(0).ok());
    const DirtySection dirty(lock.partition());
    // The lists in the worst of states, as if in the middle of a change.
    lock.partition().free_cells.store(0);
    lock.partition().free_records.at(0).store(12345);
    lock.partition().services.store(3);
    lock.partition().tombstones.store(17);
    parent.tell();
    parent.linger();
  });
  holder.await();
  holder.kill();
  BOOST_TEST(!doctor(scratch.name()).problems.empty());
  PartitionLock lock(insides.writer);
  BOOST_TEST_REQUIRE(lock.acquire(0).ok());
  BOOST_TEST(lock.partition().dirty.load() == 0U);
  BOOST_TEST(lock.partition().services.load() == 20U);
  lock.release();
  BOOST_TEST(doctor(scratch.name()).problems.empty());
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST((insides.lookup("a/" + std::to_string(i)) == Errc::ok));
  }
}

BOOST_AUTO_TEST_CASE(a_lock_is_taken_over_from_an_earlier_life_of_an_entry) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  // Even of our own entry: reuse required the proof that nothing of the earlier life still runs.
  for (const std::uint32_t thread : {1U, 2U, 65'535U}) {
    const LockHolder earlier{insides.writer.life.entry, insides.writer.life.generation - 1, thread};
    insides.segment().partition(0).lock.store(earlier.word());
    PartitionLock lock(insides.writer);
    BOOST_TEST(lock.acquire(0).ok());
  }
}

BOOST_AUTO_TEST_CASE(a_lock_of_nobody_is_free) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch, milliseconds(2'000));
  // No such entry; an entry that nobody ever claimed.
  for (const LockHolder holder : {LockHolder{60'000, 1, 1}, LockHolder{2, 9, 1}}) {
    insides.segment().partition(0).lock.store(holder.word());
    PartitionLock lock(insides.writer);
    const Status outcome = lock.acquire(0);
    BOOST_TEST(outcome.ok(), outcome.message());
  }
}

BOOST_AUTO_TEST_CASE(a_stopped_holder_keeps_its_lock_and_is_named) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch, milliseconds(300));
  Child holder([&](const Parent& parent) { hold_the_lock(parent, scratch); });
  holder.await();
  holder.stop();
  const auto began = steady_clock::now();
  {
    PartitionLock lock(insides.writer);
    const Status outcome = lock.acquire(0);
    BOOST_TEST((outcome.code() == Errc::timed_out));
    BOOST_TEST(contains(outcome.message(), "pid " + std::to_string(holder.pid())),
               outcome.message());
    BOOST_TEST(contains(outcome.message(), "test_core"), outcome.message());
    BOOST_TEST(contains(outcome.message(), "stopped"), outcome.message());
    BOOST_TEST(contains(outcome.message(), "partition 0"), outcome.message());
  }
  BOOST_TEST((steady_clock::now() - began >= milliseconds(300)));
  // Nothing was taken from it: it goes on as if nothing had been.
  holder.resume();
  holder.tell();
  holder.await();
  PartitionLock lock(insides.writer);
  BOOST_TEST(lock.acquire(0).ok());
}

BOOST_AUTO_TEST_CASE(who_waits_for_whom_can_be_seen) {
  const ScratchSegment scratch(one_partition());
  const auto reader = scratch.reader();
  Child holder([&](const Parent& parent) { hold_the_lock(parent, scratch); });
  holder.await();
  Child waiter([&](const Parent& parent) {
    const Insides insides(scratch);
    parent.tell();
    PartitionLock lock(insides.writer);
    CHILD_CHECK(lock.acquire(0).ok());
    parent.tell();
    parent.linger();
  });
  waiter.await();
  std::string waiting_for;
  for (int i = 0; i < 2'000 && waiting_for.empty(); ++i) {
    std::this_thread::sleep_for(milliseconds(5));
    const auto processes = reader.processes().value();
    for (const ProcessInfo& process : processes) {
      if (process.pid != static_cast<std::uint32_t>(waiter.pid())) continue;
      waiting_for = process.waiting_for.value_or("");
    }
  }
  BOOST_TEST(contains(waiting_for, "partition 0"), waiting_for);
  BOOST_TEST(contains(waiting_for, std::to_string(holder.pid())), waiting_for);
  holder.tell();
  waiter.await();
  const auto processes = reader.processes().value();
  for (const ProcessInfo& process : processes) BOOST_TEST(!process.waiting_for.has_value());
}

BOOST_AUTO_TEST_CASE(a_release_lets_the_next_one_in_long_before_its_time_is_up) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  Child holder([&](const Parent& parent) { hold_the_lock(parent, scratch); });
  holder.await();
  std::thread releaser([&] {
    std::this_thread::sleep_for(milliseconds(30));
    holder.tell();
  });
  const auto began = steady_clock::now();
  PartitionLock lock(insides.writer);
  BOOST_TEST(lock.acquire(0).ok());
  BOOST_TEST((steady_clock::now() - began < milliseconds(10'000)));
  releaser.join();
}

BOOST_AUTO_TEST_CASE(without_waiting_a_held_lock_is_busy) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  Child holder([&](const Parent& parent) { hold_the_lock(parent, scratch); });
  holder.await();
  PartitionLock lock(insides.writer);
  BOOST_TEST((lock.acquire(0, PartitionLock::Wait::no).code() == Errc::busy));
  holder.kill();
  BOOST_TEST(lock.acquire(0, PartitionLock::Wait::no).ok());
}

BOOST_AUTO_TEST_CASE(the_lock_of_one_partition_holds_up_nobody_in_another) {
  CreateOptions options = one_partition();
  options.partitions = 2;
  const ScratchSegment scratch(options);
  const Insides insides(scratch, milliseconds(100));
  Child holder([&](const Parent& parent) { hold_the_lock(parent, scratch); });
  holder.await();
  holder.stop();
  PartitionLock lock(insides.writer);
  BOOST_TEST(lock.acquire(1).ok());
}

// Claim: a thread that was in the middle of a change when another thread of its process called exec
// holds its lock no longer, though its pid goes on as another program.
BOOST_AUTO_TEST_CASE(a_lock_is_taken_over_from_a_process_that_was_replaced_by_exec) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch, milliseconds(5'000));
  Child holder([&](const Parent&) {
    const Insides own(scratch);
    std::atomic<bool> held{false};
    std::thread thread([&] {
      PartitionLock lock(own.writer);
      CHILD_CHECK(lock.acquire(0).ok());
      const DirtySection dirty(lock.partition());
      held.store(true);
      stay_until_killed();
    });
    while (!held.load()) std::this_thread::yield();
    ::execl("/bin/sleep", "sleep", "1000", nullptr);
    ::_exit(kFailedCheck);
  });
  BOOST_TEST(holder.has_closed_its_pipe());
  BOOST_TEST(::kill(holder.pid(), 0) == 0);
  PartitionLock lock(insides.writer);
  const Status outcome = lock.acquire(0);
  BOOST_TEST(outcome.ok(), outcome.message());
  lock.release();
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

// Claim: one at a time. Method: threads of two processes change, under the lock, two plain words
// that must always be equal.
BOOST_AUTO_TEST_CASE(at_most_one_holds_the_lock) {
  constexpr int kTurns = kSanitized ? 500 : 4'000;
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  const auto take_turns = [&](const Insides& own) {
    int wrong = 0;
    // The reserve of the partition serves as the two words.
    auto* words =
        reinterpret_cast<volatile std::uint32_t*>(&own.segment().partition(0).reserve3.at(0));
    for (int i = 0; i < kTurns; ++i) {
      PartitionLock lock(own.writer);
      if (!lock.acquire(0).ok() || words[0] != words[1]) ++wrong;
      words[0] = words[0] + 1;
      words[1] = words[1] + 1;
    }
    return wrong;
  };
  Child other([&](const Parent&) {
    const Insides own(scratch);
    CHILD_CHECK(take_turns(own) == 0);
  });
  int wrong = 0;
  std::thread second([&] { wrong += take_turns(insides); });
  const int own_wrong = take_turns(insides);
  second.join();
  BOOST_TEST(other.reap() == 0);
  BOOST_TEST(wrong + own_wrong == 0);
  BOOST_TEST((insides.segment().partition(0).reserve3.at(0) & 0xffff'ffff) == 3U * kTurns);
}

BOOST_AUTO_TEST_SUITE_END()
