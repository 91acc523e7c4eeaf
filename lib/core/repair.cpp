#include "core/repair.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/change_log.hpp"
#include "core/index.hpp"
#include "core/partition_memory.hpp"
#include "core/planted_fault.hpp"
#include "core/record_copy.hpp"
#include "core/run_walk.hpp"

namespace shmreg::core {
namespace {

using layout::HealthCell;
using layout::OwnerList;
using layout::Word32;
using layout::Word64;

class Repair {
 public:
  Repair(const Segment& segment, std::uint32_t index)
      : segment_(segment),
        partition_(segment.partition(index)),
        index_(index),
        memory_(segment, index),
        log_(segment, index, memory_) {}

  // Modelled in tests/model/lookup.pml and lock.pml: repair.
  Status run() {
    const WriterIndex slots(segment_, partition_);
    if (!slots.valid()) {
      return {Errc::corrupt, "partition " + std::to_string(index_) +
                                 ": the index descriptor leads outside of the segment"};
    }
    do {
      reset();
      for (std::uint64_t i = 0; i < slots.slot_count(); ++i) keep_or_clear(slots, slots.slots()[i]);
    } while (drop_lonely());
    settle_change();
    keep_what_the_log_keeps();
    give_back_the_rest(slots.descriptor());
    partition_.services.store(services_, std::memory_order_release);
    partition_.tombstones.store(tombstones_, std::memory_order_release);
    partition_.dirty.store(0, std::memory_order_release);
    return {};
  }

 private:
  void reset() {
    reachable_.clear();
    cells_.clear();
    names_.clear();
    services_ = 0;
    tombstones_ = 0;
    for (auto& list : partition_.free_records) list.store(0, std::memory_order_release);
    for (auto& list : partition_.free_indices) list.store(0, std::memory_order_release);
    partition_.free_cells.store(0, std::memory_order_release);
    for (std::uint32_t e = 0; e < segment_.geometry().max_processes; ++e) {
      OwnerList& list = segment_.owner_list(e, index_);
      if (list.head.load(std::memory_order_relaxed) == 0 &&
          list.count.load(std::memory_order_relaxed) == 0) {
        continue;
      }
      list.head.store(0, std::memory_order_release);
      list.count.store(0, std::memory_order_release);
    }
  }

  void keep_or_clear(const WriterIndex& slots, Word64& slot) {
    const std::uint64_t value = slot.load(std::memory_order_relaxed);
    const std::uint32_t location = layout::location_of_slot(value);
    if (location == 0) {
      tombstones_ += value != layout::kEmptySlot ? 1 : 0;
      return;
    }
    RecordCopy record;
    if (!sensible(value, location, record) || !found_by_probing(slots, slot, record)) {
      slot.store(layout::kTombstone, std::memory_order_release);
      ++tombstones_;
      return;
    }
    ++services_;
    reachable_.insert(location);
    cells_.insert(record.view().header().cell);
    adopt_cell(record, location);
    note_sharing(slot, record);
  }

  // An anchor, or an instance, for what the anchor is to say.
  void note_sharing(Word64& slot, const RecordCopy& record) {
    const layout::RecordHeader& header = record.view().header();
    if (is_anchor(record.view())) {
      SharedName& name = names_[std::string(record.view().key())];
      name.anchor = &slot;
      name.cell = segment_.cell(header.cell);
    } else if (header.ordinal != 0) {
      SharedName& name = names_[std::string(record.view().key())];
      name.instances.push_back(&slot);
      name.state.last = std::max(name.state.last, header.ordinal);
      ++name.state.count;
      name.has_health = name.has_health || segment_.cell(header.cell)->health.load() != 0;
    }
  }

  // What each anchor says is set anew. Anchors without an instance, and (which only a stray write
  // can have brought about) instances without an anchor, which no lookup finds, go. Whether any
  // did.
  bool drop_lonely() {
    bool any = false;
    for (auto& [key, name] : names_) {
      if (name.anchor == nullptr || name.state.count == 0) {
        any = true;
        if (name.anchor != nullptr) name.instances.push_back(name.anchor);
        for (Word64* slot : name.instances) slot->store(layout::kTombstone);
        continue;
      }
      name.cell->deadline_ns.store(name.state.word(), std::memory_order_release);
      name.cell->health.store(
          static_cast<std::uint32_t>(name.has_health ? Health::starting : Health::unknown),
          std::memory_order_release);
    }
    return any;
  }

  // A slot counts if it leads to a record of this partition, alive by its stamp, whose key belongs
  // to the slot, with a health cell of this partition, and no other slot leads to either.
  [[nodiscard]] bool sensible(std::uint64_t value, std::uint32_t location, RecordCopy& record) {
    if (!record.read(segment_, location) || record.stamp() == 0) return false;
    if (!is_record_of(segment_, index_, location, record.view().header().size_class)) return false;
    const std::uint64_t place = place_of(record.view(), segment_.hash_seed());
    const std::uint32_t cell = record.view().header().cell;
    if (is_anchor(record.view()) && record.view().header().ordinal != 0) return false;
    return segment_.partition_of(place) == index_ &&
           layout::hash_of_slot(value) == layout::slot_hash(place) &&
           !reachable_.contains(location) && is_cell_of(segment_, index_, cell) &&
           !cells_.contains(cell);
  }

