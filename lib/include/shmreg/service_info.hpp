// More than a lookup tells: of a service that is registered, its owner as a process; of a name that
// is not, who had it last. Both are for people and for decisions that are made once: they read
// /proc and the change log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shmreg/api.h"
#include "shmreg/service.hpp"
#include "shmreg/watch.hpp"

namespace shmreg {

enum class ProcessState : std::uint8_t { running, stopped, dumping_core, dying };
[[nodiscard]] SHMREG_API std::string_view to_string(ProcessState state) noexcept;

struct ServiceInfo {
  Service service;      // with owner(), alive(), uptime_ns() of the registration
  std::string program;  // of its owner; empty where it has none, or where that cannot be known
  // Of an owner that is a process of this PID namespace.
  std::optional<ProcessState> state;
  std::optional<std::uint64_t> process_age_ns;  // since that process began
};

// How the last registration of a name ended.
struct LastKnown {
  WatchEventKind end = WatchEventKind::died;  // unregistered, died or expired
  std::int64_t at_ns = 0;  // since 1970-01-01 UTC; 0: nobody has come by yet to note it
  Service service;         // as it was
  std::string program;     // of its owner; empty where that cannot be known any more
};

}  // namespace shmreg
