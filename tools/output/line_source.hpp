// Text from a file or a stream, a line at a time, in memory that does not grow with it.
//
// Lines end in LF or CRLF, the last one also without either. A byte order mark at the very
// beginning is not part of the text. A line that is longer than the limit is told and not kept:
// whoever feeds us something without line ends gets an answer, not our whole memory.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shmreg::output {

class LineSource {
 public:
  static constexpr std::size_t kLongestLine = std::size_t{1} << 20;

  struct Line {
    std::string_view text;  // until the next call; the first kLongestLine bytes where too_long
    bool too_long = false;
  };

  // "-" is standard input. Failure where it cannot be opened.
  explicit LineSource(const std::string& path);
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;
  ~LineSource();

  // Nothing at the end. After a line that is too long, where the next one begins is not known:
  // stop. Failure where it cannot be read.
  [[nodiscard]] std::optional<Line> next();
  // Of the line that next() returned last, counted from 1.
  [[nodiscard]] std::size_t number() const noexcept { return number_; }
  // For messages: the path, or "standard input".
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  void fill();

  std::string name_;
  int descriptor_ = 0;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;    // of the next line
  std::size_t scanned_ = 0;  // no line end between begin_ and here
  std::size_t end_ = 0;      // of what was read
  std::size_t number_ = 0;
  bool ended_ = false;
};

}  // namespace shmreg::output
