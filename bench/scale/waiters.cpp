// waiters: a hundred processes wait for one name, and it is registered.
//
// All must wake. How long each took, from before the registration's call to after its own, beside
// what the kernel needs at the least: the same processes on a bare futex word in shared memory,
// from before the store and the wake-up call. One waiter alone, and a hundred; all four in each
// round.
#include <time.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "crew.hpp"
#include "latencies.hpp"
#include "numbers.hpp"
#include "population.hpp"
#include "question.hpp"

namespace shmreg::scale {
namespace {

constexpr std::size_t kWaiters = 100;
constexpr unsigned kRounds = 31;
constexpr std::chrono::seconds kPatience{20};
constexpr std::string_view kAwaited = "production/awaited";
constexpr unsigned kWarmUp = 3;  // rounds in which everybody touches all memory for the first time

enum class Way : std::uint32_t { futex, registry, over };

struct Shared {
  Step step;
  FutexWord word{0};
  FutexWord woken{0};
  // Of the step under way; written while all sleep.
  Way way = Way::futex;
  std::size_t waiters = 0;
  std::array<std::uint64_t, kWaiters> woke_at_ns{};
};

void wait_in_steps(const OwnSegment& segment, Shared& shared, std::size_t which) {
  const Registry registry = segment.attach();
  const std::array<std::string, 1> names{std::string(kAwaited)};
  WaitOptions options;
  options.timeout = kPatience;
  for (std::uint32_t step = 1;; ++step) {
    shared.step.await(step);
    if (shared.way == Way::over) return;
    if (which >= shared.waiters) continue;
    if (shared.way == Way::futex) {
      while (shared.word.load(std::memory_order_acquire) < step) {
        futex_sleep(shared.word, shared.word.load(std::memory_order_acquire));
      }
    } else {
      require(registry.wait(names, options).ok(), "a waiter was not woken");
    }
    shared.woke_at_ns.at(which) = clock_ns(CLOCK_MONOTONIC);
    if (shared.woken.fetch_add(1) + 1 == shared.waiters) futex_wake_all(shared.woken);
  }
}

struct Latency {
  std::vector<double> median_us;
  std::vector<double> last_us;
};

class Waiting {
 public:
  Waiting() : segment_(1), registry_(segment_.attach()) {
    // Attached, and this thread known: not in the first round.
    (void)registry_.register_service(kAwaited).value();
    for (std::size_t i = 0; i < kWaiters; ++i) {
      crew_.start([this, i] { wait_in_steps(segment_, *shared_, i); });
    }
    crew_.await_sleep();
  }

  void measure(Way way, std::size_t waiters, Latency& latency) {
    shared_->way = way;
    shared_->waiters = waiters;
    shared_->woken.store(0);
    shared_->word.store(step_);
    shared_->step.advance();
    const std::uint32_t step = ++step_;
    // First all have begun to wait, then they sleep; a little later they still do.
    crew_.await_sleep();
    const timespec pause{0, 2'000'000};
    ::nanosleep(&pause, nullptr);
    crew_.await_sleep();
    const std::uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
    Registration registration;
    if (way == Way::futex) {
      shared_->word.store(step, std::memory_order_release);
      futex_wake_all(shared_->word);
    } else {
      registration = registry_.register_service(kAwaited).value();
    }
    crew_.await(shared_->woken, static_cast<std::uint32_t>(waiters));
    std::vector<double> us;
    for (std::size_t i = 0; i < waiters; ++i) {
      us.push_back(static_cast<double>(shared_->woke_at_ns.at(i) - began_ns) / 1e3);
    }
    const bench::Spread spread = bench::spread_of(std::move(us));
    latency.median_us.push_back(spread.median);
    latency.last_us.push_back(spread.most);
  }

  void end() {
    shared_->way = Way::over;
    shared_->step.advance();
    crew_.await_all();
  }

 private:
  OwnSegment segment_;
  Registry registry_;
  Common<Shared> shared_;
  std::uint32_t step_ = 0;
  Crew crew_;
};

}  // namespace

void waiters(const Options& options, Report& report) {
  Waiting waiting;
  Latency warm_up;
  for (unsigned i = 0; i < kWarmUp; ++i) waiting.measure(Way::registry, kWaiters, warm_up);
  Latency futex_1;
  Latency registry_1;
  Latency futex_all;
  Latency registry_all;
  for (Rounds rounds(options, kRounds); rounds.more();) {
    waiting.measure(Way::futex, 1, futex_1);
    waiting.measure(Way::registry, 1, registry_1);
    waiting.measure(Way::futex, kWaiters, futex_all);
    waiting.measure(Way::registry, kWaiters, registry_all);
  }
  waiting.end();
  std::vector<double> ratio;
  for (std::size_t i = 0; i < futex_1.median_us.size(); ++i) {
    ratio.push_back(registry_1.median_us[i] / futex_1.median_us[i]);
  }
  report.add("futex_1", "us", std::move(futex_1.median_us));
  report.add("registry_1", "us", std::move(registry_1.median_us));
  report.add("ratio_1", "x", std::move(ratio));
  report.add("futex_100_median", "us", std::move(futex_all.median_us));
  report.add("registry_100_median", "us", std::move(registry_all.median_us));
  report.add("futex_100_last", "us", std::move(futex_all.last_us));
  report.add("registry_100_last", "us", std::move(registry_all.last_us));
}

}  // namespace shmreg::scale
