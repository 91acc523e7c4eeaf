// One service's bytes. A record is never changed while a slot leads to it; it is read as a sequence
// of 64-bit words and understood only in the reader's own copy.
//
//   word 0  stamp             unique per write within the segment; 0: being written, or retired
//   word 1  owner             entry + 1 (low 32), generation (high 32); 0: bound to no entry.
//                             In a free record: the free list's next location
//   word 2  id                of the registration; below 2^53
//   word 3  registered_at_ns  wall clock
//   word 4  registered_mono_ns  monotonic clock
//   word 5  change            change number
//   word 6  cell (32), endpoint_bytes (16), attribute_bytes (16)
//   word 7  key_bytes (16), namespace_bytes (8), owner_kind (8), size_class (8), flags (8),
//           ordinal (16): which instance of a shared name; 0: the name itself
//   64 ...  key ("namespace/name"), endpoint, attributes, back to back, zero-padded to a word
//
// A reader touches the health cell only where `flags` says that there is something in it: a
// deadline, or a health that was ever set. (A registration's first health is published with a new
// record.)
//
// Attributes: items of { kind (8), key_bytes (8), value_bytes (16), key, value }.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "layout/units.hpp"

namespace shmreg::layout {

inline constexpr std::size_t kRecordHeaderBytes = 64;
inline constexpr std::size_t kMaxNameBytes = 255;  // namespace, and service name
inline constexpr std::size_t kMaxKeyBytes = 2 * kMaxNameBytes + 1;

// flags
inline constexpr std::uint8_t kCellHasState = 1;
inline constexpr std::uint8_t kAnchor = 2;  // stands at a shared name; no service itself

// A shared name is one anchor at the name itself and, at hashes of the name and their ordinals
// (from 1), its instances: records like any other's. The anchor's health cell says which ordinals
// can be in use: its deadline_ns is
//
//   63    48 47      16 15       0
//   [ 0     ][ count 32 ][ last 16 ]   instances there are; the largest ordinal in use
//
// and its health is other than 0 once any instance's health was set: before that a reader need not
// look for one that is passing. The anchor goes with its last instance.
struct AnchorState {
  std::uint32_t count = 0;
  std::uint16_t last = 0;

  [[nodiscard]] static constexpr AnchorState of(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word >> 16), static_cast<std::uint16_t>(word)};
  }
  [[nodiscard]] constexpr std::uint64_t word() const noexcept {
    return std::uint64_t{count} << 16 | last;
  }
};
inline constexpr std::uint32_t kMaxInstances = 0xffff;

// The header in one's own memory.
struct RecordHeader {
  std::uint64_t stamp;
  std::uint64_t owner;
  std::uint64_t id;
  std::int64_t registered_at_ns;
  std::uint64_t registered_mono_ns;
  std::uint64_t change;
  std::uint32_t cell;
  std::uint16_t endpoint_bytes;
  std::uint16_t attribute_bytes;
  std::uint16_t key_bytes;
  std::uint8_t namespace_bytes;
  std::uint8_t owner_kind;
  std::uint8_t size_class;
  std::uint8_t flags;
  std::uint16_t ordinal;

  // Of the whole record, header included.
  [[nodiscard]] constexpr std::size_t bytes() const noexcept {
    return kRecordHeaderBytes + key_bytes + endpoint_bytes + attribute_bytes;
  }
  // Whether the lengths can be true at all; bytes() is still to be held against a bound.
  [[nodiscard]] constexpr bool plausible() const noexcept {
    return namespace_bytes >= 1 && key_bytes >= namespace_bytes + 2 &&
           key_bytes <= namespace_bytes + 1 + kMaxNameBytes;
  }
};
static_assert(std::is_trivially_copyable_v<RecordHeader>);
static_assert(sizeof(RecordHeader) == kRecordHeaderBytes);
static_assert(offsetof(RecordHeader, cell) == 48 && offsetof(RecordHeader, key_bytes) == 56);
static_assert(offsetof(RecordHeader, owner_kind) == 59 && offsetof(RecordHeader, ordinal) == 62);

inline constexpr std::size_t kStampWord = 0;
inline constexpr std::size_t kOwnerWord = 1;
inline constexpr std::size_t kNextFreeWord = 1;
inline constexpr std::size_t kIdWord = 2;
inline constexpr std::size_t kLengthsWord = 6;
inline constexpr std::size_t kKindWord = 7;
inline constexpr std::size_t kHeaderWords = kRecordHeaderBytes / 8;

