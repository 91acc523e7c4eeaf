#include "output/line_source.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "output/exit_code.hpp"

namespace shmreg::output {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} * 1024;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// What was named is the caller's mistake where it is not there or is of a kind that has no text.
[[noreturn]] void fail(const std::string& name, int error) {
  int code = kSystemError;
  switch (error) {
    case EACCES:
    case EPERM:
      code = kNotPermitted;
      break;
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EBADF:
      code = kUsage;
      break;
    default:
      break;
  }
  throw Failure(code, "cannot read " + name + ": " + std::strerror(error));
}

}  // namespace

LineSource::LineSource(const std::string& path)
    : name_(path == "-" ? "standard input" : "'" + path + "'") {
  if (path == "-") return;
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor_ < 0) fail(name_, errno);
}

LineSource::~LineSource() {
  if (descriptor_ != 0) ::close(descriptor_);
}

std::optional<LineSource::Line> LineSource::next() {
  const char* line_end = nullptr;
  while (true) {
    char* const data = buffer_.data();
    if (scanned_ < end_) {
      line_end = static_cast<const char*>(std::memchr(data + scanned_, '\n', end_ - scanned_));
      if (line_end != nullptr) break;
    }
    scanned_ = end_;
    // Beyond the limit by what may not be part of the line: a byte order mark, a CR before its end.
    if (ended_ || end_ - begin_ > kLongestLine + kByteOrderMark.size() + 1) break;
    fill();
  }
  if (line_end == nullptr && begin_ == end_) return std::nullopt;

  const std::size_t stop =
      line_end == nullptr ? end_ : static_cast<std::size_t>(line_end - buffer_.data());
  std::string_view text(buffer_.data() + begin_, stop - begin_);
  begin_ = scanned_ = line_end == nullptr ? stop : stop + 1;
  if (++number_ == 1 && text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    text.remove_prefix(kByteOrderMark.size());
  }
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return Line{text.substr(0, kLongestLine), text.size() > kLongestLine};
}

// Makes room behind what is there and reads into it.
void LineSource::fill() {
  if (begin_ > 0) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    scanned_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < end_ + kChunkBytes) buffer_.resize(end_ + kChunkBytes);
  while (true) {
    const ssize_t got = ::read(descriptor_, buffer_.data() + end_, kChunkBytes);
    if (got >= 0) {
      ended_ = got == 0;
      end_ += static_cast<std::size_t>(got);
      return;
    }
    const int error = errno;
    if (error == EAGAIN) {
      // A terminal or pipe that another program has left non-blocking.
      struct pollfd wanted {
        descriptor_, POLLIN, 0
      };
      (void)::poll(&wanted, 1, -1);
    } else if (error != EINTR) {
      fail(name_, error);
    }
  }
}

}  // namespace shmreg::output
