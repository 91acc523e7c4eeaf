// cycles: does a table that names have come to and gone from ten million times get worse?
//
// Two segments hold the same services. In one of them names of no end are registered and
// unregistered; the other one is left alone. Both are looked up in, turn by turn, before and after:
// what the machine does to the one it does to the other, so that the ratio of the two says what the
// cycles have done.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "insides.hpp"
#include "numbers.hpp"
#include "population.hpp"
#include "question.hpp"

namespace shmreg::scale {
namespace {

constexpr std::size_t kCycles = 10'000'000;
constexpr std::size_t kMostNames = 10'000;
constexpr std::size_t kBatch = std::size_t{1} << 18;
constexpr unsigned kRounds = 11;
constexpr std::string_view kVisitor = "production/visitor-";

class Table {
 public:
  explicit Table(std::size_t names)
      : segment_(names + 1), names_(names), registry_(segment_.attach()) {
    for (std::size_t i = 0; i < names; ++i) {
      registry_.register_service(Name(kOthers, i).view(), {.endpoint = endpoint_of(i)})
          .value()
          .release();
    }
  }
  [[nodiscard]] Registry& registry() noexcept { return registry_; }
  [[nodiscard]] Insides insides() const { return Insides(segment_.name()); }
  [[nodiscard]] std::size_t names() const noexcept { return names_; }

  // Of a lookup among all names at random, each of which must be found.
  [[nodiscard]] double lookup_ns(const std::vector<Name>& names, std::uint64_t seed) const {
    Dice dice(seed);
    Service found;
    std::size_t hits = 0;
    const double began_ns = bench::processor_time_ns();
    for (std::size_t i = 0; i < kBatch; ++i) {
      hits += registry_.lookup(names[dice.below(names.size())].view(), found) == Errc::ok ? 1 : 0;
    }
    const double ns = (bench::processor_time_ns() - began_ns) / static_cast<double>(kBatch);
    require(hits == kBatch, "a service among cycles was not found");
    return ns;
  }

 private:
  OwnSegment segment_;
  std::size_t names_;
  Registry registry_;
};

struct Lookups {
  std::vector<double> cycled_ns;
  std::vector<double> control_ns;
  std::vector<double> ratio;
};

Lookups look_up(const Options& options, const Table& cycled, const Table& control) {
  std::vector<Name> names;
  for (std::size_t i = 0; i < cycled.names(); ++i) names.emplace_back(kOthers, i);
  Lookups lookups;
  (void)cycled.lookup_ns(names, 99);
  (void)control.lookup_ns(names, 99);
  for (Rounds rounds(options, kRounds); rounds.more();) {
    const bool cycled_first = rounds.round() % 2 == 0;
    double ns[2];
    for (const bool which : {cycled_first, !cycled_first}) {
      ns[which ? 1 : 0] = (which ? cycled : control).lookup_ns(names, rounds.round());
    }
    lookups.cycled_ns.push_back(ns[1]);
    lookups.control_ns.push_back(ns[0]);
    lookups.ratio.push_back(ns[1] / ns[0]);
  }
  return lookups;
}

// How the table's lookups are to the other one's, in the median.
double tell(Report& report, const std::string& when, const Table& table, Lookups lookups) {
  const Insides insides = table.insides();
  Probes hits;
  Probes misses;
  for (std::size_t i = 0; i < table.names(); ++i) {
    insides.probe_hit(Name(kOthers, i).view(), hits);
    insides.probe_miss(Name("production/missing-", i).view(), misses);
  }
  report.add("hit_probe_mean_" + when, "buckets", hits.mean());
  report.add("hit_probe_max_" + when, "buckets", static_cast<double>(hits.most));
  report.add("miss_probe_mean_" + when, "buckets", misses.mean());
  report.add("miss_probe_max_" + when, "buckets", static_cast<double>(misses.most));
  report.add("tombstones_" + when, "slots", static_cast<double>(insides.tombstones()));
  report.add("lookup_" + when, "ns", std::move(lookups.cycled_ns));
  report.add("lookup_control_" + when, "ns", std::move(lookups.control_ns));
  const double ratio = bench::spread_of(lookups.ratio).median;
  report.add("lookup_ratio_" + when, "x", std::move(lookups.ratio));
  return ratio;
}

struct Cycled {
  std::size_t cycles = 0;
  double ns = 0;
};

// Half of them.
Cycled run(Registry& registry, const Options& options, std::uint64_t seed) {
  ServiceSpec spec;
  spec.endpoint = endpoint_of(0);
  Dice dice(seed);
  Service found;
  Cycled cycled;
  const auto began = std::chrono::steady_clock::now();
  const double began_ns = bench::processor_time_ns();
  for (; cycled.cycles < kCycles / 2; ++cycled.cycles) {
    const Name name(kVisitor, dice.below(kCycles));
    Result<Registration> mine = registry.register_service(name.view(), spec);
    // Now and then, for the answer's sake.
    const bool look = cycled.cycles % 1024 == 0;
    if (look) {
      require(registry.lookup(name.view(), found) == Errc::ok, "a visitor was not found");
    }
    require(mine.ok() && mine->unregister().value(), "a visitor could not come and go");
    if (!look) continue;
    require(registry.lookup(name.view(), found) == Errc::not_found, "a visitor has stayed");
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - began;
    if (options.seconds > 0 && spent.count() > options.seconds / 2) break;
  }
  cycled.ns = (bench::processor_time_ns() - began_ns) /
              static_cast<double>(std::max<std::size_t>(cycled.cycles, 1));
  return cycled;
}

}  // namespace

void cycles(const Options& options, Report& report) {
  const std::size_t names = std::min(options.services, kMostNames);
  Table table(names);
  const Table control(names);
  const Insides insides = table.insides();
  const double ratio_before = tell(report, "before", table, look_up(options, table, control));
  const auto bytes = [&] {
    return static_cast<double>(table.registry().info().value().bytes_used);
  };
  const double bytes_before = bytes();
  const std::uint64_t rebuilds = insides.rebuilds();
  Report::say("cycles");
  const Cycled first = run(table.registry(), options, 7);
  const double bytes_halfway = bytes();
  const Cycled second = run(table.registry(), options, 8);
  const double ratio_after = tell(report, "after", table, look_up(options, table, control));
  report.add("lookup_change", "x", ratio_after / ratio_before);
  require(insides.services() == names, "cycles have left services, or taken some");
  report.add("names", "", static_cast<double>(names));
  report.add("cycles", "", static_cast<double>(first.cycles + second.cycles));
  report.add("cycle", "ns", (first.ns + second.ns) / 2);
  report.add("rebuilds", "", static_cast<double>(insides.rebuilds() - rebuilds));
  report.add("bytes_before", "bytes", bytes_before);
  report.add("bytes_halfway", "bytes", bytes_halfway);
  report.add("bytes_after", "bytes", bytes());
}

}  // namespace shmreg::scale
