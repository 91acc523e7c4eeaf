#include "core/watch_pump.hpp"

#include <exception>
#include <utility>

#include "sys/clock.hpp"

namespace shmreg::core {
namespace {

constexpr std::size_t kMostEvents = 1024;

}  // namespace

WatchPump::~WatchPump() {
  if (!background_.is_ours()) {
    // A forked child, or never started. The thread may have been in the middle of anything.
    if (background_.event().number() >= 0) (void)watcher_.release();
    return;
  }
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  watcher_->cancel();
  background_.stop();
}

Status WatchPump::start() {
  return background_.start([this] { run(); });
}

void WatchPump::run() {
  // cancel() of the watcher is how this thread is ended.
  Status failure;
  for (;;) {
    WatchEvent event;
    Result<bool> outcome = false;
    try {
      outcome = watcher_->next(event, std::nullopt);
    } catch (const std::exception& error) {  // out of memory
      outcome = Status(Errc::no_space, std::string("cannot watch: ") + error.what());
    }
    std::unique_lock<std::mutex> guard(mutex_);
    if (stopping_) return;
    if (!outcome && outcome.code() == Errc::cancelled) continue;
    if (!outcome) {
      failure_ = outcome.status();
      background_.event().raise();
      return;
    }
    if (!*outcome) continue;
    events_.push_back(std::move(event));
    background_.event().raise();
    room_.wait(guard, [&] { return events_.size() < kMostEvents || stopping_; });
  }
}

Result<bool> WatchPump::next(WatchEvent& event, std::optional<std::chrono::nanoseconds> timeout) {
  if (!background_.is_ours()) {
    return Status(Errc::invalid_argument,
                  "this watch has a descriptor, which is the process's that forked this one: watch "
                  "anew");
  }
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
      if (any) {
        event = std::move(events_.front());
        events_.pop_front();
        room_.notify_one();
      }
      if (!any && !failure_.ok()) return failure_;
      const bool cancelled = !any && cancelled_.exchange(false, std::memory_order_acq_rel);
      // Readable for as long as there is a reason: cleared only where none is left.
      if (events_.empty() && failure_.ok()) {
        raised.clear();
        if (cancelled_.load(std::memory_order_acquire)) raised.raise();
      }
      if (any) return true;
      if (cancelled) return Status(Errc::cancelled);
    }
    std::optional<std::chrono::nanoseconds> left;
    if (deadline_ns) {
      const std::uint64_t now = sys::monotonic_clock_ns();
      if (now >= *deadline_ns) return false;
      left = std::chrono::nanoseconds(*deadline_ns - now);
    }
    if (raised.wait(left) == sys::EventDescriptor::Wait::interrupted &&
        watcher_->options().return_on_signal) {
      return Status(Errc::interrupted);
    }
  }
}

void WatchPump::cancel() noexcept {
  cancelled_.store(true, std::memory_order_release);
  background_.event().raise();
}

}  // namespace shmreg::core
