// An index as it is seen by whoever goes through all of it for hints (bucket.hpp: slots_with_tag):
// in place or, the first times, as the kernel copies it.
//
// Memory that a process has not touched yet costs it a fault every few pages, and where a
// hypervisor shadows the page tables some ten microseconds every page: to go through the index of a
// million services took 40 to 80 ms the first time and 0.5 ms from then on, where the kernel's copy
// takes 4 ms (measured). So a tool that lists once is spared that, and who lists often pays it
// once.
//
// A copy is as good for a hint: the kernel may copy a word in parts, but parts that do not change
// are copied as they are, and so the tag of a slot that leads to a service of a namespace
// throughout, be that updated meanwhile or not.
#pragma once

#include <cstdint>
#include <memory>

#include "core/segment.hpp"
#include "layout/slot.hpp"

namespace shmreg::core {

class IndexGlance {
 public:
  enum class Way : bool { in_place, copied };
  // How it is seen best, as often as this process has gone through it.
  [[nodiscard]] static Way way_for(const Segment& segment, const layout::IndexDescriptor& index);

  // `slots`: where it lies.
  IndexGlance(const Segment& segment, const layout::IndexDescriptor& index,
              const layout::Word64* slots, Way way);

  // The bucket that begins with that slot, until the next call. For hints, bucket after bucket.
  [[nodiscard]] const layout::Word64* bucket(std::uint64_t first_slot) {
    if (copied_end_ == 0) return slots_ + first_slot;
    if (first_slot >= copied_end_) copy_from(first_slot);
    return seen_ + (first_slot - copied_begin_);
  }
  // Whether what was seen was the index: a program may have closed the segment's descriptor, and
  // the number be another file's.
  [[nodiscard]] bool holds() const;

 private:
  void copy_from(std::uint64_t first_slot);

  const Segment& segment_;
  layout::IndexDescriptor index_;
  const layout::Word64* slots_;
  const layout::Word64* seen_ = nullptr;
  std::uint64_t copied_begin_ = 0;
  std::uint64_t copied_end_ = 0;  // 0: seen in place
  std::uint64_t copy_slots_ = 0;
  std::unique_ptr<std::uint64_t[]> copy_;
};

}  // namespace shmreg::core
