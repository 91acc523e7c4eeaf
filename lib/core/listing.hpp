// The reader's side of lists: a whole partition's services, without a lock. The checks are those of
// lookup.hpp; each slot is read until it holds still.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/liveness.hpp"
#include "core/segment.hpp"
#include "shmreg/error.hpp"
#include "shmreg/service.hpp"

namespace shmreg::core {

// Appends the partition's live services, each once, of one namespace or of all. busy where the
// index was rebuilt again and again while it was read; corrupt; segment_retired.
[[nodiscard]] Errc read_partition(const Segment& segment, PidWatch& watch, std::uint32_t partition,
                                  std::optional<std::string_view> namespace_name,
                                  std::vector<Service>& services);

}  // namespace shmreg::core
