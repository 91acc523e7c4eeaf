// small_namespace: a namespace of ten services is listed in a table of a million.
//
// By a process that has long been attached, in turn with a list of everything; and by processes
// that have attached just now, whose page tables are empty: the first call of a tool.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "crew.hpp"
#include "latencies.hpp"
#include "population.hpp"
#include "question.hpp"

namespace shmreg::scale {
namespace {

constexpr std::size_t kSmall = 10;
constexpr unsigned kRounds = 15;
constexpr unsigned kFullRounds = 3;  // a million copies are a gigabyte that comes and goes
constexpr double kMarkMs = 5;
constexpr std::string_view kSmallSpace = "small";

struct Times {
  double attach_ms = 0;
  double first_ms = 0;
  double second_ms = 0;
};

template <class Work>
double ms_of(Work work) {
  const std::uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
  work();
  return static_cast<double>(clock_ns(CLOCK_MONOTONIC) - began_ns) / 1e6;
}

double small_list_ms(const Registry& registry) {
  std::vector<Service> services;
  const double ms = ms_of([&] { services = registry.list(kSmallSpace).value(); });
  require(services.size() == kSmall, "a list of a namespace has lost services, or found others");
  std::array<bool, kSmall> seen{};
  for (const Service& service : services) {
    for (std::size_t i = 0; i < kSmall; ++i) {
      if (service.full_name() == Name("small/service-", i).view()) seen.at(i) = true;
    }
  }
  require(std::count(seen.begin(), seen.end(), true) == kSmall, "a list has the wrong services");
  return ms;
}

double full_list_ms(const Registry& registry, std::size_t services) {
  std::size_t listed = 0;
  const double ms = ms_of([&] { listed = registry.list().value().size(); });
  require(listed == services, "a list of everything has lost services, or found others");
  return ms;
}

Times first_call(const OwnSegment& segment) {
  const Common<Times> times;
  Crew crew;
  crew.start([&] {
    std::optional<Registry> registry;
    times->attach_ms = ms_of([&] { registry = segment.attach(Access::prefer_write); });
    times->first_ms = small_list_ms(*registry);
    times->second_ms = small_list_ms(*registry);
  });
  crew.await_all();
  return *times;
}

}  // namespace

void small_namespace(const Options& options, Report& report) {
  const OwnSegment segment(options.services);
  {
    Crew crew;
    crew.start([&] {
      Registry registry = segment.attach();
      populate(registry, kOthers, options.services);
      populate(registry, "small/service-", kSmall);
    });
    crew.await_all();
  }
  const Registry registry = segment.attach();
  std::vector<double> warm_ms;
  std::vector<double> attach_ms;
  std::vector<double> first_ms;
  std::vector<double> second_ms;
  std::vector<double> full_ms;
  (void)small_list_ms(registry);
  for (Rounds rounds(options, kRounds); rounds.more();) {
    warm_ms.push_back(small_list_ms(registry));
    const Times times = first_call(segment);
    attach_ms.push_back(times.attach_ms);
    first_ms.push_back(times.first_ms);
    second_ms.push_back(times.second_ms);
    if (rounds.round() <= kFullRounds) {
      full_ms.push_back(full_list_ms(registry, options.services + kSmall));
      (void)small_list_ms(registry);
    }
  }
  report.add("list_10_attached", "ms", std::move(warm_ms), kMarkMs);
  report.add("list_10_first_call", "ms", std::move(first_ms), kMarkMs);
  report.add("list_10_second_call", "ms", std::move(second_ms));
  report.add("attach", "ms", std::move(attach_ms));
  report.add("list_all", "ms", std::move(full_ms));
}

}  // namespace shmreg::scale
