// A thread of the library inside somebody else's program: takes no signals but SIGBUS (see
// bus_error.hpp), has default scheduling and every processor whatever its creator had, and a small
// stack.
#pragma once

#include <pthread.h>

#include <functional>

namespace shmreg::sys {

class Thread {
 public:
  Thread() noexcept = default;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() = default;  // join() first, or abandon()

  // False where the process may have no more threads (RLIMIT_NPROC, a cgroup's pids.max).
  // `name`: at most 15 bytes.
  [[nodiscard]] bool start(const char* name, void (*run)(void*), void* context);
  void join() noexcept;
  // In a forked child the thread does not exist: forget it.
  void abandon() noexcept { started_ = false; }
  [[nodiscard]] bool started() const noexcept { return started_; }

 private:
  pthread_t thread_{};
  bool started_ = false;
};

// Calls somebody else's code in a thread of its own, and `threw` with what it has thrown, if it
// has. Its end of the thread (pthread_exit) is told so too, and goes on.
void call_foreign(const std::function<void()>& code, const std::function<void(const char*)>& threw);

// Calls a function at the end of threads, after their thread_local objects are gone. A destructor
// that runs that late may ask for it too: the C library goes round again as long as one does, up to
// PTHREAD_DESTRUCTOR_ITERATIONS times. Has static storage: the function is called as long as there
// are threads.
class AtThreadEnd {
 public:
  explicit AtThreadEnd(void (*call)(void*)) noexcept;
  // Once, when the calling thread ends; `value` is not null. (Not at all where the process has no
  // key left, or in the last round.)
  void call_with(void* value) const noexcept;

 private:
  pthread_key_t key_{};
  bool made_;
};

// A hint to the processor that the caller spins.
inline void relax_cpu() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Thread cancellation, kept away from operations that hold a lock: a thread cancelled there would
// unwind out of the middle of a change.
class CancellationState {
 public:
  void disable() noexcept { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  void restore() noexcept { pthread_setcancelstate(before_, nullptr); }

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

class NoCancellation {
 public:
  NoCancellation() noexcept { state_.disable(); }
  NoCancellation(const NoCancellation&) = delete;
  NoCancellation& operator=(const NoCancellation&) = delete;
  ~NoCancellation() { state_.restore(); }

 private:
  CancellationState state_;
};

// Whether the caller runs on an alternate signal stack (sigaltstack(2)).
[[nodiscard]] bool on_signal_stack() noexcept;

}  // namespace shmreg::sys
