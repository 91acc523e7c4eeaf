// Claim: whatever bytes come in, what goes out holds no control character and is valid UTF-8, and
// ordinary text goes through untouched. Method: the cases by hand, then every pair of bytes.
#include "output/escape.hpp"

#include <boost/test/unit_test.hpp>
#include <clocale>
#include <string>

using namespace std::string_literals;
using shmreg::output::display_width;
using shmreg::output::escape;
using shmreg::output::first_code_point;
using shmreg::output::is_control;
using shmreg::output::valid_utf8;

BOOST_AUTO_TEST_SUITE(escaping)

BOOST_AUTO_TEST_CASE(what_rearranges_other_text_is_shown_by_its_bytes) {
  // A right-to-left override makes another address of what is shown.
  BOOST_TEST(shmreg::output::escape("tcp://\xE2\x80\xAEgnp.exe") == "tcp://\\xE2\\x80\\xAEgnp.exe");
  for (const char32_t value : {0x061Cu, 0x200Eu, 0x2028u, 0x202Au, 0x2066u, 0x2069u}) {
    BOOST_TEST(is_control(value));
  }
  for (const char32_t value : {0x200Du, 0x2027u, 0x202Fu, 0x2065u, 0x206Au}) {
    BOOST_TEST(!is_control(value));
  }
}

BOOST_AUTO_TEST_CASE(ordinary_text_is_untouched) {
  for (const auto& text : {""s, "config_server"s, "a b*$1\\x41\"'"s, "grüße/名前/🙂"s}) {
    BOOST_TEST(escape(text) == text);
    BOOST_TEST(valid_utf8(text) == text);
  }
}

BOOST_AUTO_TEST_CASE(control_characters_are_written_as_their_bytes) {
  BOOST_TEST(escape("a\tb\nc\x1b[2J\x7f"s) == "a\\x09b\\x0Ac\\x1B[2J\\x7F");
  BOOST_TEST(escape("\0"s) == "\\x00");
}

BOOST_AUTO_TEST_CASE(c1_controls_are_escaped_too) {
  // U+009B is CSI: to many a terminal the same as ESC [.
  BOOST_TEST(escape("\xC2\x9B"s + "31m") == "\\xC2\\x9B31m");
  BOOST_TEST(escape("\xC2\xA0"s) == "\xC2\xA0");
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_utf8_are_escaped_one_by_one) {
  BOOST_TEST(escape("\xFF"s) == "\\xFF");
  BOOST_TEST(escape("\xC0\x80"s) == "\\xC0\\x80");           // overlong NUL
  BOOST_TEST(escape("\xED\xA0\x80"s) == "\\xED\\xA0\\x80");  // surrogate
  BOOST_TEST(escape("\xF4\x90\x80\x80"s) == "\\xF4\\x90\\x80\\x80");
  BOOST_TEST(escape("\xE5\x90"s) == "\\xE5\\x90");  // cut short
  BOOST_TEST(escape("\xC3(x"s) == "\\xC3(x");       // what follows survives
}

BOOST_AUTO_TEST_CASE(for_json_bytes_that_are_not_utf8_become_the_replacement_character) {
  BOOST_TEST(valid_utf8("a\xFFz"s) == "a\xEF\xBF\xBDz");
}

BOOST_AUTO_TEST_CASE(no_pair_of_bytes_gets_a_control_character_through) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text{static_cast<char>(a), static_cast<char>(b)};
      const std::string escaped = escape(text);
      BOOST_REQUIRE(escape(escaped) == escaped);
      for (std::string_view rest = escaped; !rest.empty();) {
        const auto point = first_code_point(rest);
        BOOST_REQUIRE(point.valid);
        BOOST_REQUIRE(!is_control(point.value));
        rest.remove_prefix(point.bytes);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(width_counts_columns_not_bytes) {
  BOOST_TEST(display_width("grue") == 4U);
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) return;
  BOOST_TEST(display_width("grüße") == 5U);
  BOOST_TEST(display_width("名前") == 4U);
}

BOOST_AUTO_TEST_SUITE_END()
