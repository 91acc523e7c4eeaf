// One 64-bit word of an index: where a record lies, and enough of its key to skip most others.
//
//   63      48 47       32 31                0
//   [ hash 16 ][ ns tag 16][ location 32      ]   location: the record's offset / 64, never 0
//   [ 0                    ][ 0               ]   empty: no record of this bucket lies further on
//   [ anything but 0       ][ 0               ]   tombstone, or the free-list link of an index that
//                                                 is not in use: leads nowhere
//
// The hash of "namespace/name" is XXH3 with the segment's seed: its top bits choose the partition,
// bits 36..51 are the slot's 16, its low bits choose the bucket. The namespace tag is 16 bits of
// the hash of the namespace alone, for listing one namespace without touching the others' records.
//
// An instance of a shared name has a hash of its own, of the name's and its ordinal, which differs
// from the name's in all but the top 12 bits: it stays in the name's partition and lengthens nobody
// else's probes.
#pragma once

#include <cstdint>

namespace shmreg::layout {

inline constexpr std::uint64_t kEmptySlot = 0;
inline constexpr std::uint64_t kTombstone = std::uint64_t{1} << 32;
inline constexpr std::size_t kBucketSlots = 8;  // one cache line

[[nodiscard]] constexpr std::uint16_t slot_hash(std::uint64_t hash) noexcept {
  return static_cast<std::uint16_t>(hash >> 36);
}
[[nodiscard]] constexpr std::uint64_t instance_hash(std::uint64_t name_hash,
                                                    std::uint16_t ordinal) noexcept {
  if (ordinal == 0) return name_hash;
  // The finaliser of MurmurHash3 (fmix64): every bit of the ordinal reaches every bit.
  std::uint64_t mixed = name_hash + ordinal * std::uint64_t{0x9e3779b97f4a7c15};
  mixed = (mixed ^ mixed >> 33) * 0xff51afd7ed558ccd;
  mixed = (mixed ^ mixed >> 33) * 0xc4ceb9fe1a85ec53;
  mixed ^= mixed >> 33;
  constexpr std::uint64_t kPartitionBits = ~std::uint64_t{0} << 52;
  return (name_hash & kPartitionBits) | (mixed & ~kPartitionBits);
}
[[nodiscard]] constexpr std::uint64_t make_slot(std::uint64_t hash, std::uint16_t namespace_tag,
                                                std::uint32_t location) noexcept {
  return std::uint64_t{slot_hash(hash)} << 48 | std::uint64_t{namespace_tag} << 32 | location;
}
[[nodiscard]] constexpr std::uint16_t hash_of_slot(std::uint64_t slot) noexcept {
  return static_cast<std::uint16_t>(slot >> 48);
}
[[nodiscard]] constexpr std::uint16_t tag_of_slot(std::uint64_t slot) noexcept {
  return static_cast<std::uint16_t>(slot >> 32);
}
[[nodiscard]] constexpr std::uint32_t location_of_slot(std::uint64_t slot) noexcept {
  return static_cast<std::uint32_t>(slot);
}

// An index's descriptor: where it lies and how large it is, in one word.
//
//   63                 8 7     0
//   [ first granule     ][ log2 of slots ]   granules are counted from the segment's start
struct IndexDescriptor {
  std::uint64_t first_granule = 0;
  std::uint32_t log2_slots = 0;

  static constexpr IndexDescriptor of(std::uint64_t word) noexcept {
    return {word >> 8, static_cast<std::uint32_t>(word & 0xff)};
  }
  [[nodiscard]] constexpr std::uint64_t word() const noexcept {
    return first_granule << 8 | log2_slots;
  }
  [[nodiscard]] constexpr std::uint64_t slots() const noexcept {
    return std::uint64_t{1} << log2_slots;
  }
};
inline constexpr std::uint32_t kMinLog2Slots = 4;
inline constexpr std::uint32_t kMaxLog2Slots = 20;  // 8 MiB: about a million services a partition

}  // namespace shmreg::layout
