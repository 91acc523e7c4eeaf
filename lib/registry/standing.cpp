#include "registry/standing.hpp"

#include <algorithm>
#include <vector>

#include "core/index.hpp"
#include "core/instances.hpp"
#include "core/lookup.hpp"
#include "core/service_access.hpp"

namespace shmreg {

bool stands(core::Attachment& attachment, const std::string& full_name, std::uint64_t id) {
  const core::Segment& segment = attachment.segment();
  if (attachment.segment_lost()) return false;
  Service found;
  std::vector<Service> instances;
  Errc outcome = core::lookup_at(segment, attachment.watch(), full_name,
                                 core::hash_key(full_name, segment.hash_seed()), 0, found);
  if (outcome == Errc::ok && core::is_anchor(found)) {
    outcome = core::lookup_all(segment, attachment.watch(), full_name, instances);
    const auto same = [&](const Service& each) { return each.id() == id; };
    if (outcome == Errc::ok) return std::any_of(instances.begin(), instances.end(), same);
  }
  if (!segment.whole()) return false;
  if (outcome == Errc::ok) return found.id() == id;
  return outcome == Errc::busy;
}

}  // namespace shmreg
