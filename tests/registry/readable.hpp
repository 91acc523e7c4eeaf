// Descriptors that a program waits for with poll(2).
#pragma once

#include <poll.h>

#include <cstdint>
#include <string>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

namespace shmreg::test {

inline bool readable(int descriptor, int timeout_ms = 0) {
  pollfd wanted{descriptor, POLLIN, 0};
  return ::poll(&wanted, 1, timeout_ms) == 1 && (wanted.revents & POLLIN) != 0;
}
inline bool becomes_readable(int descriptor) { return readable(descriptor, kPatienceMs); }

// A segment of its own, with what the tests of descriptors register in it.
struct WithDescriptors {
  ScratchSegment segment{small_segment()};
  Registry registry = segment.attach();

  std::uint64_t add(const std::string& name, bool replace = false) {
    return registry.register_for(Owner::permanent(), name, {}, {.replace = replace}).value();
  }
};

}  // namespace shmreg::test
