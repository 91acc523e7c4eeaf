// The segment's memory is handed out in runs of granules, for good: a run belongs to one partition
// and one use for the segment's life, so that whoever dies, the memory has an owner that finds it.
//
// Lock-free and safe against death at any instruction:
//   - room is claimed from the file system before the watermark says so, and claiming it twice does
//     no harm (fallocate is idempotent), so racers repeat each other's work and one CAS counts;
//   - a run is taken by one CAS on the run map's word at the top; the top is a hint that anybody
//     advances past what the map says is taken.
#pragma once

#include <cstdint>

#include "core/segment.hpp"

namespace shmreg::core {

// Returns the first granule. segment_full or no_space where there is no room; nothing then changed
// but perhaps the claimed watermark.
[[nodiscard]] Result<std::uint64_t> take_run(const Segment& segment, const layout::Run& run);

}  // namespace shmreg::core
