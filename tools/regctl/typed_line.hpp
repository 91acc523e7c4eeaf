// A command line that is not finished: what may stand in the place of its last word.
//
// Read by the same declarations as a finished one (command_line.cpp), but with nothing to refuse: a
// line that makes no sense expects nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "regctl/command.hpp"

namespace shmreg::regctl {

struct Expected {
  const Command* command = nullptr;  // where one was given
  // As --help has it: "SERVICE", "FORMAT"; in lower case, the words themselves ("on|off"). Empty:
  // no word is expected.
  std::string placeholder;
  std::string before;  // of the last word, what belongs to an option: "--output="
  std::string typed;   // the rest of it
  bool options = false;
  bool may_begin_with_dash = false;
  // The program that is to be run begins with this word.
  std::optional<std::size_t> program_at;
};

// `words`: what stands behind the program's name, the last one being typed. Options whose values
// say where to look for names (-s, --trust-owner) have their setters called.
[[nodiscard]] Expected expected(const std::vector<std::string>& words, const Commands& commands,
                                const std::vector<Option>& common);

}  // namespace shmreg::regctl
