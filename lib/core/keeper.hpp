// The thread that stands for a process in the process table. It claims an entry, lives as long as
// the process stays attached, and its end is what the kernel marks.
//
// Order of a claim, each step closing a hole that another order leaves open:
//   1. the entry's byte lock: no other process can be claiming it (an entry already locked is
//      skipped);
//   2. the thread's robust list points at the entry's word: from here on its death marks the word,
//      if the word holds its thread id;
//   3. one CAS of (generation, ended or free) to (generation + 1, thread id).
// Killed before 3: nothing happened. Killed after 3: marked. A process that stored its id before 2
// and was killed between would live for ever. A loser of 3 lost to another thread, or another copy
// of this library, in its own process (others are kept out by 1): it disarms and leaves the lock,
// which is the process's, alone.
//
// Detaching: mark oneself (the thread id goes, so the kernel will not), disarm, end, and last give
// up the byte lock.
//
// Meanwhile it looks after its neighbours (neighbours.hpp). Once a second it takes the byte lock
// again (a stranger's close() in this process drops it) and looks whether the segment still has its
// name and its length.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/segment.hpp"
#include "sys/kernel_mark.hpp"
#include "sys/process.hpp"
#include "sys/thread.hpp"

namespace shmreg::core {

class Keeper {
 public:
  // `name_lost` outlives it: set while the segment's file has lost its name, as seen within the
  // last second.
  Keeper(std::shared_ptr<Segment> segment, std::atomic<bool>& name_lost)
      : segment_(std::move(segment)), name_lost_(name_lost) {}
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper();

  // Claims an entry for `self`. process_table_full, no_space (no thread), no_space (no locks).
  [[nodiscard]] Result<layout::EntryLife> start(const sys::ProcessIdentity& self);
  // Detaches: the entry is free for others when this returns.
  void stop() noexcept;
  // In a forked child there is no thread and the entry is the parent's: forget both.
  void abandon() noexcept;

 private:
  enum Phase : std::uint32_t { kStarting, kClaimed, kFailed, kStop };

  void run() noexcept;
  [[nodiscard]] Status claim();
  [[nodiscard]] bool try_claim(std::uint32_t entry, Status& failure);
  void give_back_lock(const layout::EntryLife& life) const;
  void introduce(std::uint32_t entry) noexcept;
  void keep() noexcept;
  void check_file() noexcept;
  void give_up() noexcept;

  std::shared_ptr<Segment> segment_;
  sys::ProcessIdentity self_;
  std::unique_ptr<sys::KernelMark> mark_;
  sys::Thread thread_;
  std::atomic<std::uint32_t> phase_{kStarting};
  std::atomic<bool>& name_lost_;
  bool by_mark_ = true;  // else by the byte lock
  layout::EntryLife life_{};
  std::uint32_t thread_id_ = 0;
  Status failure_;
};

}  // namespace shmreg::core
