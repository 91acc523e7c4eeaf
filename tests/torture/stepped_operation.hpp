// An operation that one victim after the other is led through, each to another instruction of it:
// killed there, or held there and let go on to its end.
//
//   SHMREG_TORTURE_EVERY=1   a victim at every instruction there is: the whole form
//   SHMREG_TORTURE_EVERY=N   at every instruction after which something had changed, and at every
//                            Nth of the others
//
// both killed and held. Unset, the short form: so many of either as SHMREG_TORTURE_ROUNDS says, at
// even distances from a random start, killed and held by turns.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "torture/scene.hpp"
#include "torture/setting.hpp"

namespace torture {

struct SteppedOperation {
  std::string what;  // "register"
  std::function<std::unique_ptr<Scene>()> scene;
  bool anew = false;  // a scene for each victim
};

// Whether a process can be traced here; says why not.
[[nodiscard]] bool can_trace();
// Whether it can be done here; says why not.
[[nodiscard]] bool can_step();

// Fails the test at the first complaint; says how many victims there were.
void torment(const SteppedOperation& operation, Random& random);

}  // namespace torture
