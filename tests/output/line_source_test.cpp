// Claim: whatever a file holds and in whatever pieces it arrives, its lines come out to the byte,
// and what is too long or cannot be read is told. Method: files and pipes written by hand.
#include "output/line_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "output/exit_code.hpp"

using namespace std::string_literals;
using shmreg::output::Failure;
using shmreg::output::LineSource;

namespace {

// A file that is gone with the object.
class Scratch {
 public:
  explicit Scratch(const std::string& content) {
    const int descriptor = ::mkstemp(path_.data());
    BOOST_REQUIRE(descriptor >= 0);
    BOOST_REQUIRE(::write(descriptor, content.data(), content.size()) ==
                  static_cast<ssize_t>(content.size()));
    ::close(descriptor);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { ::unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/shmreg.lines.XXXXXX";
};

std::vector<std::string> lines_of(const std::string& content) {
  const Scratch file(content);
  LineSource source(file.path());
  std::vector<std::string> lines;
  while (const auto line = source.next()) {
    BOOST_TEST(!line->too_long);
    lines.emplace_back(line->text);
    BOOST_TEST(source.number() == lines.size());
  }
  BOOST_TEST(!source.next().has_value());
  return lines;
}

using Lines = std::vector<std::string>;

int code_of_opening(const std::string& path) {
  try {
    LineSource source(path);
    (void)source.next();
  } catch (const Failure& failure) {
    BOOST_TEST(std::string(failure.what()).find(path) != std::string::npos);
    return failure.code();
  }
  return 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(line_source)

BOOST_AUTO_TEST_CASE(lines_come_out_without_their_ends) {
  BOOST_TEST(lines_of("").empty());
  BOOST_TEST(lines_of("a\nb\n") == (Lines{"a", "b"}));
  BOOST_TEST(lines_of("a\nb") == (Lines{"a", "b"}));
  BOOST_TEST(lines_of("a\r\n\r\nb\r") == (Lines{"a", "", "b"}));
  BOOST_TEST(lines_of("\n\na") == (Lines{"", "", "a"}));
  BOOST_TEST(lines_of("a\rb\n"s + "\0c\n"s) == (Lines{"a\rb", "\0c"s}));
}

BOOST_AUTO_TEST_CASE(a_byte_order_mark_is_dropped_at_the_very_beginning_only) {
  BOOST_TEST(lines_of("\xEF\xBB\xBF") == Lines{""});
  BOOST_TEST(lines_of("\xEF\xBB\xBF{}\n\xEF\xBB\xBFx\n") == (Lines{"{}", "\xEF\xBB\xBFx"}));
}

BOOST_AUTO_TEST_CASE(lines_of_every_length_around_a_buffers_end_are_whole) {
  std::string content;
  Lines wanted;
  for (std::size_t length = 65'530; length < 65'545; ++length) {
    wanted.emplace_back(length, static_cast<char>('a' + length % 26));
    content += wanted.back() + (length % 2 == 0 ? "\n" : "\r\n");
  }
  BOOST_TEST(lines_of(content) == wanted);
}

BOOST_AUTO_TEST_CASE(the_longest_line_is_whole_and_one_byte_more_is_too_long) {
  for (const char* end : {"", "\n", "\r\n", "\nx"}) {
    const Scratch fits(std::string(LineSource::kLongestLine, 'a') + end);
    LineSource source(fits.path());
    const auto line = source.next();
    BOOST_REQUIRE(line);
    BOOST_TEST(!line->too_long);
    BOOST_TEST(line->text.size() == LineSource::kLongestLine);

    const Scratch longer("first\n" + std::string(LineSource::kLongestLine + 1, 'a') + end);
    LineSource other(longer.path());
    BOOST_TEST(other.next()->text == "first");
    const auto too_long = other.next();
    BOOST_REQUIRE(too_long);
    BOOST_TEST(too_long->too_long);
    BOOST_TEST(other.number() == 2U);
  }
}

BOOST_AUTO_TEST_CASE(what_never_ends_a_line_is_told_before_it_is_all_read) {
  LineSource zeros("/dev/zero");
  const auto line = zeros.next();
  BOOST_REQUIRE(line);
  BOOST_TEST(line->too_long);
}

BOOST_AUTO_TEST_CASE(a_stream_that_arrives_byte_by_byte_has_the_same_lines) {
  const Scratch place("");
  ::unlink(place.path().c_str());
  BOOST_REQUIRE(::mkfifo(place.path().c_str(), 0600) == 0);
  std::thread writer([&] {
    const int descriptor = ::open(place.path().c_str(), O_WRONLY);
    for (const char byte : "ab\r\n\ncd"s) (void)!::write(descriptor, &byte, 1);
    ::close(descriptor);
  });
  LineSource source(place.path());
  BOOST_TEST(source.next()->text == "ab");
  BOOST_TEST(source.next()->text == "");
  BOOST_TEST(source.next()->text == "cd");
  BOOST_TEST(!source.next().has_value());
  writer.join();
}

BOOST_AUTO_TEST_CASE(what_cannot_be_opened_or_read_is_named) {
  BOOST_TEST(code_of_opening("/no/such/file") == 2);
  BOOST_TEST(code_of_opening("/tmp") == 2);
  const Scratch secret("x");
  BOOST_REQUIRE(::chmod(secret.path().c_str(), 0) == 0);
  if (::access(secret.path().c_str(), R_OK) != 0) BOOST_TEST(code_of_opening(secret.path()) == 4);
}

BOOST_AUTO_TEST_SUITE_END()
