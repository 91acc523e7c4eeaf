// What the processes of one test share: counters, gates, and what any of them has to complain of.
// Memory of the test's own, apart from the segment that it tortures.
#pragma once

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <new>
#include <string>
#include <system_error>

namespace torture {

using Counter = std::atomic<std::uint64_t>;

// A T that forked children share with their parent, zeroed. T holds atomics alone.
template <class T>
class CommonGround {
 public:
  CommonGround() {
    void* memory =
        ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    ground_ = new (memory) T();
  }
  CommonGround(const CommonGround&) = delete;
  CommonGround& operator=(const CommonGround&) = delete;
  ~CommonGround() { ::munmap(ground_, sizeof(T)); }

  T* operator->() const noexcept { return ground_; }
  T& operator*() const noexcept { return *ground_; }

 private:
  T* ground_ = nullptr;
};

// A number that goes up, and that others sleep on until it has.
class Gate {
 public:
  [[nodiscard]] std::uint32_t value() const noexcept {
    return word_.load(std::memory_order_acquire);
  }
  void open(std::uint32_t value) noexcept;
  void advance() noexcept;
  void await(std::uint32_t value) const noexcept;
  // False where it did not come to it in time.
  [[nodiscard]] bool await(std::uint32_t value, std::chrono::milliseconds patience) const noexcept;

 private:
  std::atomic<std::uint32_t> word_{0};
};

// The first few complaints in full, and how many there were. From any process, any thread.
class Complaints {
 public:
  void add(const std::string& text) noexcept;
  [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(); }
  // All in one text, empty where there is none.
  [[nodiscard]] std::string text() const;

 private:
  static constexpr std::size_t kKept = 8;
  static constexpr std::size_t kBytes = 600;
  std::atomic<std::uint64_t> count_{0};
  std::array<std::array<std::atomic<char>, kBytes>, kKept> texts_{};
};

// The counter's largest.
inline void raise_to(Counter& counter, std::uint64_t value) noexcept {
  std::uint64_t seen = counter.load(std::memory_order_relaxed);
  while (seen < value && !counter.compare_exchange_weak(seen, value)) {
  }
}

[[nodiscard]] std::uint64_t now_ns() noexcept;
// Looks at `word` until it is not 0, for a few milliseconds at most: to hit a process while it is
// at something that it does often and briefly.
void await_any(const std::atomic<std::uint32_t>& word) noexcept;
// Sleeps, or for less than a timer can measure, spins.
void pass(std::chrono::nanoseconds span) noexcept;

}  // namespace torture
