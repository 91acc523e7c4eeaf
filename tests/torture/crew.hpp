// The processes of a torture: as many as it takes, started and ended in any order. They speak
// through common ground (common_ground.hpp).
#pragma once

#include <signal.h>

#include <memory>
#include <utility>

#include "support/child.hpp"

namespace torture {

using Member = std::unique_ptr<shmreg::test::Child>;

template <class Work>
[[nodiscard]] Member start(Work work, shmreg::test::Birth birth = shmreg::test::Birth::forked) {
  return std::make_unique<shmreg::test::Child>(
      [work = std::move(work)](const shmreg::test::Parent&) { work(); }, birth);
}

// Kills it. False where it had ended by itself, of a crash or a sanitizer's finding.
[[nodiscard]] inline bool was_alive_when_killed(const Member& member) {
  member->kill();
  return member->reap() == 128 + SIGKILL;
}

// Whether it came to the end of its work.
[[nodiscard]] inline bool ended_well(const Member& member) { return member->reap() == 0; }

}  // namespace torture
