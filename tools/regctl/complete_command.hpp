// complete: what may come next on a command line, for the shells' completion to ask.
#pragma once

#include "regctl/command.hpp"

namespace shmreg::regctl {

// `commands` are those to complete, itself among them; they must outlive it.
[[nodiscard]] Command complete_command(const Commands& commands);

}  // namespace shmreg::regctl
