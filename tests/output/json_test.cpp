// Claim: whatever strings go in, one line of valid JSON comes out that says the same. Method: the
// text is read back by Boost.JSON's strict parser.
#include "output/json.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace std::string_literals;
using shmreg::output::Json;

namespace {

std::string read_back(const Json& json) {
  const auto value = boost::json::parse(json.text());
  return std::string(value.as_string());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json)

BOOST_AUTO_TEST_CASE(numbers_keep_their_type_and_their_digits) {
  BOOST_TEST(Json(true).text() == "true");
  BOOST_TEST(Json(0).text() == "0");
  BOOST_TEST(Json(std::uint64_t{1} << 53).text() == "9007199254740992");
  BOOST_TEST(Json(std::numeric_limits<std::int64_t>::min()).text() == "-9223372036854775808");
  BOOST_TEST(Json(0.5).text() == "0.5");
  BOOST_TEST(Json(std::numeric_limits<double>::quiet_NaN()).text() == "null");
  BOOST_TEST(Json().text() == "null");
}

BOOST_AUTO_TEST_CASE(a_document_begins_with_its_schema) {
  BOOST_TEST(Json::document().set("a", 1).text() == R"({"schema":1,"a":1})");
}

BOOST_AUTO_TEST_CASE(merging_keeps_the_order_and_takes_all) {
  Json other = Json::object();
  other.set("x", "y").set("z", Json::array_of(std::vector<std::string>{"1", "2"}));
  BOOST_TEST(Json::document().merge(std::move(other)).text() ==
             R"({"schema":1,"x":"y","z":["1","2"]})");
}

BOOST_AUTO_TEST_CASE(any_byte_in_a_string_or_key_gives_valid_json_on_one_line) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = "a"s + static_cast<char>(byte) + "z";
    Json object = Json::object();
    object.set(text, text);
    const std::string line = object.text();
    BOOST_REQUIRE_NO_THROW((void)boost::json::parse(line));
    for (const char c : line) BOOST_REQUIRE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
    if (byte < 0x80) BOOST_TEST(read_back(text) == text);
  }
}

BOOST_AUTO_TEST_CASE(controls_that_json_would_let_pass_are_escaped) {
  BOOST_TEST(Json("\x7f\xC2\x9B"s).text() == R"("\u007f\u009b")");
  BOOST_TEST(read_back("\xC2\x9B"s) == "\xC2\x9B"s);
}

BOOST_AUTO_TEST_CASE(a_key_set_twice_is_there_once) {
  BOOST_TEST(Json::object().set("k", 1).set("k", 2).text() == R"({"k":2})");
}

BOOST_AUTO_TEST_SUITE_END()
