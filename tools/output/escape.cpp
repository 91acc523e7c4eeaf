#include "output/escape.hpp"

#include <cwchar>

namespace shmreg::output {
namespace {

constexpr char kHexDigits[] = "0123456789ABCDEF";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append_escaped_bytes(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    out += "\\x";
    out += kHexDigits[value >> 4];
    out += kHexDigits[value & 15];
  }
}

}  // namespace

CodePoint first_code_point(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char head = byte(0);
  const CodePoint invalid{head, 1, false};
  if (head < 0x80) return {head, 1, true};

  std::size_t bytes = 0;
  char32_t value = 0;
  char32_t smallest = 0;
  if (head >= 0xC2 && head <= 0xDF) {
    bytes = 2, value = head & 0x1Fu, smallest = 0x80;
  } else if ((head & 0xF0) == 0xE0) {
    bytes = 3, value = head & 0x0Fu, smallest = 0x800;
  } else if (head >= 0xF0 && head <= 0xF4) {
    bytes = 4, value = head & 0x07u, smallest = 0x10000;
  } else {
    return invalid;
  }
  if (text.size() < bytes) return invalid;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return invalid;
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < smallest || value > 0x10FFFF || surrogate) return invalid;
  return {value, bytes, true};
}

bool is_control(char32_t value) noexcept {
  const bool rearranges = value == 0x061C || value == 0x200E || value == 0x200F ||
                          (value >= 0x2028 && value <= 0x202E) ||
                          (value >= 0x2066 && value <= 0x2069);
  return value < 0x20 || (value >= 0x7F && value <= 0x9F) || rearranges;
}

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    if (point.valid && !is_control(point.value)) {
      out += text.substr(0, point.bytes);
    } else {
      append_escaped_bytes(out, text.substr(0, point.bytes));
    }
    text.remove_prefix(point.bytes);
  }
  return out;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    out += point.valid ? text.substr(0, point.bytes) : kReplacement;
    text.remove_prefix(point.bytes);
  }
  return out;
}

std::size_t display_width(std::string_view text) noexcept {
  std::size_t columns = 0;
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    // glibc's wchar_t is UCS-4. What the locale does not know (-1) is counted as one column.
    const int width = point.valid ? ::wcwidth(static_cast<wchar_t>(point.value)) : 1;
    columns += width < 0 ? 1 : static_cast<std::size_t>(width);
    text.remove_prefix(point.bytes);
  }
  return columns;
}

}  // namespace shmreg::output
