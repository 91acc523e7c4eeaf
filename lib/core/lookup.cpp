#include "core/lookup.hpp"

#include <xxhash.h>

#include <bit>

#include "core/index.hpp"
#include "core/instances.hpp"
#include "core/record_reading.hpp"
#include "sys/kernel_mark.hpp"

namespace shmreg::core {

using layout::EntryLife;
using layout::IndexDescriptor;
using layout::kBucketSlots;
using layout::kHeaderWords;
using layout::Word64;

// Whatever the record, the owner and the bucket are. (tests/model/lookup.pml: Reader)
Errc lookup_at(const Segment& segment, PidWatch& watch, std::string_view key, std::uint64_t hash,
               std::uint16_t ordinal, Service& found) {
  ServiceAccess::clear(found);
  const layout::Partition& partition = segment.partition(segment.partition_of(hash));
  const std::uint64_t place = layout::instance_hash(hash, ordinal);
  const std::uint16_t wanted = layout::slot_hash(place);
  int retries = 0;
  for (; retries < kMaxRetries; ++retries) {
    const std::uint64_t rebuilds = partition.rebuilds.load(std::memory_order_acquire);
    const std::uint64_t descriptor = partition.descriptor.load(std::memory_order_acquire);
    const IndexDescriptor index = IndexDescriptor::of(descriptor);
    const Word64* slots = segment.slots(index);
    if (slots == nullptr) return Errc::corrupt;
    const std::uint64_t buckets = index.slots() / kBucketSlots;
    std::uint64_t bucket = home_bucket(place, index.log2_slots);
    bool changed = false;
    for (std::uint64_t probe = 0; probe < buckets && !changed; ++probe) {
      const Word64* const at = slots + bucket * kBucketSlots;
      for (unsigned mask = matching_slots(at, wanted); mask != 0 && !changed; mask &= mask - 1) {
        const Word64& slot = at[std::countr_zero(mask)];
        const std::uint64_t value = slot.load(std::memory_order_acquire);
        if (layout::hash_of_slot(value) != wanted || layout::location_of_slot(value) == 0) continue;
        const Word64* record = nullptr;
        switch (read_record<true>(segment, partition, slot, value, key, ordinal, found, record)) {
          case Fate::other:
            continue;
          case Fate::corrupt:
            return Errc::corrupt;
          case Fate::changed:
            changed = true;
            continue;
          case Fate::read:
            break;
        }
        const std::uint64_t stamp = ServiceAccess::words(found)[layout::kStampWord];
        switch (judge_owner(segment, watch, found)) {
          case OwnerFate::alive:
            if (planted(Fault::hit_unchecked) || same_index(partition, descriptor, rebuilds)) {
              // Its last page may be gone where its first is not.
              const bool in_one_page = ServiceAccess::image(found).size() <= kSmallestRecordBytes;
              return in_one_page || segment.whole() ? Errc::ok : Errc::corrupt;
            }
            changed = true;
            continue;
          case OwnerFate::dead:
            if (slot_and_stamp_are(slot, value, record, stamp) &&
                same_index(partition, descriptor, rebuilds)) {
              // An entry of zeros is nobody's end.
              return segment.whole() ? Errc::not_found : Errc::corrupt;
            }
            changed = true;
            continue;
          case OwnerFate::changed:
            // An unregistration clears the stamp before it gives the cell away: a record that is
            // still in place with another's cell is damage.
            if (slot_and_stamp_are(slot, value, record, stamp)) return Errc::corrupt;
            changed = true;
        }
      }
      if (!changed && has_empty_slot(at)) break;
      bucket = (bucket + 1) & (buckets - 1);
    }
    if (!changed &&
        (planted(Fault::miss_unchecked) || same_index(partition, descriptor, rebuilds))) {
      return segment.meaning_of_a_miss();
    }
  }
  return Errc::busy;
}

namespace {

[[gnu::noinline]] Errc lookup_any(const Segment& segment, PidWatch& watch, std::string_view key,
                                  std::uint64_t hash, Service& found) {
  const Errc outcome = lookup_at(segment, watch, key, hash, 0, found);
  if (outcome != Errc::ok || !is_anchor(found)) {
    return outcome;
  }
  return lookup_instance(segment, watch, key, hash, found);
}

}  // namespace

// The straight way for what most lookups meet: the key's home bucket holds it first among those of
// its 16 hash bits, in a small record of an attached process that is known by its mark and has
// nothing in its health cell. Everything that is not so, or does not hold still, goes the long way.
// The record was in place, by stamp and slot, before the mark was read and after: at that moment it
// was registered and its owner alive.
Errc lookup(const Segment& segment, PidWatch& watch, std::string_view key, Service& found) {
  const std::uint64_t hash = XXH3_64bits_withSeed(key.data(), key.size(), segment.hash_seed());
  const layout::Partition& partition = segment.partition(segment.partition_of(hash));
  const std::uint64_t rebuilds = partition.rebuilds.load(std::memory_order_acquire);
  const std::uint64_t descriptor = partition.descriptor.load(std::memory_order_acquire);
  const IndexDescriptor index = IndexDescriptor::of(descriptor);
  const Word64* slots = segment.slots(index);
  if (slots == nullptr) return Errc::corrupt;
  const Word64* const bucket = slots + home_bucket(hash, index.log2_slots) * kBucketSlots;
  const unsigned mask = matching_slots(bucket, layout::slot_hash(hash));
  if (mask == 0) {
    if (!has_empty_slot(bucket) ||
        !(planted(Fault::miss_unchecked) || same_index(partition, descriptor, rebuilds))) {
      return lookup_any(segment, watch, key, hash, found);
    }
    ServiceAccess::clear(found);
    return segment.meaning_of_a_miss();
  }
  const Word64& slot = bucket[std::countr_zero(mask)];
  const std::uint64_t value = slot.load(std::memory_order_acquire);
  const Word64* const words = segment.record(layout::location_of_slot(value), kSmallestRecordBytes);
  if (words == nullptr) return lookup_any(segment, watch, key, hash, found);
  __builtin_prefetch(words + kHeaderWords);
  const std::uint64_t stamp = words[layout::kStampWord].load(std::memory_order_acquire);
  const std::uint64_t owner = words[layout::kOwnerWord].load(std::memory_order_acquire);
  const std::uint64_t lengths = words[layout::kLengthsWord].load(std::memory_order_acquire);
  const std::uint64_t kind = words[layout::kKindWord].load(std::memory_order_acquire);
  const std::size_t bytes = layout::record_bytes_of(lengths, kind);
  const EntryLife life{static_cast<std::uint32_t>(owner) - 1,
                       static_cast<std::uint32_t>(owner >> 32)};
  if (bytes > kSmallestRecordBytes || !layout::is_plain_record_of(kind, key.size()) ||
      life.entry >= segment.geometry().max_processes || !key_equals(words + kHeaderWords, key))
      [[unlikely]] {
    return lookup_any(segment, watch, key, hash, found);
  }
  std::uint64_t* const copy = ServiceAccess::buffer(found, bytes);
  copy_words<kSmallestRecordBytes / 8>(copy, words);
  const layout::ProcessEntry& entry = segment.entry(life.entry);
  const std::uint32_t pid = entry.pid.load(std::memory_order_acquire);
  const std::uint32_t known_by = entry.liveness.load(std::memory_order_acquire);
  const auto state =
      layout::MarkState::of(entry.mark_and_generation.load(std::memory_order_acquire));
  const bool in_place =
      stamp != 0 && slot_and_stamp_are(slot, value, words, stamp) &&
      (planted(Fault::hit_unchecked) || same_index(partition, descriptor, rebuilds));
  // What the copy is understood by is what was checked, whatever a hostile writer changes
  // meanwhile.
  const bool as_checked = copy[layout::kKindWord] == kind && copy[layout::kLengthsWord] == lengths;
  if ((!in_place && !planted(Fault::stamp_unchecked)) || state.generation != life.generation ||
      (state.mark & sys::kThreadIdMask) == 0 || (state.mark & sys::kOwnerDied) != 0 ||
      known_by == kByteLock || !as_checked) [[unlikely]] {
    return lookup_any(segment, watch, key, hash, found);
  }
  ServiceAccess::set(found, bytes, pid, Alive::yes, Health::unknown);
  return Errc::ok;
}

const Word64* stamp_of(const Segment& segment, const Service& service) noexcept {
  const std::uint64_t* image = ServiceAccess::words(service);
  const std::uint64_t stamp = image[layout::kStampWord];
  const std::uint64_t hash =
      layout::instance_hash(hash_key(service.full_name(), segment.hash_seed()),
                            layout::ordinal_of(image[layout::kKindWord]));
  const layout::Partition& partition = segment.partition(segment.partition_of(hash));
  const IndexDescriptor index =
      IndexDescriptor::of(partition.descriptor.load(std::memory_order_acquire));
  const Word64* slots = segment.slots(index);
  if (slots == nullptr) return nullptr;
  const std::uint64_t buckets = index.slots() / kBucketSlots;
  std::uint64_t bucket = home_bucket(hash, index.log2_slots);
  for (std::uint64_t probe = 0; probe < buckets; ++probe, bucket = (bucket + 1) & (buckets - 1)) {
    const Word64* const at = slots + bucket * kBucketSlots;
    for (unsigned i = 0; i < kBucketSlots; ++i) {
      const std::uint64_t value = at[i].load(std::memory_order_acquire);
      if (layout::hash_of_slot(value) != layout::slot_hash(hash)) continue;
      const Word64* words =
          segment.record(layout::location_of_slot(value), layout::kRecordHeaderBytes);
      if (words == nullptr) continue;
      // Unique in the segment: whatever the slot says by now, this is that record.
      if (words[layout::kStampWord].load(std::memory_order_acquire) == stamp) return words;
    }
    if (has_empty_slot(at)) break;
  }
  return nullptr;
}

}  // namespace shmreg::core
