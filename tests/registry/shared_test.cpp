// Shared names: many registrations under one name, each with its own owner, id and end.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

constexpr RegisterOptions kShared{.shared = true};

struct Fixture {
  ScratchSegment segment{small_segment()};
  Registry registry = segment.attach();

  // A static instance.
  std::uint64_t add(const std::string& endpoint, const std::string& name = "a/web") {
    return registry.register_for(Owner::permanent(), name, {.endpoint = endpoint}, kShared).value();
  }
  [[nodiscard]] std::multiset<std::string> endpoints(const std::string& name = "a/web") const {
    std::multiset<std::string> all;
    const auto found = registry.lookup_all(name);
    if (!found) return all;
    for (const Service& each : *found) all.emplace(each.endpoint());
    return all;
  }
  void is_clean() const {
    const DoctorReport report = doctor(segment.name());
    for (const auto& problem : report.problems) BOOST_TEST_MESSAGE(problem.where + problem.what);
    BOOST_TEST(report.problems.empty());
  }
};

// Holds an instance until it is killed.
void hold(const Parent& parent, const ScratchSegment& segment, const std::string& endpoint) {
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/web", {.endpoint = endpoint}, kShared).value();
  parent.tell(mine.id());
  stay_until_killed();
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(shared, Fixture)

BOOST_AUTO_TEST_CASE(instances_are_registrations_of_their_own) {
  const auto one = add("e1");
  const auto two = add("e2");
  const auto three = add("e3");
  BOOST_TEST(one < two);
  BOOST_TEST(two < three);
  BOOST_TEST((endpoints() == std::multiset<std::string>{"e1", "e2", "e3"}));
  BOOST_TEST(registry.list()->size() == 3U);
  BOOST_TEST(registry.count("a").value() == 3U);
  BOOST_TEST(registry.info()->services == 3U);
  BOOST_TEST(registry.lookup("a/web")->shared());
  BOOST_TEST(registry.unregister("a/web", {.id = two}).value());
  BOOST_TEST(!registry.unregister("a/web", {.id = two}).value());
  BOOST_TEST((endpoints() == std::multiset<std::string>{"e1", "e3"}));
  is_clean();
  // Its place is used again, and what is shared is not in other names' way.
  (void)add("e4");
  BOOST_TEST((endpoints() == std::multiset<std::string>{"e1", "e3", "e4"}));
  BOOST_TEST((registry.lookup("a/we").code() == Errc::not_found));
  is_clean();
}

BOOST_AUTO_TEST_CASE(a_name_of_one_instance_is_found_and_gone_like_any_other) {
  const auto id = add("alone");
  Service found;
  BOOST_TEST((registry.lookup("a/web", found) == Errc::ok));
  BOOST_TEST(found.id() == id);
  BOOST_TEST(registry.unregister("a/web").value());
  BOOST_TEST((registry.lookup("a/web", found) == Errc::not_found));
  BOOST_TEST((registry.lookup_all("a/web").code() == Errc::not_found));
  BOOST_TEST(!registry.unregister("a/web").value());
  BOOST_TEST(registry.info()->services == 0U);
  BOOST_TEST(registry.info()->load_factor_max == 0.0);
  is_clean();
  // Nothing of the sharing is left.
  const auto exclusive = registry.register_for(Owner::permanent(), "a/web", {.endpoint = "e"});
  BOOST_TEST(exclusive.ok());
  BOOST_TEST(!registry.lookup("a/web")->shared());
  BOOST_TEST(registry.lookup_all("a/web")->size() == 1U);
}

BOOST_AUTO_TEST_CASE(lookups_go_round_the_instances) {
  for (int i = 0; i < 5; ++i) (void)add("e" + std::to_string(i));
  std::map<std::string, int> found;
  Service service;
  for (int i = 0; i < 500; ++i) {
    BOOST_TEST_REQUIRE((registry.lookup("a/web", service) == Errc::ok));
    ++found[std::string(service.endpoint())];
  }
  BOOST_TEST(found.size() == 5U);
  for (const auto& [endpoint, times] : found) BOOST_TEST(times == 100);
}

BOOST_AUTO_TEST_CASE(a_passing_instance_is_found_first_then_what_nobody_checks) {
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(add("e" + std::to_string(i)));
  const auto always = [&](const std::string& wanted) {
    for (int i = 0; i < 20; ++i) BOOST_TEST(registry.lookup("a/web")->endpoint() == wanted);
  };
  BOOST_TEST((registry.set_health("a/web", Health::passing).code() == Errc::invalid_argument));
  BOOST_TEST(registry.set_health("a/web", Health::passing, ids[2]).ok());
  always("e2");
  BOOST_TEST(registry.set_health("a/web", Health::critical, ids[2]).ok());
  BOOST_TEST(registry.set_health("a/web", Health::warning, ids[0]).ok());
  BOOST_TEST(registry.set_health("a/web", Health::maintenance, ids[1]).ok());
  always("e3");
  BOOST_TEST(registry.unregister("a/web", {.id = ids[3]}).value());
  always("e0");
  BOOST_TEST((registry.set_health("a/web", Health::passing, ids[3]).code() == Errc::not_found));
  BOOST_TEST(endpoints().size() == 3U);
  is_clean();
}

BOOST_AUTO_TEST_CASE(the_healthier_is_found_before_the_less_healthy_wherever_it_stands) {
  const std::vector<Health> best_first{Health::passing,  Health::unknown,  Health::warning,
                                       Health::starting, Health::critical, Health::maintenance};
  for (const bool best_comes_last : {false, true}) {
    auto order = best_first;
    if (best_comes_last) std::reverse(order.begin(), order.end());
    std::map<Health, std::uint64_t> ids;
    for (const Health health : order) {
      ids[health] = add("e");
      BOOST_TEST(registry.set_health("a/web", health, ids[health]).ok());
    }
    for (const Health health : best_first) {
      for (int i = 0; i < 12; ++i) BOOST_TEST(registry.lookup("a/web")->id() == ids[health]);
      BOOST_TEST(registry.unregister("a/web", {.id = ids[health]}).value());
    }
  }
}

BOOST_AUTO_TEST_CASE(threads_that_look_once_do_not_all_find_the_same) {
  for (int i = 0; i < 4; ++i) (void)add("e" + std::to_string(i));
  std::set<std::uint64_t> found;
  for (int i = 0; i < 40; ++i) {
    std::thread([&] { found.insert(registry.lookup("a/web")->id()); }).join();
  }
  BOOST_TEST(found.size() > 1U);
}

BOOST_AUTO_TEST_CASE(what_is_shared_and_what_is_not_keep_out_of_each_others_way) {
  const auto exclusive = registry.register_for(Owner::permanent(), "a/db", {}).value();
  const auto refused = registry.register_for(Owner::permanent(), "a/db", {}, kShared);
  BOOST_TEST((refused.code() == Errc::already_registered));
  BOOST_TEST(refused.message().find("does not share") != std::string::npos);
  BOOST_TEST(registry.lookup("a/db")->id() == exclusive);

  (void)add("e1");
  (void)add("e2");
  const auto also_refused = registry.register_for(Owner::permanent(), "a/web", {});
  BOOST_TEST((also_refused.code() == Errc::already_registered));
  BOOST_TEST(also_refused.message().find("shares it") != std::string::npos);
  BOOST_TEST(endpoints().size() == 2U);

  // --replace replaces what stands there, whichever it is.
  BOOST_TEST(
      registry.register_for(Owner::permanent(), "a/web", {.endpoint = "all"}, {.replace = true})
          .ok());
  BOOST_TEST((endpoints() == std::multiset<std::string>{"all"}));
  BOOST_TEST(!registry.lookup("a/web")->shared());
  BOOST_TEST(registry
                 .register_for(Owner::permanent(), "a/web", {.endpoint = "first"},
                               {.replace = true, .shared = true})
                 .ok());
  (void)add("second");
  BOOST_TEST((endpoints() == std::multiset<std::string>{"first", "second"}));
  BOOST_TEST(registry.info()->services == 3U);
  is_clean();
}

BOOST_AUTO_TEST_CASE(a_process_has_one_instance_of_a_name) {
  (void)add("other");
  auto first = registry.register_service("a/web", {.endpoint = "mine"}, kShared).value();
  auto second = registry.register_service("a/web", {.endpoint = "mine anew"}, kShared).value();
  BOOST_TEST(second.id() > first.id());
  BOOST_TEST((endpoints() == std::multiset<std::string>{"mine anew", "other"}));
  BOOST_TEST(!first.unregister().value());
  BOOST_TEST(second.update({.endpoint = "updated"}).ok());
  BOOST_TEST((endpoints() == std::multiset<std::string>{"updated", "other"}));
  // By the name: the caller's own instance.
  BOOST_TEST(registry.update("a/web", {.endpoint = "by name"}).ok());
  BOOST_TEST(registry.set_health("a/web", Health::passing).ok());
  BOOST_TEST(registry.lookup("a/web")->endpoint() == "by name");
  BOOST_TEST(second.unregister().value());
  BOOST_TEST((endpoints() == std::multiset<std::string>{"other"}));
  is_clean();
}

BOOST_AUTO_TEST_CASE(an_instance_ends_with_its_owner_and_the_others_stay) {
  Child dies([&](const Parent& parent) { hold(parent, segment, "dies"); });
  (void)dies.hear();
  Child lives([&](const Parent& parent) { hold(parent, segment, "lives"); });
  (void)lives.hear();
  BOOST_TEST((endpoints() == std::multiset<std::string>{"dies", "lives"}));
  // It may take its own away by the name's id alone, not another's.
  BOOST_TEST((registry.unregister("a/web").code() == Errc::not_owner));
  BOOST_TEST(endpoints().size() == 2U);
  ::kill(dies.pid(), SIGKILL);
  (void)dies.reap();
  for (int i = 0; i < 10; ++i) BOOST_TEST(registry.lookup("a/web")->endpoint() == "lives");
  BOOST_TEST(registry.list()->size() == 1U);
  ::kill(lives.pid(), SIGKILL);
  (void)lives.reap();
  BOOST_TEST((registry.lookup("a/web").code() == Errc::not_found));
  BOOST_TEST(registry.collect_garbage().ok());
  BOOST_TEST(registry.info()->load_factor_max == 0.0);
  is_clean();
}

BOOST_AUTO_TEST_CASE(an_instance_with_a_time_to_live_is_renewed_by_its_id) {
  const auto first = registry.register_for(Owner::time_to_live(std::chrono::hours(1)), "a/web",
                                           {.endpoint = "long"}, kShared);
  const auto second = registry.register_for(Owner::time_to_live(std::chrono::milliseconds(50)),
                                            "a/web", {.endpoint = "short"}, kShared);
  BOOST_TEST(registry.renew("a/web", first.value()).value());
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  BOOST_TEST(!registry.renew("a/web", second.value()).value());
  BOOST_TEST((endpoints() == std::multiset<std::string>{"long"}));
  (void)add("third");  // takes the ended one's place
  BOOST_TEST((endpoints() == std::multiset<std::string>{"long", "third"}));
  is_clean();
}

BOOST_AUTO_TEST_CASE(a_watch_tells_of_each_instance) {
  const auto one = add("e1");
  auto watch = registry.watch("a/web").value();
  std::vector<std::pair<WatchEventKind, std::uint64_t>> seen;
  const auto told = [&] {
    WatchEvent event;
    while (watch.next(event, std::chrono::milliseconds(0)).value()) {
      seen.emplace_back(event.kind, event.service.id());
    }
    return std::exchange(seen, {});
  };
  using Seen = decltype(seen);
  BOOST_TEST((told() == Seen{{WatchEventKind::present, one}}));
  const auto two = add("e2");
  BOOST_TEST(registry.unregister("a/web", {.id = one}).value());
  BOOST_TEST(registry.unregister("a/web", {.id = two}).value());
  BOOST_TEST((told() == Seen{{WatchEventKind::registered, two},
                             {WatchEventKind::unregistered, one},
                             {WatchEventKind::unregistered, two}}));
  // Gone is who has no instance left.
  (void)add("e1", "a/waited");
  const auto last = add("e2", "a/waited");
  const std::vector<std::string> names{"a/waited"};
  const WaitOptions gone{.condition = WaitFor::gone, .timeout = std::chrono::milliseconds(1)};
  BOOST_TEST(registry.unregister("a/waited", {.id = last}).value());
  BOOST_TEST((registry.wait(names, gone).code() == Errc::timed_out));
  BOOST_TEST(registry.unregister("a/waited").value());
  BOOST_TEST(registry.wait(names, gone).ok());
}

BOOST_AUTO_TEST_CASE(a_reference_stays_with_its_instance_until_that_ends) {
  const auto one = add("e1");
  const auto two = add("e2");
  auto mine = registry.register_service("a/web", {.endpoint = "mine"}, kShared).value();
  BOOST_TEST(registry.unregister("a/web", {.id = one}).value());
  BOOST_TEST(registry.unregister("a/web", {.id = two}).value());
  ServiceRef ref(registry, "a/web");
  BOOST_TEST((ref.refresh() == Errc::ok));
  BOOST_TEST(ref.service().endpoint() == "mine");
  (void)add("another");
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST((ref.refresh() == Errc::ok));
    BOOST_TEST(ref.service().endpoint() == "mine");
  }
  BOOST_TEST(mine.unregister().value());
  BOOST_TEST((ref.refresh() == Errc::ok));
  BOOST_TEST(ref.service().endpoint() == "another");
}

