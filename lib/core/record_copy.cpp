#include "core/record_copy.hpp"

#include <algorithm>

namespace shmreg::core {

bool RecordCopy::read(const Segment& segment, std::uint32_t location) {
  view_.reset();
  words_ = segment.record(location, layout::kRecordHeaderBytes);
  if (words_ == nullptr) return false;
  copy_words(inline_.data(), words_, layout::kHeaderWords);
  const std::size_t bytes =
      layout::record_bytes_of(inline_.at(layout::kLengthsWord), inline_.at(layout::kKindWord));
  if (bytes > layout::kMaxRecordBytes || segment.record(location, bytes) == nullptr) return false;
  const std::size_t count = (bytes + 7) / 8;
  std::uint64_t* to = inline_.data();
  if (count > inline_.size()) {
    heap_.resize(count);
    std::copy_n(inline_.data(), layout::kHeaderWords, heap_.data());
    to = heap_.data();
  }
  copy_words(to + layout::kHeaderWords, words_ + layout::kHeaderWords,
             count - layout::kHeaderWords);
  bytes_ = {reinterpret_cast<const unsigned char*>(to), bytes};
  view_ = RecordView::of(bytes_);
  return view_.has_value();
}

std::optional<CellState> read_cell(const Segment& segment, std::uint32_t index,
                                   std::uint64_t id) noexcept {
  const layout::HealthCell* cell = segment.cell(index);
  if (cell == nullptr || cell->id.load(std::memory_order_acquire) != id) return std::nullopt;
  CellState state;
  state.deadline_ns = cell->deadline_ns.load(std::memory_order_acquire);
  const std::uint32_t health = cell->health.load(std::memory_order_acquire);
  if (cell->id.load(std::memory_order_relaxed) != id) return std::nullopt;
  if (health <= static_cast<std::uint32_t>(Health::maintenance)) {
    state.health = static_cast<Health>(health);
  }
  return state;
}

RecordOwner owner_of(const Segment& segment, const RecordView& record) {
  RecordOwner owner;
  owner.kind = static_cast<OwnerKind>(record.header().owner_kind);
  owner.life = record.owner_life();
  if (owner.kind == OwnerKind::pid) owner.process = record.owner_process();
  if (owner.kind == OwnerKind::ttl) {
    if (const auto cell = read_cell(segment, record.header().cell, record.header().id)) {
      owner.deadline_ns = cell->deadline_ns;
    }
  }
  return owner;
}

}  // namespace shmreg::core
