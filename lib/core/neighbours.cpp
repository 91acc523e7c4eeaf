#include "core/neighbours.hpp"

#include <climits>

#include "core/process_table.hpp"
#include "core/reclaim.hpp"

namespace shmreg::core {

using layout::EntryLife;
using layout::MarkState;

void Neighbours::announce() noexcept {
  const Segment& segment = *writer_.segment;
  const std::uint32_t entries = segment.geometry().max_processes;
  std::size_t told = 0;
  for (std::uint32_t back = 1; back < entries && told < kMost; ++back) {
    layout::ProcessEntry& entry = segment.entry((writer_.life.entry + entries - back) % entries);
    if (is_free(MarkState::of(entry.mark_and_generation.load(std::memory_order_acquire)))) continue;
    entry.attention.fetch_add(1, std::memory_order_release);
    sys::futex_wake(entry.attention, 1);
    ++told;
  }
}

bool Neighbours::has_ended(std::uint32_t index, std::uint64_t word) const noexcept {
  const MarkState state = MarkState::of(word);
  return state.generation != 0 && !entry_lives(*writer_.segment, {index, state.generation});
}

void Neighbours::look_after() {
  const Segment& segment = *writer_.segment;
  const std::uint32_t entries = segment.geometry().max_processes;
  // Who was waited for may have ended: the kernel has woken one of those who wait.
  for (const sys::AwaitedWord& word : words_) {
    if (word.word->load(std::memory_order_acquire) != word.expected) {
      sys::futex_wake(*word.word, INT_MAX);
    }
  }
  words_.clear();
  for (std::uint32_t next = 1; next < entries && words_.size() < kMost; ++next) {
    const std::uint32_t index = (writer_.life.entry + next) % entries;
    layout::ProcessEntry& entry = segment.entry(index);
    const std::uint64_t word = entry.mark_and_generation.load(std::memory_order_acquire);
    const MarkState state = MarkState::of(word);
    if (state.generation == 0) continue;
    if (!has_ended(index, word)) {
      words_.push_back({mark_word(entry), state.mark});
    } else if (entry.reclaimed.load(std::memory_order_acquire) != state.generation) {
      reclaim({index, state.generation});
    }
  }
}

void Neighbours::reclaim(const EntryLife& ended) {
  // What is not to be had now is tried again at the next slice.
  (void)core::reclaim(writer_, ended).ok();
}

}  // namespace shmreg::core
