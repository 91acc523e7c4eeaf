#include "core/list_scout.hpp"

#include "core/record_copy.hpp"

namespace shmreg::core {

using layout::Word64;

ListScout::ListScout(const Segment& segment, const WriterIndex& index, std::uint32_t head) noexcept
    : segment_(segment), index_(index), cell_(index.valid() ? head : 0) {
  for (std::size_t i = 0; i < 2 * kStride; ++i) advance();
}

void ListScout::advance() noexcept {
  const std::uint32_t arrived = locations_.at(next_);
  if (arrived != 0) ask_for_slot(arrived);
  ask_for_record();
  next_ = (next_ + 1) % kStride;
}

void ListScout::ask_for_record() noexcept {
  locations_.at(next_) = 0;
  const layout::HealthCell* cell = cell_ != 0 ? segment_.cell(cell_) : nullptr;
  if (cell == nullptr) return;
  const std::uint32_t location = cell->location.load(std::memory_order_relaxed);
  cell_ = cell->next.load(std::memory_order_relaxed);
  const Word64* const words = segment_.record(location, layout::kRecordHeaderBytes);
  if (words == nullptr) return;
  __builtin_prefetch(words, 1);
  __builtin_prefetch(words + layout::kHeaderWords);
  locations_.at(next_) = location;
}

void ListScout::ask_for_slot(std::uint32_t location) const noexcept {
  const Word64* const words = segment_.record(location, layout::kRecordHeaderBytes);
  if (words == nullptr) return;
  const std::uint64_t kind = words[layout::kKindWord].load(std::memory_order_relaxed);
  const std::size_t key_bytes = layout::key_bytes_of(kind);
  if (key_bytes > layout::kMaxKeyBytes ||
      segment_.record(location, layout::kRecordHeaderBytes + key_bytes) == nullptr) {
    return;
  }
  std::array<std::uint64_t, (layout::kMaxKeyBytes + 7) / 8> key;  // NOLINT(*-member-init)
  copy_words(key.data(), words + layout::kHeaderWords, (key_bytes + 7) / 8);
  const std::uint64_t hash =
      hash_key({reinterpret_cast<const char*>(key.data()), key_bytes}, segment_.hash_seed());
  const std::uint64_t place = layout::instance_hash(hash, layout::ordinal_of(kind));
  const std::uint64_t bucket = home_bucket(place, index_.descriptor().log2_slots);
  __builtin_prefetch(index_.slots() + bucket * layout::kBucketSlots, 1);
}

}  // namespace shmreg::core
