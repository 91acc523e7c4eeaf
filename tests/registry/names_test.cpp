// Names and attributes: which there can be, and that the others are refused.
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "registry/seen.hpp"
#include "shmreg/registry.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

BOOST_AUTO_TEST_SUITE(registry)

BOOST_AUTO_TEST_CASE(names_that_look_special_are_ordinary) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const Texts names = {"a b",
                       "-x",
                       "--help",
                       "..",
                       ".",
                       "*",
                       "%s%n",
                       "'; drop table",
                       "a=b",
                       "a\\n",
                       "\xc3\xa4\xf0\x9f\x90\x98",
                       "null",
                       "0",
                       "[x,y]",
                       "very/deep/in/name/spaces/x",
                       "../../etc/passwd",
                       std::string(255, 'n'),
                       std::string(255, 's') + "/" + std::string(255, 'n')};
  std::vector<Registration> held;
  for (const auto& name : names) {
    auto mine = registry.register_service(name, {.endpoint = name});
    BOOST_TEST_REQUIRE(mine.ok(), name + ": " + mine.message());
    held.push_back(std::move(mine).value());
  }
  for (const auto& name : names) BOOST_TEST(registry.lookup(name)->endpoint() == name);
  BOOST_TEST(registry.count().value() == names.size());
  BOOST_TEST(doctor(segment.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(invalid_names_are_refused_by_every_call_and_nothing_is_stored) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const Texts names = {"",
                       "/",
                       "a/",
                       "/a",
                       "a//b",
                       "//a",
                       "/a/b",
                       "a/b/",
                       std::string(256, 'n'),
                       std::string(256, 's') + "/n",
                       std::string(5'000, 'n'),
                       "a\nb",
                       "a\tb",
                       "a\x7f",
                       "a\x1b[31m",
                       std::string("a\0b", 3),
                       "\xc2\x85",  // U+0085, a control character of two bytes
                       "n\x01/b",
                       "\xff",              // no UTF-8 at all
                       "\xc0\xaf",          // overlong
                       "\xed\xa0\x80",      // a surrogate
                       "\xf4\x90\x80\x80",  // beyond U+10FFFF
                       "\xe2\x82"};         // cut
  for (const auto& name : names) {
    Service found;
    BOOST_TEST_CONTEXT("length " << name.size()) {
      BOOST_TEST((registry.register_service(name).code() == Errc::invalid_name));
      BOOST_TEST((registry.register_for(Owner::permanent(), name).code() == Errc::invalid_name));
      BOOST_TEST((registry.lookup(name, found) == Errc::invalid_name));
      BOOST_TEST((registry.lookup(name).code() == Errc::invalid_name));
      BOOST_TEST((registry.unregister(name).code() == Errc::invalid_name));
      BOOST_TEST((registry.update(name, {}).code() == Errc::invalid_name));
      BOOST_TEST((registry.renew(name, 1).code() == Errc::invalid_name));
      const std::string message = registry.register_service(name).message();
      BOOST_TEST(message.find('\n') == std::string::npos);
      BOOST_TEST(message.find('\x1b') == std::string::npos);
    }
  }
  BOOST_TEST(registry.count().value() == 0U);
  BOOST_TEST(registry.info()->changes == 0U);
  for (const char* space : {"", "/a", "a/", "a//b", "\x01"}) {
    BOOST_TEST((registry.list(space).code() == Errc::invalid_name));
    BOOST_TEST((registry.count(space).code() == Errc::invalid_name));
  }
}

BOOST_AUTO_TEST_CASE(malformed_attributes_are_refused) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  const std::string long_text(256, 'x');
  const std::vector<ServiceSpec> bad = {
      {.endpoint = "line\nbreak"},
      {.endpoint = "\xff"},
      {.endpoint = std::string("nul\0", 4)},
      {.metadata = {{"", "v"}}},
      {.metadata = {{"a=b", "v"}}},
      {.metadata = {{"k", "1"}, {"k", "1"}}},
      {.metadata = {{"k\n", "v"}}},
      {.metadata = {{long_text, "v"}}},
      {.metadata = {{"k", "\xff"}}},
      {.tags = {""}},
      {.tags = {"t", "t"}},
      {.tags = {"t\n"}},
      {.tags = {long_text}},
      {.depends = {""}},
      {.depends = {"a/"}},
      {.depends = {"b", "default/b"}},
      {.wants = {"\x01"}},
      {.wants = {"w", "w"}},
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    BOOST_TEST(!registry.register_service("a/b", bad[i]).ok(), "spec " << i);
  }
  BOOST_TEST(registry.count().value() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
