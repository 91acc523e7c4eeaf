// Register and look up: what one process sees of itself and of another.
#include "shmreg/registry.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "registry/seen.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

BOOST_AUTO_TEST_SUITE(registry)

BOOST_AUTO_TEST_CASE(what_one_process_registers_another_finds) {
  const ScratchSegment segment;
  const ServiceSpec spec{.endpoint = "tcp://127.0.0.1:4000",
                         .metadata = {{"version", "1.2.3"}, {"empty", ""}},
                         .tags = {"primary", "eu"},
                         .depends = {"production/db", "cache"},
                         .wants = {"log"}};
  Child child([&](const Parent& parent) {
    auto registry = segment.attach();
    const auto mine = registry.register_service("production/config_server", spec).value();
    parent.tell(mine.id());
    parent.linger();
  });
  const std::uint64_t id = child.hear();
  const auto registry = segment.reader();
  Service found;
  BOOST_TEST_REQUIRE((registry.lookup("production/config_server", found) == Errc::ok));
  BOOST_TEST(found.full_name() == "production/config_server");
  BOOST_TEST(found.namespace_name() == "production");
  BOOST_TEST(found.name() == "config_server");
  BOOST_TEST(found.endpoint() == spec.endpoint);
  BOOST_TEST((owned(found.metadata()) == spec.metadata));
  BOOST_TEST(owned(found.tags()) == spec.tags);
  BOOST_TEST(owned(found.depends()) == (Texts{"production/db", "default/cache"}));
  BOOST_TEST(owned(found.wants()) == (Texts{"default/log"}));
  BOOST_TEST((found.owner() == OwnerKind::process));
  BOOST_TEST((found.alive() == Alive::yes));
  BOOST_TEST((found.health() == Health::unknown));
  BOOST_TEST(found.pid() == static_cast<std::uint32_t>(child.pid()));
  BOOST_TEST(found.id() == id);
  BOOST_TEST(found.id() < (std::uint64_t{1} << 53));
  BOOST_TEST(found.registered_at_ns() > 1'600'000'000'000'000'000);
  BOOST_TEST(found.uptime_ns() < 600'000'000'000U);
}

BOOST_AUTO_TEST_CASE(a_name_without_a_namespace_is_in_the_default_one) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto mine = registry.register_service("plain").value();
  BOOST_TEST(mine.full_name() == "default/plain");
  BOOST_TEST(registry.lookup("default/plain").ok());
  BOOST_TEST(registry.lookup("plain")->namespace_name() == "default");
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_not_found_with_a_sentence) {
  const ScratchSegment segment;
  const auto registry = segment.attach();
  Service found;
  BOOST_TEST((registry.lookup("a/b", found) == Errc::not_found));
  BOOST_TEST(!found.has_value());
  const auto result = registry.lookup("a/b");
  BOOST_TEST((result.code() == Errc::not_found));
  BOOST_TEST(result.message().find("a/b") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_live_owner_keeps_its_name_and_the_other_is_told_who) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, {"a/b"}); });
  const std::uint64_t id = owner.hear();
  auto registry = segment.attach();
  const std::string before = picture_of(registry.lookup("a/b").value());
  const auto refused = registry.register_service("a/b", {.endpoint = "mine"});
  BOOST_TEST((refused.code() == Errc::already_registered));
  BOOST_TEST(mentions(refused.message(), static_cast<std::uint64_t>(owner.pid())));
  BOOST_TEST(mentions(refused.message(), id));
  BOOST_TEST(refused.message().find('\n') == std::string::npos);
  BOOST_TEST(picture_of(registry.lookup("a/b").value()) == before);
  const auto for_other = registry.register_for(Owner::permanent(), "a/b", {.endpoint = "mine"});
  BOOST_TEST((for_other.code() == Errc::already_registered));
  BOOST_TEST(picture_of(registry.lookup("a/b").value()) == before);
  BOOST_TEST(registry.count().value() == 1U);
}

BOOST_AUTO_TEST_CASE(who_asks_to_replace_takes_a_live_owners_name) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, {"a/b"}); });
  owner.await();
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/b", {.endpoint = "mine"}, {.replace = true});
  BOOST_TEST_REQUIRE(mine.ok());
  BOOST_TEST(registry.lookup("a/b")->endpoint() == "mine");
  BOOST_TEST(registry.count().value() == 1U);
  owner.kill();
  BOOST_TEST(registry.lookup("a/b").ok());
}

