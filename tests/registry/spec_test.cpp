// Claim: what a spec may hold can be asked without a segment, and the answer is register's own; a
// service found says how long its time to live is. Method: specs that are refused, each for one
// reason, asked of both.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>

#include "shmreg/registry.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(spec)

BOOST_AUTO_TEST_CASE(a_spec_is_checked_as_register_checks_it) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  struct Case {
    std::string service;
    ServiceSpec spec;
    Errc code;
  };
  const std::string half(40'000, 'v');
  const Case cases[] = {
      {"a/b", {}, Errc::ok},
      {"b",
       {.endpoint = "e", .metadata = {{"k", "\n"}}, .tags = {"t"}, .depends = {"d"}},
       Errc::ok},
      {"", {}, Errc::invalid_name},
      {"a//b", {}, Errc::invalid_name},
      {"a/b", {.endpoint = "\n"}, Errc::invalid_argument},
      {"a/b", {.metadata = {{"k=", ""}}}, Errc::invalid_name},
      {"a/b", {.metadata = {{"k", "\xFF"}}}, Errc::invalid_argument},
      {"a/b", {.tags = {"t", "t"}}, Errc::invalid_argument},
      {"a/b", {.depends = {"a/"}}, Errc::invalid_name},
      {"a/b", {.endpoint = half, .metadata = {{"k", half}}}, Errc::invalid_argument},
  };
  for (const Case& each : cases) {
    const Status checked = check_spec(each.service, each.spec);
    const auto registered = registry.register_for(Owner::permanent(), each.service, each.spec);
    BOOST_TEST((checked.code() == each.code), checked.message());
    BOOST_TEST((registered.code() == each.code), registered.message());
    BOOST_TEST(checked.message() == registered.message());
  }
}

BOOST_AUTO_TEST_CASE(a_service_tells_its_time_to_live) {
  const ScratchSegment segment(small_segment());
  auto registry = segment.attach();
  BOOST_REQUIRE(registry.register_for(Owner::time_to_live(90min), "a/ttl").ok());
  BOOST_REQUIRE(registry.register_for(Owner::permanent(), "a/static").ok());
  const auto mine = registry.register_service("a/mine");
  BOOST_REQUIRE(mine.ok());
  BOOST_TEST((std::chrono::nanoseconds(registry.lookup("a/ttl")->period_ns()) == 90min));
  BOOST_TEST(registry.lookup("a/static")->period_ns() == 0U);
  BOOST_TEST(registry.lookup("a/mine")->period_ns() == 0U);
  BOOST_TEST(Service().period_ns() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
