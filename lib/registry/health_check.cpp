#include "shmreg/health_check.hpp"

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>

#include "core/printable.hpp"
#include "shmreg/registry.hpp"
#include "sys/thread.hpp"

namespace shmreg {
namespace {

using Clock = std::chrono::steady_clock;
using Outcome = HealthCheckOutcome;

std::atomic<std::size_t> running{0};

// What caller and function share: whoever is last has it.
struct Run {
  HealthCheckFunction function;
  Service service;
  std::mutex mutex;
  std::condition_variable returned;
  std::optional<Outcome> outcome;
  std::string value;

  void go() noexcept {
    Outcome said = Outcome::threw;
    std::string text;
    try {
      const Verdict verdict = function(service);
      said = verdict.healthy() ? Outcome::healthy : Outcome::failed;
      text = verdict.value();
    } catch (const std::exception& error) {
      text = error.what();
    } catch (...) {
      text = "something that is no std::exception";
    }
    // Not under the lock, and before anybody is told: what it has captured goes with it.
    function = nullptr;
    const std::lock_guard<std::mutex> guard(mutex);
    outcome = said;
    value = std::move(text);
    returned.notify_all();
  }
};

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
  if (running.fetch_add(1, std::memory_order_acq_rel) >= HealthCheck::kMostRunning) {
    running.fetch_sub(1, std::memory_order_acq_rel);
    return finished(std::move(check), Outcome::timed_out,
                    name + ": as many check functions as may be are still running");
  }
  const bool started = sys::start_detached("shmreg-check", [run]() noexcept {
    run->go();
    running.fetch_sub(1, std::memory_order_acq_rel);
  });
  if (!started) {
    running.fetch_sub(1, std::memory_order_acq_rel);
    return finished(std::move(check), Outcome::unreadable,
                    name + ": cannot start a thread to check it in");
  }
  std::unique_lock<std::mutex> lock(run->mutex);
  const bool in_time =
      run->returned.wait_for(lock, timeout, [&] { return run->outcome.has_value(); });
  if (in_time) {
    check.outcome = *run->outcome;
    check.value = run->value;
  } else {
    check.outcome = Outcome::timed_out;
  }
  lock.unlock();
  if (check.outcome == Outcome::healthy) {
    return finished(std::move(check), Outcome::healthy, name + " is healthy");
  }
  // Why it does not work is not for the function to know where there is nobody any more.
  Service now;
  if (lookup(check.service.full_name(), now) == Errc::not_found) {
    const auto last = last_known(check.service.full_name());
    if (last && *last && (*last)->end == WatchEventKind::died &&
        (*last)->service.id() == check.service.id()) {
      std::string message = dead(check.service);
      return finished(std::move(check), Outcome::process_dead, std::move(message));
    }
  }
  const std::string said = core::printable(check.value);
  switch (check.outcome) {
    case Outcome::failed:
      return finished(std::move(check), Outcome::failed, name + " is not healthy: " + said);
    case Outcome::threw:
      return finished(std::move(check), Outcome::threw, name + ": its check threw: " + said);
    default:
      break;
  }
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  return finished(std::move(check), Outcome::timed_out,
                  name + ": its check has not returned within " + std::to_string(ms) + " ms");
}

}  // namespace shmreg
