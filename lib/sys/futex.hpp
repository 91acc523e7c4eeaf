// Waiting on a 32-bit word of shared memory. The kernel wakes one waiter, and that one may die
// before it acts (the next would sleep on): every wait is therefore a slice, after which the caller
// looks again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace shmreg::sys {

// Whether a signal handler ran that ended the sleep. (Of one that was installed with SA_RESTART the
// kernel sleeps on.)
enum class Slept : std::uint8_t { through, interrupted };

// Sleeps while `word` holds `expected`, for at most `slice`. Returns for any reason: a wake, the
// slice's end, a signal, another value.
Slept futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                 std::chrono::nanoseconds slice) noexcept;

void futex_wake(const std::atomic<std::uint32_t>& word, int waiters) noexcept;

struct AwaitedWord {
  const std::atomic<std::uint32_t>* word = nullptr;
  std::uint32_t expected = 0;
};
inline constexpr std::size_t kMostAwaitedWords = 128;  // FUTEX_WAITV_MAX

// Sleeps while every word holds what is expected of it, for at most `slice`. Of more than
// kMostAwaitedWords, or before Linux 5.16 (no futex_waitv) of more than one, it sleeps on the first
// ones and for at most `kShortSlice`: the caller looks at all of them after each slice.
inline constexpr std::chrono::milliseconds kShortSlice{10};
Slept futex_wait_any(std::span<const AwaitedWord> words, std::chrono::nanoseconds slice) noexcept;

}  // namespace shmreg::sys
