#include "registry/owner_process.hpp"

#include <utility>

#include "core/liveness.hpp"
#include "core/printable.hpp"
#include "core/record_copy.hpp"
#include "core/service_access.hpp"

namespace shmreg {

bool OwnerProcess::is_here() const {
  const std::uint64_t own = sys::own_identity().pid_namespace;
  return own != 0 && identity.pid_namespace == own;
}

std::optional<OwnerProcess> owner_process(const core::Segment& segment, const Service& service) {
  const auto view = core::RecordView::of(core::ServiceAccess::image(service));
  if (!view) return std::nullopt;
  const core::RecordOwner owner = core::owner_of(segment, *view);
  if (owner.process) {
    OwnerProcess found{*owner.process, std::string(view->owner_program())};
    // It may call itself otherwise by now; or the number may be another process's.
    if (found.is_here() && sys::identity_of(owner.process->pid) == owner.process) {
      found.program = sys::program_of(owner.process->pid);
    }
    return found;
  }
  if (owner.kind != OwnerKind::process || !owner.life) return std::nullopt;
  auto identity = core::identity_of_entry(segment, *owner.life);
  if (!identity) return std::nullopt;
  return OwnerProcess{identity->process, std::move(identity->program)};
}

std::string of_owner(const core::Segment& segment, const Service& service) {
  if (service.pid() == 0) return "";
  std::string text = " of pid " + std::to_string(service.pid());
  const auto owner = owner_process(segment, service);
  if (owner && !owner->program.empty()) text += " (" + core::printable(owner->program) + ")";
  return text;
}

}  // namespace shmreg
