// Runs ahead of whoever takes away all that is on an owner's list, and has the memory that comes
// next brought into the caches: the records, and the slots that lead to them, lie all over the
// segment, and each would be waited for in turn (measured: a third of the time that it takes).
//
// It only looks, at bytes that may be anything, and concludes nothing: who takes away reads
// everything again.
#pragma once

#include <array>
#include <cstdint>

#include "core/index.hpp"
#include "core/segment.hpp"

namespace shmreg::core {

class ListScout {
 public:
  // Of the list that begins with that health cell.
  ListScout(const Segment& segment, const WriterIndex& index, std::uint32_t head) noexcept;
  // Before each one that is taken away.
  void advance() noexcept;

 private:
  // A record is asked for so many steps before its key is read, and its slot as many before it is
  // needed.
  static constexpr std::size_t kStride = 16;

  void ask_for_record() noexcept;
  void ask_for_slot(std::uint32_t location) const noexcept;

  const Segment& segment_;
  const WriterIndex& index_;
  std::uint32_t cell_;                              // the next to be looked at; 0: the list's end
  std::array<std::uint32_t, kStride> locations_{};  // asked for, the oldest at next_
  std::size_t next_ = 0;
};

}  // namespace shmreg::core
