// Text from elsewhere, made fit to print.
//
// Names, endpoints and metadata come from other processes, perhaps hostile ones. On a terminal
// their control characters could move the cursor, retitle the window or type an answer; in JSON
// their stray bytes would make the whole document invalid. Everything that the tools print passes
// through here once, and passing through twice changes nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace shmreg::output {

// One step through UTF-8. An invalid byte is a step of its own, so that nothing is ever skipped.
struct CodePoint {
  char32_t value = 0;     // the byte itself where !valid
  std::size_t bytes = 1;  // how far to go on
  bool valid = false;
};
// `text` must not be empty. Overlong forms, surrogates and what lies beyond U+10FFFF are invalid.
[[nodiscard]] CodePoint first_code_point(std::string_view text) noexcept;

// C0, DEL and C1 (U+0080 to U+009F, which terminals take for escape sequences), and what turns
// round or breaks the text around it (marks and overrides of direction, separators of lines).
[[nodiscard]] bool is_control(char32_t value) noexcept;

// For terminals: the bytes of control characters, and bytes that are not UTF-8, as \xNN.
[[nodiscard]] std::string escape(std::string_view text);

// For JSON: bytes that are not UTF-8 become U+FFFD. Control characters are JSON's own to escape.
[[nodiscard]] std::string valid_utf8(std::string_view text);

// Columns that escaped text takes on a terminal, by the locale's idea of wide characters.
[[nodiscard]] std::size_t display_width(std::string_view text) noexcept;

}  // namespace shmreg::output
