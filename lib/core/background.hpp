// Something that is waited for in a thread of the library's, so that a program can wait for it with
// poll(2) among its other descriptors.
//
// The thread belongs to the process that started it: in a forked child neither it nor what it was
// doing exists, and is_ours() is false. What the thread uses must stay where it is until stop() has
// returned; in a forked child for good, since it may have been in the middle of a change.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "shmreg/error.hpp"
#include "sys/event_descriptor.hpp"
#include "sys/thread.hpp"

namespace shmreg::core {

class Background {
 public:
  Background() = default;
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background() { stop(); }

  // Runs `run` in a thread, once. no_space: no thread, or no descriptor.
  [[nodiscard]] Status start(std::function<void()> run);
  // Sets stop_word() and wakes who sleeps on it. Async-signal-safe.
  void ask_to_stop() noexcept;
  // The same, and waits for the thread's end.
  void stop() noexcept;

  [[nodiscard]] bool is_ours() const noexcept;
  // Not 0 once the thread is to end: a word that run() sleeps on with what it waits for.
  [[nodiscard]] const std::atomic<std::uint32_t>& stop_word() const noexcept { return stop_; }
  [[nodiscard]] bool stopping() const noexcept {
    return stop_.load(std::memory_order_acquire) != 0;
  }
  [[nodiscard]] const sys::EventDescriptor& event() const noexcept { return event_; }

 private:
  std::function<void()> run_;
  sys::EventDescriptor event_;
  sys::Thread thread_;
  std::uint32_t epoch_ = 0;  // 0: not started
  std::atomic<std::uint32_t> stop_{0};
};

}  // namespace shmreg::core
