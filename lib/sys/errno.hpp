// errno, translated once: floor 0 is the only place that knows it; everything above speaks Errc.
#pragma once

#include <string>

#include "shmreg/error.hpp"

namespace shmreg::sys {

// The code that an errno of a file or memory call stands for (ENOSPC → no_space, EACCES →
// permission_denied, ...); system_error for those without a meaning of their own.
[[nodiscard]] Errc errc_of(int error_number) noexcept;

// "what: No space left on device", with the code that fits.
[[nodiscard]] Status status_of(int error_number, const std::string& what);

}  // namespace shmreg::sys
