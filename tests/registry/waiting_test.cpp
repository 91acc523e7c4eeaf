// Waiting for services.
//
// Claim: who waits wakes when it happens, and at its time if it does not. Method: real processes,
// some of them killed.
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "registry/holder.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

namespace {

// Less than the slice after which who is not woken looks by himself: he is late in each of many
// tries, who is woken in none but for what else the machine does.
constexpr auto kPrompt = 50ms;

}  // namespace

BOOST_AUTO_TEST_SUITE(waiting)

BOOST_AUTO_TEST_CASE(what_is_there_already_is_not_waited_for) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/one").value();
  const std::vector<std::string> names{"a/one"};
  BOOST_TEST(registry.wait(names).value().at(0));
  BOOST_TEST(registry.wait(names, {.condition = WaitFor::gone, .timeout = 0s}).code() ==
             Errc::timed_out);
}

BOOST_AUTO_TEST_CASE(what_is_there_is_not_passing_before_it_is_said_to) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/one").value();
  const std::vector<std::string> names{"a/one"};
  const WaitOptions now{.condition = WaitFor::passing, .timeout = 0s};
  BOOST_TEST((registry.wait(names, now).code() == Errc::timed_out));
  BOOST_TEST(registry.set_health("a/one", Health::critical).ok());
  BOOST_TEST((registry.wait(names, now).code() == Errc::timed_out));
  BOOST_TEST(registry.set_health("a/one", Health::passing).ok());
  BOOST_TEST(registry.wait(names, now).ok());
}

// Who only looks ten times a second would each time be 90 ms late.
BOOST_AUTO_TEST_CASE(who_waits_for_the_end_of_a_time_to_live_is_not_late) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  const std::vector<std::string> names{"a/ttl"};
  auto least_late = 1000ms;
  for (int i = 0; i < 100 && least_late >= kPrompt; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    BOOST_TEST(registry.register_for(Owner::time_to_live(110ms), "a/ttl").ok());
    BOOST_TEST(registry.wait(names, {.condition = WaitFor::gone, .timeout = kPatience}).ok());
    const auto late = std::chrono::steady_clock::now() - begin - 110ms;
    BOOST_TEST((late >= 0ms));
    least_late = std::min(least_late, std::chrono::duration_cast<std::chrono::milliseconds>(late));
  }
  BOOST_TEST((least_late < kPrompt));
}

BOOST_AUTO_TEST_CASE(who_waits_wakes_when_it_happens_and_not_for_another) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  for (const Access access : {Access::read_write, Access::read_only}) {
    Child waiter([&](const Parent& parent) {
      auto own = segment.attach(access);
      const std::vector<std::string> both{"a/one", "a/two"};
      parent.tell();
      CHILD_CHECK(own.wait(both, {.any = true, .timeout = kPatience}).ok());
      parent.tell();
      CHILD_CHECK(own.wait(both, {.timeout = kPatience}).ok());
      parent.tell();
      CHILD_CHECK(
          own.wait(both, {.condition = WaitFor::passing, .any = true, .timeout = kPatience}).ok());
      parent.tell();
      CHILD_CHECK(own.wait(both, {.condition = WaitFor::gone, .timeout = kPatience}).ok());
    });
    waiter.await();
    const auto other = registry.register_service("a/other").value();
    auto one = registry.register_service("a/one").value();
    waiter.await();
    auto two = registry.register_service("a/two").value();
    waiter.await();
    BOOST_TEST(registry.set_health("a/two", Health::passing).ok());
    waiter.await();
    BOOST_TEST(one.unregister().value());
    BOOST_TEST(two.unregister().value());
    BOOST_TEST(waiter.reap() == 0);
  }
}

// Who is not woken looks again a tenth of a second after he has begun, and is late each time.
BOOST_AUTO_TEST_CASE(who_waits_is_woken_and_need_not_look_again) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  BOOST_TEST(registry.unregister("attached/for_writing").ok());
  const std::vector<std::string> names{"a/one"};
  auto least_late = 1000ms;
  for (int i = 0; i < 100 && least_late >= kPrompt; ++i) {
    Registration mine;
    std::chrono::steady_clock::time_point registered;
    std::thread other([&] {
      std::this_thread::sleep_for(20ms);
      registered = std::chrono::steady_clock::now();
      mine = registry.register_service("a/one").value();
    });
    const auto waited = registry.wait(names, {.timeout = kPatience});
    const auto back = std::chrono::steady_clock::now();
    other.join();
    BOOST_TEST(waited.ok());
    least_late = std::min(least_late,
                          std::chrono::duration_cast<std::chrono::milliseconds>(back - registered));
  }
  BOOST_TEST((least_late < kPrompt));
}

BOOST_AUTO_TEST_CASE(a_wait_ends_at_its_time_and_names_what_is_missing) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/one").value();
  const std::vector<std::string> names{"a/one", "a/two"};
  const auto waited = registry.wait(names, {.timeout = 30ms});
  BOOST_TEST((waited.code() == Errc::timed_out));
  BOOST_TEST(waited.message() == "timed out: 'a/two' not registered");
}

BOOST_AUTO_TEST_CASE(a_wait_for_an_end_names_who_is_in_the_way_and_no_other_wait_does) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  Child owner([](const Parent& parent) {
    parent.await();
    ::prctl(PR_SET_NAME, "renamed");
    parent.tell();
    parent.linger();
  });
  const std::vector<std::string> names{"a/pid", "a/static"};
  BOOST_TEST(registry.register_for(Owner::process(owner.pid()), names[0]).ok());
  BOOST_TEST(registry.register_for(Owner::permanent(), names[1]).ok());
  owner.tell();
  owner.await();
  const auto said = [&](WaitFor condition) {
    return registry.wait(names, {.condition = condition, .timeout = 0s}).message();
  };
  // As it calls itself now.
  BOOST_TEST(said(WaitFor::gone) == "timed out: 'a/pid' of pid " + std::to_string(owner.pid()) +
                                        " (renamed), 'a/static' still registered");
  BOOST_TEST(said(WaitFor::passing) == "timed out: 'a/pid', 'a/static' not passing");
}

BOOST_AUTO_TEST_CASE(the_death_of_an_owner_wakes_all_who_wait_for_its_end) {
  const ScratchSegment segment(small_segment());
  Child owner = holder_of(segment, {"a/one"});
  owner.await();
  std::vector<std::unique_ptr<Child>> waiters;
  for (int i = 0; i < 8; ++i) {
    waiters.push_back(std::make_unique<Child>([&](const Parent& parent) {
      auto own = segment.attach();
      const std::vector<std::string> names{"a/one"};
      parent.tell();
      CHILD_CHECK(own.wait(names, {.condition = WaitFor::gone, .timeout = kPatience}).ok());
    }));
    waiters.back()->await();
  }
  std::this_thread::sleep_for(20ms);
  // One of them dies as it might be woken: it keeps nobody asleep.
  waiters[0]->signal(SIGSTOP);
  owner.kill();
  waiters[0]->kill();
  for (std::size_t i = 1; i < waiters.size(); ++i) BOOST_TEST(waiters[i]->reap() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
