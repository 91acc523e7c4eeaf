// What happened in a partition lately, and who waits for what happens next.
//
// The change log: a ring of the partition's last changes, one entry of 32 bytes each, at
// count % kChangeLogEntries. `count` is the partition's change_counter when the change was made;
// the change number that people see is count * partitions + partition, unique in the segment.
//
//   0  head      8  [ count 56 ][ pending 1 ][ kind 7 ]
//   8  id        8  of the registration
//  16  at_ns     8  wall clock
//  24  records   8  [ retired 32 ][ record 32 ]   locations, 0: none
//
// `record` is what the change is about: the new record, or for a removal the one that was removed.
// `retired` is the record that it put out of use, which stays as it is until the entry goes: who
// reads the log late still reads what the service was. Entries from change_tail + 1 to
// change_counter are there; the memory that an entry keeps is given back only after change_tail has
// passed it, so a reader that finds change_tail below its entry after it has copied a record has
// copied that record whole.
//
// Written under the partition's lock: first the fields, then `head` as pending, then
// change_counter; then the change itself, its one store; then `head` without pending. Whoever
// repairs settles what is pending by looking whether the change was made.
//
// Wait words: kWaitWords futex words by hash of the key, for those who wait for one name. A waiter
// sets `awaited` and then looks; a writer publishes and then loads `awaited`.
#pragma once

#include <cstddef>
#include <cstdint>

#include "layout/units.hpp"

namespace shmreg::layout {

enum class ChangeKind : std::uint8_t {
  none = 0,  // begun by a writer that died before it was made
  registered = 1,
  updated = 2,
  unregistered = 3,
  died = 4,     // its owner ended
  expired = 5,  // its time to live did
  health = 6,
};
inline constexpr std::uint8_t kLastChangeKind = 6;
// Whether the service is no longer registered after it.
[[nodiscard]] constexpr bool is_end(ChangeKind kind) noexcept {
  return kind == ChangeKind::unregistered || kind == ChangeKind::died ||
         kind == ChangeKind::expired;
}

struct Change {
  Word64 head;
  Word64 id;
  Word64 at_ns;
  Word64 records;
};
static_assert(sizeof(Change) == 32 && offsetof(Change, records) == 24);

inline constexpr std::uint64_t kChangeLogEntries = 256;
// Of records that the log may keep from being used again: beyond, its oldest entries go early.
inline constexpr std::uint32_t kMaxHeldBytes = 128 * 1024;

// What one load of `head` says.
struct ChangeHead {
  std::uint64_t count = 0;
  bool pending = false;
  std::uint8_t kind = 0;

  [[nodiscard]] constexpr std::uint64_t word() const noexcept {
    return count << 8 | std::uint64_t{pending} << 7 | kind;
  }
  static constexpr ChangeHead of(std::uint64_t word) noexcept {
    return {word >> 8, (word >> 7 & 1) != 0, static_cast<std::uint8_t>(word & 0x7f)};
  }
};

struct ChangedRecords {
  std::uint32_t record = 0;
  std::uint32_t retired = 0;

  [[nodiscard]] constexpr std::uint64_t word() const noexcept {
    return std::uint64_t{retired} << 32 | record;
  }
  static constexpr ChangedRecords of(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
  }
};

struct WaitWord {
  Word32 sequence;  // futex word: advanced by a change that somebody waited for
  Word32 awaited;   // 1 where somebody waits
};
static_assert(sizeof(WaitWord) == 8);
inline constexpr std::uint64_t kWaitWords = 1024;

}  // namespace shmreg::layout
