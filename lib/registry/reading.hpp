// What is said where a segment cannot be read as it should.
#pragma once

#include <string>

#include "core/segment.hpp"
#include "shmreg/error.hpp"

namespace shmreg {

[[nodiscard]] inline Status reading_failed(const core::Segment& segment, Errc code) {
  if (Status whole = segment.check_whole(); !whole) return whole;
  if (code == Errc::busy) {
    return {code, "the table changed so fast that it could not be read; try again"};
  }
  return {code, std::string(describe(code)) + "; regctl doctor tells more"};
}

}  // namespace shmreg
