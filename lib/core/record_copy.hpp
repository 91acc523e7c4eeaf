// Reading a record out of the segment: word by word into one's own memory, acquiring each word
// (writers release each), so that no fence is needed and ThreadSanitizer can follow.
//
// What makes a copy true: the stamp was the same, and not 0, before the first word and after the
// last. Stamps are unique per write, and a writer clears the stamp before it touches another word.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/record_image.hpp"
#include "core/segment.hpp"
#include "core/vector_reads.hpp"

namespace shmreg::core {

// The reference, which ThreadSanitizer and aarch64 run, is word by word. On x86-64 two words go at
// once. Sound there because an aligned 16-byte load reads each 8-byte half in one piece, loads are
// not reordered with loads by the processor, nor, across the signal fences, by the compiler; and
// what was copied counts only if the stamp, loaded before and after, is the same.
inline void copy_words(std::uint64_t* to, const layout::Word64* from, std::size_t words) noexcept {
#if defined(SHMREG_VECTOR_READS)
  std::atomic_signal_fence(std::memory_order_acquire);
  std::size_t i = 0;
  for (; i + 2 <= words; i += 2) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm_load_si128(reinterpret_cast<const __m128i*>(from + i)));
  }
  if (i < words) to[i] = from[i].load(std::memory_order_acquire);
  std::atomic_signal_fence(std::memory_order_acquire);
#else
  for (std::size_t i = 0; i < words; ++i) to[i] = from[i].load(std::memory_order_acquire);
#endif
}

// The same for a number of words that is known: without a loop.
template <std::size_t kWords>
inline void copy_words(std::uint64_t* to, const layout::Word64* from) noexcept {
#if defined(SHMREG_VECTOR_READS)
  static_assert(kWords % 2 == 0);
  const auto copy_pair = [&](std::size_t i) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm_load_si128(reinterpret_cast<const __m128i*>(from + i)));
  };
  std::atomic_signal_fence(std::memory_order_acquire);
  [&]<std::size_t... kPairs>(std::index_sequence<kPairs...> /*pairs*/) {
    (copy_pair(2 * kPairs), ...);
  }
  (std::make_index_sequence<kWords / 2>{});
  std::atomic_signal_fence(std::memory_order_acquire);
#else
  copy_words(to, from, kWords);
#endif
}

// A whole record in one's own memory.
class RecordCopy {
 public:
  // Under the partition's lock, or where the caller checks the stamp itself. False where the
  // location leads outside of the segment or the lengths contradict each other.
  [[nodiscard]] bool read(const Segment& segment, std::uint32_t location);

  [[nodiscard]] const RecordView& view() const noexcept { return *view_; }
  [[nodiscard]] layout::Word64* words() const noexcept { return words_; }
  [[nodiscard]] std::uint64_t stamp() const noexcept { return view_->header().stamp; }
  [[nodiscard]] std::span<const unsigned char> bytes() const noexcept { return bytes_; }

 private:
  std::array<std::uint64_t, 48> inline_{};
  std::vector<std::uint64_t> heap_;
  std::span<const unsigned char> bytes_;
  layout::Word64* words_ = nullptr;
  std::optional<RecordView> view_;
};

// A health cell's fields, if it is still that registration's.
struct CellState {
  std::uint64_t deadline_ns = 0;
  Health health = Health::unknown;
};
[[nodiscard]] std::optional<CellState> read_cell(const Segment& segment, std::uint32_t cell,
                                                 std::uint64_t id) noexcept;

// Who owns the record, and until when.
[[nodiscard]] RecordOwner owner_of(const Segment& segment, const RecordView& record);

}  // namespace shmreg::core
