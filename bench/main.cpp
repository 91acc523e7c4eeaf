// shmreg_bench: what a registry costs, beside what else one could use.
//
// This file: the menu, the command line, and the order of things. A question is in the file of its
// name, a contender in contender_NAME.cpp, the loops that are timed in contender.hpp, the rounds in
// harness.hpp.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contender.hpp"
#include "harness.hpp"
#include "numbers.hpp"
#include "report.hpp"
#include "shmreg/registry.hpp"
#include "workload.hpp"

namespace {

constexpr std::string_view kMenu =
    R"(Questions, each at every number of services:
  lookup_hit           find a random service that is there, copy it out, read its endpoint; ns each
  lookup_miss          learn that a name is not there; ns each
  lookup_dependent     lookup_hit, where the name asked for depends on the answer before: latency
                       (flat and shmreg only)
  bytes_per_service    memory claimed right after filling, divided by the services
  register_unregister  register a name that is not there, and unregister it; ns a pair

Contenders; ratios are to the first:
  flat                 boost::unordered_flat_map in this process, names in place, XXH3, 64-byte
                       value, no lock, no liveness, no sharing: the floor
  shmreg               this library, services of this process in a segment of their own; every
                       lookup checks that the owner lives
  flat_string_rwlock   flat with std::string names under std::shared_mutex
  boost_managed        Boost.Interprocess managed_shared_memory: unordered_map, interprocess
                       strings, sharable mutex
  boost_tuned          the same with names in place and one robust mutex
  lmdb                 LMDB on tmpfs, never synced: a renewed read transaction a lookup, a write
                       transaction a change

Names have 25 bytes, endpoints 24. All contenders get the same names in the same order; answers are
checked. In each round all do the same batch in turn. Time is processor time; a figure is the median
over the rounds, a ratio the median of the rounds' ratios, with least and most beside it.
)";

using namespace shmreg::bench;

struct Options {
  std::vector<std::string> only;
  std::vector<std::string> contenders;
  std::vector<std::size_t> services{100, 10'000, 1'000'000};
  unsigned rounds = 9;
  std::size_t operations = 0;  // 0: as the number of services asks for
  bool json = false;
  bool list = false;
};

bool is_chosen(const std::vector<std::string>& chosen, std::string_view name) {
  return chosen.empty() || std::find(chosen.begin(), chosen.end(), name) != chosen.end();
}

template <class Named>
std::vector<std::string> names_of(std::span<const Named> all) {
  std::vector<std::string> names;
  for (const Named& one : all) names.emplace_back(one.name);
  return names;
}

// So many that a batch takes milliseconds and, with many services, goes well past the caches.
std::size_t operations_for(const Options& options, std::size_t services) {
  constexpr std::size_t kFew = std::size_t{1} << 18;
  constexpr std::size_t kMany = std::size_t{1} << 20;
  if (options.operations != 0) return std::bit_ceil(options.operations);
  return services < kFew ? kFew : kMany;
}

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {}

  // Everything at one size: the contenders live side by side, so that they can take turns.
  void run(std::size_t services) {
    const Workload workload(services, operations_for(options_, services));
    const std::vector<Competitor> competitors = fill_all(workload);
    const Race race{competitors, workload, options_.rounds};
    for (const Question& question : questions()) {
      if (!is_chosen(options_.only, question.name)) continue;
      say(grouped(services) + " services: " + std::string(question.name));
      const std::vector<Row> rows = question.ask(question, race);
      if (!options_.json) print_rows(std::cout, question, rows);
      rows_.insert(rows_.end(), rows.begin(), rows.end());
    }
  }

  void finish() const {
    if (options_.json) print_json(std::cout, options_.rounds, rows_, skipped_);
  }

 private:
  std::vector<Competitor> fill_all(const Workload& workload) {
    std::vector<Competitor> competitors;
    for (const ContenderEntry& entry : contenders()) {
      if (!is_chosen(options_.contenders, entry.name)) continue;
      say(grouped(workload.services()) + " services: filling " + std::string(entry.name));
      std::unique_ptr<Contender> contender = entry.make();
      if (contender == nullptr) {
        skip(entry.name, workload.services(), std::string(entry.if_absent));
        continue;
      }
      try {
        contender->fill(workload);
      } catch (const std::exception& problem) {
        skip(entry.name, workload.services(), problem.what());
        continue;
      }
      if (!contender->has_all(workload.present())) throw WrongAnswer("after filling", entry.name);
      competitors.push_back({entry.name, std::move(contender)});
    }
    return competitors;
  }

  void skip(std::string_view contender, std::size_t services, std::string reason) {
    std::cerr << "shmreg_bench: " << contender << " skipped at " << grouped(services)
              << " services: " << reason << std::endl;
    skipped_.push_back({contender, services, std::move(reason)});
  }

  // Progress, for whoever waits at a terminal.
  static void say(const std::string& what) {
    if (isatty(STDERR_FILENO) == 1) std::cerr << "# " << what << std::endl;
  }

  const Options& options_;
  std::vector<Row> rows_;
  std::vector<Skipped> skipped_;
};

// An exit code where the command line already decides it.
std::optional<int> parse(int argc, char** argv, Options& options) {
  CLI::App app("shmreg_bench: what a registry costs, beside what else one could use.",
               "shmreg_bench");
  app.footer(std::string(kMenu));
  const auto add_list = [&app](const char* name, auto& list, const char* what,
                               const CLI::Validator& check) {
    return app.add_option(name, list, what)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false)
        ->delimiter(',')
        ->check(CLI::Validator(check).description(""));
  };
  add_list("--only", options.only, "Ask only these questions", CLI::IsMember(names_of(questions())))
      ->type_name("QUESTION,..");
  add_list("--contenders", options.contenders, "Let only these take part",
           CLI::IsMember(names_of(contenders())))
      ->type_name("NAME,..");
  add_list("--services", options.services, "Numbers of services, 1 to 1000000",
           CLI::Range(std::size_t{1}, kMaxServices))
      ->type_name("N,..")
      ->default_str("100,10000,1000000");
  app.add_option("--rounds", options.rounds, "Rounds that count; medians want at least 7")
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--operations", options.operations,
                 "Lookups a batch, made a power of two; more where services are many")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 24).description(""))
      ->type_name("N");
  app.add_flag("--json", options.json, "Print one JSON object at the end");
  app.add_flag("--list", options.list, "Print the questions and contenders, and end");
  app.set_version_flag("--version", std::string("shmreg_bench ") + shmreg::version());
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted);
  } catch (const CLI::ParseError& problem) {
    std::cerr << "shmreg_bench: " << problem.what() << std::endl;
    return 2;
  }
  if (options.list) {
    std::cout << kMenu;
    return EXIT_SUCCESS;
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options options;
    if (const std::optional<int> code = parse(argc, argv, options)) return *code;
    Bench bench(options);
    for (const std::size_t services : options.services) bench.run(services);
    bench.finish();
    return EXIT_SUCCESS;
  } catch (const std::exception& problem) {
    std::cerr << "shmreg_bench: " << problem.what() << std::endl;
    return EXIT_FAILURE;
  }
}
