// Unregister and update: what becomes of a registration, and of what it says of itself.
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "registry/seen.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

BOOST_AUTO_TEST_SUITE(registry)

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

BOOST_AUTO_TEST_SUITE_END()
