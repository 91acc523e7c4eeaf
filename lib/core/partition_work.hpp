// The steps that every change of a partition is made of: compose, publish, remove, the owner's
// list, rebuild. Under the partition's lock; where it says so, inside a DirtySection.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/index.hpp"
#include "core/partition_lock.hpp"
#include "core/partition_memory.hpp"
#include "core/record_copy.hpp"

namespace shmreg::core {

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
        memory_(segment_, lock.index()) {}

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
  void publish(WriterIndex& index, layout::Word64* slot, const HashedName& name,
               std::uint32_t location);
  // Inside a DirtySection: retires the record, clears its slot, gives back what it held.
  void remove(WriterIndex& index, layout::Word64* slot, const RecordCopy& record,
              std::uint32_t location);
  // The same for a record that no slot leads to any more.
  void give_back(const RecordCopy& record, std::uint32_t location, bool with_cell);

  // Inside a DirtySection. A fresh health cell in its owner's list.
  [[nodiscard]] Result<std::uint32_t> add_cell(std::uint64_t id, std::uint64_t deadline_ns,
                                               const std::optional<layout::EntryLife>& life);
  void set_cell_location(std::uint32_t cell, std::uint32_t location) noexcept;
  void give_cell(std::uint32_t cell, const std::optional<layout::EntryLife>& life) noexcept;

  // Makes the entry's list this life's: what an earlier life left on it is taken away first. To be
  // called before anything is looked up that add_cell is to be called for. How many went.
  std::uint64_t adopt_list(const layout::EntryLife& life);
  // Takes away every record whose owner has ended; inside a DirtySection. How many.
  std::uint64_t sweep();
  // Builds an index without tombstones and without ended owners' records, larger where needed;
  // inside a DirtySection.
  [[nodiscard]] Status rebuild();

  [[nodiscard]] std::uint64_t next_stamp() noexcept { return next(partition_.stamp_counter); }
  [[nodiscard]] std::uint64_t next_change() noexcept { return next(partition_.change_counter); }

 private:
  std::uint64_t drain_list(std::uint32_t entry);
  [[nodiscard]] std::uint64_t next(layout::Word64& counter) noexcept;

  const Writer& writer_;
  const Segment& segment_;
  layout::Partition& partition_;
  std::uint32_t partition_index_;
  PartitionMemory memory_;
};

}  // namespace shmreg::core
