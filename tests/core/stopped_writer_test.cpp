// A watch where a writer was stopped inside a partition's lock.
//
// Claim: deaths are told all the same, and none of them is waited for. Method: the lock is held by
// a stopped process, and whoever waited for it would do so for a minute; the owner of many names in
// that partition is killed, and each of them is told within less.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <set>
#include <string>

#include "core/partition_lock.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/insides.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(stopped_writers)

BOOST_AUTO_TEST_CASE(a_watch_tells_of_deaths_all_the_same) {
  constexpr int kNames = 20;
  const ScratchSegment scratch(one_partition());
  AttachOptions patient;
  patient.lock_timeout = 60s;
  auto registry = Registry::attach(scratch.name(), patient);
  BOOST_TEST_REQUIRE(registry.register_for(Owner::permanent(), "b/mine").ok());
  Child owner([&](const Parent& parent) {
    auto own = scratch.attach();
    for (int i = 0; i < kNames; ++i) {
      own.register_service("a/" + std::to_string(i)).value().release();
    }
    parent.tell();
    parent.linger();
  });
  owner.await();
  Watch watch = registry.watch("a/").value();
  WatchEvent event;
  for (int i = 0; i < kNames; ++i) BOOST_TEST_REQUIRE(watch.next(event, 30s).value());

  Child writer([&](const Parent& parent) {
    const Insides insides(scratch);
    core::PartitionLock lock(insides.writer);
    CHILD_CHECK(lock.acquire(0).ok());
    parent.tell();
    parent.linger();
  });
  writer.await();
  writer.stop();
  owner.kill();
  std::set<std::string> died;
  for (int i = 0; i < kNames; ++i) {
    BOOST_TEST_REQUIRE(watch.next(event, 30s).value());
    BOOST_TEST((event.kind == WatchEventKind::died));
    died.emplace(event.service.full_name());
  }
  BOOST_TEST(died.size() == static_cast<std::size_t>(kNames));

  // Once the lock is free the deaths are written down; they are not told again.
  writer.kill();
  BOOST_TEST_REQUIRE(registry.register_for(Owner::permanent(), "a/new").ok());
  BOOST_TEST_REQUIRE(watch.next(event, 30s).value());
  BOOST_TEST((event.kind == WatchEventKind::registered));
  BOOST_TEST(registry.count("a").value() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
