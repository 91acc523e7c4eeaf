// The process table as a whole: who is attached. How an entry is claimed: keeper.hpp; what its mark
// means: liveness.hpp.
#pragma once

#include <cstdint>

#include "core/segment.hpp"
#include "sys/kernel_mark.hpp"
#include "sys/process.hpp"

namespace shmreg::core {

// No living process's, by its mark: never claimed, ended, or detached.
[[nodiscard]] inline bool is_free(const layout::MarkState& state) noexcept {
  return (state.mark & sys::kOwnerDied) != 0 || (state.mark & sys::kThreadIdMask) == 0;
}

// Whether any copy of this library in this process has a living entry in the segment: then no
// descriptor of its file may be closed here.
[[nodiscard]] bool has_own_entry(const Segment& segment, const sys::ProcessIdentity& self) noexcept;

// How many entries are of living processes.
[[nodiscard]] std::uint32_t count_processes(const Segment& segment) noexcept;

}  // namespace shmreg::core
