// A watch with a descriptor: a thread follows the change logs and puts what it sees into a queue;
// the descriptor is readable while there is something in it, after cancel(), and once the watch has
// failed.
//
// The queue is bounded. While it is full nothing is taken from the logs, which go round: a program
// that does not come to read is told how much it has missed, as any other that is slow.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "core/background.hpp"
#include "core/watcher.hpp"

namespace shmreg::core {

class WatchPump {
 public:
  explicit WatchPump(std::unique_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
  WatchPump(const WatchPump&) = delete;
  WatchPump& operator=(const WatchPump&) = delete;
  ~WatchPump();

  [[nodiscard]] Status start();
  // What was not started: given back.
  [[nodiscard]] std::unique_ptr<Watcher> give_back() { return std::move(watcher_); }

  [[nodiscard]] int descriptor() const noexcept { return background_.event().number(); }
  [[nodiscard]] Result<bool> next(WatchEvent& event,
                                  std::optional<std::chrono::nanoseconds> timeout);
  void cancel() noexcept;

 private:
  void run();

  std::unique_ptr<Watcher> watcher_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<WatchEvent> events_;
  Status failure_;
  bool stopping_ = false;
  std::atomic<bool> cancelled_{false};
  Background background_;
};

}  // namespace shmreg::core
