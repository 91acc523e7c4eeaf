// What became of a name that cannot be found: the last change of it that the log still has.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/attachment.hpp"
#include "shmreg/watch.hpp"

namespace shmreg::core {

// True with the end of the last registration under the name, as far as the partition's change log
// reaches back; its owner's end where nobody has noted that yet. False where the log knows none, or
// where what it knows last is alive. With an id, of that registration alone, whoever has the name
// since.
[[nodiscard]] bool find_last_end(const Segment& segment, PidWatch& watch, std::string_view key,
                                 WatchEvent& end, std::optional<std::uint64_t> id = std::nullopt);

}  // namespace shmreg::core
