// Another user's client, and another user's file: who may read, who may write, whom to trust.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <string>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/resources.hpp"
#include "support/scratch_segment.hpp"
#include "support/skipped.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

const char* const kMayNot = "may not become another user";

ScratchSegment with_mode(std::uint32_t mode) {
  CreateOptions options;
  options.mode = mode;
  return ScratchSegment(options);
}

template <class Call>
Errc thrown_by(Call call) {
  try {
    (void)call();
  } catch (const Error& error) {
    return error.errc();
  }
  return Errc::ok;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(other_user)

BOOST_AUTO_TEST_CASE(who_may_only_read_the_file_sees_everything_and_each_death_at_once) {
  if (!a_child_may(become_nobody)) return skipped(kMayNot);
  const auto segment = with_mode(0644);
  Child owner([&](const Parent& parent) {
    auto registry = segment.attach();
    registry.register_service("a/b", {.endpoint = "e"}).value().release();
    parent.tell();
    parent.linger();
  });
  owner.await();
  Child stranger([&](const Parent& parent) {
    CHILD_CHECK(become_nobody());
    auto registry = segment.attach(Access::prefer_write);
    CHILD_CHECK(!registry.writable());
    CHILD_CHECK(registry.lookup("a/b")->endpoint() == "e");
    CHILD_CHECK(registry.list()->size() == 1);
    CHILD_CHECK(registry.processes()->size() == 1);
    CHILD_CHECK(registry.register_service("a/c").code() == Errc::permission_denied);
    CHILD_CHECK(thrown_by([&] { return segment.attach(Access::read_write); }) ==
                Errc::permission_denied);
    CHILD_CHECK(doctor(segment.name()).problems.empty());
    CHILD_CHECK(thrown_by([&] { return destroy_segment(segment.name(), true); }) ==
                Errc::permission_denied);
    parent.tell();
    parent.await();
    CHILD_CHECK(registry.lookup("a/b").code() == Errc::not_found);
    CHILD_CHECK(registry.list()->empty());
    CHILD_CHECK(registry.processes()->empty());
  });
  stranger.await();
  owner.kill();
  stranger.tell();
  BOOST_TEST(stranger.reap() == 0);
}

BOOST_AUTO_TEST_CASE(who_may_not_even_read_the_file_is_refused) {
  if (!a_child_may(become_nobody)) return skipped(kMayNot);
  const auto segment = with_mode(0600);
  Child stranger([&](const Parent&) {
    CHILD_CHECK(become_nobody());
    for (const Access access : {Access::prefer_write, Access::read_write, Access::read_only}) {
      CHILD_CHECK(thrown_by([&] { return segment.attach(access); }) == Errc::permission_denied);
    }
    CHILD_CHECK(thrown_by([&] { return doctor(segment.name()); }) == Errc::permission_denied);
    CHILD_CHECK(thrown_by([&] { return destroy_segment(segment.name(), true); }) ==
                Errc::permission_denied);
    bool listed = false;
    for (const SegmentInfo& info : segments()) {
      if (info.name != segment.name()) continue;
      listed = true;
      CHILD_CHECK(info.problem.code() == Errc::permission_denied);
    }
    CHILD_CHECK(listed);
  });
  BOOST_TEST(stranger.reap() == 0);
}

BOOST_AUTO_TEST_CASE(who_may_write_registers_beside_others) {
  if (!a_child_may(become_nobody)) return skipped(kMayNot);
  const auto segment = with_mode(0666);
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/mine").value();
  Child stranger([&](const Parent& parent) {
    CHILD_CHECK(become_nobody());
    auto own = segment.attach();
    own.register_service("a/theirs").value().release();
    CHILD_CHECK(own.register_service("a/mine").code() == Errc::already_registered);
    parent.tell();
    parent.linger();
  });
  stranger.await();
  BOOST_TEST(registry.lookup("a/theirs").ok());
  BOOST_TEST(registry.processes()->size() == 2U);
  stranger.kill();
  BOOST_TEST(!registry.lookup("a/theirs").ok());
  BOOST_TEST(registry.register_service("a/theirs").ok());
}

BOOST_AUTO_TEST_CASE(a_file_of_a_stranger_is_refused_unless_that_stranger_is_trusted) {
  if (!a_child_may(become_nobody)) return skipped(kMayNot);
  const auto segment = with_mode(0666);
  BOOST_TEST_REQUIRE(::chown(segment.path().c_str(), kNobody, kNobody) == 0);
  BOOST_TEST((thrown_by([&] { return segment.attach(); }) == Errc::untrusted_owner));
  BOOST_TEST((thrown_by([&] { return segment.reader(); }) == Errc::untrusted_owner));
  BOOST_TEST((thrown_by([&] { return doctor(segment.name()); }) == Errc::untrusted_owner));
  BOOST_TEST(
      (thrown_by([&] { return destroy_segment(segment.name(), true); }) == Errc::untrusted_owner));
  for (const SegmentInfo& info : segments()) {
    if (info.name == segment.name()) BOOST_TEST((info.problem.code() == Errc::untrusted_owner));
  }
  AttachOptions options;
  options.trust.trusted_owners = {kNobody + 1};
  BOOST_TEST((thrown_by([&] { return Registry::attach(segment.name(), options); }) ==
              Errc::untrusted_owner));
  options.trust.trusted_owners = {kNobody + 1, kNobody};
  auto registry = Registry::attach(segment.name(), options);
  BOOST_TEST(registry.register_service("a/b").ok());
  BOOST_TEST(doctor(segment.name(), options.trust).problems.empty());
  CreateOptions accepting;
  accepting.if_missing = true;
  BOOST_TEST((thrown_by([&] { return create_segment(segment.name(), accepting); }) ==
              Errc::untrusted_owner));
  BOOST_TEST(!create_segment(segment.name(), accepting, options.trust));
  // To others but root its owner need not be named; for its owner it is one's own.
  Child owner([&](const Parent&) {
    CHILD_CHECK(become_nobody());
    CHILD_CHECK(segment.attach().register_service("a/c").ok());
  });
  BOOST_TEST(owner.reap() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
