#include "core/lookup.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "core/bucket.hpp"
#include "core/index.hpp"
#include "core/planted_fault.hpp"
#include "core/record_copy.hpp"
#include "core/service_access.hpp"
#include "sys/kernel_mark.hpp"

namespace shmreg::core {
namespace {

using layout::EntryLife;
using layout::IndexDescriptor;
using layout::kBucketSlots;
using layout::kHeaderWords;
using layout::RecordHeader;
using layout::Word64;

constexpr int kMaxRetries = 10'000;
constexpr std::size_t kSmallestRecordBytes = layout::kSizeClasses.front().record_bytes;

// What became of one attempt to read the record that a slot leads to.
enum class Fate : std::uint8_t { read, other, changed, corrupt };

[[gnu::noinline]] bool key_equals_by_words(const Word64* record_key,
                                           std::string_view key) noexcept {
  const char* at = key.data();
  std::size_t left = key.size();
  for (; left >= 8; left -= 8, at += 8, ++record_key) {
    std::uint64_t word;  // NOLINT(cppcoreguidelines-init-variables)
    std::memcpy(&word, at, 8);
    if (record_key->load(std::memory_order_acquire) != word) return false;
  }
  if (left == 0) return true;
  std::uint64_t tail = 0;
  std::memcpy(&tail, at, left);
  const std::uint64_t mask = ~std::uint64_t{0} >> (8 * (8 - left));
  return ((record_key->load(std::memory_order_acquire) ^ tail) & mask) == 0;
}

// A torn comparison is caught with a torn record: its outcome counts only if the stamp is
// unchanged.
[[gnu::always_inline]] inline bool key_equals(const Word64* record_key,
                                              std::string_view key) noexcept {
#if defined(SHMREG_VECTOR_READS)
  if (key.size() - sizeof(__m128i) <= sizeof(__m128i)) {
    // The first sixteen and the last, which may overlap: no byte beyond the key.
    const auto* record_at = reinterpret_cast<const char*>(record_key);
    const auto equal_at = [&](std::size_t offset) {
      const __m128i ours = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key.data() + offset));
      const __m128i theirs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(record_at + offset));
      return _mm_cmpeq_epi8(ours, theirs);
    };
    const __m128i equal = _mm_and_si128(equal_at(0), equal_at(key.size() - sizeof(__m128i)));
    std::atomic_signal_fence(std::memory_order_acquire);
    return _mm_movemask_epi8(equal) == 0xffff;
  }
#endif
  return key_equals_by_words(record_key, key);
}

// Whether the slot leads to the record of that stamp. After acquire loads of everything that was
// read, and the slot first: as stamps are unique, this one's was there before the slot was looked
// at and after. The other way round the two could be of different instants.
[[gnu::always_inline]] inline bool slot_and_stamp_are(const Word64& slot, std::uint64_t value,
                                                      const Word64* record,
                                                      std::uint64_t stamp) noexcept {
  return slot.load(std::memory_order_acquire) == value &&
         record[layout::kStampWord].load(std::memory_order_acquire) == stamp;
}

// Whether the slot leads to a retired record. A stamp of 0 is not unique: the same memory may have
// been retired, written anew and published in the same slot. Not, however, without a new stamp
// having been taken since the slot was seen to lead there.
[[gnu::noinline]] bool still_retired(const layout::Partition& partition, const Word64& slot,
                                     std::uint64_t value, const Word64* record) noexcept {
  const std::uint64_t stamps = partition.stamp_counter.load(std::memory_order_acquire);
  return slot.load(std::memory_order_acquire) == value &&
         record[layout::kStampWord].load(std::memory_order_acquire) == 0 &&
         slot.load(std::memory_order_acquire) == value &&
         partition.stamp_counter.load(std::memory_order_acquire) == stamps;
}