  // What no lookup comes to is not there for lists and counts either. (Only a stray write can have
  // brought it about; of two slots with one name this keeps the one that lookups find.)
  [[nodiscard]] bool found_by_probing(const WriterIndex& slots, const Word64& slot,
                                      const RecordCopy& record) const {
    const HashedName name = hashed(record.view().key(), segment_.hash_seed());
    RecordCopy met;
    return slots.find(name.instance(record.view().header().ordinal), met).slot == &slot;
  }

  void adopt_cell(const RecordCopy& record, std::uint32_t location) {
    const layout::RecordHeader& header = record.view().header();
    HealthCell* cell = segment_.cell(header.cell);
    cell->id.store(header.id, std::memory_order_release);
    cell->location.store(location, std::memory_order_release);
    cell->prev.store(0, std::memory_order_release);
    cell->next.store(0, std::memory_order_release);
    const auto life = record.view().owner_life();
    if (!life || life->entry >= segment_.geometry().max_processes) return;
    OwnerList& list = segment_.owner_list(life->entry, index_);
    const std::uint32_t head = list.head.load(std::memory_order_relaxed);
    // An earlier life's beside a later one's cannot be: a list is drained before it changes hands.
    // If it is found all the same, the record stays off the list and goes by its owner's mark.
    if (head == 0) {
      list.generation.store(life->generation, std::memory_order_release);
    } else if (list.generation.load(std::memory_order_relaxed) != life->generation) {
      return;
    }
    cell->next.store(head, std::memory_order_release);
    if (HealthCell* first = head != 0 ? segment_.cell(head) : nullptr) {
      first->prev.store(header.cell, std::memory_order_release);
    }
    list.head.store(header.cell, std::memory_order_release);
    list.count.store(list.count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // The change that was begun last, if it was not committed: it was made if what it is about is, or
  // for a removal is no longer, where a slot leads.
  void settle_change() {
    log_.drop_what_is_no_log();
    const auto change = log_.pending();
    if (!change) return;
    const bool in_place = reachable_.contains(change->records.record);
    switch (change->kind) {
      case layout::ChangeKind::registered:
      case layout::ChangeKind::updated:
      case layout::ChangeKind::health:
        return log_.settle(in_place);
      case layout::ChangeKind::unregistered:
      case layout::ChangeKind::died:
      case layout::ChangeKind::expired:
        return log_.settle(!in_place);
      case layout::ChangeKind::none:
        return log_.settle(false);
    }
  }

  void keep_what_the_log_keeps() {
    std::uint64_t bytes = 0;
    log_.for_each_held([&](std::uint64_t count, std::uint32_t location) {
      Word64* words = segment_.record(location, layout::kRecordHeaderBytes);
      const std::size_t size_class =
          words != nullptr ? layout::size_class_of(words[layout::kKindWord].load()) : 0;
      if (words == nullptr || reachable_.contains(location) || held_.contains(location) ||
          !is_record_of(segment_, index_, location, static_cast<std::uint32_t>(size_class))) {
        log_.release(count);
        return;
      }
      words[layout::kStampWord].store(0, std::memory_order_release);
      bytes += layout::kSizeClasses.at(size_class).record_bytes;
      held_.insert(location);
    });
    log_.set_held_bytes(bytes);
  }

  void give_back_the_rest(const layout::IndexDescriptor& in_use) {
    for_each_run(segment_, [&](std::uint64_t granule, const layout::Run& run) {
      if (run.partition != index_) return;
      const std::uint64_t begin = granule * layout::kGranuleBytes;
      const std::uint64_t bytes = run.granules * layout::kGranuleBytes;
      if (run.kind == layout::RunKind::records && run.size_class < layout::kSizeClasses.size()) {
        const std::uint64_t stride = layout::kSizeClasses.at(run.size_class).record_bytes;
        for (std::uint64_t at = 0; at + stride <= bytes; at += stride) {
          const auto location = static_cast<std::uint32_t>((begin + at) / layout::kUnitBytes);
          if (planted(Fault::repair_forgets_records)) continue;
          if (reachable_.contains(location) || held_.contains(location)) continue;
          memory_.give_record(location, run.size_class);
        }
      } else if (run.kind == layout::RunKind::cells) {
        for (std::uint64_t at = 0; at < bytes; at += layout::kCellBytes) {
          const auto cell = static_cast<std::uint32_t>((begin + at) / layout::kCellBytes);
          if (!cells_.contains(cell)) memory_.give_cell(cell);
        }
      } else if (run.kind == layout::RunKind::index && granule != in_use.first_granule &&
                 run.size_class + layout::kMinLog2Slots <= layout::kMaxLog2Slots) {
        memory_.give_index({granule, run.size_class + layout::kMinLog2Slots});
      }
    });
  }

  struct SharedName {
    Word64* anchor = nullptr;
    HealthCell* cell = nullptr;  // the anchor's
    std::vector<Word64*> instances;
    layout::AnchorState state;
    bool has_health = false;
  };

  const Segment& segment_;
  layout::Partition& partition_;
  std::uint32_t index_;
  PartitionMemory memory_;
  ChangeLog log_;
  std::unordered_map<std::string, SharedName> names_;
  std::unordered_set<std::uint32_t> reachable_;
  std::unordered_set<std::uint32_t> held_;  // by the change log
  std::unordered_set<std::uint32_t> cells_;
  std::uint32_t services_ = 0;
  std::uint32_t tombstones_ = 0;
};

}  // namespace

Status repair_partition(const Writer& writer, std::uint32_t partition) {
  return Repair(*writer.segment, partition).run();
}

}  // namespace shmreg::core
