// Being told what happens: watching services, waiting for one.
//
//   auto watch = registry.watch("production/");
//   shmreg::WatchEvent event;
//   while (watch->next(event).ok()) std::cout << to_string(event.kind) << ...;
//
// A Watch tells first what is there (`present`), then every change, each once, those of one service
// in their order. One that falls too far behind is told how many changes it has lost, and what is
// there now. A death is told by whichever process notices it first, through the segment: no
// monitor needs to run. A process that may only read looks by itself, every 20 ms.
//
// Thread safety: a Watch is used by one thread at a time; cancel() may be called from any thread,
// and from a signal handler.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "shmreg/api.h"
#include "shmreg/error.hpp"
#include "shmreg/service.hpp"

namespace shmreg {

namespace core {
class Background;
class WatchPump;
class Watcher;
}  // namespace core

enum class WatchEventKind : std::uint8_t {
  present,       // was there when the watch began, or after `lost`
  registered,    // also over a registration of the same name, which then has ended
  updated,       // another record, the same registration
  unregistered,  //
  died,          // its owner has ended
  expired,       // its time to live has
  health,        // its health has changed
  lost,          // changes were missed; what is there follows as `present`, all else is gone
};
[[nodiscard]] SHMREG_API std::string_view to_string(WatchEventKind kind) noexcept;

struct WatchEvent {
  WatchEventKind kind = WatchEventKind::present;
  // Unique in the segment, ascending per service. Nothing where this process may only read and had
  // to find out by itself that a service has ended, and for `lost`.
  std::optional<std::uint64_t> change;
  std::int64_t at_ns = 0;  // since 1970-01-01 UTC: when it happened
  Service service;         // as it is since, or for an end as it was; empty for `lost`
  std::uint64_t lost = 0;  // how many changes, of any service
};

struct WatchOptions {
  // next() ends with `interrupted` when a signal handler has run in its thread; perhaps not for one
  // that was installed with SA_RESTART. One that runs just before next() sleeps is not noticed: a
  // handler that must not be missed calls cancel().
  bool return_on_signal = false;
};

class SHMREG_API Watch {
 public:
  Watch() noexcept;  // of nothing, until another is moved into it
  Watch(Watch&&) noexcept;
  Watch& operator=(Watch&&) noexcept;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

  // True with the next event; false where there was none within `timeout` (absent: for ever).
  // cancelled; interrupted; segment_retired, corrupt. The watch begins with the first call of this
  // or of descriptor(): what comes and goes before that is not told.
  [[nodiscard]] Result<bool> next(WatchEvent& event,
                                  std::optional<std::chrono::nanoseconds> timeout = std::nullopt);
  // Ends the next() under way, or else the next one to come, with `cancelled`.
  void cancel() noexcept;

  // Gives back an event that could not be dealt with: the next next() tells it again.
  void unread(WatchEvent event);

  // For poll(2), select and event loops: readable while next() would not wait. From the first call
  // on a thread of the library follows the changes (and the watch is not one of a forked child's,
  // who gets invalid_argument). Owned by the watch; not to be read, written or closed. Before any
  // other thread may call cancel(). no_space.
  [[nodiscard]] Result<int> descriptor();

 private:
  friend class Registry;
  Watch(std::unique_ptr<core::Watcher> watcher, const WatchOptions& options) noexcept;
  std::unique_ptr<core::Watcher> watcher_;
  struct EndPump {
    void operator()(core::WatchPump* pump) const noexcept;
  };
  std::unique_ptr<core::WatchPump, EndPump> pump_;  // has the watcher, once there is a descriptor
  WatchOptions options_;
};

enum class WaitFor : std::uint8_t {
  registered,  // it can be found
  passing,     // ... and its health is `passing`
  gone,        // it cannot
};

struct WaitOptions {
  WaitFor condition = WaitFor::registered;
  bool any = false;  // one of them is enough; else it must hold of all at the same moment
  std::optional<std::chrono::nanoseconds> timeout = std::chrono::seconds(5);  // absent: for ever
  // Set by another thread or a signal handler to give up: looked at within 100 ms.
  const std::atomic<bool>* cancelled = nullptr;
  // As WatchOptions::return_on_signal.
  bool return_on_signal = false;
};

// A wait under way in a thread of the library, for programs that wait for many things at once.
// Destroying it gives it up. Not one of a forked child's.
class SHMREG_API PendingWait {
 public:
  PendingWait() noexcept;  // for nothing, until another is moved into it
  PendingWait(PendingWait&&) noexcept;
  PendingWait& operator=(PendingWait&&) noexcept;
  PendingWait(const PendingWait&) = delete;
  PendingWait& operator=(const PendingWait&) = delete;
  ~PendingWait();

  // For poll(2): readable once the wait is over. Owned by the wait. -1 where it is for nothing.
  [[nodiscard]] int descriptor() const noexcept;
  [[nodiscard]] bool over() const noexcept;
  // Ends it with `cancelled`, unless it is over. From any thread, and from a signal handler.
  void cancel() noexcept;
  // Waits until it is over: what Registry::wait would have returned, each time it is asked.
  [[nodiscard]] Result<std::vector<bool>> outcome() const;

 private:
  friend class Registry;
  struct State;
  explicit PendingWait(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace shmreg
