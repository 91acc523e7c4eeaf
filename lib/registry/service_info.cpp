#include "shmreg/service_info.hpp"

#include <utility>

#include "core/attachment.hpp"
#include "core/last_change.hpp"
#include "registry/names.hpp"
#include "registry/owner_process.hpp"
#include "shmreg/registry.hpp"
#include "sys/process.hpp"

namespace shmreg {
Result<ServiceInfo> Registry::service_info(std::string_view service) const {
  Result<Service> found = lookup(service);
  if (!found) return found.status();
  ServiceInfo info;
  info.service = std::move(found).value();
  auto owner = owner_process(attachment_->segment(), info.service);
  if (!owner) return info;
  info.program = std::move(owner->program);
  if (!owner->is_here()) return info;
  if (owner->identity.start_ticks != 0) {
    info.process_age_ns = sys::age_ns_of(owner->identity.start_ticks);
  }
  switch (sys::run_state_of(owner->identity.pid)) {
    case sys::RunState::running:
      info.state = ProcessState::running;
      break;
    case sys::RunState::stopped:
      info.state = ProcessState::stopped;
      break;
    case sys::RunState::dumping_core:
      info.state = ProcessState::dumping_core;
      break;
    case sys::RunState::ended:
      info.state = ProcessState::dying;
      break;
    case sys::RunState::unknown:
      break;
  }
  return info;
}

Result<std::optional<LastKnown>> Registry::last_known(std::string_view service) const {
  const Result<std::string> key = full_name(service);
  if (!key) return key.status();
  // Of one instance of a shared name the log may know the end, while others stand.
  Service now;
  if (lookup(*key, now) == Errc::ok) return std::optional<LastKnown>();
  WatchEvent end;
  const core::Segment& segment = attachment_->segment();
  const bool known = core::find_last_end(segment, attachment_->watch(), *key, end);
  if (Status whole = segment.check_whole(); !whole) return whole;
  if (!known) return std::optional<LastKnown>();
  LastKnown last;
  last.end = end.kind;
  last.at_ns = end.at_ns;
  last.service = std::move(end.service);
  if (auto owner = owner_process(segment, last.service)) last.program = std::move(owner->program);
  return std::optional<LastKnown>(std::move(last));
}

}  // namespace shmreg
