// Waiting on a 32-bit word of shared memory. The kernel wakes one waiter, and that one may die
// before it acts (the next would sleep on): every wait is therefore a slice, after which the caller
// looks again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace shmreg::sys {

// Sleeps while `word` holds `expected`, for at most `slice`. Returns for any reason: a wake, the
// slice's end, a signal, another value.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::chrono::nanoseconds slice) noexcept;

void futex_wake(const std::atomic<std::uint32_t>& word, int waiters) noexcept;

}  // namespace shmreg::sys
