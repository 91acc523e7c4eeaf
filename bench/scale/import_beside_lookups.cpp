// import_beside_lookups: does anybody notice when a million services are registered?
//
// One process registers them, into a segment as small as it is by default, so that every partition
// doubles again and again; four look up names that have been there from the start, each of which
// must be found every time; two register and unregister names of their own.
//
// Seven busy processes have more to wait for than each other where there are fewer processors, and
// a virtual machine is not always running. latencies.hpp says how the one is told apart; for the
// other the readers do, turn by turn with lookups, something that nobody can hold up: to read
// memory of their own. Its pauses (control) are the machine's, and so are as many of the readers'.
#include <array>
#include <string>
#include <vector>

#include "crew.hpp"
#include "insides.hpp"
#include "latencies.hpp"
#include "population.hpp"
#include "question.hpp"

namespace shmreg::scale {
namespace {

constexpr std::size_t kReaders = 4;
constexpr std::size_t kWriters = 2;
constexpr std::size_t kSteadyNames = 10'000;
constexpr std::size_t kWritersNames = 10'000;
constexpr std::size_t kBatch = 32;
constexpr std::string_view kSteady = "production/steady-";

struct Tally {
  Pauses pauses;
  Pauses control;
  std::uint64_t operations = 0;
  std::uint64_t misses = 0;
  std::uint64_t wrong = 0;
};

struct Import {
  std::uint64_t wall_ns = 0;
  std::uint64_t cpu_ns = 0;
  Pauses pauses;
};

enum Phase : std::uint32_t { kPreparing, kWorking, kDone };

struct Shared {
  FutexWord ready{0};
  Step phase;
  std::array<Tally, kReaders> readers;
  std::array<Tally, kWriters> writers;
  Import import;
};

void be_ready(Shared& shared) {
  shared.ready.fetch_add(1);
  futex_wake_all(shared.ready);
  shared.phase.await(kWorking);
}

// What a lookup does to memory, without the registry: some lines of it at random.
class OwnMemory {
 public:
  [[nodiscard]] std::uint64_t read(Dice& dice) const noexcept {
    std::uint64_t sum = 0;
    for (int line = 0; line < 5; ++line) sum += words_[dice.below(words_.size())];
    return sum;
  }

