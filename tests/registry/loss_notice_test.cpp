// The descriptor of a registration, which tells that its name is lost.
//
// Claim: a descriptor is readable exactly while there is something to be had. Method: poll() with
// no time before and after each thing that happens, with all the time where it is to come.
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <utility>

#include "registry/readable.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

namespace {

// Less than the slice after which who is not woken looks by himself.
constexpr auto kPrompt = 50ms;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(descriptors, WithDescriptors)

BOOST_AUTO_TEST_CASE(a_registration_knows_whether_it_holds) {
  Registration mine = registry.register_service("a/x").value();
  BOOST_TEST(mine.holds());
  BOOST_REQUIRE(mine.update({.endpoint = "e"}));
  BOOST_TEST(mine.holds());
  const int descriptor = mine.loss_descriptor().value();
  BOOST_TEST(!readable(descriptor, 150));
  add("a/x", true);
  BOOST_TEST(!mine.holds());
  BOOST_TEST(becomes_readable(descriptor));
  Registration other = registry.register_service("a/y").value();
  BOOST_TEST(!readable(other.loss_descriptor().value()));
  BOOST_TEST(registry.unregister("a/y").value());
  BOOST_TEST(becomes_readable(other.loss_descriptor().value()));
  BOOST_TEST(!Registration().holds());
  BOOST_TEST((Registration().loss_descriptor().code() == Errc::registration_lost));
}

// Who is not woken looks again a tenth of a second after he has begun, and is late each time.
BOOST_AUTO_TEST_CASE(the_loss_of_a_name_is_told_at_once) {
  auto least_late = 1000ms;
  for (int i = 0; i < 100 && least_late >= kPrompt; ++i) {
    Registration mine = registry.register_service("a/x").value();
    const int descriptor = mine.loss_descriptor().value();
    BOOST_TEST(!readable(descriptor, 20));
    const auto lost = std::chrono::steady_clock::now();
    BOOST_TEST(registry.unregister("a/x").value());
    BOOST_TEST(becomes_readable(descriptor));
    least_late = std::min(least_late, std::chrono::duration_cast<std::chrono::milliseconds>(
                                          std::chrono::steady_clock::now() - lost));
  }
  BOOST_TEST((least_late < kPrompt));
}

BOOST_AUTO_TEST_CASE(an_instance_knows_whether_it_holds) {
  Registration mine = registry.register_service("a/x", {}, {.shared = true}).value();
  const int descriptor = mine.loss_descriptor().value();
  const std::uint64_t other =
      registry.register_for(Owner::permanent(), "a/x", {}, {.shared = true}).value();
  BOOST_TEST(mine.holds());
  BOOST_TEST(registry.unregister("a/x", {.id = other}).value());
  BOOST_TEST(mine.holds());
  BOOST_TEST(!readable(descriptor, 150));
  BOOST_TEST(registry.unregister("a/x", {.id = mine.id()}).value());
  BOOST_TEST(!mine.holds());
  BOOST_TEST(becomes_readable(descriptor));
}

BOOST_AUTO_TEST_CASE(a_destroyed_segment_is_a_loss) {
  Registration mine = registry.register_service("a/x").value();
  const int descriptor = mine.loss_descriptor().value();
  destroy_segment(segment.name(), true);
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(!mine.holds());
}

BOOST_AUTO_TEST_CASE(a_registration_with_a_notice_can_be_moved_forked_and_ended) {
  Registration first = registry.register_service("a/x").value();
  const int descriptor = first.loss_descriptor().value();
  Registration mine = std::move(first);
  BOOST_TEST(mine.loss_descriptor().value() == descriptor);
  Registration assigned;
  assigned = std::move(mine);
  BOOST_TEST(assigned.loss_descriptor().value() == descriptor);
  mine = std::move(assigned);
  Child child([&](const Parent&) {
    CHILD_CHECK(!mine.holds());
    CHILD_CHECK(mine.loss_descriptor().code() == Errc::registration_lost);
    // Also once it has been attached itself.
    const Registration own = registry.register_service("a/childs").value();
    CHILD_CHECK(own.holds());
    CHILD_CHECK(!mine.holds());
    CHILD_CHECK(mine.loss_descriptor().code() == Errc::registration_lost);
    CHILD_CHECK(mine.update({}).code() == Errc::registration_lost);
    CHILD_CHECK(!mine.unregister().value());
    mine = Registration();
  });
  BOOST_TEST(child.reap() == 0);
  BOOST_TEST(mine.holds());
  BOOST_TEST(mine.unregister().value());
  BOOST_TEST(!mine.holds());
}

BOOST_AUTO_TEST_SUITE_END()
