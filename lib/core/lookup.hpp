// The reader's side: find one, without a lock. (Lists: listing.hpp.)
//
// What makes an answer true (each check was added because leaving it out gave wrong answers):
//   - a record's bytes count only if its stamp, unique per write, was the same before and after,
//     and the slot still led there;
//   - the same holds for a key that does NOT match: a record may have been reused while it was
//     compared, and the name that was looked for may be in it now;
//   - a miss counts only if neither descriptor nor rebuild count of the index has moved;
//   - "its owner is dead" counts only if the record was still in place after the mark was read;
//   - a stamp of 0 under an unchanged slot is a record just retired: not found, never "busy".
// Retries are bounded: then `busy`.
#pragma once

#include <string_view>

#include "core/liveness.hpp"
#include "core/segment.hpp"
#include "shmreg/error.hpp"
#include "shmreg/service.hpp"

namespace shmreg::core {

// ok, not_found, busy, corrupt; segment_retired where a miss is of a destroyed segment. `key` is
// "namespace/name".
[[nodiscard]] Errc lookup(const Segment& segment, PidWatch& watch, std::string_view key,
                          Service& found);

// What stands at the name itself, be it an anchor, or at one of its instances' ordinals. `hash` is
// the key's.
[[nodiscard]] Errc lookup_at(const Segment& segment, PidWatch& watch, std::string_view key,
                             std::uint64_t hash, std::uint16_t ordinal, Service& found);

// Where the stamp of the service's record lies; null where that is no longer in place.
[[nodiscard]] const layout::Word64* stamp_of(const Segment& segment,
                                             const Service& service) noexcept;

}  // namespace shmreg::core
