#include "sys/fork_epoch.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include <atomic>
#include <ctime>

#include "sys/shared_file.hpp"
#include "sys/thread.hpp"

namespace shmreg::sys {
namespace {

std::atomic<std::uint32_t>* wiped = nullptr;

std::atomic<std::uint32_t>* wiped_page() noexcept {
  static std::atomic<std::uint32_t>* const page = [] {
    void* at =
        ::mmap(nullptr, page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static std::atomic<std::uint32_t> fallback{0};
    if (at == MAP_FAILED) return &fallback;  // no memory for one page: nothing else will work
    ::madvise(at, page_bytes(), MADV_WIPEONFORK);
    auto* const word = new (at) std::atomic<std::uint32_t>(0);
    // The second line, for where the kernel or sandbox knows no MADV_WIPEONFORK: sees fork(), not a
    // raw clone.
    wiped = word;
    ::pthread_atfork(nullptr, nullptr, [] { wiped->store(0, std::memory_order_release); });
    return word;
  }();
  return page;
}

// The highest epoch of this process and those it descends from: ordinary memory, so that a child
// knows its parent's.
std::atomic<std::uint32_t> last_epoch{0};

}  // namespace

std::uint32_t fork_epoch() noexcept {
  std::atomic<std::uint32_t>& word = *wiped_page();
  const std::uint32_t epoch = word.load(std::memory_order_acquire);
  if (epoch != 0) return epoch;
  const std::uint32_t fresh = last_epoch.fetch_add(1, std::memory_order_acq_rel) + 1;
  std::uint32_t none = 0;
  return word.compare_exchange_strong(none, fresh, std::memory_order_acq_rel) ? fresh : none;
}

bool ForkAwareMutex::try_lock() noexcept {
  const std::uint64_t free = std::uint64_t{fork_epoch()} << 1;
  const std::uint64_t held = free | 1;
  std::uint64_t seen = epoch_and_held_.load(std::memory_order_relaxed);
  // Held, but by a thread of the parent: as good as free.
  return seen != held &&
         epoch_and_held_.compare_exchange_strong(seen, held, std::memory_order_acquire);
}

void ForkAwareMutex::lock() noexcept {
  for (int spins = 0; !try_lock(); ++spins) {
    if (spins < 100) {
      ::sched_yield();
    } else {
      const timespec nap{0, 50'000};
      const NoCancellation no_cancellation;
      ::nanosleep(&nap, nullptr);
    }
  }
}

void ForkAwareMutex::unlock() noexcept {
  epoch_and_held_.store(std::uint64_t{fork_epoch()} << 1, std::memory_order_release);
}

}  // namespace shmreg::sys
