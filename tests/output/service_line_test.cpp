// Claim: a line of JSON is read for exactly what it says, or refused at the column where it stops
// being a service. Method: lines by hand, each refused for one reason, with a mark below the place.
#include "output/service_line.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace std::string_literals;
using shmreg::OwnerKind;
using shmreg::output::ServiceLine;

namespace {

ServiceLine read(const std::string& text) {
  ServiceLine line;
  const auto bad = ServiceLine::read(text, line);
  // The message is put together in either case.
  const auto [column, why] = bad.value_or(shmreg::output::BadLine{});
  BOOST_REQUIRE_MESSAGE(!bad, text << ": column " << column << ": " << why);
  return line;
}

// Refused at the column of the '^' in `marks`, which stands below the text.
void refused(const std::string& text, const std::string& marks, const std::string& why = "") {
  ServiceLine line;
  const auto bad = ServiceLine::read(text, line);
  BOOST_REQUIRE_MESSAGE(bad, text << " was not refused");
  BOOST_TEST(bad->column == marks.find('^') + 1,
             text << ": column " << bad->column << ": " << bad->why);
  BOOST_TEST(bad->why.find(why) != std::string::npos, text << ": " << bad->why);
}

const std::string kHead = R"({"namespace":"n","name":"x",)";

ServiceLine with(const std::string& members) { return read(kHead + members + "}"); }

// One more key in a line that is fine, and a mark below that.
void refused_with(const std::string& member, const std::string& marks,
                  const std::string& why = "") {
  refused(kHead + member + "}", std::string(kHead.size(), ' ') + marks, why);
}

using Strings = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(service_line)

BOOST_AUTO_TEST_CASE(a_whole_line_is_read) {
  const ServiceLine line = read(
      R"({"schema":1,"namespace":"a/b","name":"x","id":17,"shared":true,"pid":null,"endpoint":"tcp://h:1",)"
      R"("metadata":{"k":"v","e":""},"tags":["t1","t 2"],"depends":["d/b"],"wants":["w"],)"
      R"("health":"passing","effective_health":"critical","cause":["d/b"],"owner":"ttl",)"
      R"("alive":true,"node":"host","registered_at":"2024","uptime_ms":5,"ttl_us":1500})");
  BOOST_TEST(line.full_name == "a/b/x");
  BOOST_TEST(line.spec.endpoint == "tcp://h:1");
  BOOST_REQUIRE(line.spec.metadata.size() == 2U);
  BOOST_TEST(line.spec.metadata[0].first == "k");
  BOOST_TEST(line.spec.metadata[0].second == "v");
  BOOST_TEST(line.spec.metadata[1].first == "e");
  BOOST_TEST(line.spec.metadata[1].second == "");
  BOOST_TEST(line.spec.tags == (Strings{"t1", "t 2"}));
  BOOST_TEST(line.spec.depends == Strings{"d/b"});
  BOOST_TEST(line.spec.wants == Strings{"w"});
  BOOST_TEST((line.owner == OwnerKind::ttl));
  BOOST_TEST((line.ttl == 1500us));
  BOOST_TEST(line.shared);
  BOOST_TEST(line.pid == 0U);
}

BOOST_AUTO_TEST_CASE(a_name_is_enough) {
  const ServiceLine line = read(R"({"name":"x","namespace":"n"})");
  BOOST_TEST(line.full_name == "n/x");
  BOOST_TEST(line.spec.endpoint == "");
  BOOST_TEST(line.spec.metadata.empty());
  BOOST_TEST(!line.shared);
  BOOST_TEST((line.owner == OwnerKind::permanent));
  BOOST_TEST((with(R"("pid":4711)").owner == OwnerKind::pid));
  BOOST_TEST((with(R"("ttl_us":5)").owner == OwnerKind::ttl));
  BOOST_TEST((with(R"("pid":4711,"owner":"process")").owner == OwnerKind::process));
  BOOST_TEST((with(R"("pid":null)").owner == OwnerKind::permanent));
}

BOOST_AUTO_TEST_CASE(nothing_is_left_of_the_line_before) {
  ServiceLine line;
  BOOST_REQUIRE(!ServiceLine::read(
      R"({"namespace":"n","name":"x","endpoint":"e","tags":["t"],"metadata":{"k":"v"},"pid":1,)"
      R"("owner":"ttl","ttl_us":1})",
      line));
  BOOST_REQUIRE(!ServiceLine::read(R"({"namespace":"n","name":"y"})", line));
  BOOST_TEST(line.full_name == "n/y");
  BOOST_TEST(line.spec.endpoint == "");
  BOOST_TEST(line.spec.tags.empty());
  BOOST_TEST(line.spec.metadata.empty());
  BOOST_TEST(line.pid == 0U);
  BOOST_TEST((line.owner == OwnerKind::permanent));
}

BOOST_AUTO_TEST_CASE(strings_are_what_they_spell) {
  const ServiceLine line =
      with(R"("metadata":{"k":"\"\\\/\b\f\n\r\t\u0000\u0041\u20ac\ud83d\ude42é名前",)"
           R"("\u006b2":"x"},"tags":["*","$1"])");
  BOOST_TEST(line.spec.metadata[0].second ==
             "\"\\/\b\f\n\r\t\0A\xE2\x82\xAC\xF0\x9F\x99\x82\xC3\xA9\xE5\x90\x8D\xE5\x89\x8D"s);
  BOOST_TEST(line.spec.metadata[1].first == "k2");
  const std::string large(60'000, 'v');
  BOOST_TEST(with(R"("metadata":{"k":")" + large + "\"}").spec.metadata[0].second == large);
}

