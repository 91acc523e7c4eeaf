// What is known of a service's owner, and of who had a name last.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/chosen_pid.hpp"
#include "support/scratch_segment.hpp"
#include "support/skipped.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  ScratchSegment segment{small_segment()};
  Registry registry = segment.attach();

  [[nodiscard]] std::optional<LastKnown> last(const std::string& name) const {
    return registry.last_known(name).value();
  }
};

void hold(const Parent& parent, const ScratchSegment& segment, const std::string& name) {
  auto registry = segment.attach();
  const auto mine = registry.register_service(name, {.endpoint = "e"}).value();
  parent.tell(mine.id());
  stay_until_killed();
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(service_info, Fixture)

BOOST_AUTO_TEST_CASE(an_owner_is_told_as_a_process) {
  Child owner([&](const Parent& parent) { hold(parent, segment, "a/x"); });
  const std::uint64_t id = owner.hear();
  ServiceInfo info = registry.service_info("a/x").value();
  BOOST_TEST(info.service.id() == id);
  BOOST_TEST(info.service.pid() == static_cast<std::uint32_t>(owner.pid()));
  BOOST_TEST((info.service.alive() == Alive::yes));
  BOOST_TEST(info.program == "test_registry");
  BOOST_REQUIRE(info.state.has_value());
  BOOST_TEST((*info.state == ProcessState::running));
  BOOST_REQUIRE(info.process_age_ns.has_value());
  // A process's age is its own; start times are kept in hundredths of a second.
  BOOST_TEST(*info.process_age_ns + 20'000'000 >= info.service.uptime_ns());
  BOOST_TEST(*info.process_age_ns < 120'000'000'000U);
  owner.stop();
  info = registry.service_info("a/x").value();
  BOOST_TEST((info.state == ProcessState::stopped));
  owner.kill();
  BOOST_TEST((registry.service_info("a/x").code() == Errc::not_found));
}

BOOST_AUTO_TEST_CASE(an_owner_that_is_named_by_pid_is_told_too) {
  Child owner([](const Parent& parent) {
    parent.tell();
    stay_until_killed();
  });
  owner.await();
  BOOST_REQUIRE(registry.register_for(Owner::process(owner.pid()), "a/x"));
  const ServiceInfo info = registry.service_info("a/x").value();
  BOOST_TEST(info.program == "test_registry");
  BOOST_TEST(info.process_age_ns.has_value());
  BOOST_TEST((info.state == ProcessState::running));
}

BOOST_AUTO_TEST_CASE(a_thread_is_no_owner) {
  std::atomic<pid_t> id{0};
  std::atomic<bool> over{false};
  std::thread thread([&] {
    id = static_cast<pid_t>(::syscall(SYS_gettid));
    while (!over) std::this_thread::sleep_for(1ms);
  });
  while (id == 0) std::this_thread::sleep_for(1ms);
  const auto made = registry.register_for(Owner::process(id), "a/x");
  over = true;
  thread.join();
  BOOST_TEST((made.code() == Errc::owner_not_alive));
  BOOST_TEST(made.message().find("thread of process " + std::to_string(::getpid())) !=
             std::string::npos);
  BOOST_TEST(registry.count().value() == 0U);
}

BOOST_AUTO_TEST_CASE(nobody_is_no_process) {
  BOOST_REQUIRE(registry.register_for(Owner::permanent(), "a/x"));
  const ServiceInfo info = registry.service_info("a/x").value();
  BOOST_TEST(info.program.empty());
  BOOST_TEST(!info.state.has_value());
  BOOST_TEST(!info.process_age_ns.has_value());
}

BOOST_AUTO_TEST_CASE(who_had_it_last_and_how_that_ended_is_known) {
  BOOST_TEST(!last("a/x").has_value());
  BOOST_REQUIRE(registry.register_for(Owner::permanent(), "a/x", {.endpoint = "first"}));
  BOOST_TEST(!last("a/x").has_value());  // it is registered
  const std::int64_t before = now_ns();
  BOOST_REQUIRE(registry.unregister("a/x").value());
  auto known = last("a/x");
  BOOST_REQUIRE(known.has_value());
  BOOST_TEST((known->end == WatchEventKind::unregistered));
  BOOST_TEST((known->service.alive() != Alive::no));
  BOOST_TEST(known->service.endpoint() == "first");
  BOOST_TEST(known->at_ns >= before);
  BOOST_TEST(known->at_ns <= now_ns());
  BOOST_TEST(!last("a/y").has_value());

  Child owner([&](const Parent& parent) { hold(parent, segment, "a/x"); });
  const std::uint64_t id = owner.hear();
  BOOST_TEST(!last("a/x").has_value());
  const auto pid = static_cast<std::uint32_t>(owner.pid());
  owner.kill();
  known = last("a/x");
  BOOST_REQUIRE(known.has_value());
  BOOST_TEST((known->end == WatchEventKind::died));
  BOOST_TEST(known->service.id() == id);
  BOOST_TEST(known->service.pid() == pid);
  BOOST_TEST((known->service.alive() == Alive::no));
  BOOST_TEST(known->program == "test_registry");
}

BOOST_AUTO_TEST_CASE(what_a_process_was_called_that_was_named_by_pid_is_known) {
  Child owner([](const Parent& parent) { parent.linger(); });
  BOOST_REQUIRE(registry.register_for(Owner::process(owner.pid()), "a/x", {.endpoint = "first"}));
  owner.kill();
  const auto known = last("a/x");
  BOOST_REQUIRE(known.has_value());
  BOOST_TEST((known->end == WatchEventKind::died));
  BOOST_TEST(known->service.endpoint() == "first");
  BOOST_TEST(known->program == "test_registry");
}

BOOST_AUTO_TEST_CASE(who_has_got_the_number_since_lends_it_no_name) {
  Child owner([](const Parent& parent) { parent.linger(); });
  BOOST_REQUIRE(registry.register_for(Owner::process(owner.pid()), "a/x"));
  owner.kill();
  std::this_thread::sleep_for(20ms);  // start times are kept in hundredths of a second
  int named[2];
  BOOST_REQUIRE(::pipe(named) == 0);
  ChosenPid next(owner.pid(), [&] {
    ::prctl(PR_SET_NAME, "another");
    if (::write(named[1], "", 1) != 1) ::_exit(1);
  });
  ::close(named[1]);
  char told = 0;
  BOOST_TEST((::read(named[0], &told, 1) == 1 || !next.there()));
  ::close(named[0]);
  if (!next.there()) return skipped("no process can be given a number here");
  const auto known = last("a/x");
  BOOST_REQUIRE(known.has_value());
  BOOST_TEST(known->program == "test_registry");
}

BOOST_AUTO_TEST_CASE(an_end_that_nobody_has_noted_yet_is_known) {
  // By somebody who may not note it: of a time to live that is up only a writer comes by.
  Registry reader = segment.reader();
  {
    Child owner([&](const Parent& parent) { hold(parent, segment, "a/x"); });
    owner.await();
    owner.kill();
  }
  BOOST_REQUIRE(registry.register_for(Owner::time_to_live(1ms), "a/short"));
  std::this_thread::sleep_for(5ms);
  const auto known = reader.last_known("a/short").value();
  BOOST_REQUIRE(known.has_value());
  BOOST_TEST((known->end == WatchEventKind::expired));
  BOOST_TEST(known->at_ns == 0);
  const auto died = reader.last_known("a/x").value();
  BOOST_REQUIRE(died.has_value());
  BOOST_TEST((died->end == WatchEventKind::died));
}

BOOST_AUTO_TEST_CASE(of_a_shared_name_that_is_taken_no_end_is_told) {
  const auto add = [&] {
    return registry.register_for(Owner::permanent(), "a/x", {}, {.shared = true}).value();
  };
  const std::uint64_t one = add();
  const std::uint64_t two = add();
  BOOST_REQUIRE(registry.unregister("a/x", {.id = two}).value());
  BOOST_TEST(!last("a/x").has_value());
  BOOST_REQUIRE(registry.unregister("a/x", {.id = one}).value());
  BOOST_REQUIRE(last("a/x").has_value());
  BOOST_TEST(last("a/x")->service.id() == one);
}

BOOST_AUTO_TEST_CASE(what_has_left_the_log_is_not_known) {
  BOOST_REQUIRE(registry.register_for(Owner::permanent(), "a/x"));
  BOOST_REQUIRE(registry.unregister("a/x").value());
  BOOST_REQUIRE(last("a/x").has_value());
  // The log of every partition, of 256 changes, goes round.
  for (int i = 0; i < 6'000; ++i) {
    const std::string name = "a/n" + std::to_string(i % 16);
    BOOST_REQUIRE(registry.register_for(Owner::permanent(), name, {}, {.replace = true}));
  }
  BOOST_TEST(!last("a/x").has_value());
}

BOOST_AUTO_TEST_CASE(a_pid_that_an_entry_had_before_is_not_told_for_another) {
  std::uint64_t id = 0;
  {
    Child owner([&](const Parent& parent) { hold(parent, segment, "a/x"); });
    id = owner.hear();
    owner.kill();
  }
  // The next to attach gets the entry.
  Child next([&](const Parent& parent) { hold(parent, segment, "a/y"); });
  next.await();
  const auto known = last("a/x");
  BOOST_REQUIRE(known.has_value());
  BOOST_TEST(known->service.id() == id);
  BOOST_TEST(known->service.pid() != static_cast<std::uint32_t>(next.pid()));
}

BOOST_AUTO_TEST_SUITE_END()
