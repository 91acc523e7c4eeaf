// Asking the owners of services to stop: SIGTERM, and SIGKILL for those that have not within a
// grace.
//
// A pid comes round: it is turned into a pidfd first, and only then is the registry asked once more
// whether the service is still that owner's and the owner lives. If so, the descriptor is the
// owner's, and nobody else is ever signalled.
//
// Thread safety: any number of threads may call it at once. It raises this process's soft limit of
// descriptors to the hard one, as it needs one an owner, and blocks for the grace and 5 s at most.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "shmreg/api.h"
#include "shmreg/registry.hpp"

namespace shmreg {

struct Termination {
  std::set<std::uint32_t> ended;       // pids that ended, by themselves after SIGTERM or killed
  std::vector<std::string> not_asked;  // "pid 4711: Operation not permitted"
  bool not_permitted = false;          // one of them, for want of permission
};

// Of processes of this PID namespace alone; never this process, nor those that it descends from:
// a script may clean up what it is registered in itself.
[[nodiscard]] SHMREG_API Termination terminate_owners(const Registry& registry,
                                                      const std::vector<Service>& services,
                                                      std::chrono::milliseconds grace);

}  // namespace shmreg
