// Keepers look after each other: each waits for the end of the living entries that come next in the
// process table, takes away what an ended one has left, and thereby tells those who watch. So a
// death is told within microseconds with no monitor running, as long as one other process is
// attached; and no process waits for more than a few, however many there are.
//
// The kernel wakes one waiter of a word, and that one may be dead or slow: who is woken by an end
// wakes the others, and every wait is a slice.
#pragma once

#include <cstdint>
#include <vector>

#include "core/liveness.hpp"
#include "core/partition_lock.hpp"
#include "core/segment.hpp"
#include "sys/futex.hpp"

namespace shmreg::core {

// The futex word of an entry: the low half of mark_and_generation (little-endian, as the header
// requires).
[[nodiscard]] inline const layout::Word32* mark_word(const layout::ProcessEntry& entry) noexcept {
  return reinterpret_cast<const layout::Word32*>(&entry.mark_and_generation);
}

class Neighbours {
 public:
  explicit Neighbours(const Writer& writer) : writer_(writer) {}

  // Tells the keepers of the entries before this one that it is there.
  void announce() noexcept;
  // Takes away what ended neighbours have left, and finds who is next to this entry now.
  void look_after();
  // The words of the living ones, as they were then.
  [[nodiscard]] const std::vector<sys::AwaitedWord>& words() const noexcept { return words_; }

 private:
  // More would cost every idle process more: 128 words a wait took half a core with a thousand.
  static constexpr std::size_t kMost = 6;

  [[nodiscard]] bool has_ended(std::uint32_t entry, std::uint64_t word) const noexcept;
  void reclaim(const layout::EntryLife& ended);

  Writer writer_;
  std::vector<sys::AwaitedWord> words_;
};

}  // namespace shmreg::core
