// Shell patterns.
#pragma once

#include <string>

namespace shmreg::sys {

// fnmatch(3) without flags: '*' matches slashes and leading dots. Neither holds a NUL byte.
[[nodiscard]] bool matches_glob(const std::string& text, const std::string& pattern) noexcept;

}  // namespace shmreg::sys
