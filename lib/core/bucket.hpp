// Which slots of a bucket may hold a key, by 16 bits of its hash, or a service of a namespace, by
// the namespace's tag.
//
// Two ways. The reference, which ThreadSanitizer and aarch64 run, loads eight words atomically. On
// x86-64 four 16-byte vectors are compared at once. That is a data race by the letter of C++, and
// sound here, because its answer is only a hint:
//   - a bit that is set is checked by the caller, who loads that slot atomically;
//   - a bit that is not set must not hide a slot that led to the key, or to a service of the
//     namespace, throughout. An aligned 16-byte load reads each aligned 8-byte half in one piece on
//     every x86-64 processor (that much is architectural: aligned 8-byte accesses are atomic, and
//     wider ones are split, if at all, at that boundary), so each half is a value that the slot
//     really had during the call.
// The callers' acquire loads before and after keep the compiler from moving the vector loads.
#pragma once

#include <cstdint>

#include "core/vector_reads.hpp"
#include "layout/slot.hpp"
#include "layout/units.hpp"

namespace shmreg::core {

// Bit i: slot i of the bucket may be it.
[[nodiscard]] inline unsigned matching_slots(const layout::Word64* bucket,
                                             std::uint16_t hash) noexcept {
#if defined(SHMREG_VECTOR_READS)
  static_assert(layout::kBucketSlots == 8);
  const __m128i wanted = _mm_set1_epi16(static_cast<short>(hash));
  const auto* pairs = reinterpret_cast<const __m128i*>(bucket);
  // The hash is the top 16 bits of each 64: its comparison ends up in the sign of the half.
  const auto match = [&](unsigned pair) {
    const __m128i equal = _mm_cmpeq_epi16(_mm_load_si128(pairs + pair), wanted);
    return static_cast<unsigned>(_mm_movemask_pd(_mm_castsi128_pd(equal))) << (2 * pair);
  };
  return match(0) | match(1) | match(2) | match(3);
#else
  unsigned mask = 0;
  for (unsigned i = 0; i < layout::kBucketSlots; ++i) {
    const std::uint64_t slot = bucket[i].load(std::memory_order_acquire);
    mask |= (layout::hash_of_slot(slot) == hash ? 1U : 0U) << i;
  }
  return mask;
#endif
}

// Bit i: slot i of the bucket may lead to a service of the namespace with that tag. For those who
// go through a whole index, of which next to nothing is of the namespace.
[[nodiscard]] inline unsigned slots_with_tag(const layout::Word64* bucket,
                                             std::uint16_t tag) noexcept {
#if defined(SHMREG_VECTOR_READS)
  const __m128i wanted = _mm_set1_epi16(static_cast<short>(tag));
  const auto* pairs = reinterpret_cast<const __m128i*>(bucket);
  // The tag is bits 32 to 47 of each 64; equal bits elsewhere are shifted out, or not looked at.
  const auto equal = [&](unsigned pair) {
    return _mm_slli_epi64(_mm_cmpeq_epi16(_mm_load_si128(pairs + pair), wanted), 16);
  };
  const auto mask_of = [](__m128i each) {
    return static_cast<unsigned>(_mm_movemask_pd(_mm_castsi128_pd(each)));
  };
  const __m128i first = equal(0);
  const __m128i second = equal(1);
  const __m128i third = equal(2);
  const __m128i fourth = equal(3);
  // Nobody here has the tag, almost always: asked of all at once.
  const __m128i any = _mm_or_si128(_mm_or_si128(first, second), _mm_or_si128(third, fourth));
  if (mask_of(any) == 0) return 0;
  return mask_of(first) | mask_of(second) << 2 | mask_of(third) << 4 | mask_of(fourth) << 6;
#else
  unsigned mask = 0;
  for (unsigned i = 0; i < layout::kBucketSlots; ++i) {
    const std::uint64_t slot = bucket[i].load(std::memory_order_acquire);
    mask |= (layout::tag_of_slot(slot) == tag ? 1U : 0U) << i;
  }
  return mask;
#endif
}

// Whether a probe ends here. Atomic loads: a miss is no hint.
[[nodiscard]] inline bool has_empty_slot(const layout::Word64* bucket) noexcept {
  bool empty = false;
  for (unsigned i = 0; i < layout::kBucketSlots; ++i) {
    empty |= bucket[i].load(std::memory_order_acquire) == layout::kEmptySlot;
  }
  return empty;
}

}  // namespace shmreg::core
