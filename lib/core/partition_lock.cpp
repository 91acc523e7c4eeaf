#include "core/partition_lock.hpp"

#include <algorithm>
#include <string>

#include "core/planted_fault.hpp"
#include "core/repair.hpp"
#include "sys/clock.hpp"
#include "sys/futex.hpp"
#include "sys/thread.hpp"

namespace shmreg::core {
namespace {

using layout::LockHolder;

constexpr std::chrono::milliseconds kLockSlice{2};
constexpr int kSpins = 200;

}  // namespace

// Modelled in tests/model/lock.pml: try_take.
bool PartitionLock::try_take(std::uint64_t mine) {
  std::uint64_t seen = partition_->lock.load(std::memory_order_acquire);
  if (seen == mine) return true;  // left behind by this very thread (longjmp)
  if (seen != 0 && !planted(Fault::lock_from_anyone)) {
    const LockHolder holder = LockHolder::of(seen);
    if (!proven_gone(*writer_.segment, {holder.entry, holder.generation})) return false;
  }
  return partition_->lock.compare_exchange_strong(seen, mine, std::memory_order_acq_rel);
}

// Modelled in tests/model/waiter.pml, as is release().
Status PartitionLock::wait_and_take(std::uint64_t mine) {
  for (int spin = 0; spin < kSpins; ++spin) {
    std::uint64_t free = 0;
    if (partition_->lock.load(std::memory_order_relaxed) == 0 &&
        partition_->lock.compare_exchange_strong(free, mine, std::memory_order_acq_rel)) {
      return {};
    }
    sys::relax_cpu();
  }
  const std::uint64_t deadline =
      sys::monotonic_clock_ns() +
      static_cast<std::uint64_t>(std::max<std::int64_t>(writer_.lock_timeout.count(), 0));
  layout::Word32& waiting_for = writer_.segment->entry(writer_.life.entry).waiting_for;
  waiting_for.store(index_ + 1, std::memory_order_relaxed);
  Status outcome;
  while (!try_take(mine)) {
    if (sys::monotonic_clock_ns() >= deadline) {
      const LockHolder holder = LockHolder::of(partition_->lock.load(std::memory_order_acquire));
      outcome = Status(Errc::timed_out,
                       "partition " + std::to_string(index_) + " is locked by thread " +
                           std::to_string(holder.thread) + " of " +
                           describe_entry(*writer_.segment, {holder.entry, holder.generation}) +
                           "; continue or end that process");
      break;
    }
    partition_->contended.store(1, std::memory_order_seq_cst);
    if (partition_->lock.load(std::memory_order_seq_cst) != 0) {
      sys::futex_wait(partition_->contended, 1, kLockSlice);
    }
  }
  waiting_for.store(0, std::memory_order_relaxed);
  // Others may be waiting behind us, and the wake that let us in cleared the word.
  if (outcome.ok()) partition_->contended.store(1, std::memory_order_relaxed);
  return outcome;
}

// Modelled in tests/model/lock.pml: Thread, from next_operation on.
Status PartitionLock::acquire(std::uint32_t partition, Wait wait) {
  ThreadState& thread = ThreadState::current();
  if (thread.ordinal() == 0) {
    return {Errc::no_space,
            "65535 threads of this process have written and not ended, which is as many as can"};
  }
  if (!thread.enter(writer_.segment, __builtin_frame_address(0))) {
    return {Errc::nested_call,
            "a signal handler called a writing operation while another was under way"};
  }
  cancellation_.disable();
  index_ = partition;
  partition_ = &writer_.segment->partition(partition);
  const std::uint64_t mine =
      LockHolder{writer_.life.entry, writer_.life.generation, thread.ordinal()}.word();
  thread.hold(partition_, mine);
  thread_ = &thread;
  std::uint64_t free = 0;
  if (!partition_->lock.compare_exchange_strong(free, mine, std::memory_order_acq_rel) &&
      !try_take(mine)) {
    Status waited = wait == Wait::no ? Status(Errc::busy) : wait_and_take(mine);
    if (!waited) {
      leave();
      return waited;
    }
  }
  // Nothing is concluded from, or repaired by, what a truncation has left.
  if (!writer_.segment->whole()) {
    release();
    return Segment::truncated();
  }
  if (!planted(Fault::dirty_ignored) && partition_->dirty.load(std::memory_order_acquire) != 0) {
    if (Status repaired = repair_partition(writer_, index_); !repaired) {
      release();
      return repaired;
    }
    repaired_ = true;
  }
  return {};
}

void PartitionLock::leave() noexcept {
  thread_->forget();
  thread_->leave();
  thread_ = nullptr;
  cancellation_.restore();
}

void PartitionLock::release() noexcept {
  if (thread_ == nullptr) return;
  partition_->lock.store(0, std::memory_order_seq_cst);
  if (partition_->contended.load(std::memory_order_seq_cst) != 0 &&
      partition_->contended.exchange(0, std::memory_order_seq_cst) != 0) {
    sys::futex_wake(partition_->contended, 1);
  }
  leave();
}

}  // namespace shmreg::core
