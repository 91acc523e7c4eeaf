// Text that came from somewhere else: whether it is UTF-8, and how it is shown.
#pragma once

#include <string>
#include <string_view>

namespace shmreg::core {

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;
// C0, DEL and C1.
[[nodiscard]] bool has_control(std::string_view text) noexcept;
// For messages: control characters and what is not UTF-8 as \xNN.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace shmreg::core
