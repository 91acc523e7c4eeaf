#include "core/printable.hpp"

#include <boost/locale/utf.hpp>

namespace shmreg::core {
namespace {

namespace utf = boost::locale::utf;
using Utf8 = utf::utf_traits<char>;

bool is_control(utf::code_point c) { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

// Of the characters that show nothing themselves those that turn round, or break, what others show.
bool rearranges(utf::code_point c) {
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

// Decodes one character; utf::illegal or utf::incomplete where it is none.
utf::code_point next(std::string_view text, std::size_t& at) {
  const char* p = text.data() + at;
  const utf::code_point c = Utf8::decode(p, text.data() + text.size());
  at = static_cast<std::size_t>(p - text.data());
  return c;
}

// What almost all names are: all of it printable ASCII. Without a branch, so that it is quick.
bool is_plain(std::string_view text) noexcept {
  bool other = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    other |= byte < 0x20 || byte >= 0x7f;
  }
  return !other;
}

}  // namespace

bool has_control(std::string_view text) noexcept {
  if (is_plain(text)) return false;
  for (std::size_t at = 0; at < text.size();) {
    if (is_control(next(text, at))) return true;
  }
  return false;
}

bool is_utf8(std::string_view text) noexcept {
  if (is_plain(text)) return true;
  for (std::size_t at = 0; at < text.size();) {
    if (!utf::is_valid_codepoint(next(text, at))) return false;
  }
  return true;
}

std::string printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const utf::code_point c = next(text, at);
    if (!utf::is_valid_codepoint(c)) at = begin + 1;
    if (utf::is_valid_codepoint(c) && !is_control(c) && !rearranges(c)) {
      out.append(text.substr(begin, at - begin));
      continue;
    }
    for (const char byte : text.substr(begin, at - begin)) {
      const auto value = static_cast<unsigned char>(byte);
      out += {'\\', 'x', kHex[value >> 4], kHex[value & 15]};
    }
  }
  return out;
}

}  // namespace shmreg::core