BOOST_AUTO_TEST_CASE(ones_own_name_again_is_one_entry_with_a_new_id) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  auto first = registry.register_service("a/b", {.endpoint = "one", .tags = {"t"}}).value();
  auto second = registry.register_service("a/b", {.endpoint = "two"}).value();
  BOOST_TEST(second.id() > first.id());
  const Service found = registry.lookup("a/b").value();
  BOOST_TEST(found.id() == second.id());
  BOOST_TEST(found.endpoint() == "two");
  BOOST_TEST(found.tags().empty());
  BOOST_TEST(registry.count().value() == 1U);
  BOOST_TEST(registry.list()->size() == 1U);

  // The older handle has lost the name, and can do it no harm.
  BOOST_TEST((first.update({.endpoint = "three"}).code() == Errc::registration_lost));
  BOOST_TEST(first.unregister().value() == false);
  BOOST_TEST(registry.lookup("a/b")->endpoint() == "two");
  { const Registration gone = std::move(first); }
  BOOST_TEST(registry.lookup("a/b")->id() == second.id());
}

BOOST_AUTO_TEST_CASE(an_older_handle_that_is_destroyed_leaves_the_newer_registration) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  Registration second;
  {
    const auto first = registry.register_service("a/b").value();
    second = registry.register_service("a/b").value();
  }
  BOOST_TEST(registry.lookup("a/b")->id() == second.id());
}

BOOST_AUTO_TEST_CASE(the_same_name_in_two_namespaces_is_two_services) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto a = registry.register_service("a/same", {.endpoint = "in a"}).value();
  const auto b = registry.register_service("b/same", {.endpoint = "in b"}).value();
  BOOST_TEST(registry.lookup("a/same")->endpoint() == "in a");
  BOOST_TEST(registry.lookup("b/same")->endpoint() == "in b");
  BOOST_TEST(registry.count().value() == 2U);
}

BOOST_AUTO_TEST_CASE(ids_ascend_and_are_never_given_twice) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  std::uint64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const auto mine = registry.register_service("a/n" + std::to_string(i % 7)).value();
    BOOST_TEST(mine.id() > last);
    last = mine.id();
  }
  BOOST_TEST(last < (std::uint64_t{1} << 53));
}

// Claim: of k processes that race for one free name exactly one gets it, and each of the others is
// told the winner's pid. Method: all wait for the same moment of the clock; the answers are
// compared with what a lookup finds. The name is given up and raced for again.
BOOST_AUTO_TEST_CASE(of_many_racers_one_wins_and_the_others_are_told_who) {
  constexpr std::size_t kRacers = 4;
  constexpr int kRounds = 25;
  const ScratchSegment segment(small_segment());
  std::vector<std::unique_ptr<Child>> racers;
  for (std::size_t i = 0; i < kRacers; ++i) {
    racers.push_back(std::make_unique<Child>([&](const Parent& parent) {
      auto registry = segment.attach();
      for (;;) {
        const auto winner_of = [&](const Result<Registration>& won) -> std::uint64_t {
          if (won.ok()) return static_cast<std::uint64_t>(::getpid());
          CHILD_CHECK(won.code() == Errc::already_registered);
          // "... is already registered by pid N (...)"
          const auto at = won.message().find("pid ");
          CHILD_CHECK(at != std::string::npos);
          return std::stoull(won.message().substr(at + 4));
        };
        parent.await();
        {
          const auto won = registry.register_service("race/me");
          parent.tell(winner_of(won));
          parent.await();
        }
        parent.tell();
      }
    }));
  }
  const auto registry = segment.reader();
  for (int round = 0; round < kRounds; ++round) {
    for (auto& racer : racers) racer->tell();
    std::set<std::uint64_t> winners;
    for (auto& racer : racers) winners.insert(racer->hear());
    BOOST_TEST_REQUIRE(winners.size() == 1U);
    BOOST_TEST(registry.lookup("race/me")->pid() == *winners.begin());
    for (auto& racer : racers) racer->tell();
    for (auto& racer : racers) racer->await();
    BOOST_TEST_REQUIRE(!registry.lookup("race/me").ok());
  }
}

BOOST_AUTO_TEST_CASE(a_service_outlives_the_thread_that_registered_it) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  Registration mine;
  std::thread([&] { mine = registry.register_service("a/b").value(); }).join();
  const auto reader = segment.reader();
  BOOST_TEST(reader.lookup("a/b").ok());
  std::thread([&] { BOOST_TEST(mine.update({.endpoint = "new"}).ok()); }).join();
  BOOST_TEST(reader.lookup("a/b")->endpoint() == "new");
  std::thread([&] { BOOST_TEST(mine.unregister().value()); }).join();
  BOOST_TEST(!reader.lookup("a/b").ok());
}

