#include "core/index.hpp"

#include <xxhash.h>

#include "core/planted_fault.hpp"

namespace shmreg::core {

using layout::kBucketSlots;

std::uint64_t hash_key(std::string_view key, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(key.data(), key.size(), seed);
}

std::uint16_t namespace_tag(std::string_view name, std::uint64_t seed) noexcept {
  return static_cast<std::uint16_t>(XXH3_64bits_withSeed(name.data(), name.size(), seed) >> 48);
}

HashedName hashed(std::string_view key, std::uint64_t seed) noexcept {
  const std::size_t slash = key.rfind('/');
  const std::size_t namespace_bytes = slash == std::string_view::npos ? 0 : slash;
  const std::uint64_t hash = hash_key(key, seed);
  return {key, namespace_bytes, hash, namespace_tag(key.substr(0, namespace_bytes), seed), 0, hash};
}

std::uint64_t place_of(const RecordView& record, std::uint64_t seed) noexcept {
  return layout::instance_hash(hash_key(record.key(), seed), record.header().ordinal);
}

WriterIndex::WriterIndex(const Segment& segment, layout::Partition& partition) noexcept
    : segment_(&segment),
      partition_(&partition),
      descriptor_(
          layout::IndexDescriptor::of(partition.descriptor.load(std::memory_order_acquire))),
      slots_(segment.slots(descriptor_)) {}

WriterIndex::Place WriterIndex::find(const HashedName& name, RecordCopy& copy) const {
  Place place;
  if (!valid()) return place;
  const std::uint64_t buckets = slot_count() / kBucketSlots;
  std::uint64_t bucket = home_bucket(name.place, descriptor_.log2_slots);
  for (std::uint64_t probe = 0; probe < buckets; ++probe, bucket = (bucket + 1) & (buckets - 1)) {
    bool has_empty = false;
    for (std::size_t i = 0; i < kBucketSlots; ++i) {
      layout::Word64* slot = slots_ + bucket * kBucketSlots + i;
      const std::uint64_t value = slot->load(std::memory_order_relaxed);
      const std::uint32_t location = layout::location_of_slot(value);
      if (location == 0) {
        if (place.free == nullptr) place.free = slot;
        has_empty = has_empty || value == layout::kEmptySlot;
        continue;
      }
      if (layout::hash_of_slot(value) != layout::slot_hash(name.place)) continue;
      if (copy.read(*segment_, location) && copy.view().header().ordinal == name.ordinal &&
          copy.view().key() == name.key) {
        place.slot = slot;
        place.location = location;
        return place;
      }
    }
    if (has_empty) break;
  }
  return place;
}

layout::Word64* WriterIndex::find_location(std::uint64_t place,
                                           std::uint32_t location) const noexcept {
  if (!valid()) return nullptr;
  const std::uint64_t buckets = slot_count() / kBucketSlots;
  std::uint64_t bucket = home_bucket(place, descriptor_.log2_slots);
  for (std::uint64_t probe = 0; probe < buckets; ++probe, bucket = (bucket + 1) & (buckets - 1)) {
    bool has_empty = false;
    for (std::size_t i = 0; i < kBucketSlots; ++i) {
      layout::Word64* slot = slots_ + bucket * kBucketSlots + i;
      const std::uint64_t value = slot->load(std::memory_order_relaxed);
      if (layout::location_of_slot(value) == location) return slot;
      has_empty = has_empty || value == layout::kEmptySlot;
    }
    if (has_empty) break;
  }
  return nullptr;
}

void WriterIndex::fill(layout::Word64* slot, std::uint64_t value) noexcept {
  const std::uint64_t before = slot->load(std::memory_order_relaxed);
  if (layout::location_of_slot(before) == 0) {
    if (before != layout::kEmptySlot) {
      partition_->tombstones.store(partition_->tombstones.load(std::memory_order_relaxed) - 1,
                                   std::memory_order_relaxed);
    }
    partition_->services.store(partition_->services.load(std::memory_order_relaxed) + 1,
                               std::memory_order_relaxed);
  }
  // (tests/model/lookup.pml: publish; waiter.pml)
  // Sequentially consistent: waiters set their flag and then look (a later layer relies on it).
  slot->store(value, std::memory_order_seq_cst);
}

void WriterIndex::clear(layout::Word64* slot) noexcept {
  const std::size_t first = static_cast<std::size_t>(slot - slots_) / kBucketSlots * kBucketSlots;
  bool has_empty = false;
  for (std::size_t i = 0; i < kBucketSlots; ++i) {
    has_empty =
        has_empty || slots_[first + i].load(std::memory_order_relaxed) == layout::kEmptySlot;
  }
  has_empty = has_empty || planted(Fault::full_bucket_emptied);
  partition_->services.store(partition_->services.load(std::memory_order_relaxed) - 1,
                             std::memory_order_relaxed);
  if (!has_empty) {
    partition_->tombstones.store(partition_->tombstones.load(std::memory_order_relaxed) + 1,
                                 std::memory_order_relaxed);
  }
  slot->store(has_empty ? layout::kEmptySlot : layout::kTombstone, std::memory_order_seq_cst);
}

bool WriterIndex::wants_rebuild() const noexcept {
  const std::uint64_t services = partition_->services.load(std::memory_order_relaxed);
  const std::uint64_t tombstones = partition_->tombstones.load(std::memory_order_relaxed);
  if (tombstones * 4 > slot_count()) return true;
  return (services + tombstones + 1) * 4 > slot_count() * 3 &&
         (descriptor_.log2_slots < layout::kMaxLog2Slots || tombstones * 8 > slot_count());
}

}  // namespace shmreg::core