BOOST_AUTO_TEST_CASE(keys_that_are_not_known_are_passed_over) {
  const ServiceLine line = with(
      R"("new":{"name":"y","namespace":1,"tags":[[{"name":2}]]},"newer":[1,"s",null,{"metadata":1}],)"
      R"("new":2,"newest":1e400,"endpoint":"e")");
  BOOST_TEST(line.full_name == "n/x");
  BOOST_TEST(line.spec.endpoint == "e");
  BOOST_TEST(line.spec.tags.empty());
  BOOST_TEST(with(R"("cause":[1,{"name":"y"}])").full_name == "n/x");
}

BOOST_AUTO_TEST_CASE(white_space_is_free) {
  BOOST_TEST(read(" \t{ \"namespace\" :\t\"n\" , \"name\":\"x\" } \t").full_name == "n/x");
}

BOOST_AUTO_TEST_CASE(what_is_no_json_is_refused_where_it_ends_to_be) {
  refused(R"({"namespace":"n","name":"x")",  //
          R"(                           ^)");
  refused(R"({"namespace":"n","na)",  //
          R"(                    ^)");
  refused("{", " ^");
  refused("garbage", "^");
  refused("\xFF\xFE{}", "^");
  refused("\0\0"s, "^");
  refused(R"({"namespace":"n" "name":"x"})",  //
          R"(                 ^)");
  refused(R"({"namespace":"n",,"name":"x"})",  //
          R"(                 ^)");
  refused(R"({"namespace":"n",'name':"x"})",  //
          R"(                 ^)");
  refused("{\"namespace\":\"n\xFF\"}",  //
          R"(               ^)");
  refused("{\"namespace\":\"a\tb\"}",  //
          R"(               ^)");
  refused(R"({"namespace":"n","name":"x"} {"namespace":"n","name":"y"})",
          R"(                             ^)", "follows");
  refused(R"({"namespace":"n","name":"x"}])",  //
          R"(                            ^)", "follows");
  refused("", "^");
  // However deep, it is refused, not followed.
  ServiceLine line;
  BOOST_TEST(ServiceLine::read(kHead + "\"new\":" + std::string(100'000, '['), line).has_value());
}

BOOST_AUTO_TEST_CASE(what_is_no_object_is_refused) {
  for (const char* text : {"[]", "1", "\"x\"", "null", "true", "-1.5"}) {
    refused(text, "^", "object");
    refused(" "s + text, " ^", "object");
  }
}

BOOST_AUTO_TEST_CASE(a_name_is_needed) {
  refused(R"({"namespace":"n"})", "^", "'name'");
  refused(R"({"name":"x"})", "^", "'namespace'");
  refused("{}", "^");
}

BOOST_AUTO_TEST_CASE(a_known_key_of_another_type_is_refused_at_its_value) {
  refused(R"({"namespace":1,"name":"x"})",  //
          R"(             ^)", "'namespace'");
  refused(R"({"namespace":"n","name": null})",  //
          R"(                         ^)", "'name'");
  refused_with(R"("endpoint":null)",  //
               R"(           ^)", "'endpoint'");
  refused_with(R"("endpoint":{"a":1})",  //
               R"(           ^)");
  refused_with(R"("metadata":["k"])",  //
               R"(           ^)", "'metadata'");
  refused_with(R"("metadata":{"a":"b","k":1})",  //
               R"(                        ^)", "'metadata'");
  refused_with(R"("metadata":{"k":{"l":"m"}})",  //
               R"(                ^)");
  refused_with(R"("tags":"t")",  //
               R"(       ^)", "'tags'");
  refused_with(R"("tags":{"t":"t"})",  //
               R"(       ^)");
  refused_with(R"("tags":["a,\"]}", 1])",  //
               R"(                  ^)");
  refused_with(R"("depends":[["a"]])",  //
               R"(           ^)", "'depends'");
  refused_with(R"("wants":[true])",  //
               R"(         ^)", "'wants'");
  refused_with(R"("owner":3)",  //
               R"(        ^)", "'owner'");
  refused_with(R"("id":"x")",  //
               R"(     ^)");
  refused_with(R"("shared":null)",  //
               R"(         ^)", "'shared'");
  refused_with(R"("pid":"x")",  //
               R"(      ^)");
  refused_with(R"("pid":1.5)",  //
               R"(      ^)");
  refused_with(R"("alive":"yes")",  //
               R"(        ^)");
  refused_with(R"("cause":"x")",  //
               R"(        ^)");
  refused_with(R"("uptime_ms":"x")",  //
               R"(            ^)");
  refused_with(R"("schema":2)",  //
               R"(         ^)", "schema");
}

BOOST_AUTO_TEST_CASE(a_key_that_is_given_twice_is_refused_at_the_second) {
  refused_with(R"("name":"y")",  //
               R"(^)", "twice");
  refused_with(R"("tags":[],"n\u0061me":"x")",  //
               R"(          ^)", "twice");
  refused_with(R"("metadata":{"k":"a","k":"b"})",  //
               R"(           ^)", "twice");
}

BOOST_AUTO_TEST_CASE(an_owner_is_one_of_those_there_are) {
  for (const char* owner : {"process", "pid", "static", "remote"}) {
    BOOST_TEST(to_string(with(R"("owner":")"s + owner + "\"").owner) == owner);
  }
  refused_with(R"("owner":"permanent")",  //
               R"(        ^)", "'permanent'");
  refused_with(R"("owner":"ttl")",  //
               R"(        ^)", "ttl_us");
  for (const char* ttl : {"0", "-1", "9007199254740992", "18446744073709551615"}) {
    refused_with(R"("ttl_us":)"s + ttl,  //
                 R"(         ^)", "ttl_us");
  }
  refused_with(R"("ttl_us":1.5)",  //
               R"(         ^)");
  BOOST_TEST((with(R"("owner":"ttl","ttl_us":9007199254740991)").ttl == 9007199254740991us));
}

