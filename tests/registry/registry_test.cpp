// Register, look up, unregister, update, list: what one process sees of itself and of another.
#include "shmreg/registry.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
using Texts = std::vector<std::string>;

Pairs owned(const std::vector<std::pair<std::string_view, std::string_view>>& pairs) {
  return {pairs.begin(), pairs.end()};
}
Texts owned(const std::vector<std::string_view>& texts) { return {texts.begin(), texts.end()}; }

std::multiset<std::string> names_of(const std::vector<Service>& services) {
  std::multiset<std::string> names;
  for (const Service& service : services) names.emplace(service.full_name());
  return names;
}

// Everything of a service that can be seen, for "unchanged to the byte".
std::string picture_of(const Service& service) {
  std::string text = std::string(service.full_name()) + "|" + std::string(service.endpoint()) +
                     "|" + std::to_string(service.id()) + "|" + std::to_string(service.pid()) +
                     "|" + std::to_string(service.change()) + "|" +
                     std::to_string(service.registered_at_ns());
  for (const auto& [key, value] : service.metadata()) {
    text += "|" + std::string(key) + "=" + std::string(value);
  }
  for (const auto tag : service.tags()) text += "|" + std::string(tag);
  return text;
}

bool mentions(const std::string& text, std::uint64_t number) {
  return text.find(std::to_string(number)) != std::string::npos;
}

// What a process does that holds these names until it is killed.
void hold(const Parent& parent, const ScratchSegment& segment, const Texts& names) {
  auto registry = segment.attach();
  std::vector<Registration> held;
  for (const std::string& name : names) {
    held.push_back(registry.register_service(name, {.endpoint = "of " + name}).value());
  }
  parent.tell(held.back().id());
  parent.linger();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(registry)

// --- register and look up ------------------------------------------------------------------------

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

// --- unregister ----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_its_owner_unregisters_is_gone_and_free_and_its_other_names_stay) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  auto a = registry.register_service("a/one").value();
  const auto b = registry.register_service("a/two").value();
  BOOST_TEST(a.unregister().value());
  BOOST_TEST(!a);
  BOOST_TEST(a.unregister().value() == false);
  BOOST_TEST(!registry.lookup("a/one").ok());
  BOOST_TEST(registry.lookup("a/two").ok());
  Child other([&](const Parent& parent) { hold(parent, segment, {"a/one"}); });
  other.await();
  BOOST_TEST(registry.lookup("a/one")->pid() == static_cast<std::uint32_t>(other.pid()));
}

BOOST_AUTO_TEST_CASE(unregistering_what_is_not_there_is_false_and_no_error) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto nothing = registry.unregister("a/nothing");
  BOOST_TEST(nothing.ok());
  BOOST_TEST(nothing.value() == false);
}

BOOST_AUTO_TEST_CASE(unregistering_with_another_id_does_nothing) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/b").value();
  BOOST_TEST(registry.unregister("a/b", {.id = mine.id() + 1}).value() == false);
  BOOST_TEST(registry.unregister("a/b", {.id = mine.id() - 1, .force = true}).value() == false);
  BOOST_TEST(registry.lookup("a/b").ok());
  BOOST_TEST(registry.unregister("a/b", {.id = mine.id()}).value());
  BOOST_TEST(!registry.lookup("a/b").ok());
}

BOOST_AUTO_TEST_CASE(anothers_service_is_unregistered_by_force_alone) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, {"a/b", "a/c"}); });
  owner.await();
  auto registry = segment.attach();
  const auto refused = registry.unregister("a/b");
  BOOST_TEST((refused.code() == Errc::not_owner));
  BOOST_TEST(mentions(refused.message(), static_cast<std::uint64_t>(owner.pid())));
  BOOST_TEST(registry.lookup("a/b").ok());
  BOOST_TEST(registry.unregister("a/b", {.force = true}).value());
  BOOST_TEST(!registry.lookup("a/b").ok());
  BOOST_TEST(registry.lookup("a/c").ok());
}

// --- metadata and update -------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(metadata_comes_back_to_the_byte) {
  const ScratchSegment segment;
  std::string ascii;
  for (int c = 0; c < 128; ++c) ascii += static_cast<char>(c);
  ServiceSpec spec;
  spec.metadata = {{"every ascii byte", ascii},
                   {"empty", ""},
                   {"\xc3\xbcnic\xc3\xb6"
                    "de",
                    "\xf0\x9f\x90\x98 \xe2\x82\xac"},
                   {"z", "order is kept"},
                   {"a", "a=b=c"},
                   {std::string(255, 'k'), std::string(5000, 'v')}};
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/b", spec).value();
  const Service found = segment.reader().lookup("a/b").value();
  BOOST_TEST((owned(found.metadata()) == spec.metadata));
  BOOST_TEST(found.metadata("a").value() == "a=b=c");
  BOOST_TEST(found.metadata("empty").value() == "");
  BOOST_TEST(!found.metadata("absent").has_value());
}

