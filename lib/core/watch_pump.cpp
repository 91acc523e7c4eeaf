#include "core/watch_pump.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "sys/clock.hpp"

namespace shmreg::core {
namespace {

constexpr std::size_t kMostEvents = 1024;

}  // namespace

WatchPump::~WatchPump() {
  if (!background_.is_ours()) return;  // never started
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  watcher_->cancel();
  background_.stop();
}

Status WatchPump::start() {
  // Whoever has the descriptor misses nothing that happens from now on.
  if (Status begun = watcher_->begin(); !begun) return begun;
  const bool cancelled = watcher_->take_cancel();
  if (Status started = background_.start([this] { run(); }); !started) {
    if (cancelled) watcher_->cancel();
    return started;
  }
  if (cancelled) cancel();
  return {};
}

// One event more, or why there is none.
Status WatchPump::follow() {
  try {
    WatchEvent event;
    const Result<bool> any = watcher_->next(event, std::nullopt);
    if (!any) return any.status();
    const std::lock_guard<std::mutex> guard(mutex_);
    if (*any) events_.push_back(std::move(event));
    return {};
  } catch (const std::exception&) {  // out of memory, in which there is none for words either
    return Status(Errc::no_space);
  }
}

void WatchPump::run() {
  for (;;) {
    Status outcome = follow();
    std::unique_lock<std::mutex> guard(mutex_);
    if (stopping_) return;
    if (!outcome.ok() && outcome.code() != Errc::cancelled) {
      final_ = outcome.code() == Errc::segment_retired || outcome.code() == Errc::corrupt;
      failure_ = std::move(outcome);
    }
    background_.event().raise();
    // What may pass is tried again once it has been told.
    room_.wait(guard, [&] { return stopping_ || (events_.size() < kMostEvents && failure_.ok()); });
  }
}

Result<bool> WatchPump::next(WatchEvent& event, std::optional<std::chrono::nanoseconds> timeout) {
  std::optional<std::uint64_t> deadline_ns;
  if (timeout) {
    deadline_ns = sys::monotonic_clock_ns() +
                  static_cast<std::uint64_t>(std::max<std::int64_t>(timeout->count(), 0));
  }
  const sys::EventDescriptor& raised = background_.event();
  for (;;) {
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      const bool any = !events_.empty();
      Status failure;
      bool cancelled = false;
      if (any) {
        event = std::move(events_.front());
        events_.pop_front();
      } else if (!failure_.ok()) {
        failure = failure_;
        if (!final_) failure_ = Status();
      } else {
        cancelled = cancelled_.exchange(false, std::memory_order_acq_rel);
      }
      room_.notify_one();
      // Readable for as long as there is a reason: cleared only where none is left.
      if (events_.empty() && failure_.ok()) {
        raised.clear();
        if (cancelled_.load(std::memory_order_acquire)) raised.raise();
      }
      if (any) return true;
      if (!failure.ok()) return failure;
      if (cancelled) return Status(Errc::cancelled);
    }
    std::optional<std::chrono::nanoseconds> left;
    if (deadline_ns) {
      const std::uint64_t now = sys::monotonic_clock_ns();
      if (now >= *deadline_ns) return false;
      left = std::chrono::nanoseconds(*deadline_ns - now);
    }
    if (raised.wait(left) == sys::EventDescriptor::Wait::interrupted && options_.return_on_signal) {
      return Status(Errc::interrupted);
    }
  }
}

void WatchPump::unread(WatchEvent event) {
  const std::lock_guard<std::mutex> guard(mutex_);
  events_.push_front(std::move(event));
  background_.event().raise();
}

void WatchPump::cancel() noexcept {
  cancelled_.store(true, std::memory_order_release);
  background_.event().raise();
}

}  // namespace shmreg::core
