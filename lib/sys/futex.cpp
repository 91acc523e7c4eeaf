#include "sys/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace shmreg::sys {

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::chrono::nanoseconds slice) noexcept {
  const int saved_errno = errno;
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(slice.count() / 1'000'000'000);
  timeout.tv_nsec = static_cast<long>(slice.count() % 1'000'000'000);
  // Not FUTEX_PRIVATE: waiter and waker are different processes.
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
  errno = saved_errno;
}

void futex_wake(const std::atomic<std::uint32_t>& word, int waiters) noexcept {
  const int saved_errno = errno;
  ::syscall(SYS_futex, &word, FUTEX_WAKE, waiters, nullptr, nullptr, 0);
  errno = saved_errno;
}

}  // namespace shmreg::sys
