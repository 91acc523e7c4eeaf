// Reading one record where a slot leads, without a lock, and judging its owner: the steps that
// lookups and lists are made of. What makes their answers true stands in lookup.hpp. Here and not
// in a file of its own to be compiled: the lookup has no call to spare.
#pragma once

#include <cstring>
#include <string_view>

#include "core/bucket.hpp"
#include "core/liveness.hpp"
#include "core/planted_fault.hpp"
#include "core/record_copy.hpp"
#include "core/service_access.hpp"

namespace shmreg::core {

inline constexpr int kMaxRetries = 10'000;
inline constexpr std::size_t kSmallestRecordBytes = layout::kSizeClasses.front().record_bytes;

// What became of one attempt to read the record that a slot leads to.
enum class Fate : std::uint8_t { read, other, changed, corrupt };

[[gnu::noinline]] inline bool key_equals_by_words(const layout::Word64* record_key,
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
[[gnu::always_inline]] inline bool key_equals(const layout::Word64* record_key,
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
[[gnu::always_inline]] inline bool slot_and_stamp_are(const layout::Word64& slot,
                                                      std::uint64_t value,
                                                      const layout::Word64* record,
                                                      std::uint64_t stamp) noexcept {
  return slot.load(std::memory_order_acquire) == value &&
         record[layout::kStampWord].load(std::memory_order_acquire) == stamp;
}

// Whether the slot leads to a retired record. A stamp of 0 is not unique: the same memory may have
// been retired, written anew and published in the same slot. Not, however, without a new stamp
// having been taken since the slot was seen to lead there.
[[gnu::noinline]] inline bool still_retired(const layout::Partition& partition,
                                            const layout::Word64& slot, std::uint64_t value,
                                            const layout::Word64* record) noexcept {
  const std::uint64_t stamps = partition.stamp_counter.load(std::memory_order_acquire);
  return slot.load(std::memory_order_acquire) == value &&
         record[layout::kStampWord].load(std::memory_order_acquire) == 0 &&
         slot.load(std::memory_order_acquire) == value &&
         partition.stamp_counter.load(std::memory_order_acquire) == stamps;
}

// Modelled in tests/model/lookup.pml: Reader.
// Copies the record at `slot` into `found` if it is `key`'s with that ordinal (or any, without a
// key).
template <bool kWithKey>
[[gnu::always_inline]] inline Fate read_record(const Segment& segment,
                                               const layout::Partition& partition,
                                               const layout::Word64& slot, std::uint64_t value,
                                               std::string_view key, std::uint16_t ordinal,
                                               Service& found, const layout::Word64*& record) {
  const layout::Word64* words =
      segment.record(layout::location_of_slot(value), kSmallestRecordBytes);
  if (words == nullptr) {
    return slot.load(std::memory_order_acquire) == value ? Fate::corrupt : Fate::changed;
  }
  record = words;
  __builtin_prefetch(words + layout::kHeaderWords);
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
    if (key_bytes != key.size() || layout::ordinal_of(kind) != ordinal ||
        !key_equals(words + layout::kHeaderWords, key)) {
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

[[gnu::noinline]] inline OwnerFate judge_other_kinds(const Segment& segment, PidWatch& watch,
                                                     Service& found, std::size_t bytes,
                                                     const layout::RecordHeader& header) {
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
    layout::RecordHeader header{};
    std::memcpy(&header, image, sizeof header);
    return judge_other_kinds(segment, watch, found, bytes, header);
  }
  const std::uint64_t owner = image[layout::kOwnerWord];
  const layout::EntryLife life{static_cast<std::uint32_t>(owner) - 1,
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

}  // namespace shmreg::core
