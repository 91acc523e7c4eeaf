// Queries: conditions are read for what they say, and hold of exactly the live services they
// describe.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <string>
#include <vector>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;
using Relation = MetadataCondition::Relation;
using Names = std::vector<std::string>;

namespace {

struct Fixture {
  ScratchSegment segment{small_segment()};
  Registry registry = segment.attach();

  std::uint64_t add(const std::string& name, const ServiceSpec& spec = {}) {
    return registry.register_for(Owner::permanent(), name, spec).value();
  }
  // With one value under the key "v".
  std::uint64_t value(const std::string& name, const std::string& value) {
    return add(name, {.metadata = {{"v", value}}});
  }
  [[nodiscard]] Names names(const Query& query) const {
    Names names;
    for (const Service& each : registry.query(query).value()) names.emplace_back(each.full_name());
    std::sort(names.begin(), names.end());
    return names;
  }
  [[nodiscard]] Names where(const std::string& text) const {
    Query query;
    query.where.push_back(MetadataCondition::parse(text).value());
    return names(query);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(query, Fixture)

BOOST_AUTO_TEST_CASE(a_condition_is_read_for_what_it_says) {
  const std::map<std::string, Relation> signs{
      {"=", Relation::equal},     {"==", Relation::equal},    {"!=", Relation::not_equal},
      {"<", Relation::less},      {"<=", Relation::at_most},  {">", Relation::greater},
      {">=", Relation::at_least}, {" in ", Relation::one_of}, {" not in ", Relation::none_of}};
  for (const auto& [sign, relation] : signs) {
    for (const std::string blank : {"", " "}) {
      const auto condition = MetadataCondition::parse("a key" + blank + sign + blank + "x y");
      BOOST_TEST_REQUIRE(condition.ok(), sign);
      BOOST_TEST(condition->key == "a key");
      BOOST_TEST((condition->relation == relation), sign);
      BOOST_TEST(condition->values == Names{"x y"}, boost::test_tools::per_element());
    }
  }
  BOOST_TEST(MetadataCondition::parse("zone in a , b").value().values == (Names{"a", "b"}));
  BOOST_TEST(MetadataCondition::parse("zone=").value().values == Names{""});
  BOOST_TEST(MetadataCondition::parse("zone=b in c").value().values == Names{"b in c"});
}

BOOST_AUTO_TEST_CASE(what_is_no_condition_is_refused_with_a_sentence) {
  for (const char* text : {"", "version", "=3", " >= 3", "zone in ", "zone in", "zone in a,,b",
                           "zone in ,", "a=>3", "a>>3", "a!3", "!", "a=<3", "\x1b[31m"}) {
    const auto condition = MetadataCondition::parse(text);
    BOOST_TEST((condition.code() == Errc::invalid_argument), text);
    BOOST_TEST(condition.message().find("is no condition") != std::string::npos);
    BOOST_TEST(condition.message().find('\x1b') == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(numbers_are_compared_as_numbers) {
  value("a/two", "2");
  value("a/ten", "10");
  value("a/half", "0.5");
  value("a/minus", "-3");
  value("a/large", "9007199254740993");
  value("a/word", "many");
  BOOST_TEST(where("v>=3") == (Names{"a/large", "a/ten", "a/word"}));  // a word comes after digits
  BOOST_TEST(where("v<2") == (Names{"a/half", "a/minus"}));
  BOOST_TEST(where("v=2.0") == Names{"a/two"});
  BOOST_TEST(where("v<=1e1") == (Names{"a/half", "a/minus", "a/ten", "a/two"}));
  BOOST_TEST(where("v>9007199254740992") == (Names{"a/large", "a/word"}));
  BOOST_TEST(where("v>2") == (Names{"a/large", "a/ten", "a/word"}));  // and not what is the same
}

BOOST_AUTO_TEST_CASE(what_only_looks_like_a_number_is_a_word) {
  for (const char* word : {"nan", "nan(1)", "-nan(22)", "inf", "-inf", "infinity"}) {
    value("a/" + std::string(word), word);
  }
  BOOST_TEST(where("v=3").empty());
  BOOST_TEST(where("v in 1,2").empty());
  BOOST_TEST(where("v=nan(1)") == Names{"a/nan(1)"});
  BOOST_TEST(where("v>=3") == (Names{"a/inf", "a/infinity", "a/nan", "a/nan(1)"}));
}

// Of two parts each it cannot be told: they are numbers.
BOOST_AUTO_TEST_CASE(a_version_has_three_parts_on_one_side_at_least) {
  value("a/1.9", "1.9");
  value("a/1.10", "1.10");
  BOOST_TEST(where("v>1.5") == Names{"a/1.9"});
  BOOST_TEST(where("v=1.1") == Names{"a/1.10"});
  BOOST_TEST(where("v>1.5.0") == (Names{"a/1.10", "a/1.9"}));
}

BOOST_AUTO_TEST_CASE(versions_are_compared_part_by_part) {
  value("a/1.9", "1.9");
  value("a/1.10.0", "1.10.0");
  value("a/1.10.2", "1.10.2");
  value("a/2", "2");
  BOOST_TEST(where("v>=1.10.0") == (Names{"a/1.10.0", "a/1.10.2", "a/2"}));
  BOOST_TEST(where("v<1.10.0") == Names{"a/1.9"});
  BOOST_TEST(where("v=2.0.0") == Names{"a/2"});
  BOOST_TEST(where("v=1.10") == Names{"a/1.10.0"});
}

BOOST_AUTO_TEST_CASE(a_service_without_the_key_meets_no_condition_on_it) {
  value("a/with", "x");
  add("a/without");
  BOOST_TEST(where("v!=y") == Names{"a/with"});
  BOOST_TEST(where("v not in y,z") == Names{"a/with"});
  BOOST_TEST(where("v not in x,z").empty());
  BOOST_TEST(where("v in y, x") == Names{"a/with"});
  BOOST_TEST(where("w=x").empty());
}

BOOST_AUTO_TEST_CASE(all_conditions_must_hold) {
  add("a/web", {.metadata = {{"zone", "eu"}, {"v", "3"}}, .tags = {"http", "edge"}});
  add("a/b/web", {.metadata = {{"zone", "eu"}, {"v", "1"}}, .tags = {"http"}});
  add("ab/web", {.metadata = {{"zone", "us"}, {"v", "3"}}, .tags = {"edge"}});
  Query query;
  BOOST_TEST(names(query) == (Names{"a/b/web", "a/web", "ab/web"}));
  query.namespace_name = "a";
  BOOST_TEST(names(query) == Names{"a/web"});
  query.and_below = true;
  BOOST_TEST(names(query) == (Names{"a/b/web", "a/web"}));
  query.tags = {"http"};
  query.metadata = {{"zone", "eu"}};
  query.where.push_back(MetadataCondition::parse("v<3").value());
  BOOST_TEST(names(query) == Names{"a/b/web"});
  query.tags.emplace_back("edge");
  BOOST_TEST(names(query).empty());
  BOOST_TEST(names({.match = "w?b"}) == (Names{"a/b/web", "a/web", "ab/web"}));
  BOOST_TEST(names({.match = "a*/web"}) == (Names{"a/b/web", "a/web", "ab/web"}));
  BOOST_TEST(names({.match = "a?/web"}) == Names{"ab/web"});
  BOOST_TEST(names({.match = "web/"}).empty());
}

BOOST_AUTO_TEST_CASE(only_what_is_true_now_is_found) {
  const std::uint64_t id = value("a/x", "old");
  BOOST_REQUIRE(registry.register_for(Owner::permanent(), "a/x", {.metadata = {{"v", "new"}}},
                                      {.replace = true}));
  BOOST_TEST(where("v=old").empty());
  BOOST_TEST(where("v=new") == Names{"a/x"});
  BOOST_TEST(!registry.unregister("a/x", {.id = id}).value());
  BOOST_REQUIRE(registry.unregister("a/x").value());
  BOOST_TEST(where("v=new").empty());

  Child owner([&](const Parent& parent) {
    auto own = segment.attach();
    const auto mine = own.register_service("a/mortal", {.metadata = {{"v", "new"}}}).value();
    parent.tell();
    stay_until_killed();
  });
  owner.await();
  BOOST_TEST(where("v=new") == Names{"a/mortal"});
  BOOST_TEST(names({.pid = static_cast<std::uint32_t>(owner.pid())}) == Names{"a/mortal"});
  owner.kill();
  BOOST_TEST(where("v=new").empty());
  BOOST_TEST(names({.pid = static_cast<std::uint32_t>(owner.pid())}).empty());
}

BOOST_AUTO_TEST_CASE(a_malformed_query_is_an_error_and_no_empty_answer) {
  const auto code = [&](const Query& query) { return registry.query(query).code(); };
  BOOST_TEST((code({.namespace_name = "a/"}) == Errc::invalid_name));
  BOOST_TEST((code({.and_below = true}) == Errc::invalid_argument));
  BOOST_TEST((code({.match = ""}) == Errc::invalid_argument));
  BOOST_TEST((code({.match = std::string("a\0b", 3)}) == Errc::invalid_argument));
  BOOST_TEST((code({.metadata = {{"", "x"}}}) == Errc::invalid_name));
  BOOST_TEST((code({.tags = {"\n"}}) == Errc::invalid_name));
  BOOST_TEST((code({.pid = 0}) == Errc::invalid_argument));
  Query query;
  query.where.push_back({"v", Relation::less, {}});
  BOOST_TEST((code(query) == Errc::invalid_argument));
  query.where.front().values = {"a", "b"};
  BOOST_TEST((code(query) == Errc::invalid_argument));
  query.where.front().relation = Relation::one_of;
  BOOST_TEST(registry.query(query).ok());
}

BOOST_AUTO_TEST_SUITE_END()