[[nodiscard]] constexpr std::uint32_t cell_of(std::uint64_t lengths_word) noexcept {
  return static_cast<std::uint32_t>(lengths_word);
}
[[nodiscard]] constexpr std::size_t endpoint_bytes_of(std::uint64_t lengths_word) noexcept {
  return lengths_word >> 32 & 0xffff;
}
[[nodiscard]] constexpr std::size_t record_bytes_of(std::uint64_t lengths_word,
                                                    std::uint64_t kind_word) noexcept {
  return kRecordHeaderBytes + (lengths_word >> 32 & 0xffff) + (lengths_word >> 48) +
         (kind_word & 0xffff);
}
[[nodiscard]] constexpr std::size_t key_bytes_of(std::uint64_t kind_word) noexcept {
  return kind_word & 0xffff;
}
[[nodiscard]] constexpr std::size_t namespace_bytes_of(std::uint64_t kind_word) noexcept {
  return kind_word >> 16 & 0xff;
}
[[nodiscard]] constexpr std::size_t size_class_of(std::uint64_t kind_word) noexcept {
  return kind_word >> 32 & 0xff;
}
[[nodiscard]] constexpr bool is_anchor(std::uint64_t kind_word) noexcept {
  return (kind_word >> 40 & kAnchor) != 0;
}
[[nodiscard]] constexpr std::uint16_t ordinal_of(std::uint64_t kind_word) noexcept {
  return static_cast<std::uint16_t>(kind_word >> 48);
}
[[nodiscard]] constexpr bool cell_has_state(std::uint64_t kind_word) noexcept {
  return (kind_word >> 40 & kCellHasState) != 0;
}
[[nodiscard]] constexpr std::uint8_t owner_kind_of(std::uint64_t kind_word) noexcept {
  return static_cast<std::uint8_t>(kind_word >> 24);
}

// Of an attached process, with a key of so many bytes, nothing in its health cell, and no instance
// of a shared name; one comparison. 1 is OwnerKind::process.
[[nodiscard]] constexpr bool is_plain_record_of(std::uint64_t kind_word,
                                                std::size_t key_bytes) noexcept {
  constexpr std::uint64_t kLooksAt = 0xffff | std::uint64_t{0xff} << 24 |
                                     std::uint64_t{kCellHasState | kAnchor} << 40 |
                                     std::uint64_t{0xffff} << 48;
  return (kind_word & kLooksAt) == (key_bytes | std::uint64_t{1} << 24) &&
         namespace_bytes_of(kind_word) - 1 < key_bytes - 2;
}

enum class AttributeKind : std::uint8_t {
  metadata = 1,
  tag = 2,
  depends = 3,
  wants = 4,
  process = 5,  // value: ProcessAttribute, then what the process was called (comm), if known
  period = 6,   // value: time to live in nanoseconds (64)
};

struct AttributeHead {
  std::uint8_t kind;
  std::uint8_t key_bytes;
  std::uint16_t value_bytes;
};
static_assert(sizeof(AttributeHead) == 4);

struct ProcessAttribute {
  std::uint32_t pid;
  std::uint32_t pid_namespace;  // an inode number of nsfs, which has no larger ones
  std::uint64_t start_ticks;
};
static_assert(sizeof(ProcessAttribute) == 16);
inline constexpr std::size_t kMaxProgramBytes = 16;

// What changes during a registration's life without a new record, and survives updates: health,
// deadline, and the links of the owner's list. Changed under the partition's lock after comparing
// the id; read without: id, fields, id again. Ids are never reused, so an equal id twice means that
// the fields are this registration's.
//
//   0  id            8  0: free
//   8  deadline_ns   8  of a ttl, monotonic clock; of an anchor: AnchorState
//  16  next, prev  4+4  cells (offset / 32) in the owner's list, 0: none; next in the free list
//  24  location      4  of the record, for whoever comes by the owner's list
//  28  health        4
struct HealthCell {
  Word64 id;
  Word64 deadline_ns;
  Word32 next;
  Word32 prev;
  Word32 location;
  Word32 health;
};
static_assert(sizeof(HealthCell) == 32 && offsetof(HealthCell, location) == 24);
// Cells are named by their offset from the segment's start / 32.
inline constexpr std::uint64_t kCellBytes = sizeof(HealthCell);
inline constexpr std::uint32_t kCellRunGranules = 1;

}  // namespace shmreg::layout
