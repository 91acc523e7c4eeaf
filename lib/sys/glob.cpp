#include "sys/glob.hpp"

#include <fnmatch.h>

namespace shmreg::sys {

bool matches_glob(const std::string& text, const std::string& pattern) noexcept {
  return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

}  // namespace shmreg::sys
