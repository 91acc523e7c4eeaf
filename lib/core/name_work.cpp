#include "core/name_work.hpp"

#include <string>

namespace shmreg::core {

using layout::AnchorState;
using layout::HealthCell;

Status NameWork::open(PartitionLock::Wait wait) {
  if (Status locked = lock_.acquire(segment_.partition_of(name_.hash), wait); !locked) {
    return locked;
  }
  work_.emplace(writer_, lock_);
  index_.emplace(segment_, lock_.partition());
  return check_index();
}

Status NameWork::check_index() const {
  if (index_->valid()) return {};
  return {Errc::corrupt,
          "an index descriptor leads outside of the segment; regctl doctor tells more"};
}

bool NameWork::look(std::uint16_t ordinal, Found& found) {
  found.name = name_.instance(ordinal);
  found.place = index_->find(found.name, found.record);
  return found.there() && !is_anchor(found.record.view());
}

HealthCell* NameWork::anchor_cell() {
  RecordCopy record;
  const WriterIndex::Place place = index_->find(name_, record);
  if (place.slot == nullptr || !is_anchor(record.view())) return nullptr;
  return segment_.cell(record.view().header().cell);
}

bool NameWork::shared() { return anchor_cell() != nullptr; }

std::uint32_t NameWork::last_ordinal() {
  const HealthCell* cell = anchor_cell();
  return cell != nullptr ? AnchorState::of(cell->deadline_ns.load(std::memory_order_relaxed)).last
                         : 0;
}

bool NameWork::find(std::optional<std::uint64_t> id, Found& found) {
  if (!shared()) return look(0, found);
  std::optional<std::uint16_t> chosen;
  std::uint32_t alive = 0;
  bool certain = false;
  for_each([&](Found& each) {
    const layout::RecordHeader& header = each.record.view().header();
    if (id) {
      certain = header.id == *id;
    } else if (each.record.stamp() != 0 && work_->alive(each.record.view()) != Alive::no) {
      ++alive;
      certain = work_->is_own(each.record.view());
      if (!certain && alive > 1) chosen.reset();
      if (!certain && alive == 1) chosen = header.ordinal;
    }
    if (certain) chosen = header.ordinal;
    return !certain;
  });
  found.place = {};
  return chosen && look(*chosen, found);
}

bool NameWork::find_live(std::optional<std::uint64_t> id, Found& found) {
  return find(id, found) && found.record.stamp() != 0 &&
         work_->alive(found.record.view()) != Alive::no;
}

Status NameWork::make_place(std::uint16_t ordinal, Found& found) {
  (void)look(ordinal, found);
  if (found.there() || (found.place.free != nullptr && !index_->wants_rebuild())) return {};
  const Status rebuilt = work_->rebuild();
  index_.emplace(segment_, lock_.partition());
  // The file may have been truncated meanwhile.
  if (Status there = check_index(); !there) return there;
  (void)look(ordinal, found);
  // Without a larger index there may still be a free slot in this one.
  if (found.there() || found.place.free != nullptr) return {};
  if (!rebuilt) return rebuilt;
  return {Errc::corrupt, "an index holds more than its partition counts; regctl doctor tells more"};
}

void NameWork::note_health() {
  if (HealthCell* cell = anchor_cell()) {
    cell->health.store(static_cast<std::uint32_t>(Health::starting), std::memory_order_release);
  }
}

Result<std::uint16_t> NameWork::join(std::optional<std::uint16_t> at) {
  Found found;
  if (!shared()) {
    if (Status place = make_place(0, found); !place) return place;
    const Result<PartitionWork::Anchor> anchor = work_->compose_anchor(name_, {});
    if (!anchor) return anchor.status();
    // No change of the table: nothing is registered by it.
    index_->fill(found.place.free,
                 layout::make_slot(name_.place, name_.namespace_tag, anchor->location));
  }
  HealthCell* cell = anchor_cell();
  if (cell == nullptr) return Status(Errc::corrupt);
  AnchorState state = AnchorState::of(cell->deadline_ns.load(std::memory_order_relaxed));
  std::uint32_t ordinal = at.value_or(1);
  if (!at) {
    // The next one, without looking, until half of them are free.
    const bool dense = state.last < layout::kMaxInstances && state.last / 2 < state.count + 4;
    if (dense) ordinal = state.last + 1U;
    while (ordinal <= state.last && look(static_cast<std::uint16_t>(ordinal), found)) ++ordinal;
    if (ordinal > layout::kMaxInstances) {
      return Status(Errc::segment_full, "'" + std::string(name_.key) + "' has " +
                                            std::to_string(layout::kMaxInstances) +
                                            " instances, which is as many as can");
    }
  }
  ++state.count;
  cell->deadline_ns.store(state.word(), std::memory_order_release);
  return static_cast<std::uint16_t>(ordinal);
}

void NameWork::reach(std::uint16_t ordinal) {
  HealthCell* cell = anchor_cell();
  if (cell == nullptr) return;
  AnchorState state = AnchorState::of(cell->deadline_ns.load(std::memory_order_relaxed));
  if (state.last >= ordinal) return;
  state.last = ordinal;
  cell->deadline_ns.store(state.word(), std::memory_order_release);
}

}  // namespace shmreg::core
