#include "shmreg/health_check.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "core/attachment.hpp"
#include "core/last_change.hpp"
#include "core/printable.hpp"
#include "registry/standing.hpp"
#include "shmreg/registry.hpp"
#include "sys/fork_epoch.hpp"
#include "sys/thread.hpp"

namespace shmreg {
namespace {

using Clock = std::chrono::steady_clock;
using Outcome = HealthCheckOutcome;

// How many functions run in this process; in a forked child, none of its parent's.
class Running {
 public:
  // False where there are as many as may be.
  [[nodiscard]] static bool begin() noexcept {
    for (std::uint64_t now = word.load(std::memory_order_relaxed);;) {
      const std::uint64_t count = count_in(now);
      if (count >= HealthCheck::kMostRunning) return false;
      if (word.compare_exchange_weak(now, with(count + 1), std::memory_order_relaxed)) return true;
    }
  }
  static void end() noexcept {
    for (std::uint64_t now = word.load(std::memory_order_relaxed);;) {
      const std::uint64_t count = count_in(now);
      if (count == 0) return;
      if (word.compare_exchange_weak(now, with(count - 1), std::memory_order_relaxed)) return;
    }
  }

 private:
  // The fork epoch above the count.
  [[nodiscard]] static std::uint64_t count_in(std::uint64_t value) noexcept {
    return value >> 32 == sys::fork_epoch() ? value & 0xffff'ffff : 0;
  }
  [[nodiscard]] static std::uint64_t with(std::uint64_t count) noexcept {
    return std::uint64_t{sys::fork_epoch()} << 32 | count;
  }
  static inline std::atomic<std::uint64_t> word{0};
};

// What caller and function share: whoever is last has it.
struct Run {
  HealthCheckFunction function;
  Service service;
  std::mutex mutex;
  std::condition_variable returned;
  std::optional<Outcome> outcome;
  std::string value;

  void tell(Outcome said, std::string text) {
    // Not under the lock, and before anybody is told: what it has captured goes with it.
    function = nullptr;
    const std::lock_guard<std::mutex> guard(mutex);
    outcome = said;
    value = std::move(text);
    returned.notify_all();
  }

  void go() {
    const auto call = [this] {
      const Verdict verdict = function(service);
      tell(verdict.healthy() ? Outcome::healthy : Outcome::failed, verdict.value());
    };
    sys::call_foreign(call, [this](const char* what) { tell(Outcome::threw, what); });
  }
};

// False where there is no thread, or no memory, to be had.
bool start(const std::shared_ptr<Run>& run) noexcept {
  try {
    std::thread([run] {
      struct AtEnd {
        ~AtEnd() { Running::end(); }
      } const at_end;
      run->go();
    }).detach();
    return true;
  } catch (const std::exception&) {
    Running::end();
    return false;
  }
}

std::string dead(const Service& service) {
  return "'" + core::printable(service.full_name()) + "': its owner" +
         (service.pid() == 0 ? "" : " " + std::to_string(service.pid())) + " has died";
}

}  // namespace

std::string_view to_string(HealthCheckOutcome outcome) noexcept {
  switch (outcome) {
    case Outcome::healthy:
      return "healthy";
    case Outcome::not_found:
      return "not_found";
    case Outcome::process_dead:
      return "process_dead";
    case Outcome::failed:
      return "failed";
    case Outcome::threw:
      return "threw";
    case Outcome::timed_out:
      return "timed_out";
    case Outcome::unreadable:
      break;
  }
  return "unreadable";
}

HealthCheck Registry::health_check(std::string_view service, HealthCheckFunction function,
                                   std::chrono::nanoseconds timeout) const {
  const auto began = Clock::now();
  HealthCheck check;
  const auto finished = [began](HealthCheck&& done, Outcome outcome, std::string message) {
    done.outcome = outcome;
    done.message = std::move(message);
    done.duration = Clock::now() - began;
    return std::move(done);
  };
  Result<Service> found = lookup(service);
  if (found.code() == Errc::not_found) {
    auto last = last_known(service);
    const bool died = last && *last && (*last)->end == WatchEventKind::died;
    if (!died) return finished(std::move(check), Outcome::not_found, found.message());
    check.service = std::move((*last)->service);
    std::string message = dead(check.service);
    return finished(std::move(check), Outcome::process_dead, std::move(message));
  }
  if (!found) return finished(std::move(check), Outcome::unreadable, found.message());
  check.service = std::move(found).value();
  const std::string name = "'" + core::printable(check.service.full_name()) + "'";
  if (!function) {
    check.value = "ok";
    return finished(std::move(check), Outcome::healthy, name + " is alive");
  }

  auto run = std::make_shared<Run>();
  run->function = std::move(function);
  run->service = check.service;
  if (!Running::begin()) {
    return finished(std::move(check), Outcome::timed_out,
                    name + ": as many check functions as may be are still running");
  }
  if (!start(run)) {
    return finished(std::move(check), Outcome::unreadable,
                    name + ": cannot start a thread to check it in");
  }
  Outcome outcome = Outcome::timed_out;
  {
    // Up to a year: the clock's nanoseconds do not overflow.
    const auto longest = std::min<std::chrono::nanoseconds>(timeout, std::chrono::hours(24 * 365));
    std::unique_lock<std::mutex> lock(run->mutex);
    if (run->returned.wait_for(lock, longest, [&] { return run->outcome.has_value(); })) {
      outcome = *run->outcome;
      check.value = run->value;
    }
  }
  // How it works is not for the function to know where there is nobody any more.
  WatchEvent end;
  const std::uint64_t id = check.service.id();
  if (const std::string full(check.service.full_name());
      !stands(*attachment_, full, id) &&
      core::find_last_end(attachment_->segment(), attachment_->watch(), full, end, id) &&
      end.kind == WatchEventKind::died) {
    std::string message = dead(check.service);
    return finished(std::move(check), Outcome::process_dead, std::move(message));
  }
  const std::string said = core::printable(check.value);
  switch (outcome) {
    case Outcome::healthy:
      return finished(std::move(check), outcome, name + " is healthy");
    case Outcome::failed:
      return finished(std::move(check), outcome, name + " is not healthy: " + said);
    case Outcome::threw:
      return finished(std::move(check), outcome, name + ": its check threw: " + said);
    default:
      break;
  }
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  return finished(std::move(check), outcome,
                  name + ": its check has not returned within " + std::to_string(ms) + " ms");
}

}  // namespace shmreg
