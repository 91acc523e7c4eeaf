// Tells a forked child from its parent, raw clone included: a page that the kernel hands to the
// child zeroed (MADV_WIPEONFORK, Linux 4.14). pthread_atfork misses clone and vfork-like calls.
#pragma once

#include <atomic>
#include <cstdint>

namespace shmreg::sys {

// A number that is the same for the life of a process and another one in every child of it that
// shares no memory with it. Never 0. One load where nothing happened.
[[nodiscard]] std::uint32_t fork_epoch() noexcept;

// A mutex among the threads of this process. One word holds epoch and state, so a lock that was
// held when the process forked is free in the child, where its holder does not exist. Held for
// microseconds at most: contention yields and naps, no queue.
class ForkAwareMutex {
 public:
  void lock() noexcept;
  [[nodiscard]] bool try_lock() noexcept;
  void unlock() noexcept;

 private:
  std::atomic<std::uint64_t> epoch_and_held_{0};
};

}  // namespace shmreg::sys
