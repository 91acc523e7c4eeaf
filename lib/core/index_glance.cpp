#include "core/index_glance.hpp"

#include <algorithm>

#include "sys/thread.hpp"

namespace shmreg::core {
namespace {

using layout::IndexDescriptor;
using layout::Word64;

// A smaller one is a fault or two.
constexpr std::uint64_t kWorthCopyingSlots = 8192;
// In pieces that stay in the nearest caches.
constexpr std::uint64_t kPieceSlots = 8192;
// As many times as are cheaper together than going through it in place once, where that is dear.
constexpr std::uint32_t kTimesCopied = 8;

}  // namespace

IndexGlance::Way IndexGlance::way_for(const Segment& segment, const IndexDescriptor& index) {
  if (index.slots() < kWorthCopyingSlots) return Way::in_place;
  return segment.count_glance() < kTimesCopied * segment.geometry().partitions ? Way::copied
                                                                               : Way::in_place;
}

IndexGlance::IndexGlance(const Segment& segment, const IndexDescriptor& index, const Word64* slots,
                         Way way)
    : segment_(segment), index_(index), slots_(slots) {
  if (way == Way::in_place) return;
  copy_slots_ = std::min(index.slots(), kPieceSlots);
  copy_ = std::make_unique_for_overwrite<std::uint64_t[]>(copy_slots_);
  copy_from(0);
}

void IndexGlance::copy_from(std::uint64_t first_slot) {
  // pread() is a cancellation point, a list is none.
  const sys::NoCancellation no_cancellation;
  const std::uint64_t count = std::min(copy_slots_, index_.slots() - first_slot);
  const std::uint64_t offset = index_.first_granule * layout::kGranuleBytes + first_slot * 8;
  const auto got = segment_.file().read(offset, copy_.get(), count * 8);
  copied_begin_ = first_slot;
  copied_end_ = first_slot + count;
  // Of a file that has become shorter, or can no longer be read: what the mapping says.
  const bool whole = got.ok() && got.value() == count * 8;
  seen_ = whole ? reinterpret_cast<const Word64*>(copy_.get()) : slots_ + first_slot;
}

bool IndexGlance::holds() const { return copied_end_ == 0 || segment_.file().intact(); }

}  // namespace shmreg::core