BOOST_AUTO_TEST_CASE(absent_attributes_read_empty) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/b").value();
  const Service found = registry.lookup("a/b").value();
  BOOST_TEST(found.endpoint().empty());
  BOOST_TEST(found.metadata().empty());
  BOOST_TEST(found.tags().empty());
  BOOST_TEST(found.depends().empty());
  BOOST_TEST(found.wants().empty());
}

BOOST_AUTO_TEST_CASE(an_update_replaces_wholly_and_keeps_id_and_uptime) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  auto mine = registry
                  .register_service("a/b", {.endpoint = "one",
                                            .metadata = {{"a", "1"}, {"b", "2"}},
                                            .tags = {"t"},
                                            .depends = {"d"},
                                            .wants = {"w"}})
                  .value();
  const Service before = registry.lookup("a/b").value();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  BOOST_TEST(mine.update({.metadata = {{"b", "3"}}}).ok());
  const Service after = registry.lookup("a/b").value();
  BOOST_TEST(after.endpoint().empty());
  BOOST_TEST((owned(after.metadata()) == Pairs{{"b", "3"}}));
  BOOST_TEST(after.tags().empty());
  BOOST_TEST(after.depends().empty());
  BOOST_TEST(after.wants().empty());
  BOOST_TEST(after.id() == before.id());
  BOOST_TEST(after.registered_at_ns() == before.registered_at_ns());
  BOOST_TEST(after.uptime_ns() >= 5'000'000U);
  BOOST_TEST(after.change() > before.change());
  BOOST_TEST(registry.update("a/b", {.endpoint = "by name"}).ok());
  BOOST_TEST(registry.lookup("a/b")->endpoint() == "by name");
  BOOST_TEST(registry.lookup("a/b")->id() == mine.id());
}

BOOST_AUTO_TEST_CASE(an_update_may_grow_and_shrink_a_record) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  auto mine = registry.register_service("a/b").value();
  for (const std::size_t bytes : {10U, 100U, 1'000U, 60'000U, 30'000U, 300U, 0U}) {
    const std::string text(bytes, 'x');
    BOOST_TEST(mine.update({.endpoint = text}).ok());
    BOOST_TEST(registry.lookup("a/b")->endpoint() == text);
  }
  BOOST_TEST(doctor(segment.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(only_its_owner_updates_a_service) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, {"a/b"}); });
  owner.await();
  auto registry = segment.attach();
  const std::string before = picture_of(registry.lookup("a/b").value());
  const auto refused = registry.update("a/b", {.endpoint = "mine"});
  BOOST_TEST((refused.code() == Errc::not_owner));
  BOOST_TEST(mentions(refused.message(), static_cast<std::uint64_t>(owner.pid())));
  BOOST_TEST(picture_of(registry.lookup("a/b").value()) == before);
  BOOST_TEST((registry.update("a/unknown", {}).code() == Errc::not_found));
}

