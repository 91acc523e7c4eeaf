// The processes of a question: forked, spoken to through memory that they share, and gone when the
// question is.
#pragma once

#include <sys/mman.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace shmreg::scale {

// A T that is shared with every process forked later.
template <class T>
class Common {
 public:
  Common() {
    void* const at =
        ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    value_ = new (at) T();
  }
  Common(const Common&) = delete;
  Common& operator=(const Common&) = delete;
  ~Common() { ::munmap(value_, sizeof(T)); }
  static_assert(std::is_trivially_destructible_v<T>);

  T& operator*() const noexcept { return *value_; }
  T* operator->() const noexcept { return value_; }

 private:
  T* value_;
};

// Bare futex calls on shared memory: what a wake-up costs at the least.
using FutexWord = std::atomic<std::uint32_t>;
// Sleeps while the word is `seen`, at most so long (0: no limit).
void futex_sleep(const FutexWord& word, std::uint32_t seen, unsigned limit_ms = 0);
void futex_wake_all(const FutexWord& word);

class Crew {
 public:
  Crew() = default;
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew();  // kills those that are left

  // A process that does this and ends; with an exception it fails, and says why. It has a copy of
  // everything, and dies with this process.
  pid_t start(const std::function<void()>& work);
  // Sends it SIGKILL; it is on its way out then, and to be buried.
  void kill(pid_t process);
  // Until one that was killed is gone.
  void bury(pid_t process);
  // SIGSTOP or SIGCONT, and until it has come about.
  static void stop(pid_t process);
  static void resume(pid_t process);
  // Throws where one has failed.
  void check();
  // Until all have ended well.
  void await_all();
  // Until `word` is at least `value`. Throws where one has failed meanwhile.
  void await(const FutexWord& word, std::uint32_t value);

  // Until all threads of all of them sleep, but for those that were killed.
  void await_sleep();

 private:
  [[nodiscard]] static bool sleeps(pid_t process);
  void forget(pid_t process, int status);

  std::vector<pid_t> processes_;
  std::vector<pid_t> killed_;  // not among those
};

// A number that only grows and that processes wait for.
class Step {
 public:
  [[nodiscard]] std::uint32_t now() const noexcept { return word_.load(std::memory_order_acquire); }
  [[nodiscard]] const FutexWord& word() const noexcept { return word_; }
  void advance() {
    word_.fetch_add(1, std::memory_order_acq_rel);
    futex_wake_all(word_);
  }
  // In a process of the crew: until it is at least `value`.
  void await(std::uint32_t value) const {
    for (std::uint32_t seen = now(); seen < value; seen = now()) futex_sleep(word_, seen);
  }

 private:
  FutexWord word_{0};
};

}  // namespace shmreg::scale
