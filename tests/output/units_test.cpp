// Claim: what has a unit is understood exactly, and what lacks one is refused with the units named.
#include "output/units.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <limits>
#include <string>

using namespace shmreg::output;

namespace {

std::int64_t nanoseconds(std::string_view text) { return parse_duration(text).value().count(); }

std::string refusal(std::string_view text) {
  const auto parsed = parse_duration(text);
  return parsed ? "accepted" : parsed.message();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(units)

BOOST_AUTO_TEST_CASE(a_duration_is_a_number_and_a_unit) {
  BOOST_TEST(nanoseconds("7ns") == 7);
  BOOST_TEST(nanoseconds("250us") == 250'000);
  BOOST_TEST(nanoseconds("10ms") == 10'000'000);
  BOOST_TEST(nanoseconds("5s") == 5'000'000'000);
  BOOST_TEST(nanoseconds("2m") == 120'000'000'000);
  BOOST_TEST(nanoseconds("1h") == 3'600'000'000'000);
  BOOST_TEST(nanoseconds("1d") == 86'400'000'000'000);
}

BOOST_AUTO_TEST_CASE(decimal_places_are_exact) {
  BOOST_TEST(nanoseconds("1.5s") == 1'500'000'000);
  BOOST_TEST(nanoseconds("0.000000001s") == 1);
  BOOST_TEST(nanoseconds("0.999999999d") == 86'399'999'913'600);
  BOOST_TEST(nanoseconds("1.23456789012345s") == 1'234'567'890);
}

BOOST_AUTO_TEST_CASE(a_bare_number_is_refused_with_the_units_named) {
  BOOST_TEST(refusal("5").find("no unit") != std::string::npos);
  BOOST_TEST(refusal("5").find("ns, us, ms, s, m, h or d") != std::string::npos);
  BOOST_TEST(parse_size("64").message().find("B, K, M, G or T") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_duration_is_refused) {
  for (const char* text :
       {"", "s", "-5s", "+5s", " 5s", "5 s", "5s ", "5.s", ".5s", "5S", "5sec", "1h30m", "0x5s",
        "1e3s", "5,5s", "999999999999999999999s", "9223372036854775808ns", "300y"}) {
    BOOST_TEST(refusal(text) != "accepted", text);
  }
}

BOOST_AUTO_TEST_CASE(the_longest_duration_fits_in_63_bits) {
  BOOST_TEST(nanoseconds("9223372036854775807ns") == std::numeric_limits<std::int64_t>::max());
  BOOST_TEST(refusal("106752d") != "accepted");
  BOOST_TEST(nanoseconds("106751d") == 106'751 * 86'400'000'000'000);
}

BOOST_AUTO_TEST_CASE(a_size_is_in_powers_of_1024) {
  BOOST_TEST(parse_size("64K").value() == 65'536U);
  BOOST_TEST(parse_size("16M").value() == 16'777'216U);
  BOOST_TEST(parse_size("1G").value() == 1'073'741'824U);
  BOOST_TEST(parse_size("1.5G").value() == 1'610'612'736U);
  BOOST_TEST(parse_size("4096B").value() == 4'096U);
  for (const char* text : {"64k", "64KB", "-1M", "M", "16777216T"}) {
    BOOST_TEST(!parse_size(text).ok(), text);
  }
}

BOOST_AUTO_TEST_CASE(a_process_id_is_positive) {
  BOOST_TEST(parse_pid("1").value() == 1U);
  BOOST_TEST(parse_pid("2147483647").value() == 2'147'483'647U);
  for (const char* text : {"0", "-1", "", "12x", "2147483648", "99999999999999999999", "0x10"}) {
    BOOST_TEST(!parse_pid(text).ok(), text);
  }
}

BOOST_AUTO_TEST_CASE(a_mode_is_octal) {
  BOOST_TEST(parse_mode("0660").value() == 0660U);
  BOOST_TEST(parse_mode("600").value() == 0600U);
  for (const char* text : {"", "888", "1777", "u+rw", "-1"})
    BOOST_TEST(!parse_mode(text).ok(), text);
  BOOST_TEST(octal_mode(0640) == "0640");
}

BOOST_AUTO_TEST_CASE(people_read_one_unit_rounded_down) {
  BOOST_TEST(human_duration(0) == "0 ns");
  BOOST_TEST(human_duration(1'999) == "1 us");
  BOOST_TEST(human_duration(59'999'999'999) == "59 s");
  BOOST_TEST(human_duration(4 * 60'000'000'000 + 1) == "4 min");
  BOOST_TEST(human_duration(90'000'000'000'000) == "1 d");
  BOOST_TEST(exact_duration(0) == "0 ns");
  BOOST_TEST(exact_duration(1'999) == "1999 ns");
  BOOST_TEST(exact_duration(1'500'000'000) == "1500 ms");
  BOOST_TEST(exact_duration(4 * 60'000'000'000) == "4 min");
  BOOST_TEST(exact_duration(86'400'000'000'000) == "1 d");
  BOOST_TEST(human_size(0) == "0 B");
  BOOST_TEST(human_size(1'023) == "1023 B");
  BOOST_TEST(human_size(1'536) == "1.5 KiB");
  BOOST_TEST(human_size(1'073'741'824) == "1 GiB");
}

BOOST_AUTO_TEST_CASE(moments_are_rfc_3339_utc_to_the_nanosecond) {
  BOOST_TEST(rfc3339(0) == "1970-01-01T00:00:00.000000000Z");
  BOOST_TEST(rfc3339(1'714'564'800'000'000'001) == "2024-05-01T12:00:00.000000001Z");
  BOOST_TEST(rfc3339(-1) == "1969-12-31T23:59:59.999999999Z");
  BOOST_TEST(rfc3339(std::numeric_limits<std::int64_t>::min()) == "1677-09-21T00:12:43.145224192Z");
}

BOOST_AUTO_TEST_SUITE_END()
