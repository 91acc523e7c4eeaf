// A partition's change log, as its writer advances it and as those who watch read it.
//
// Every change of the table is one entry, begun before the one store that makes the change visible
// and committed after it. What the change put out of use is kept as it was until its entry goes
// (layout/change.hpp), so a reader that comes late still reads it.
#pragma once

#include <cstdint>
#include <optional>

#include "core/partition_memory.hpp"
#include "core/segment.hpp"
#include "layout/change.hpp"
#include "shmreg/service.hpp"

namespace shmreg::core {

// One entry in one's own memory.
struct ChangeImage {
  layout::ChangeKind kind = layout::ChangeKind::none;
  bool pending = false;
  std::uint64_t number = 0;  // the change number
  std::uint64_t id = 0;
  std::int64_t at_ns = 0;
  layout::ChangedRecords records;
};

// Under the partition's lock; begin() to commit() inside a DirtySection.
class ChangeLog {
 public:
  ChangeLog(const Segment& segment, std::uint32_t partition, PartitionMemory& memory) noexcept
      : segment_(segment),
        partition_(segment.partition(partition)),
        index_(partition),
        memory_(memory) {}

  // The number that the next change will have.
  [[nodiscard]] std::uint64_t upcoming() const noexcept;
  // Makes room, and says what is about to happen.
  void begin(layout::ChangeKind kind, std::uint64_t id, layout::ChangedRecords records) noexcept;
  // It has happened. Wakes those who watch the partition, and those who wait for the key.
  void commit(std::uint64_t key_hash) noexcept;
  // Gives back everything that the log keeps; false where that was nothing. Who reads it is told
  // that there were changes.
  bool forget() noexcept;

  // For repair. Where the entries are not what change_counter and change_tail say, none is there.
  void drop_what_is_no_log() noexcept;
  // Calls visit(count, location) for every record that an entry keeps.
  template <class Visit>
  void for_each_held(Visit visit) const {
    const std::uint64_t last = partition_.change_counter.load(std::memory_order_relaxed);
    for (std::uint64_t count = first(last); count <= last; ++count) {
      const layout::Change& change = segment_.change(index_, count);
      const auto records =
          layout::ChangedRecords::of(change.records.load(std::memory_order_relaxed));
      if (records.retired != 0) visit(count, records.retired);
    }
  }
  // What was begun and not committed; nothing where all is settled.
  [[nodiscard]] std::optional<ChangeImage> pending() const noexcept;
  // Commits it, or takes it back.
  void settle(bool happened) noexcept;
  // An entry keeps nothing (any more).
  void release(std::uint64_t count) noexcept;
  void set_held_bytes(std::uint64_t bytes) noexcept;

 private:
  // The first entry that is there.
  [[nodiscard]] std::uint64_t first(std::uint64_t last) const noexcept;
  void drop_up_to(std::uint64_t count) noexcept;
  [[nodiscard]] std::uint32_t held_bytes_of(std::uint32_t location) const noexcept;

  const Segment& segment_;
  layout::Partition& partition_;
  std::uint32_t index_;
  PartitionMemory& memory_;
};

// Wakes who waits on the word, if anybody does. After the change was published.
void wake_awaiting(layout::Word32& sequence, layout::Word32& awaited) noexcept;

// What became of reading one entry, without the lock.
enum class ChangeFate : std::uint8_t {
  read,
  end,      // there is none of that count yet
  pending,  // begun: whether it has happened is not known yet
  lost,     // gone: the log has moved on
  corrupt,
};
// The entry for the partition's change of that count.
[[nodiscard]] ChangeFate read_change(const Segment& segment, std::uint32_t partition,
                                     std::uint64_t count, ChangeImage& image) noexcept;
// Copies the record that the entry is about into `record`: read, lost or corrupt.
[[nodiscard]] ChangeFate read_changed_record(const Segment& segment, std::uint32_t partition,
                                             std::uint64_t count, const ChangeImage& image,
                                             Service& record);
// The same of the record at `location`, which the entry keeps.
[[nodiscard]] ChangeFate read_kept_record(const Segment& segment, std::uint32_t partition,
                                          std::uint64_t count, std::uint32_t location,
                                          Service& record);

}  // namespace shmreg::core