BOOST_AUTO_TEST_CASE(a_replacement_that_there_is_no_room_for_leaves_everything) {
  const std::string large(20'000, 'x');
  (void)add("e1");
  (void)add("e2");
  const auto plain = registry.register_for(Owner::permanent(), "a/plain", {}).value();
  // Until no partition takes one more of that size.
  std::size_t filled = 0;
  for (std::size_t tried = 0, in_vain = 0; in_vain < 64; ++tried) {
    const auto name = "fill/" + std::to_string(tried);
    const bool taken = registry.register_for(Owner::permanent(), name, {.endpoint = large}).ok();
    filled += taken ? 1 : 0;
    in_vain = taken ? 0 : in_vain + 1;
  }
  const auto refused = [&](const std::string& name, bool shared) {
    return registry
               .register_for(Owner::permanent(), name, {.endpoint = large},
                             {.replace = true, .shared = shared})
               .code() == Errc::segment_full;
  };
  BOOST_TEST(refused("a/web", true));
  BOOST_TEST(refused("a/web", false));
  BOOST_TEST(refused("a/plain", true));
  BOOST_TEST(refused("a/plain", false));
  BOOST_TEST((endpoints() == std::multiset<std::string>{"e1", "e2"}));
  BOOST_TEST(registry.lookup("a/plain")->id() == plain);
  BOOST_TEST(registry.info()->services == filled + 3);
  is_clean();
}

BOOST_AUTO_TEST_CASE(an_instance_that_replaces_takes_the_place_of_all) {
  for (const char* endpoint : {"e1", "e2", "e3"}) (void)add(endpoint);
  const auto only = registry.register_for(Owner::permanent(), "a/web", {.endpoint = "only"},
                                          {.replace = true, .shared = true});
  BOOST_TEST(only.ok());
  BOOST_TEST((endpoints() == std::multiset<std::string>{"only"}));
  BOOST_TEST(registry.lookup("a/web")->shared());
  BOOST_TEST(registry.info()->services == 1U);
  is_clean();
}

// Its record says from the beginning that there is something in its cell.
BOOST_AUTO_TEST_CASE(the_health_of_an_instance_with_a_time_to_live_counts_as_well) {
  std::uint64_t last = 0;
  for (const char* endpoint : {"e1", "e2", "e3"}) {
    last = registry
               .register_for(Owner::time_to_live(std::chrono::hours(1)), "a/web",
                             {.endpoint = endpoint}, kShared)
               .value();
  }
  BOOST_TEST(registry.set_health("a/web", Health::passing, last).ok());
  for (int i = 0; i < 12; ++i) BOOST_TEST(registry.lookup("a/web")->endpoint() == "e3");
  is_clean();
}

BOOST_AUTO_TEST_CASE(ordinals_are_used_again_and_no_more_gone_through_than_there_are) {
  const auto last = [&] {
    const Insides insides(segment);
    const auto name = insides.hashed("a/web");
    core::RecordCopy anchor;
    const core::WriterIndex index(
        insides.segment(), insides.segment().partition(insides.segment().partition_of(name.hash)));
    BOOST_TEST_REQUIRE(index.find(name, anchor).slot != nullptr);
    return layout::AnchorState::of(
               insides.segment().cell(anchor.view().header().cell)->deadline_ns.load())
        .last;
  };
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(add("e"));
  BOOST_TEST(last() == 100);
  for (int i = 99; i >= 2; --i)
    BOOST_TEST(registry.unregister("a/web", {.id = ids[static_cast<std::size_t>(i)]}).value());
  BOOST_TEST(last() == 2);
  // The next comes before the one before it goes, for ever.
  auto present = ids[1];
  for (int i = 0; i < 200; ++i) {
    const auto next = add("e");
    BOOST_TEST(registry.unregister("a/web", {.id = present}).value());
    present = next;
  }
  BOOST_TEST(last() <= 16);
  is_clean();
}

BOOST_AUTO_TEST_CASE(many_instances_lengthen_nobody_elses_way) {
  constexpr int kMany = 1500;
  for (int i = 0; i < kMany; ++i) (void)add("e" + std::to_string(i));
  BOOST_TEST(endpoints().size() == std::size_t{kMany});
  BOOST_TEST(registry.list()->size() == std::size_t{kMany});
  BOOST_TEST(registry.lookup("a/web").ok());
  is_clean();
  BOOST_TEST(registry.unregister("a/web").value());
  BOOST_TEST(registry.list()->empty());
  is_clean();
}

BOOST_AUTO_TEST_SUITE_END()
