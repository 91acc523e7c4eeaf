#include "core/process_table.hpp"

#include "core/liveness.hpp"

namespace shmreg::core {

using layout::MarkState;

bool has_own_entry(const Segment& segment, const sys::ProcessIdentity& self) noexcept {
  for (std::uint32_t i = 0; i < segment.geometry().max_processes; ++i) {
    layout::ProcessEntry& entry = segment.entry(i);
    if (is_free(MarkState::of(entry.mark_and_generation.load(std::memory_order_acquire)))) continue;
    if (entry.pid.load(std::memory_order_acquire) == self.pid &&
        entry.pid_namespace.load(std::memory_order_acquire) == self.pid_namespace &&
        entry.start_ticks.load(std::memory_order_acquire) == self.start_ticks) {
      return true;
    }
  }
  return false;
}

std::uint32_t count_processes(const Segment& segment) noexcept {
  std::uint32_t living = 0;
  for (std::uint32_t i = 0; i < segment.geometry().max_processes; ++i) {
    const auto state =
        MarkState::of(segment.entry(i).mark_and_generation.load(std::memory_order_acquire));
    if (!is_free(state) && entry_lives(segment, {i, state.generation})) ++living;
  }
  return living;
}

}  // namespace shmreg::core
