// The process that owns a service, and its program, as they say of themselves.
#pragma once

#include <optional>
#include <string>

#include "core/segment.hpp"
#include "shmreg/service.hpp"
#include "sys/process.hpp"

namespace shmreg {

struct OwnerProcess {
  sys::ProcessIdentity identity;
  std::string program;  // empty where it cannot be known

  // Of the caller's PID namespace: only then is its pid the number of that process here.
  [[nodiscard]] bool is_here() const;
};

// Nothing for a service that no process owns, or whose owner's entry is another's by now.
[[nodiscard]] std::optional<OwnerProcess> owner_process(const core::Segment& segment,
                                                        const Service& service);

// " of pid 4711 (sleep)", for messages; empty for a service that no process owns.
[[nodiscard]] std::string of_owner(const core::Segment& segment, const Service& service);

}  // namespace shmreg
