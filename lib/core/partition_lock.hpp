// A partition's lock: one word that names its holder by entry, generation and thread ordinal. Never
// a thread id: those collide across PID namespaces.
//
// It is taken over from a holder that is proven gone (liveness.hpp), or whose entry has moved on to
// another generation (which required the proof). Whoever gets the lock and finds the partition
// dirty repairs it before anything else. Waiting is in slices: the kernel wakes one waiter, and
// that one may be dead before it wakes the next.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>

#include "core/liveness.hpp"
#include "core/segment.hpp"
#include "core/thread_state.hpp"
#include "sys/thread.hpp"

namespace shmreg::core {

// Who writes: one attached life of this process, and what it brings.
struct Writer {
  std::shared_ptr<Segment> segment;
  layout::EntryLife life;
  sys::ProcessIdentity self;
  PidWatch* watch = nullptr;
  std::chrono::nanoseconds lock_timeout{};
};

class PartitionLock {
 public:
  explicit PartitionLock(const Writer& writer) noexcept : writer_(writer) {}
  PartitionLock(const PartitionLock&) = delete;
  PartitionLock& operator=(const PartitionLock&) = delete;
  ~PartitionLock() { release(); }

  // timed_out names the holder; nested_call; corrupt where repair could not make sense of it, or
  // the segment is not whole. busy, without waiting, where that is asked for.
  enum class Wait : bool { no, yes };
  [[nodiscard]] Status acquire(std::uint32_t partition, Wait wait = Wait::yes);
  void release() noexcept;

  // Whether acquire() found, and mended, what a dead writer had left half done.
  [[nodiscard]] bool repaired() const noexcept { return repaired_; }

  [[nodiscard]] layout::Partition& partition() const noexcept { return *partition_; }
  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }

 private:
  [[nodiscard]] bool try_take(std::uint64_t mine);
  [[nodiscard]] Status wait_and_take(std::uint64_t mine);
  void leave() noexcept;

  const Writer& writer_;
  ThreadState* thread_ = nullptr;
  sys::CancellationState cancellation_;
  layout::Partition* partition_ = nullptr;
  std::uint32_t index_ = 0;
  bool repaired_ = false;
};

// Marks a change in progress: between begin and the destructor the partition is dirty, and whoever
// takes the lock of a process that died in between repairs. A change that an exception cut short
// (out of memory) stays dirty too: the next one to take the lock repairs.
class DirtySection {
 public:
  explicit DirtySection(layout::Partition& partition) noexcept : partition_(partition) {
    // Before any store of the change: those are releases too, so who sees one of them sees this.
    partition_.dirty.store(1, std::memory_order_seq_cst);
    // What a killed process leaves is what it did in program order: only the compiler could move a
    // relaxed store of the change to before this one.
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  DirtySection(const DirtySection&) = delete;
  DirtySection& operator=(const DirtySection&) = delete;
  ~DirtySection() {
    if (std::uncaught_exceptions() == exceptions_) {
      partition_.dirty.store(0, std::memory_order_release);
    }
  }

 private:
  layout::Partition& partition_;
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace shmreg::core