BOOST_AUTO_TEST_CASE(many_threads_of_one_process_share_one_entry) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  std::vector<std::thread> threads;
  std::vector<Registration> held(8);
  for (std::size_t i = 0; i < held.size(); ++i) {
    threads.emplace_back([&, i] {
      held[i] = segment.attach().register_service("a/t" + std::to_string(i)).value();
      for (int round = 0; round < 20; ++round) {
        const auto brief = registry.register_service("a/brief" + std::to_string(i)).value();
        Service found;
        (void)registry.lookup("a/t" + std::to_string(round % 8), found);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  BOOST_TEST(registry.count().value() == 8U);
  BOOST_TEST_REQUIRE(registry.processes()->size() == 1U);
  BOOST_TEST(registry.processes()->front().services == 8U);
}

BOOST_AUTO_TEST_CASE(a_second_attach_in_the_same_process_shares_the_entry) {
  const ScratchSegment segment;
  auto one = segment.attach();
  auto two = segment.attach();
  const auto a = one.register_service("a/one").value();
  const auto b = two.register_service("a/two").value();
  BOOST_TEST_REQUIRE(one.processes()->size() == 1U);
  BOOST_TEST(one.processes()->front().services == 2U);
  BOOST_TEST(one.processes()->front().pid == static_cast<std::uint32_t>(::getpid()));
  // The name is this process's, whichever handle asks for it.
  BOOST_TEST(two.register_service("a/one").ok());
}

BOOST_AUTO_TEST_CASE(a_registration_keeps_its_process_attached) {
  const ScratchSegment segment;
  const auto reader = segment.reader();
  {
    Registration mine;
    {
      auto registry = segment.attach();
      mine = registry.register_service("a/b").value();
    }
    BOOST_TEST(reader.lookup("a/b").ok());
    BOOST_TEST(reader.processes()->size() == 1U);
  }
  BOOST_TEST(!reader.lookup("a/b").ok());
  BOOST_TEST(reader.processes()->empty());
}

BOOST_AUTO_TEST_CASE(a_released_registration_stays_as_long_as_its_process) {
  const ScratchSegment segment;
  Child child([&](const Parent& parent) {
    {
      auto registry = segment.attach();
      auto mine = registry.register_service("a/b").value();
      mine.release();
      CHILD_CHECK(!mine);
    }
    parent.tell();
    parent.linger();
  });
  child.await();
  const auto reader = segment.reader();
  BOOST_TEST(reader.lookup("a/b").ok());
  child.kill();
  BOOST_TEST(!reader.lookup("a/b").ok());
}

BOOST_AUTO_TEST_CASE(a_moved_from_registration_holds_nothing) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  auto first = registry.register_service("a/b").value();
  Registration second = std::move(first);
  BOOST_TEST(!first);  // NOLINT(bugprone-use-after-move): that is what is asked
  BOOST_TEST(first.unregister().value() == false);
  BOOST_TEST((first.update({}).code() == Errc::registration_lost));
  BOOST_TEST(registry.lookup("a/b").ok());
  second = Registration();
  BOOST_TEST(!registry.lookup("a/b").ok());
}

// --- failures leave nothing ----------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(failed_registers_change_no_count_and_leave_nothing) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, {"a/taken"}); });
  owner.await();
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/mine").value();
  const RegistryInfo before = registry.info().value();
  const std::string big(70'000, 'x');
  BOOST_TEST(!registry.register_service("a/taken").ok());
  BOOST_TEST(!registry.register_service("").ok());
  BOOST_TEST(!registry.register_service("a/big", {.endpoint = big}).ok());
  BOOST_TEST(!registry.register_service("a/mine", {.metadata = {{"k", "1"}, {"k", "2"}}}).ok());
  BOOST_TEST(!registry.register_for(Owner::process(0), "a/none").ok());
  BOOST_TEST(!registry.register_for(Owner::process(-5), "a/none").ok());
  BOOST_TEST(!registry.register_for(Owner::time_to_live(std::chrono::seconds(0)), "a/n").ok());
  BOOST_TEST(!registry.register_for(Owner::time_to_live(std::chrono::seconds(-1)), "a/n").ok());
  BOOST_TEST(!registry.update("a/taken", {}).ok());
  BOOST_TEST(!registry.update("a/none", {}).ok());
  const RegistryInfo after = registry.info().value();
  BOOST_TEST(after.changes == before.changes);
  BOOST_TEST(after.services == before.services);
  BOOST_TEST(after.namespaces == before.namespaces);
  BOOST_TEST(after.processes == before.processes);
  BOOST_TEST(after.bytes_used == before.bytes_used);
  BOOST_TEST(doctor(segment.name()).problems.empty());
}

BOOST_AUTO_TEST_SUITE_END()
