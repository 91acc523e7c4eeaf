// Claim: columns line up, nothing is cut, and nobody's text gets to the terminal as it is. Method:
// tables printed into a pipe and compared to the letter.
#include "output/table.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string>

#include "output/exit_code.hpp"
#include "output/listing.hpp"

using namespace shmreg::output;

namespace {

// What `print` writes, up to a pipe's capacity.
template <class Print>
std::string printed(Print print) {
  std::array<int, 2> ends{};
  BOOST_REQUIRE(::pipe(ends.data()) == 0);
  Writer writer(ends[1]);
  print(writer);
  writer.flush();
  ::close(ends[1]);
  std::array<char, 4096> bytes{};
  const ssize_t got = ::read(ends[0], bytes.data(), bytes.size());
  ::close(ends[0]);
  return {bytes.data(), static_cast<std::size_t>(got)};
}

Table example() {
  Table table({{"NAME"}, {"PID", Align::right}, {"MORE", Align::left, true}, {"LAST"}});
  table.add({std::string("a"), std::string("4711"), std::string("x"), std::string("end")});
  table.add({std::string("long\tname"), std::string(""), std::string("y"), std::string("")});
  return table;
}

std::string in(const Style& style) {
  return printed([&](Writer& writer) { example().print(writer, style); });
}

struct NumberView {
  static std::vector<Column> columns() { return {{"N"}}; }
  static std::vector<Cell> cells(int n) { return {std::to_string(n)}; }
  static Json json(int n) { return std::move(Json::object().set("n", n)); }
  static std::string name(int n) { return "n\n" + std::to_string(n); }
};

std::string listed(Format format, const std::vector<int>& numbers, bool quiet = false) {
  Style style;
  style.format = format;
  style.quiet = quiet;
  return printed([&](Writer& writer) {
    print_list<NumberView>(writer, style, "numbers", numbers);
    writer.write(" ");  // so that nothing at all can be read as well
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(table)

BOOST_AUTO_TEST_CASE(columns_line_up_and_empty_cells_are_dashes) {
  BOOST_TEST(in({}) ==
             "NAME           PID  LAST\n"
             "a             4711  end\n"
             "long\\x09name     -  -\n");
}

BOOST_AUTO_TEST_CASE(wide_shows_more_columns) {
  Style style;
  style.format = Format::wide;
  style.header = false;
  BOOST_TEST(in(style) ==
             "a             4711  x  end\n"
             "long\\x09name     -  y  -\n");
}

BOOST_AUTO_TEST_CASE(colour_is_for_those_who_see_it) {
  ::unsetenv("NO_COLOR");
  Style style;
  BOOST_TEST(in(style).find('\x1b') == std::string::npos);  // a pipe
  style.color = Color::always;
  BOOST_TEST(in(style).find("\x1b[1mNAME\x1b[0m") != std::string::npos);
  ::setenv("NO_COLOR", "1", 1);
  BOOST_TEST(in(style).find('\x1b') == std::string::npos);
  ::unsetenv("NO_COLOR");
}

BOOST_AUTO_TEST_CASE(a_list_looks_as_it_was_asked_for) {
  BOOST_TEST(listed(Format::table, {1, 2}) == "N\n1\n2\n ");
  BOOST_TEST(listed(Format::json, {1, 2}) == "{\"schema\":1,\"numbers\":[{\"n\":1},{\"n\":2}]}\n ");
  BOOST_TEST(listed(Format::jsonl, {1, 2}) == "{\"schema\":1,\"n\":1}\n{\"schema\":1,\"n\":2}\n ");
  BOOST_TEST(listed(Format::name, {1}) == "n\\x0A1\n ");
}

BOOST_AUTO_TEST_CASE(an_empty_list_is_a_header_or_an_empty_array_or_nothing) {
  BOOST_TEST(listed(Format::table, {}) == "N\n ");
  BOOST_TEST(listed(Format::json, {}) == "{\"schema\":1,\"numbers\":[]}\n ");
  BOOST_TEST(listed(Format::jsonl, {}) == " ");
}

BOOST_AUTO_TEST_CASE(quiet_prints_nothing) {
  BOOST_TEST(listed(Format::table, {1}, true) == " ");
  BOOST_TEST(listed(Format::json, {1}, true) == " ");
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_out_of_room) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  BOOST_REQUIRE(full >= 0);
  Writer writer(full);
  writer.line("x");
  BOOST_CHECK_EXCEPTION(writer.flush(), Failure,
                        [](const Failure& failure) { return failure.code() == kNoRoom; });
  ::close(full);
}

BOOST_AUTO_TEST_SUITE_END()
