// shmreg_scale: what a registry does when there is much of everything: services, changes, processes
// that end, processes that wait.
//
// This file: the menu, the command line, and the order of things. A question is in the file of its
// name.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "figures.hpp"
#include "question.hpp"
#include "shmreg/registry.hpp"

namespace {

using namespace shmreg::scale;

constexpr std::string_view kMenu =
    R"(Questions, each put to processes of its own on a segment of its own, and their rows:

  import_beside_lookups   one process registers all services, into a segment of default size that
                          grows; four look up names that are there from the start; two register and
                          unregister names of their own. A miss is an error.
    import_alone          services a second with nobody beside
    import, import_by_processor_time
                          the same beside the others: by the clock, and while it had a processor
    lookups, misses, changes_beside, rebuilds
                          what went on meanwhile; rebuilds are of partitions' indices
    reader_*, writer_*, importer_*
                          the longest single operation, and what 99.9 % and 99.99 % stay under:
                          _wall by the clock; _cpu by the thread's processor time; _held by the
                          clock less what it was ready to run and had no processor
    control_*             the same of reading memory of their own, by the readers, in turn with
                          lookups: what the machine does to anybody

  cycles                  10 million registrations and unregistrations of random names among 10,000
                          that stay, beside a second table that is left alone. (At most --services)
    hit_probe_*, miss_probe_*
                          buckets of eight slots looked at to find a name, or that it is missing
    tombstones_*          slots that a name has left and a probe must pass
    lookup_*, lookup_control_*, lookup_ratio_*, lookup_change
                          a lookup in this table, in the other one, in turn; one to the other; and
                          what the cycles have made of that ratio
    cycle                 one registration and unregistration
    rebuilds, bytes_*     of indices, by the cycles; claimed from the file system

  owner_ends              a process with 10,000 names is killed. A name found from the mark on, or
                          left over in the end, is an error.
    kill_to_mark          until the kernel has marked it: from here on nothing of it is found
    called, called_processor_time
                          a process takes away all 10,000, from its call until done
    keepers, keepers_from_kill, first_keepers
                          the keepers of six idle processes do: from the mark, from the kill; from
                          the mark, where they had never touched what they take away

  unregister_own          unregistering one of 10,000 own names (unregister_among_10000), the only
                          own name (unregister_only), in turn; and the one to the other (ratio)

  small_namespace         listing a namespace of 10 services. A wrong list is an error.
    list_10_attached      by a process that has done so before
    list_10_first_call, list_10_second_call, attach
                          by a process that has attached just now
    list_all              all services, for comparison

  waiters                 100 processes wait for a name, which is registered (registry_100_*), or on
                          a bare futex (futex_100_*): from before the call that wakes until they
                          run; one waiter alone (registry_1, futex_1, ratio_1). One that is not
                          woken is an error.

A figure is the median of its rounds, with least and most beside it; what is asked of two things is
asked in turn. A mark is what a figure should stay under: stated, never asserted.
)";

struct CommandLine {
  std::vector<std::string> only;
  Options options;
  bool json = false;
  bool list = false;
};

constexpr std::array<Question, 6> kQuestions{{
    {"import_beside_lookups", import_beside_lookups},
    {"cycles", cycles},
    {"owner_ends", owner_ends},
    {"unregister_own", unregister_own},
    {"small_namespace", small_namespace},
    {"waiters", waiters},
}};

std::vector<std::string> names_of_questions() {
  std::vector<std::string> names;
  for (const Question& question : questions()) names.emplace_back(question.name);
  return names;
}

// An exit code where the command line already decides it.
std::optional<int> parse(int argc, char** argv, CommandLine& line) {
  CLI::App app("shmreg_scale: what a registry does when there is much of everything.",
               "shmreg_scale");
  app.footer(std::string(kMenu));
  app.add_option("--only", line.only, "Ask only these questions")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(CLI::IsMember(names_of_questions()).description(""))
      ->type_name("QUESTION,..");
  app.add_option("--services", line.options.services,
                 "Services that there are besides, 100 to 4000000")
      ->check(CLI::Range(std::size_t{100}, std::size_t{4'000'000}).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--seconds", line.options.seconds,
                 "Of rounds a question, after three of them; else as many as it has")
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("S");
  app.add_flag("--json", line.json, "Print one JSON object at the end");
  app.add_flag("--list", line.list, "Print the questions and what their rows measure, and end");
  app.set_version_flag("--version", std::string("shmreg_scale ") + shmreg::version());
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted);
  } catch (const CLI::ParseError& problem) {
    std::cerr << "shmreg_scale: " << problem.what() << std::endl;
    return 2;
  }
  if (line.list) {
    std::cout << kMenu;
    return EXIT_SUCCESS;
  }
  return std::nullopt;
}

bool is_chosen(const std::vector<std::string>& chosen, std::string_view name) {
  return chosen.empty() || std::find(chosen.begin(), chosen.end(), name) != chosen.end();
}

}  // namespace

std::span<const Question> shmreg::scale::questions() noexcept { return kQuestions; }

int main(int argc, char** argv) {
  try {
    CommandLine line;
    if (const std::optional<int> code = parse(argc, argv, line)) return *code;
    Report report(line.json ? nullptr : &std::cout);
    for (const Question& question : questions()) {
      if (!is_chosen(line.only, question.name)) continue;
      report.begin(question.name, line.options.services);
      question.ask(line.options, report);
    }
    if (line.json) report.print_json(std::cout);
    return EXIT_SUCCESS;
  } catch (const std::exception& problem) {
    std::cerr << "shmreg_scale: " << problem.what() << std::endl;
    return EXIT_FAILURE;
  }
}
