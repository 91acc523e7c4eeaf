#include "sys/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

namespace shmreg::sys {

Slept futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                 std::chrono::nanoseconds slice) noexcept {
  const int saved_errno = errno;
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(slice.count() / 1'000'000'000);
  timeout.tv_nsec = static_cast<long>(slice.count() % 1'000'000'000);
  // Not FUTEX_PRIVATE: waiter and waker are different processes.
  const long woken = ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
  const bool interrupted = woken < 0 && errno == EINTR;
  errno = saved_errno;
  return interrupted ? Slept::interrupted : Slept::through;
}

namespace {

// As linux/futex.h has it from 5.16 on; the headers that this is built with may be older.
struct WaitvEntry {
  std::uint64_t expected;
  std::uint64_t address;
  std::uint32_t flags;
  std::uint32_t reserved;
};
constexpr long kFutexWaitv = 449;
constexpr std::uint32_t kFutex32 = 2;  // FUTEX_32

// Relaxed: a stale answer costs one more call.
std::atomic<bool> has_futex_waitv{true};

}  // namespace

Slept futex_wait_any(std::span<const AwaitedWord> words, std::chrono::nanoseconds slice) noexcept {
  if (words.empty()) return Slept::through;
  const std::size_t count = std::min(words.size(), kMostAwaitedWords);
  if (count < words.size()) slice = std::min<std::chrono::nanoseconds>(slice, kShortSlice);
  if (words.size() > 1 && has_futex_waitv.load(std::memory_order_relaxed)) {
    std::array<WaitvEntry, kMostAwaitedWords> entries;  // NOLINT(*-member-init): filled as needed
    for (std::size_t i = 0; i < count; ++i) {
      entries[i] = {words[i].expected, reinterpret_cast<std::uint64_t>(words[i].word), kFutex32, 0};
    }
    // An absolute time, of the clock that is named.
    timespec until{};
    ::clock_gettime(CLOCK_MONOTONIC, &until);
    const std::int64_t ns = until.tv_nsec + slice.count();
    until.tv_sec += static_cast<time_t>(ns / 1'000'000'000);
    until.tv_nsec = static_cast<long>(ns % 1'000'000'000);
    const int saved_errno = errno;
    const long woken = ::syscall(kFutexWaitv, entries.data(), count, 0, &until, CLOCK_MONOTONIC);
    const bool missing = woken < 0 && (errno == ENOSYS || errno == EPERM);
    const bool interrupted = woken < 0 && errno == EINTR;
    errno = saved_errno;
    if (interrupted) return Slept::interrupted;
    if (!missing) return Slept::through;
    has_futex_waitv.store(false, std::memory_order_relaxed);
  }
  for (const AwaitedWord& each : words) {
    if (each.word->load(std::memory_order_acquire) != each.expected) return Slept::through;
  }
  if (words.size() > 1) slice = std::min<std::chrono::nanoseconds>(slice, kShortSlice);
  return futex_wait(*words.front().word, words.front().expected, slice);
}

void futex_wake(const std::atomic<std::uint32_t>& word, int waiters) noexcept {
  const int saved_errno = errno;
  ::syscall(SYS_futex, &word, FUTEX_WAKE, waiters, nullptr, nullptr, 0);
  errno = saved_errno;
}

}  // namespace shmreg::sys