// Modelled in tests/model/lookup.pml: Reader.
// Copies the record at `slot` into `found` if it is `key`'s (or any, without a key).
template <bool kWithKey>
[[gnu::always_inline]] inline Fate read_record(const Segment& segment,
                                               const layout::Partition& partition,
                                               const Word64& slot, std::uint64_t value,
                                               std::string_view key, Service& found,
                                               const Word64*& record) {
  const Word64* words = segment.record(layout::location_of_slot(value), kSmallestRecordBytes);
  if (words == nullptr) {
    return slot.load(std::memory_order_acquire) == value ? Fate::corrupt : Fate::changed;
  }
  record = words;
  __builtin_prefetch(words + kHeaderWords);
  const auto unchanged = [&](std::uint64_t stamp) {
    return slot_and_stamp_are(slot, value, words, stamp);
  };
  const std::uint64_t stamp = words[layout::kStampWord].load(std::memory_order_acquire);
  const std::uint64_t kind = words[layout::kKindWord].load(std::memory_order_acquire);
  if (stamp == 0) {
    return still_retired(partition, slot, value, words) ? Fate::other : Fate::changed;
  }
  const std::size_t key_bytes = layout::key_bytes_of(kind);
  const std::uint64_t lengths = words[layout::kLengthsWord].load(std::memory_order_acquire);
  const std::size_t bytes = layout::record_bytes_of(lengths, kind);
  if (bytes > layout::kMaxRecordBytes ||
      (bytes > kSmallestRecordBytes &&
       segment.record(layout::location_of_slot(value), bytes) == nullptr)) {
    return unchanged(stamp) ? Fate::corrupt : Fate::changed;
  }
  if constexpr (kWithKey) {
    if (key_bytes != key.size() || !key_equals(words + kHeaderWords, key)) {
      return planted(Fault::mismatch_unchecked) || unchanged(stamp) ? Fate::other : Fate::changed;
    }
  }
  std::uint64_t* to = ServiceAccess::buffer(found, bytes);
  if (bytes <= kSmallestRecordBytes) {
    // Most are: a copy of fixed length needs no loop. What lies behind `bytes` is not looked at.
    static_assert(kSmallestRecordBytes <= Service::kInlineBytes);
    copy_words<kSmallestRecordBytes / 8>(to, words);
  } else {
    copy_words(to, words, (bytes + 7) / 8);
  }
  if (!planted(Fault::stamp_unchecked) && (!unchanged(stamp) || to[layout::kStampWord] != stamp)) {
    return Fate::changed;
  }
  // Of an honest writer they are the same now. What follows goes by the lengths in the copy, and
  // that they fit it holds for those that were checked.
  if (to[layout::kKindWord] != kind || to[layout::kLengthsWord] != lengths) return Fate::changed;
  const std::size_t namespace_bytes = layout::namespace_bytes_of(kind);
  if (namespace_bytes == 0 || key_bytes < namespace_bytes + 2) return Fate::corrupt;
  return Fate::read;
}

// What is known of the owner of the record just read; fills in what the record does not say.
// `changed`: its health cell is another registration's by now.
enum class OwnerFate : std::uint8_t { alive, dead, changed };

[[gnu::noinline]] OwnerFate judge_other_kinds(const Segment& segment, PidWatch& watch,
                                              Service& found, std::size_t bytes,
                                              const RecordHeader& header) {
  const auto view =
      RecordView::of({reinterpret_cast<const unsigned char*>(ServiceAccess::words(found)), bytes});
  if (!view) return OwnerFate::dead;
  const RecordOwner owner = owner_of(segment, *view);
  // The cell has been given to another registration: so has the record.
  if (owner.kind == OwnerKind::ttl && !owner.deadline_ns) return OwnerFate::changed;
  const Alive alive = owner_alive(segment, watch, owner);
  if (alive == Alive::no) return OwnerFate::dead;
  Health health = Health::unknown;
  if ((header.flags & layout::kCellHasState) != 0) {
    const auto cell = read_cell(segment, header.cell, header.id);
    if (!cell) return OwnerFate::changed;
    health = cell->health;
  }
  ServiceAccess::set(found, bytes, owner.process ? owner.process->pid : 0, alive, health);
  return OwnerFate::alive;
}