BOOST_AUTO_TEST_CASE(what_breaks_a_rule_of_the_registry_is_refused_at_its_value) {
  refused(R"({"namespace":"a//b","name":"x"})",  //
          R"(             ^)", "empty part");
  refused(R"({"namespace":"","name":"x"})",  //
          R"(             ^)");
  refused(R"({"namespace":"n","name":"a/b"})",  //
          R"(                        ^)", "slash");
  refused(R"({"namespace":"n","name":""})",  //
          R"(                        ^)");
  refused(R"({"namespace":"n","name":"\u0000"})",  //
          R"(                        ^)", "control");
  refused(R"({"name":")" + std::string(256, 'x') + R"(","namespace":"n"})", R"(        ^)", "255");
  refused_with(R"("endpoint":"\n")",  //
               R"(           ^)", "endpoint");
  refused_with(R"("metadata":{"a=b":"c"})",  //
               R"(           ^)", "'='");
  refused_with(R"("metadata":{"":"c"})",  //
               R"(           ^)");
  refused_with(R"("wants":["a"],"tags":["t","t"])",  //
               R"(                     ^)", "twice");
  refused_with(R"("depends":["a","default/a"])",  //
               R"(          ^)", "twice");
  refused_with(R"("wants":["a/"])",  //
               R"(        ^)");
  // Each part would fit.
  const std::string half(40'000, 'v');
  refused(kHead + R"("endpoint":")" + half + R"(","metadata":{"k":")" + half + "\"}}", "^",
          "65536");
}

BOOST_AUTO_TEST_SUITE_END()