BOOST_AUTO_TEST_CASE(a_refused_update_keeps_the_old) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  auto mine = registry.register_service("a/b", {.endpoint = "old"}).value();
  const std::string before = picture_of(registry.lookup("a/b").value());
  BOOST_TEST(!mine.update({.endpoint = "new\n"}).ok());
  BOOST_TEST(!mine.update({.metadata = {{"k", std::string(66'000, 'x')}}}).ok());
  BOOST_TEST(!mine.update({.metadata = {{"", "x"}}}).ok());
  BOOST_TEST(!mine.update({.tags = {"\xff"}}).ok());
  BOOST_TEST(picture_of(registry.lookup("a/b").value()) == before);
}

BOOST_AUTO_TEST_CASE(a_record_of_64_kib_makes_the_round_trip_and_a_larger_one_is_refused) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  // The largest that is accepted, found by halving; then it must come back whole.
  std::size_t fits = 0;
  std::size_t too_long = 70'000;
  while (too_long - fits > 1) {
    const std::size_t bytes = (fits + too_long) / 2;
    const auto result = registry.register_service("a/b", {.endpoint = std::string(bytes, 'e')});
    if (!result.ok()) BOOST_TEST((result.code() == Errc::invalid_argument));
    (result.ok() ? fits : too_long) = bytes;
  }
  // 64 KiB but for the header, the name and what names an owner.
  BOOST_TEST(fits > 65'400U);
  BOOST_TEST(fits < 65'536U);
  std::string text;
  for (std::size_t i = 0; i < fits; ++i) text += static_cast<char>('a' + i % 26);
  const auto mine = registry.register_service("a/b", {.endpoint = text}).value();
  BOOST_TEST((segment.reader().lookup("a/b")->endpoint() == text));
  BOOST_TEST(!registry.register_service("a/c", {.endpoint = text + "x"}).ok());
  // The same with a pid and a time to live in the record.
  BOOST_TEST(registry.register_for(Owner::process(::getpid()), "a/b", {.endpoint = text}).ok());
  BOOST_TEST((registry.lookup("a/b")->endpoint() == text));
  BOOST_TEST(registry.lookup("a/b")->pid() == static_cast<std::uint32_t>(::getpid()));
  BOOST_TEST(registry.update("a/b", {.endpoint = text}).ok());
  BOOST_TEST(!registry.update("a/b", {.endpoint = text + "x"}).ok());
  BOOST_TEST(registry.lookup("a/b")->pid() == static_cast<std::uint32_t>(::getpid()));
}

BOOST_AUTO_TEST_CASE(one_service_object_takes_small_and_large_records_in_turn) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const std::string large(40'000, 'L');
  const auto a = registry.register_service("a/small", {.endpoint = "s"}).value();
  const auto b = registry.register_service("a/large", {.endpoint = large}).value();
  Service found;
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST((registry.lookup("a/small", found) == Errc::ok));
    BOOST_TEST(found.endpoint() == "s");
    BOOST_TEST((registry.lookup("a/large", found) == Errc::ok));
    BOOST_TEST((found.endpoint() == large));
  }
  BOOST_TEST((registry.lookup("a/none", found) == Errc::not_found));
  BOOST_TEST(!found.has_value());
}

// --- names ---------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(names_that_look_special_are_ordinary) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const Texts names = {"a b",
                       "-x",
                       "--help",
                       "..",
                       ".",
                       "*",
                       "%s%n",
                       "'; drop table",
                       "a=b",
                       "a\\n",
                       "\xc3\xa4\xf0\x9f\x90\x98",
                       "null",
                       "0",
                       "[x,y]",
                       "very/deep/in/name/spaces/x",
                       "../../etc/passwd",
                       std::string(255, 'n'),
                       std::string(255, 's') + "/" + std::string(255, 'n')};
  std::vector<Registration> held;
  for (const auto& name : names) {
    auto mine = registry.register_service(name, {.endpoint = name});
    BOOST_TEST_REQUIRE(mine.ok(), name + ": " + mine.message());
    held.push_back(std::move(mine).value());
  }
  for (const auto& name : names) BOOST_TEST(registry.lookup(name)->endpoint() == name);
  BOOST_TEST(registry.count().value() == names.size());
  BOOST_TEST(doctor(segment.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(invalid_names_are_refused_by_every_call_and_nothing_is_stored) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const Texts names = {"",
                       "/",
                       "a/",
                       "/a",
                       "a//b",
                       "//a",
                       "/a/b",
                       "a/b/",
                       std::string(256, 'n'),
                       std::string(256, 's') + "/n",
                       std::string(5'000, 'n'),
                       "a\nb",
                       "a\tb",
                       "a\x7f",
                       "a\x1b[31m",
                       std::string("a\0b", 3),
                       "\xc2\x85",  // U+0085, a control character of two bytes
                       "n\x01/b",
                       "\xff",              // no UTF-8 at all
                       "\xc0\xaf",          // overlong
                       "\xed\xa0\x80",      // a surrogate
                       "\xf4\x90\x80\x80",  // beyond U+10FFFF
                       "\xe2\x82"};         // cut
  for (const auto& name : names) {
    Service found;
    BOOST_TEST_CONTEXT("length " << name.size()) {
      BOOST_TEST((registry.register_service(name).code() == Errc::invalid_name));
      BOOST_TEST((registry.register_for(Owner::permanent(), name).code() == Errc::invalid_name));
      BOOST_TEST((registry.lookup(name, found) == Errc::invalid_name));
      BOOST_TEST((registry.lookup(name).code() == Errc::invalid_name));
      BOOST_TEST((registry.unregister(name).code() == Errc::invalid_name));
      BOOST_TEST((registry.update(name, {}).code() == Errc::invalid_name));
      BOOST_TEST((registry.renew(name, 1).code() == Errc::invalid_name));
      const std::string message = registry.register_service(name).message();
      BOOST_TEST(message.find('\n') == std::string::npos);
      BOOST_TEST(message.find('\x1b') == std::string::npos);
    }
  }
  BOOST_TEST(registry.count().value() == 0U);
  BOOST_TEST(registry.info()->changes == 0U);
  for (const char* space : {"", "/a", "a/", "a//b", "\x01"}) {
    BOOST_TEST((registry.list(space).code() == Errc::invalid_name));
    BOOST_TEST((registry.count(space).code() == Errc::invalid_name));
  }
}

BOOST_AUTO_TEST_CASE(malformed_attributes_are_refused) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const std::string long_text(256, 'x');
  const std::vector<ServiceSpec> bad = {
      {.endpoint = "line\nbreak"},
      {.endpoint = "\xff"},
      {.endpoint = std::string("nul\0", 4)},
      {.metadata = {{"", "v"}}},
      {.metadata = {{"a=b", "v"}}},
      {.metadata = {{"k", "1"}, {"k", "1"}}},
      {.metadata = {{"k\n", "v"}}},
      {.metadata = {{long_text, "v"}}},
      {.metadata = {{"k", "\xff"}}},
      {.tags = {""}},
      {.tags = {"t", "t"}},
      {.tags = {"t\n"}},
      {.tags = {long_text}},
      {.depends = {""}},
      {.depends = {"a/"}},
      {.depends = {"b", "default/b"}},
      {.wants = {"\x01"}},
      {.wants = {"w", "w"}},
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    BOOST_TEST(!registry.register_service("a/b", bad[i]).ok(), "spec " << i);
  }
  BOOST_TEST(registry.count().value() == 0U);
}

// --- lists, counts, namespaces -------------------------------------------------------------------

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

// --- read-only clients ---------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_read_only_client_reads_everything_writes_nothing_and_is_not_seen) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, {"a/b"}); });
  owner.await();
  auto registry = segment.reader();
  BOOST_TEST(!registry.writable());
  BOOST_TEST(registry.lookup("a/b").ok());
  BOOST_TEST(registry.list()->size() == 1U);
  BOOST_TEST(registry.info()->services == 1U);
  BOOST_TEST_REQUIRE(registry.processes()->size() == 1U);
  BOOST_TEST(registry.processes()->front().pid == static_cast<std::uint32_t>(owner.pid()));
  BOOST_TEST((registry.register_service("a/c").code() == Errc::permission_denied));
  BOOST_TEST((registry.register_for(Owner::permanent(), "a/c").code() == Errc::permission_denied));
  BOOST_TEST((registry.unregister("a/b").code() == Errc::permission_denied));
  BOOST_TEST((registry.update("a/b", {}).code() == Errc::permission_denied));
  BOOST_TEST((registry.renew("a/b", 1).code() == Errc::permission_denied));
}

BOOST_AUTO_TEST_CASE(a_client_that_only_looked_up_is_not_in_the_process_table) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  (void)registry.lookup("a/b");
  (void)registry.list();
  BOOST_TEST(registry.processes()->empty());
  const auto mine = registry.register_service("a/b").value();
  BOOST_TEST(registry.processes()->size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_process_is_described_by_what_it_is) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, {"a/b", "a/c"}); });
  owner.await();
  const auto registry = segment.reader();
  const ProcessInfo running = registry.processes()->front();
  BOOST_TEST(running.pid == static_cast<std::uint32_t>(owner.pid()));
  BOOST_TEST(running.services == 2U);
  BOOST_TEST(running.program == "test_registry");
  BOOST_TEST(!running.waiting_for.has_value());
  BOOST_TEST(running.attached_at_ns > 1'600'000'000'000'000'000);
  BOOST_TEST(running.pid_namespace != 0U);
  BOOST_TEST((running.liveness == Liveness::kernel_mark));
  BOOST_TEST((running.state == ProcessState::running));
  owner.stop();
  BOOST_TEST((registry.processes()->front().state == ProcessState::stopped));
  owner.resume();
}

BOOST_AUTO_TEST_CASE(info_tells_what_the_segment_was_made_with) {
  CreateOptions options = small_segment();
  const ScratchSegment segment(options);
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/b").value();
  const RegistryInfo info = registry.info().value();
  BOOST_TEST(info.segment == segment.name());
  BOOST_TEST(info.partitions == options.partitions);
  BOOST_TEST(info.max_processes == options.max_processes);
  BOOST_TEST(info.bytes_limit == options.max_size_bytes);
  BOOST_TEST(info.bytes_used > 0U);
  BOOST_TEST(info.bytes_used < options.max_size_bytes);
  BOOST_TEST(info.services == 1U);
  BOOST_TEST(info.namespaces == 1U);
  BOOST_TEST(info.processes == 1U);
  BOOST_TEST(info.changes >= 1U);
  BOOST_TEST(info.load_factor_max > 0);
  BOOST_TEST(info.created_at_ns > 1'600'000'000'000'000'000);
}

BOOST_AUTO_TEST_SUITE_END()
