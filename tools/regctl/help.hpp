// What `regctl help` and --help print, made from the declarations that the parser goes by.
#pragma once

#include <string>
#include <vector>

#include "regctl/command.hpp"

namespace shmreg::regctl {

// All commands, a line each.
[[nodiscard]] std::string overview(const Commands& commands, const std::vector<Option>& common);
// One command with its options.
[[nodiscard]] std::string help_of(const Command& command, const std::vector<Option>& common);

}  // namespace shmreg::regctl
