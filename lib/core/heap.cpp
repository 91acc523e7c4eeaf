#include "core/heap.hpp"

#include <algorithm>

namespace shmreg::core {
namespace {

constexpr std::uint64_t kExtentBytes = std::uint64_t{1} << 20;

Status segment_is_full(const Segment& segment) {
  return {Errc::segment_full, "the segment is full: its limit of " +
                                  std::to_string(segment.geometry().bytes_limit) +
                                  " bytes is used up; create it anew with a larger --max-size"};
}

// Moves the watermark to at least `end`.
Status claim_up_to(const Segment& segment, std::uint64_t end) {
  const layout::Geometry& geometry = segment.geometry();
  auto& watermark = segment.header().claimed_end;
  for (;;) {
    std::uint64_t claimed = watermark.load(std::memory_order_acquire);
    if (claimed >= end) return {};
    if (claimed < geometry.heap_offset()) return Status(Errc::corrupt);
    std::uint64_t target = std::min(geometry.bytes_limit, claimed + kExtentBytes);
    if (target <= claimed) return segment_is_full(segment);
    const std::uint64_t map_begin = geometry.run_map_end(claimed);
    const std::uint64_t map_end = geometry.run_map_end(target);
    if (map_end > map_begin) {
      if (Status map = segment.file().claim(map_begin, map_end - map_begin); !map) return map;
    }
    if (Status heap = segment.file().claim(claimed, target - claimed); !heap) {
      // Less than an extent may be left, and less be enough.
      const std::uint64_t least = layout::Geometry::round_up(end);
      if (heap.code() != Errc::no_space || least >= target) return heap;
      if (Status rest = segment.file().claim(claimed, least - claimed); !rest) return rest;
      target = least;
    }
    // Lost: another process claimed the same extent at the same time and counted it.
    watermark.compare_exchange_strong(claimed, target, std::memory_order_acq_rel);
  }
}

}  // namespace

Result<std::uint64_t> take_run(const Segment& segment, const layout::Run& run) {
  auto& top = segment.header().heap_top;
  const layout::Geometry& geometry = segment.geometry();
  // Each pass takes a run, or learns of one that another has taken: there are only so many.
  for (std::uint64_t pass = 0; pass <= geometry.granules_limit(); ++pass) {
    std::uint64_t granule = top.load(std::memory_order_acquire);
    const std::uint64_t end = (granule + run.granules) * layout::kGranuleBytes;
    if (granule < geometry.heap_offset() / layout::kGranuleBytes ||
        granule > geometry.granules_limit()) {
      return Status(Errc::corrupt, "the heap's top lies outside of the segment");
    }
    if (end > geometry.bytes_limit) return segment_is_full(segment);
    if (Status room = claim_up_to(segment, end); !room) return room;
    if (!segment.open_up_to(end)) return Status(Errc::no_space, "cannot open claimed memory");
    layout::Word32* word = segment.run_word(granule);
    if (word == nullptr) return Status(Errc::corrupt);
    std::uint32_t taken = 0;
    if (word->compare_exchange_strong(taken, run.word(), std::memory_order_acq_rel)) {
      // Whoever came by in between may have advanced it for us: then `seen`, not what we took,
      // changes.
      std::uint64_t seen = granule;
      top.compare_exchange_strong(seen, granule + run.granules, std::memory_order_acq_rel);
      return granule;
    }
    // Taken by somebody who has not advanced the top, perhaps never will.
    const std::uint32_t length = layout::Run::of(taken).granules;
    if (length == 0) return Status(Errc::corrupt, "the run map holds a run without length");
    top.compare_exchange_strong(granule, granule + length, std::memory_order_acq_rel);
  }
  return Status(Errc::corrupt, "the run map leads nowhere");
}

}  // namespace shmreg::core
