// One name, under its partition's lock: what stands under it, which is nothing, one registration,
// or an anchor and its instances (layout/record.hpp). What operations on a service have in common.
#pragma once

#include <cstdint>
#include <optional>

#include "core/index.hpp"
#include "core/partition_lock.hpp"
#include "core/partition_work.hpp"

namespace shmreg::core {

class NameWork {
 public:
  NameWork(const Writer& writer, const HashedName& name)
      : writer_(writer), segment_(*writer.segment), name_(name), lock_(writer) {}

  // Takes the lock. timed_out, corrupt, as PartitionLock::acquire.
  [[nodiscard]] Status open(PartitionLock::Wait wait = PartitionLock::Wait::yes);
  // After open().
  [[nodiscard]] PartitionWork& work() noexcept { return *work_; }
  [[nodiscard]] WriterIndex& index() noexcept { return *index_; }
  [[nodiscard]] layout::Partition& partition() const noexcept { return lock_.partition(); }

  // One registration and where it is. Valid until the partition is changed.
  struct Found {
    HashedName name;
    WriterIndex::Place place;
    RecordCopy record;
    [[nodiscard]] bool there() const noexcept { return place.slot != nullptr; }
  };

  // Whether anything stands there. An anchor counts as nothing.
  [[nodiscard]] bool look(std::uint16_t ordinal, Found& found);
  // Whether an anchor stands at the name.
  [[nodiscard]] bool shared();
  // The registration of that id; of a name that is not shared the one there is, whatever its id;
  // without an id, of a shared name, this writer's own instance, or the only one.
  [[nodiscard]] bool find(std::optional<std::uint64_t> id, Found& found);
  // The same, and that is registered and its owner alive.
  [[nodiscard]] bool find_live(std::optional<std::uint64_t> id, Found& found);
  // Calls visit(Found&) for each registration under the name, the ended ones too, until it returns
  // false. visit may take away what it is given.
  template <class Visit>
  void for_each(Visit visit) {
    Found found;
    const std::uint32_t last = last_ordinal();
    for (std::uint32_t ordinal = last == 0 ? 0 : 1; ordinal <= last; ++ordinal) {
      if (look(static_cast<std::uint16_t>(ordinal), found) && !visit(found)) return;
    }
  }

  // Inside a DirtySection. Where the name, or one of its instances, can be put; makes the index
  // larger where it must. `found` holds what stands there.
  [[nodiscard]] Status make_place(std::uint16_t ordinal, Found& found);
  // Inside a DirtySection: that ordinal, or one that is free, counted as one instance more; with an
  // anchor made where there is none. To be given back with PartitionWork::leave() if it comes to
  // none more. The anchor stays meanwhile, whatever else ends.
  [[nodiscard]] Result<std::uint16_t> join(std::optional<std::uint16_t> at);
  // Inside a DirtySection, before an instance is published: readers look as far as its ordinal.
  void reach(std::uint16_t ordinal);
  // Inside a DirtySection, before an instance's health is set: from now on readers look for one
  // that is passing.
  void note_health();

 private:
  [[nodiscard]] Status check_index() const;
  [[nodiscard]] layout::HealthCell* anchor_cell();
  // 0 where the name is not shared.
  [[nodiscard]] std::uint32_t last_ordinal();

  const Writer& writer_;
  const Segment& segment_;
  HashedName name_;
  PartitionLock lock_;
  std::optional<PartitionWork> work_;
  std::optional<WriterIndex> index_;
};

}  // namespace shmreg::core