[[gnu::always_inline]] inline OwnerFate judge_owner(const Segment& segment, PidWatch& watch,
                                                    Service& found) {
  const std::uint64_t* image = ServiceAccess::words(found);
  const std::uint64_t lengths = image[layout::kLengthsWord];
  const std::uint64_t kind = image[layout::kKindWord];
  const std::size_t bytes = layout::record_bytes_of(lengths, kind);
  if (layout::owner_kind_of(kind) != static_cast<std::uint8_t>(OwnerKind::process)) {
    RecordHeader header{};
    std::memcpy(&header, image, sizeof header);
    return judge_other_kinds(segment, watch, found, bytes, header);
  }
  const std::uint64_t owner = image[layout::kOwnerWord];
  const EntryLife life{static_cast<std::uint32_t>(owner) - 1,
                       static_cast<std::uint32_t>(owner >> 32)};
  if (life.entry >= segment.geometry().max_processes) return OwnerFate::dead;
  // Before the mark: if the mark is still this life's, so was what was read before it.
  const std::uint32_t pid = segment.entry(life.entry).pid.load(std::memory_order_acquire);
  if (!planted(Fault::mark_unchecked) && !entry_lives(segment, life)) return OwnerFate::dead;
  Health health = Health::unknown;
  if (layout::cell_has_state(kind)) {
    const auto cell = read_cell(segment, layout::cell_of(lengths), image[layout::kIdWord]);
    if (!cell) return OwnerFate::changed;
    health = cell->health;
  }
  ServiceAccess::set(found, bytes, pid, Alive::yes, health);
  return OwnerFate::alive;
}

// Whether an index that was read is still the partition's, and its memory has not been filled anew:
// without both a miss means nothing, and what was found may be written and not published, at a
// place where a slot of an index no longer in use still leads.
inline bool same_index(const layout::Partition& partition, std::uint64_t descriptor,
                       std::uint64_t rebuilds) noexcept {
  return partition.descriptor.load(std::memory_order_acquire) == descriptor &&
         (planted(Fault::rebuilds_unchecked) ||
          partition.rebuilds.load(std::memory_order_acquire) == rebuilds);
}

