// Shared names, the reader's side: one of a name's instances, or all of them, without a lock.
// (layout/record.hpp: AnchorState; the writer's side: name_work.hpp.)
//
// Each instance is read and judged as any service is. That none was found counts only if nothing
// was changed in the partition while they were gone through, one change at most being under way the
// whole time: else an instance registered behind the reader's back and one unregistered in front of
// it would make a name that always had one look as if it had none. Going through is repeated until
// that is so, a bounded number of times: then `busy`.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/liveness.hpp"
#include "core/segment.hpp"
#include "shmreg/error.hpp"
#include "shmreg/service.hpp"

namespace shmreg::core {

// As lookup(), of a name where an anchor was met: its best instance by health, going round among
// those that are as good.
[[nodiscard]] Errc lookup_instance(const Segment& segment, PidWatch& watch, std::string_view key,
                                   std::uint64_t hash, Service& found);

// Appends every live instance of the name at which the anchor was met, each that is registered
// throughout; none where the anchor has gone meanwhile. Each place where one may be counts as a
// look: corrupt, with looks_left below 0, where the anchor speaks of more than there are left.
[[nodiscard]] Errc read_instances(const Segment& segment, PidWatch& watch, const Service& anchor,
                                  std::vector<Service>& services, std::int64_t& looks_left);

// Appends every live registration of the name: its instances, or the one.
[[nodiscard]] Errc lookup_all(const Segment& segment, PidWatch& watch, std::string_view key,
                              std::vector<Service>& services);

}  // namespace shmreg::core
