// What became of a check, told apart; and registrations in bulk.
#include <pthread.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;
using Outcome = HealthCheckOutcome;

namespace {

struct Fixture {
  ScratchSegment segment{small_segment()};
  Registry registry = segment.attach();

  std::uint64_t add(const std::string& name, const ServiceSpec& spec = {}) {
    return registry.register_for(Owner::permanent(), name, spec).value();
  }
  // The body of a process that holds a/x until it is killed.
  [[nodiscard]] auto holder(const RegisterOptions& options = {}) const {
    return [this, options](const Parent& parent) {
      auto own = segment.attach();
      const auto mine = own.register_service("a/x", {}, options).value();
      parent.tell();
      stay_until_killed();
    };
  }
};

// Something to wait for that outlives whoever waits.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  bool passed = false;

  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return open; });
    passed = true;
    changed.notify_all();
  }
  void let_through() {
    std::unique_lock<std::mutex> lock(mutex);
    open = true;
    changed.notify_all();
    changed.wait(lock, [&] { return passed; });
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(health_check, Fixture)

BOOST_AUTO_TEST_CASE(without_a_function_it_is_whether_the_owner_lives) {
  BOOST_TEST((registry.health_check("a/x").outcome == Outcome::not_found));
  Child owner(holder());
  owner.await();
  BOOST_TEST(registry.health_check("a/x").healthy());
  const auto pid = static_cast<std::uint32_t>(owner.pid());
  owner.kill();
  const HealthCheck check = registry.health_check("a/x");
  BOOST_TEST((check.outcome == Outcome::process_dead));
  BOOST_TEST(check.service.pid() == pid);
  BOOST_TEST(check.message == "'a/x': its owner " + std::to_string(pid) + " has died");
}

BOOST_AUTO_TEST_CASE(a_service_that_was_unregistered_is_not_found) {
  add("a/x");
  BOOST_REQUIRE(registry.unregister("a/x").value());
  BOOST_TEST((registry.health_check("a/x").outcome == Outcome::not_found));
  BOOST_TEST((registry.health_check("a/").outcome == Outcome::unreadable));
}

BOOST_AUTO_TEST_CASE(what_the_function_says_is_told_with_its_value) {
  add("a/x", {.endpoint = "tcp://h:1"});
  const auto check = [&](HealthCheckFunction function) {
    return registry.health_check("a/x", std::move(function));
  };
  BOOST_TEST(check([](const Service& s) { return s.endpoint() == "tcp://h:1"; }).healthy());
  HealthCheck outcome = check([](const Service&) { return Verdict::ok("42 rows"); });
  BOOST_TEST(outcome.healthy());
  BOOST_TEST(outcome.value == "42 rows");
  BOOST_TEST(check([](const Service&) { return Status(); }).value == "ok");

  outcome = check([](const Service&) { return false; });
  BOOST_TEST((outcome.outcome == Outcome::failed));
  BOOST_TEST(outcome.value == "false");
  outcome = check([](const Service&) { return Verdict::failed("503\n"); });
  BOOST_TEST((outcome.outcome == Outcome::failed));
  BOOST_TEST(outcome.value == "503\n");
  BOOST_TEST(outcome.message == "'a/x' is not healthy: 503\\x0a");
  outcome = check([](const Service&) { return Status(Errc::busy, "too much to do"); });
  BOOST_TEST((outcome.outcome == Outcome::failed));
  BOOST_TEST(outcome.value == "too much to do");
}

BOOST_AUTO_TEST_CASE(what_it_throws_is_told_and_the_caller_goes_on) {
  add("a/x");
  HealthCheck outcome = registry.health_check(
      "a/x", [](const Service&) -> Verdict { throw std::runtime_error("no route"); });
  BOOST_TEST((outcome.outcome == Outcome::threw));
  BOOST_TEST(outcome.value == "no route");
  outcome = registry.health_check("a/x", [](const Service&) -> Verdict { throw 17; });
  BOOST_TEST((outcome.outcome == Outcome::threw));
  BOOST_TEST(registry.health_check("a/x", [](const Service&) { return true; }).healthy());
}

BOOST_AUTO_TEST_CASE(what_takes_too_long_is_timed_out_and_goes_on_in_its_thread) {
  add("a/x");
  const auto gate = std::make_shared<Gate>();
  const auto began = std::chrono::steady_clock::now();
  const HealthCheck outcome = registry.health_check(
      "a/x",
      [gate](const Service&) {
        gate->wait();
        return true;
      },
      50ms);
  const auto took = std::chrono::steady_clock::now() - began;
  BOOST_TEST((outcome.outcome == Outcome::timed_out));
  BOOST_TEST((took >= 50ms));
  BOOST_TEST((outcome.duration >= 50ms));
  BOOST_TEST(!gate->passed);
  gate->let_through();
  BOOST_TEST(gate->passed);
}

BOOST_AUTO_TEST_CASE(an_owner_that_dies_meanwhile_is_dead_and_not_slow) {
  Child owner(holder());
  owner.await();
  const HealthCheck outcome = registry.health_check("a/x", [&](const Service&) {
    owner.kill();
    return Verdict::failed("connection reset");
  });
  BOOST_TEST((outcome.outcome == Outcome::process_dead));
  BOOST_TEST(outcome.value == "connection reset");
}

BOOST_AUTO_TEST_CASE(a_dead_owner_is_dead_though_another_has_its_name_since) {
  Child owner(holder());
  owner.await();
  const HealthCheck outcome = registry.health_check("a/x", [&](const Service&) {
    owner.kill();
    add("a/x");
    return true;
  });
  BOOST_TEST((outcome.outcome == Outcome::process_dead));
  BOOST_TEST(outcome.service.pid() == static_cast<std::uint32_t>(owner.pid()));
}

BOOST_AUTO_TEST_CASE(a_dead_instance_is_dead_though_others_live) {
  Child owner(holder({.shared = true}));
  owner.await();
  const auto other = registry.register_service("a/x", {}, {.shared = true}).value();
  bool killed = false;
  for (int i = 0; i < 10 && !killed; ++i) {
    const HealthCheck outcome = registry.health_check("a/x", [&](const Service& found) {
      killed = found.pid() == static_cast<std::uint32_t>(owner.pid());
      if (killed) owner.kill();
      return Verdict::failed("connection reset");
    });
    BOOST_TEST((outcome.outcome == (killed ? Outcome::process_dead : Outcome::failed)));
  }
  BOOST_TEST(killed);
}

BOOST_AUTO_TEST_CASE(a_replaced_service_is_not_a_dead_one) {
  add("a/x");
  const HealthCheck outcome = registry.health_check("a/x", [&](const Service&) {
    BOOST_TEST(registry.register_for(Owner::permanent(), "a/x", {}, {.replace = true}).ok());
    return true;
  });
  BOOST_TEST((outcome.outcome == Outcome::healthy));
}

BOOST_AUTO_TEST_CASE(what_is_unregistered_meanwhile_has_not_died) {
  add("a/x");
  const HealthCheck outcome = registry.health_check("a/x", [&](const Service&) {
    BOOST_TEST(registry.unregister("a/x").value());
    return true;
  });
  BOOST_TEST((outcome.outcome == Outcome::healthy));
}

BOOST_AUTO_TEST_CASE(a_dead_owner_is_dead_whatever_the_function_says) {
  Child owner(holder());
  owner.await();
  const HealthCheck outcome = registry.health_check("a/x", [&](const Service&) {
    owner.kill();
    return true;
  });
  BOOST_TEST((outcome.outcome == Outcome::process_dead));
}

// Claim: what a function has captured is gone when its caller is told, in the function's thread.
// Method: something captured takes longer to go than a caller to wake.
BOOST_AUTO_TEST_CASE(what_a_function_has_captured_is_gone_when_its_answer_is_there) {
  add("a/x");
  const auto gone_in = std::make_shared<std::atomic<std::thread::id>>();
  std::shared_ptr<void> captured(nullptr, [gone_in](void*) {
    std::this_thread::sleep_for(20ms);
    *gone_in = std::this_thread::get_id();
  });
  const auto ran_in = std::make_shared<std::atomic<std::thread::id>>();
  const HealthCheck outcome =
      registry.health_check("a/x", [ran_in, own = std::move(captured)](const Service&) {
        *ran_in = std::this_thread::get_id();
        return true;
      });
  BOOST_TEST(outcome.healthy());
  BOOST_TEST((gone_in->load() == ran_in->load()));
}

BOOST_AUTO_TEST_CASE(a_function_that_ends_its_thread_is_told_apart) {
  add("a/x");
  const HealthCheck outcome =
      registry.health_check("a/x", [](const Service&) -> Verdict { ::pthread_exit(nullptr); });
  BOOST_TEST((outcome.outcome == Outcome::threw));
  BOOST_TEST(outcome.value == "it has ended its thread");
}

BOOST_AUTO_TEST_CASE(a_time_out_may_be_as_long_as_there_are) {
  add("a/x");
  const HealthCheck outcome = registry.health_check(
      "a/x",
      [](const Service&) {
        std::this_thread::sleep_for(20ms);
        return "wrong";
      },
      std::chrono::nanoseconds::max());
  BOOST_TEST((outcome.outcome == Outcome::failed));
  BOOST_TEST(outcome.value == "wrong");
}

BOOST_AUTO_TEST_CASE(functions_that_never_return_are_bounded) {
  add("a/x");
  const auto gate = std::make_shared<Gate>();
  const auto stuck = [gate](const Service&) {
    gate->wait();
    return true;
  };
  for (std::size_t i = 0; i < HealthCheck::kMostRunning; ++i) {
    (void)registry.health_check("a/x", stuck, 0ns);
  }
  const HealthCheck one_more = registry.health_check("a/x", stuck, 0ns);
  BOOST_TEST((one_more.outcome == Outcome::timed_out));
  BOOST_TEST(one_more.message.find("still running") != std::string::npos);
  // A sanitizer's allocator may be locked by one of them for good, in a child.
  if (!kSanitized) {
    Child child([&](const Parent&) {  // in which none of them runs
      CHILD_CHECK(registry.health_check("a/x", [](const Service&) { return true; }).healthy());
    });
    BOOST_TEST(child.reap() == 0);
  }
  gate->let_through();
  while (!registry.health_check("a/x", [](const Service&) { return true; }).healthy()) {
    std::this_thread::sleep_for(1ms);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(bulk, Fixture)

BOOST_AUTO_TEST_CASE(each_gets_an_answer_and_a_conflict_undoes_nothing) {
  add("a/taken");
  const std::vector<NamedSpec> wanted{{.service = "a/one", .spec = {.endpoint = "1"}},
                                      {.service = "a/taken"},
                                      {.service = "a/"},
                                      {.service = "a/two", .spec = {.tags = {"t", "t"}}},
                                      {.service = "a/three"}};
  auto answers = registry.register_services(wanted);
  BOOST_REQUIRE(answers.size() == wanted.size());
  BOOST_TEST(answers[0].ok());
  BOOST_TEST((answers[1].code() == Errc::already_registered));
  BOOST_TEST((answers[2].code() == Errc::invalid_name));
  BOOST_TEST((answers[3].code() == Errc::invalid_argument));
  BOOST_TEST(answers[4].ok());
  BOOST_TEST(registry.lookup("a/one").value().id() == answers[0]->id());
  BOOST_TEST(registry.count("a").value() == 3U);
  answers.clear();
  BOOST_TEST(registry.count("a").value() == 1U);

  const auto ids = registry.register_services_for(Owner::permanent(), wanted);
  BOOST_TEST(ids[0].ok());
  BOOST_TEST((ids[1].code() == Errc::already_registered));
  BOOST_TEST(ids[4].ok());
  BOOST_TEST(registry.count("a").value() == 3U);
}

BOOST_AUTO_TEST_CASE(a_namespace_is_cleaned_up_with_those_below_and_no_other) {
  for (const char* name : {"t/1/x", "t/1/below/y", "t/10/x", "t/x"}) add(name);
  BOOST_REQUIRE(registry.register_for(Owner::permanent(), "t/1/s", {}, {.shared = true}));
  BOOST_REQUIRE(registry.register_for(Owner::permanent(), "t/1/s", {}, {.shared = true}));
  const Registration own = registry.register_service("t/1/own").value();
  BOOST_TEST(registry.cleanup("t/1").value() == 5U);
  BOOST_TEST(registry.cleanup("t/1").value() == 0U);
  BOOST_TEST(registry.count().value() == 2U);
  BOOST_TEST(!own.holds());
  BOOST_TEST((registry.cleanup("t/").code() == Errc::invalid_name));
}

BOOST_AUTO_TEST_SUITE_END()