// Whatever the record, the owner and the bucket are. (tests/model/lookup.pml: Reader)
[[gnu::noinline]] Errc lookup_any(const Segment& segment, PidWatch& watch, std::string_view key,
                                  std::uint64_t hash, Service& found) {
  ServiceAccess::clear(found);
  const layout::Partition& partition = segment.partition(segment.partition_of(hash));
  const std::uint16_t wanted = layout::slot_hash(hash);
  int retries = 0;
  for (; retries < kMaxRetries; ++retries) {
    const std::uint64_t rebuilds = partition.rebuilds.load(std::memory_order_acquire);
    const std::uint64_t descriptor = partition.descriptor.load(std::memory_order_acquire);
    const IndexDescriptor index = IndexDescriptor::of(descriptor);
    const Word64* slots = segment.slots(index);
    if (slots == nullptr) return Errc::corrupt;
    const std::uint64_t buckets = index.slots() / kBucketSlots;
    std::uint64_t bucket = home_bucket(hash, index.log2_slots);
    bool changed = false;
    for (std::uint64_t probe = 0; probe < buckets && !changed; ++probe) {
      const Word64* const at = slots + bucket * kBucketSlots;
      for (unsigned mask = matching_slots(at, wanted); mask != 0 && !changed; mask &= mask - 1) {
        const Word64& slot = at[std::countr_zero(mask)];
        const std::uint64_t value = slot.load(std::memory_order_acquire);
        if (layout::hash_of_slot(value) != wanted || layout::location_of_slot(value) == 0) continue;
        const Word64* record = nullptr;
        switch (read_record<true>(segment, partition, slot, value, key, found, record)) {
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

namespace {

// One slot of a list; retried until it holds still.
Errc read_slot(const Segment& segment, const layout::Partition& partition, PidWatch& watch,
               const Word64& slot, std::optional<std::string_view> namespace_name,
               std::uint16_t tag, std::vector<Service>& services) {
  Service found;
  for (int retries = 0; retries < kMaxRetries; ++retries) {
    const std::uint64_t value = slot.load(std::memory_order_acquire);
    if (layout::location_of_slot(value) == 0) return Errc::ok;
    if (namespace_name && layout::tag_of_slot(value) != tag) return Errc::ok;
    const Word64* record = nullptr;
    switch (read_record<false>(segment, partition, slot, value, {}, found, record)) {
      case Fate::other:  // retired just now
        return Errc::ok;
      case Fate::corrupt:
        return Errc::corrupt;
      case Fate::changed:
        continue;
      case Fate::read:
        break;
    }
    const std::uint64_t stamp = ServiceAccess::words(found)[layout::kStampWord];
    switch (judge_owner(segment, watch, found)) {
      case OwnerFate::alive:
        if (!namespace_name || found.namespace_name() == *namespace_name) {
          services.push_back(std::move(found));
        }
        return Errc::ok;
      case OwnerFate::dead:
        if (slot_and_stamp_are(slot, value, record, stamp)) return Errc::ok;
        break;
      case OwnerFate::changed:
        if (slot_and_stamp_are(slot, value, record, stamp)) return Errc::corrupt;
        break;
    }
  }
  return Errc::busy;
}

// More bytes than a partition's records can have been while it was read, each a few times over:
// what leads to them is no honest index, and would have the reader allocate without end.
bool is_more_than_there_is(const Segment& segment, std::uint64_t bytes) {
  return bytes > 4 * segment.open_end();
}

// A name that was unregistered and registered again while the partition was read may have been seen
// twice, under two ids: the later one stays.
void keep_latest(std::vector<Service>& services, std::size_t first) {
  std::sort(services.begin() + static_cast<std::ptrdiff_t>(first), services.end(),
            [](const Service& a, const Service& b) {
              return a.full_name() != b.full_name() ? a.full_name() < b.full_name()
                                                    : a.id() > b.id();
            });
  services.erase(std::unique(services.begin() + static_cast<std::ptrdiff_t>(first), services.end(),
                             [](const Service& a, const Service& b) {
                               return a.full_name() == b.full_name();
                             }),
                 services.end());
}

}  // namespace

const Word64* stamp_of(const Segment& segment, std::string_view key, std::uint64_t stamp) noexcept {
  const std::uint64_t hash = hash_key(key, segment.hash_seed());
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

Errc read_partition(const Segment& segment, PidWatch& watch, std::uint32_t partition_index,
                    std::optional<std::string_view> namespace_name,
                    std::vector<Service>& services) {
  const layout::Partition& partition = segment.partition(partition_index);
  const std::uint16_t tag =
      namespace_name ? namespace_tag(*namespace_name, segment.hash_seed()) : std::uint16_t{0};
  const std::size_t first = services.size();
  if (segment.retired()) return Errc::segment_retired;
  for (int restarts = 0; restarts < 1000; ++restarts) {
    services.resize(first);
    const std::uint64_t rebuilds = partition.rebuilds.load(std::memory_order_acquire);
    const std::uint64_t changes = partition.change_counter.load(std::memory_order_acquire);
    const std::uint64_t descriptor = partition.descriptor.load(std::memory_order_acquire);
    const IndexDescriptor index = IndexDescriptor::of(descriptor);
    const Word64* slots = segment.slots(index);
    if (slots == nullptr) return Errc::corrupt;
    Errc outcome = Errc::ok;
    std::uint64_t bytes = 0;
    for (std::uint64_t i = 0; i < index.slots() && outcome == Errc::ok; ++i) {
      const std::size_t count = services.size();
      outcome = read_slot(segment, partition, watch, slots[i], namespace_name, tag, services);
      if (services.size() > count) bytes += ServiceAccess::image(services.back()).size();
      if (is_more_than_there_is(segment, bytes)) outcome = Errc::corrupt;
    }
    if (!planted(Fault::list_unchecked) && !same_index(partition, descriptor, rebuilds)) continue;
    if (outcome != Errc::ok) return outcome;
    if (partition.change_counter.load(std::memory_order_acquire) != changes) {
      keep_latest(services, first);
    }
    return Errc::ok;
  }
  services.resize(first);
  return Errc::busy;
}

}  // namespace shmreg::core
