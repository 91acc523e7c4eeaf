// A reference to a service.
//
// Claim: it never answers with what has changed. Method: each kind of change in turn, and a real
// process that is killed.
#include <boost/test/unit_test.hpp>

#include "registry/holder.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

BOOST_AUTO_TEST_SUITE(service_ref)

BOOST_AUTO_TEST_CASE(a_reference_follows_every_change_of_its_service) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  ServiceRef ref(registry, "a/one");
  BOOST_TEST((ref.refresh() == Errc::not_found));
  auto mine = registry.register_service("a/one", {.endpoint = "one"}).value();
  for (int i = 0; i < 3; ++i) BOOST_TEST((ref.refresh() == Errc::ok));
  BOOST_TEST(ref.service().endpoint() == "one");
  BOOST_TEST(mine.update({.endpoint = "two"}).ok());
  BOOST_TEST((ref.refresh() == Errc::ok));
  BOOST_TEST(ref.service().endpoint() == "two");
  mine = registry.register_service("a/one", {.endpoint = "three"}).value();
  BOOST_TEST((ref.refresh() == Errc::ok));
  BOOST_TEST(ref.service().endpoint() == "three");
  BOOST_TEST(registry.set_health("a/one", Health::passing).ok());
  BOOST_TEST((ref.refresh() == Errc::ok));
  BOOST_TEST((ref.service().health() == Health::passing));
  BOOST_TEST(registry.set_health("a/one", Health::critical).ok());
  BOOST_TEST((ref.refresh() == Errc::ok));
  BOOST_TEST((ref.service().health() == Health::critical));
  BOOST_TEST(mine.unregister().value());
  BOOST_TEST((ref.refresh() == Errc::not_found));
}

BOOST_AUTO_TEST_CASE(a_reference_to_a_dead_owners_service_finds_it_no_more) {
  const ScratchSegment segment(small_segment());
  Child owner = holder_of(segment, {"a/one"});
  owner.await();
  for (const Access access : {Access::read_write, Access::read_only}) {
    const auto registry = segment.attach(access);
    ServiceRef ref(registry, "a/one");
    BOOST_TEST((ref.refresh() == Errc::ok));
    BOOST_TEST((ref.refresh() == Errc::ok));
    if (access == Access::read_write) continue;
    owner.kill_unreaped();
    BOOST_TEST((ref.refresh() == Errc::not_found));
  }
}

BOOST_AUTO_TEST_SUITE_END()
