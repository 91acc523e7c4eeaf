// A watch with a descriptor: a thread follows the change logs and puts what it sees into a queue;
// the descriptor is readable while there is something in it, after cancel(), and where the watch
// has failed.
//
// The queue is bounded. While it is full nothing is taken from the logs, which go round: a program
// that does not come to read is told how much it has missed, as any other that is slow.
//
// In a forked child there is no thread, and it may have been in the middle of anything: nothing of
// this may be touched or destroyed there, which is what is_ours() is for.
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
  WatchPump(std::unique_ptr<Watcher> watcher, const WatchOptions& options)
      : watcher_(std::move(watcher)), options_(options) {}
  WatchPump(const WatchPump&) = delete;
  WatchPump& operator=(const WatchPump&) = delete;
  ~WatchPump();

  // Where it fails, give_back() has the watcher as it was.
  [[nodiscard]] Status start();
  [[nodiscard]] std::unique_ptr<Watcher> give_back() { return std::move(watcher_); }

  [[nodiscard]] bool is_ours() const noexcept { return background_.is_ours(); }
  [[nodiscard]] int descriptor() const noexcept { return background_.event().number(); }
  [[nodiscard]] Result<bool> next(WatchEvent& event,
                                  std::optional<std::chrono::nanoseconds> timeout);
  void unread(WatchEvent event);
  void cancel() noexcept;

 private:
  void run();
  [[nodiscard]] Status follow();

  std::unique_ptr<Watcher> watcher_;
  WatchOptions options_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<WatchEvent> events_;
  Status failure_;  // to be told once there is no event left; again and again where it is final_
  bool final_ = false;
  bool stopping_ = false;
  std::atomic<bool> cancelled_{false};
  Background background_;
};

}  // namespace shmreg::core
