#include "output/writer.hpp"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "output/exit_code.hpp"

namespace shmreg::output {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;

}  // namespace

std::optional<Format> format_from_string(std::string_view text) noexcept {
  if (text == "table") return Format::table;
  if (text == "wide") return Format::wide;
  if (text == "json") return Format::json;
  if (text == "jsonl") return Format::jsonl;
  if (text == "name") return Format::name;
  return std::nullopt;
}

std::optional<Color> color_from_string(std::string_view text) noexcept {
  if (text == "auto") return Color::automatic;
  if (text == "always") return Color::always;
  if (text == "never") return Color::never;
  return std::nullopt;
}

void Writer::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBufferBytes) flush();
}

void Writer::line(std::string_view text) {
  write(text);
  write("\n");
}

void Writer::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    buffer_.clear();
    // Where SIGPIPE is ignored (many a parent does that), the status still says what it would have.
    if (error == EPIPE) throw Failure(128 + SIGPIPE, "");
    throw Failure(error == ENOSPC || error == EDQUOT ? kNoRoom : kSystemError,
                  std::string("cannot write to standard output: ") + std::strerror(error));
  }
  buffer_.clear();
}

bool Writer::colored(Color wish) const noexcept {
  if (wish == Color::never) return false;
  // https://no-color.org: present and not empty, whatever its value.
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  if (wish == Color::always) return true;
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::strcmp(terminal, "dumb") == 0;
  return !dumb && ::isatty(descriptor_) == 1;
}

}  // namespace shmreg::output
