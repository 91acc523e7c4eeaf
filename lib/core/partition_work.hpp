// The steps that every change of a partition is made of: compose, publish, remove, the owner's
// list, rebuild. Under the partition's lock; where it says so, inside a DirtySection.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/change_log.hpp"
#include "core/index.hpp"
#include "core/partition_lock.hpp"
#include "core/partition_memory.hpp"
#include "core/record_copy.hpp"

namespace shmreg::core {

// Whether somebody's going would help.
[[nodiscard]] inline bool out_of_room(Errc code) noexcept {
  return code == Errc::segment_full || code == Errc::no_space;
}

// What is to stand in a record, composed before the lock is taken.
struct Content {
  std::string_view endpoint;
  std::span<const unsigned char> attributes;
};

class PartitionWork {
 public:
  PartitionWork(const Writer& writer, const PartitionLock& lock) noexcept
      : writer_(writer),
        segment_(*writer.segment),
        partition_(lock.partition()),
        partition_index_(lock.index()),
        memory_(segment_, lock.index()),
        log_(segment_, lock.index(), memory_) {}

  [[nodiscard]] Alive alive(const RecordView& record) const {
    return owner_alive(segment_, *writer_.watch, owner_of(segment_, record));
  }
  [[nodiscard]] std::string describe_holder(const RecordView& record) const;
  // The process that owns the record, whichever way it is named.
  [[nodiscard]] std::optional<sys::ProcessIdentity> owner_process(const RecordView& record) const;
  [[nodiscard]] bool is_own(const RecordView& record) const;

  // Inside a DirtySection: writes and publishes a record in `slot`.
  struct New {
    layout::RecordHeader header{};  // stamp, change and lengths are filled in
    const HashedName* name = nullptr;
    Content content;
  };
  [[nodiscard]] Result<std::uint32_t> compose(New& record);
  // What the change log says of it: the change that `location` was composed for. `retired`: the
  // record that the slot has led to so far; 0: none.
  void publish(WriterIndex& index, layout::Word64* slot, const HashedName& name,
               std::uint32_t location, layout::ChangeKind kind, std::uint64_t id,
               std::uint32_t retired);
  // Inside a DirtySection: a record that publish() has put out of use, and its health cell where
  // that is not the new record's.
  void retire(const RecordCopy& record, bool with_cell) noexcept;
  // Inside a DirtySection: retires the record, clears its slot, gives back its health cell.
  void remove(WriterIndex& index, layout::Word64* slot, const RecordCopy& record,
              std::uint32_t location, layout::ChangeKind kind);
  // Inside a DirtySection: of one whose owner has ended.
  void remove_ended(WriterIndex& index, layout::Word64* slot, const RecordCopy& record,
                    std::uint32_t location);

  // Inside a DirtySection. A fresh health cell in its owner's list.
  [[nodiscard]] Result<std::uint32_t> add_cell(std::uint64_t id, std::uint64_t deadline_ns,
                                               const std::optional<layout::EntryLife>& life);
  void set_cell_location(std::uint32_t cell, std::uint32_t location) noexcept;
  void give_cell(std::uint32_t cell, const std::optional<layout::EntryLife>& life) noexcept;

  // Inside a DirtySection: what makes a name a shared one, with so many instances; nothing leads to
  // it yet.
  struct Anchor {
    std::uint32_t cell = 0;
    std::uint32_t location = 0;
    std::uint8_t size_class = 0;
  };
  [[nodiscard]] Result<Anchor> compose_anchor(const HashedName& name, layout::AnchorState state);
  void give_anchor(const Anchor& anchor) noexcept;
  // Inside a DirtySection: a record that no slot leads to.
  void give_record(std::uint32_t location, std::uint8_t size_class) noexcept;
  // Inside a DirtySection: a registration of a name that was not shared becomes, with one store,
  // the first instance of one that is. `slot` is the instance's, `old` what stands at the name.
  void publish_shared(WriterIndex& index, layout::Word64* slot, const HashedName& instance,
                      std::uint32_t location, std::uint64_t id, const WriterIndex::Place& old,
                      const Anchor& anchor);
  // Inside a DirtySection: the name has one instance less; with its last one the anchor goes.
  void leave(WriterIndex& index, std::string_view key);

  // Makes the entry's list this life's: what an earlier life left on it is taken away first. To be
  // called before anything is looked up that add_cell is to be called for. How many went.
  std::uint64_t adopt_list(const layout::EntryLife& life);
  // Inside a DirtySection: takes away what is left on the list of an ended life; how many.
  std::uint64_t drain_list(std::uint32_t entry);
  // Takes away every record whose owner has ended; inside a DirtySection. How many.
  std::uint64_t sweep();
  // Inside a DirtySection, before anything says that there is no room: takes away the ended owners'
  // records and what the change log keeps. False where that came to nothing. What WriterIndex::find
  // has said before no longer counts.
  [[nodiscard]] bool make_room();
  // Builds an index without tombstones and without ended owners' records, larger where needed;
  // inside a DirtySection.
  [[nodiscard]] Status rebuild();

  [[nodiscard]] ChangeLog& log() noexcept { return log_; }

 private:
  [[nodiscard]] std::uint64_t next_stamp() noexcept;

  const Writer& writer_;
  const Segment& segment_;
  layout::Partition& partition_;
  std::uint32_t partition_index_;
  PartitionMemory memory_;
  ChangeLog log_;
};

}  // namespace shmreg::core