 private:
  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(kSteadyNames * 40, 1);
};

void look_up(const OwnSegment& segment, Shared& shared, std::size_t which) {
  const Registry registry = segment.attach();
  std::vector<Name> steady;
  for (std::size_t i = 0; i < kSteadyNames; ++i) steady.emplace_back(kSteady, i);
  Tally& tally = shared.readers.at(which);
  Dice dice(which + 1);
  Service found;
  const OwnMemory own;
  std::uint64_t sum = 0;
  be_ready(shared);
  PauseClock clock;
  while (shared.phase.now() < kDone) {
    clock.batch(tally.pauses, [&] {
      for (std::size_t n = 0; n < kBatch; ++n) {
        const std::size_t i = dice.below(kSteadyNames);
        const Errc outcome = registry.lookup(steady[i].view(), found);
        clock.lap();
        if (outcome != Errc::ok) {
          ++tally.misses;
        } else if (!is_endpoint_of(found.endpoint(), i)) {
          ++tally.wrong;
        }
      }
    });
    tally.operations += kBatch;
    clock.batch(tally.control, [&] {
      for (std::size_t n = 0; n < kBatch; ++n) {
        sum += own.read(dice);
        clock.lap();
      }
    });
  }
  require(sum != 0, "nothing was read");  // so that it is
}

void churn(const OwnSegment& segment, Shared& shared, std::size_t which) {
  Registry registry = segment.attach();
  const std::string prefix = "churn/writer-" + std::to_string(which) + "-";
  ServiceSpec spec;
  spec.endpoint = endpoint_of(which);
  Tally& tally = shared.writers.at(which);
  Dice dice(which + 100);
  (void)registry.register_service(Name(prefix, 0).view(), spec).value();
  be_ready(shared);
  PauseClock clock;
  while (shared.phase.now() < kDone) {
    clock.batch(tally.pauses, [&] {
      for (std::size_t n = 0; n < kBatch; n += 2) {
        Result<Registration> mine =
            registry.register_service(Name(prefix, dice.below(kWritersNames)).view(), spec);
        clock.lap();
        const bool gone = mine.ok() && mine->unregister().value();
        clock.lap();
        if (!gone) ++tally.wrong;
      }
    });
    tally.operations += kBatch;
  }
}

void import(const OwnSegment& segment, Import& tally, std::size_t services) {
  Registry registry = segment.attach();
  ServiceSpec spec;
  const std::uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
  const std::uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  PauseClock clock;
  for (std::size_t i = 0; i < services;) {
    clock.batch(tally.pauses, [&] {
      for (std::size_t n = 0; n < kBatch && i < services; ++n, ++i) {
        spec.endpoint = endpoint_of(i);
        (void)registry.register_for(Owner::permanent(), Name(kOthers, i).view(), spec).value();
        clock.lap();
      }
    });
  }
  tally.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
  tally.wall_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
}

double per_second(std::size_t count, std::uint64_t ns) {
  return static_cast<double>(count) * 1e9 / static_cast<double>(ns);
}

void tell_pauses(Report& report, const std::string& whose, const Pauses& pauses) {
  const auto tell = [&](const std::string& clock, const Latencies& latencies) {
    const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e3; };
    report.add(whose + "_" + clock + "_p99.9", "us", us(latencies.quantile_ns(0.999)));
    report.add(whose + "_" + clock + "_p99.99", "us", us(latencies.quantile_ns(0.9999)));
    report.add(whose + "_" + clock + "_max", "us", us(latencies.most_ns()));
  };
  tell("wall", pauses.wall);
  tell("cpu", pauses.cpu);
  tell("held", pauses.held);
}

template <std::size_t kCount>
Tally total(const std::array<Tally, kCount>& tallies) {
  Tally all;
  for (const Tally& each : tallies) {
    all.pauses.add(each.pauses);
    all.control.add(each.control);
    all.operations += each.operations;
    all.misses += each.misses;
    all.wrong += each.wrong;
  }
  return all;
}

// The same import with nobody beside it.
void import_alone(const Options& options, Report& report) {
  const OwnSegment segment(options.services);
  const Common<Import> alone;
  Crew crew;
  crew.start([&] { import(segment, *alone, options.services); });
  crew.await_all();
  report.add("import_alone", "services/s", per_second(options.services, alone->wall_ns));
}

}  // namespace

void import_beside_lookups(const Options& options, Report& report) {
  import_alone(options, report);
  const OwnSegment segment(options.services + kSteadyNames + kWriters * kWritersNames);
  Registry registry = segment.attach();
  for (std::size_t i = 0; i < kSteadyNames; ++i) {
    registry.register_service(Name(kSteady, i).view(), {.endpoint = endpoint_of(i)})
        .value()
        .release();
  }
  const Insides insides(segment.name());
  const Common<Shared> shared;
  Crew crew;
  for (std::size_t i = 0; i < kReaders; ++i) {
    crew.start([&, i] { look_up(segment, *shared, i); });
  }
  for (std::size_t i = 0; i < kWriters; ++i) crew.start([&, i] { churn(segment, *shared, i); });
  crew.await(shared->ready, kReaders + kWriters);
  const std::uint64_t rebuilds = insides.rebuilds();
  Report::say("importing");
  Crew importer;
  importer.start([&] { import(segment, shared->import, options.services); });
  shared->phase.advance();
  importer.await_all();
  shared->phase.advance();
  crew.await_all();

  const Tally readers = total(shared->readers);
  const Tally writers = total(shared->writers);
  require(readers.misses == 0, "names that were there all along were not found during an import");
  require(readers.wrong == 0, "a lookup during an import found another service's endpoint");
  require(writers.wrong == 0, "a service was lost between its registration and its end");
  require(insides.services() == kSteadyNames + options.services, "an import lost services");
  report.add("import", "services/s", per_second(options.services, shared->import.wall_ns));
  report.add("import_by_processor_time", "services/s",
             per_second(options.services, shared->import.cpu_ns));
  report.add("lookups", "", static_cast<double>(readers.operations));
  report.add("misses", "", static_cast<double>(readers.misses));
  report.add("changes_beside", "", static_cast<double>(writers.operations));
  report.add("rebuilds", "", static_cast<double>(insides.rebuilds() - rebuilds));
  tell_pauses(report, "reader", readers.pauses);
  tell_pauses(report, "control", readers.control);
  tell_pauses(report, "writer", writers.pauses);
  tell_pauses(report, "importer", shared->import.pauses);
}

}  // namespace shmreg::scale
