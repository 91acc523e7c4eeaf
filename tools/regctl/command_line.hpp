// From the words of a command line to a command that is ready to run.
#pragma once

#include <string>
#include <vector>

#include "regctl/command.hpp"

namespace shmreg::regctl {

// Finds the command that the words name and hands its options and arguments, and the common ones,
// to their setters. Returns null where no command was named (then only common options were).
// Common options may stand before and after the command. Whatever follows the first "--" is not
// looked at: it is the program to run, or further arguments, to the byte.
// Where --help was among them, arguments may be missing. Throws Failure (usage).
[[nodiscard]] const Command* parse_command_line(const std::vector<std::string>& words,
                                                const Commands& commands,
                                                const std::vector<Option>& common,
                                                const Context& context);

}  // namespace shmreg::regctl
