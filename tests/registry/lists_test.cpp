// Lists, counts and namespaces: each live service once.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "registry/seen.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

BOOST_AUTO_TEST_SUITE(registry)

BOOST_AUTO_TEST_CASE(an_empty_registry_has_empty_lists) {
  const ScratchSegment segment;
  const auto registry = segment.attach();
  BOOST_TEST(registry.list()->empty());
  BOOST_TEST(registry.list("nothing")->empty());
  BOOST_TEST(registry.count().value() == 0U);
  BOOST_TEST(registry.namespaces()->empty());
  BOOST_TEST(registry.processes()->empty());
  BOOST_TEST(registry.info()->services == 0U);
}

BOOST_AUTO_TEST_CASE(a_list_has_each_live_service_of_that_namespace_once) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  Child dead([&](const Parent& parent) { hold(parent, segment, {"a/dead", "b/dead"}); });
  dead.await();
  std::vector<Registration> held;
  for (const char* name : {"a/one", "a/two", "b/one", "a/b/one", "ab/one"}) {
    held.push_back(registry.register_service(name).value());
  }
  dead.kill();
  BOOST_TEST((names_of(*registry.list("a")) == std::multiset<std::string>{"a/one", "a/two"}));
  BOOST_TEST((names_of(*registry.list("b")) == std::multiset<std::string>{"b/one"}));
  BOOST_TEST((names_of(*registry.list("a/b")) == std::multiset<std::string>{"a/b/one"}));
  BOOST_TEST(registry.list("c")->empty());
  BOOST_TEST(registry.list()->size() == 5U);
  BOOST_TEST(registry.count("a").value() == 2U);
  BOOST_TEST(registry.count("a/b").value() == 1U);
  BOOST_TEST(registry.count().value() == 5U);
  std::map<std::string, std::uint64_t> counts;
  const auto spaces = registry.namespaces().value();
  for (const auto& space : spaces) counts[space.name] = space.services;
  BOOST_TEST(
      (counts == std::map<std::string, std::uint64_t>{{"a", 2}, {"a/b", 1}, {"ab", 1}, {"b", 1}}));
  BOOST_TEST(registry.info()->namespaces == 4U);
  BOOST_TEST(registry.info()->services == 5U);
}

BOOST_AUTO_TEST_CASE(thousands_of_namespaces_are_each_listed_by_themselves) {
  // More than the 16-bit tags of a namespace keep apart by luck alone in one partition.
  const ScratchSegment segment;
  auto registry = segment.attach();
  constexpr int kSpaces = 2'000;
  for (int i = 0; i < kSpaces; ++i) {
    registry.register_service("s" + std::to_string(i) + "/x").value().release();
  }
  BOOST_TEST(registry.namespaces()->size() == static_cast<std::size_t>(kSpaces));
  for (int i = 0; i < kSpaces; i += 199) {
    const std::string space = "s" + std::to_string(i);
    const auto listed = registry.list(space);
    BOOST_TEST_REQUIRE(listed->size() == 1U);
    BOOST_TEST(listed->front().namespace_name() == space);
  }
}

// Claim: the table grows from 16 slots a partition to thousands of services while others read, and
// what is registered is found by each of them all along and listed exactly once.
// Method: a writer in a child registers and never unregisters; each name's number is published
// after its registration, so the readers (two threads here) know what they must find.
BOOST_AUTO_TEST_CASE(what_is_registered_stays_found_and_listed_once_while_the_table_grows) {
  constexpr std::uint64_t kServices = kSanitized ? 1'500 : 6'000;
  CreateOptions options;
  options.partitions = 4;
  options.initial_slots = 16;
  const ScratchSegment segment(options);
  Child writer([&](const Parent& parent) {
    auto registry = segment.attach();
    std::vector<Registration> held;
    for (std::uint64_t i = 0; i < kServices; ++i) {
      held.push_back(
          registry.register_service("g/" + std::to_string(i), {.endpoint = std::to_string(i)})
              .value());
      if (i % 20 == 19) parent.tell(i + 1);
    }
    parent.linger();
  });
  const auto registry = segment.reader();
  std::atomic<std::uint64_t> registered{0};
  std::atomic<int> missed{0};
  std::atomic<int> wrong{0};
  std::thread finder([&] {
    std::uint64_t step = 1;
    Service found;
    while (registered.load() < kServices) {
      const std::uint64_t known = registered.load();
      if (known == 0) continue;
      const std::string name = std::to_string(step++ * 7919 % known);
      if (registry.lookup("g/" + name, found) != Errc::ok) {
        ++missed;
      } else if (found.endpoint() != name) {
        ++wrong;
      }
    }
  });
  std::thread lister([&] {
    while (registered.load() < kServices) {
      const std::uint64_t known = registered.load();
      const auto listed = registry.list("g");
      if (!listed.ok()) {
        ++wrong;
        continue;
      }
      const auto names = names_of(*listed);
      for (std::uint64_t i = 0; i < known; ++i) {
        if (names.count("g/" + std::to_string(i)) != 1) ++missed;
      }
    }
  });
  while (registered.load() < kServices) registered.store(writer.hear());
  finder.join();
  lister.join();
  BOOST_TEST(missed.load() == 0);
  BOOST_TEST(wrong.load() == 0);
  BOOST_TEST(registry.count().value() == kServices);
  const auto report = doctor(segment.name());
  BOOST_TEST(report.problems.empty());
  BOOST_TEST(report.services == kServices);
}

BOOST_AUTO_TEST_SUITE_END()
