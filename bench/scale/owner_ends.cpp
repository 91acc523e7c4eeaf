// owner_ends: a process with thousands of names among a million others is killed with SIGKILL.
//
// From the kernel's mark on none of its names may be found. What it had is taken away in two ways,
// in turn:
//   called     by this process, which calls what a keeper calls; the keepers beside it are stopped,
//              and its own looks after the six entries next to it, which are theirs: nobody helps
//   keepers    by the keepers of six idle processes, with nobody calling
// When the mark was set is known to within the time that this process needs to get a processor.
#include <time.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "crew.hpp"
#include "insides.hpp"
#include "latencies.hpp"
#include "numbers.hpp"
#include "population.hpp"
#include "question.hpp"

namespace shmreg::scale {
namespace {

constexpr std::size_t kOwned = 10'000;
constexpr std::size_t kNeighbours = 6;  // as many as a keeper looks after
constexpr unsigned kRounds = 24;        // eleven each way, and the first keepers'
constexpr double kMarkMs = 10;
constexpr std::string_view kPrefix = "production/mortal-";

struct Shared {
  FutexWord attached{0};
  layout::EntryLife owner;
};

void tell_attached(Shared& shared) {
  shared.attached.fetch_add(1);
  futex_wake_all(shared.attached);
}

[[noreturn]] void idle() {
  const timespec long_enough{3600, 0};
  for (;;) ::nanosleep(&long_enough, nullptr);
}

// The processors are also those of whom we wait for.
void snooze() {
  const timespec pause{0, 20'000};
  ::nanosleep(&pause, nullptr);
}

double ms_since(std::uint64_t began_ns) {
  return static_cast<double>(clock_ns(CLOCK_MONOTONIC) - began_ns) / 1e6;
}

class Ending {
 public:
  Ending(const Options& options)
      : options_(options), segment_(options.services + 2 * kOwned), registry_(segment_.attach()) {
    populate(registry_, kOthers, options.services);
    insides_.emplace(segment_.name());
    for (std::size_t i = 0; i < kOwned; ++i) names_.emplace_back(kPrefix, i);
    for (std::size_t i = 0; i < kNeighbours; ++i) {
      neighbours_.push_back(crew_.start([this] { attach_and_idle(0); }));
    }
    crew_.await(shared_->attached, kNeighbours);
    stop_neighbours();
  }

  void ask(Report& report) {
    for (Rounds rounds(options_, kRounds, 4); rounds.more();) {
      const bool by_keepers = rounds.round() % 2 == 0;
      const pid_t owner = start_owner();
      if (by_keepers) resume_neighbours();
      const std::uint64_t killed_ns = clock_ns(CLOCK_MONOTONIC);
      crew_.kill(owner);
      while (!insides_->has_ended(shared_->owner)) snooze();
      const std::uint64_t marked_ns = clock_ns(CLOCK_MONOTONIC);
      mark_ms_.push_back(static_cast<double>(marked_ns - killed_ns) / 1e6);
      if (by_keepers) {
        await_keepers(killed_ns, marked_ns);
      } else {
        require_none_is_found();
        reclaim();
      }
      require_none_is_found();
      require(insides_->services() == options_.services, "not all of a dead owner's names went");
      crew_.bury(owner);
    }
    report.add("owned", "names", static_cast<double>(kOwned));
    report.add("found_after_mark", "names", 0);
    report.add("kill_to_mark", "ms", mark_ms_);
    report.add("called", "ms", called_ms_, kMarkMs);
    report.add("called_processor_time", "ms", called_cpu_ms_);
    report.add("keepers", "ms", keepers_ms_, kMarkMs);
    report.add("keepers_from_kill", "ms", from_kill_ms_);
    report.add("first_keepers", "ms", first_ms_.value_or(0));
  }

 private:
  void attach_and_idle(std::size_t names) {
    Registry registry = segment_.attach();
    for (std::size_t i = 0; i < names; ++i) {
      registry.register_service(names_[i].view(), {.endpoint = endpoint_of(i)}).value().release();
    }
    const Insides insides(segment_.name());
    if (names != 0) shared_->owner = insides.own_life();
    tell_attached(*shared_);
    idle();
  }

  pid_t start_owner() {
    const std::uint32_t attached = shared_->attached.load();
    const pid_t owner = crew_.start([this] { attach_and_idle(kOwned); });
    crew_.await(shared_->attached, attached + 1);
    Service found;
    for (std::size_t i = 0; i < kOwned; ++i) {
      require(registry_.lookup(names_[i].view(), found) == Errc::ok &&
                  is_endpoint_of(found.endpoint(), i),
              "a living owner's name was not found");
    }
    return owner;
  }

  void require_none_is_found() const {
    Service found;
    for (const Name& name : names_) {
      require(registry_.lookup(name.view(), found) == Errc::not_found,
              "a dead owner's name was found");
    }
  }

  void reclaim() {
    const double cpu_ns = bench::processor_time_ns();
    const std::uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
    const std::uint64_t reclaimed = insides_->reclaim(shared_->owner);
    called_ms_.push_back(ms_since(began_ns));
    called_cpu_ms_.push_back((bench::processor_time_ns() - cpu_ns) / 1e6);
    require(reclaimed == kOwned && insides_->owns_nothing(shared_->owner),
            "reclaiming left names of a dead owner");
  }

  void await_keepers(std::uint64_t killed_ns, std::uint64_t marked_ns) {
    while (!insides_->owns_nothing(shared_->owner)) {
      require(ms_since(marked_ns) < 60'000, "nobody took away what a dead owner had");
      snooze();
    }
    const double ms = ms_since(marked_ns);
    // Who has never seen that memory pays for touching it as well.
    if (first_ms_) {
      keepers_ms_.push_back(ms);
      from_kill_ms_.push_back(ms_since(killed_ns));
    } else {
      first_ms_ = ms;
    }
    stop_neighbours();
  }

  void stop_neighbours() {
    for (;;) {
      crew_.await_sleep();
      for (const pid_t neighbour : neighbours_) Crew::stop(neighbour);
      // Not while a keeper has a lock, which nobody else would get.
      if (!insides_->any_locked()) return;
      resume_neighbours();
    }
  }
  void resume_neighbours() {
    for (const pid_t neighbour : neighbours_) Crew::resume(neighbour);
    crew_.await_sleep();
  }

  const Options& options_;
  OwnSegment segment_;
  Registry registry_;
  std::optional<Insides> insides_;
  std::vector<Name> names_;
  Common<Shared> shared_;
  Crew crew_;
  std::vector<pid_t> neighbours_;
  std::vector<double> mark_ms_;
  std::vector<double> called_ms_;
  std::vector<double> called_cpu_ms_;
  std::vector<double> keepers_ms_;
  std::vector<double> from_kill_ms_;
  std::optional<double> first_ms_;
};

}  // namespace

void owner_ends(const Options& options, Report& report) { Ending(options).ask(report); }

}  // namespace shmreg::scale
