#include "regctl/help.hpp"

#include <algorithm>

namespace shmreg::regctl {
namespace {

constexpr std::size_t kTextColumn = 30;

void append_entry(std::string& out, const std::string& left, const std::string& right) {
  out += left;
  if (left.size() + 2 > kTextColumn) {
    out += "\n" + std::string(kTextColumn, ' ');
  } else {
    out.append(kTextColumn - left.size(), ' ');
  }
  out += right + "\n";
}

void append_options(std::string& out, const std::vector<Option>& options) {
  for (const Option& option : options) {
    // Long names stand under each other, whether or not there is a letter.
    const auto comma = option.names.find(',');
    std::string left =
        comma == std::string::npos ? "      " : "  " + option.names.substr(0, comma) + ", ";
    left += option.long_name();
    if (!option.value_name.empty()) left += " " + option.value_name;
    append_entry(out, left, option.help + (option.repeatable ? " (repeatable)" : ""));
  }
}

}  // namespace

std::string overview(const Commands& commands, const std::vector<Option>& common) {
  std::string out =
      "Usage: regctl [OPTION]... COMMAND [ARGUMENT]...\n"
      "The registry of services of this host, in shared memory.\n\nCommands:\n";
  for (const Command& command : commands) {
    append_entry(out, "  " + command.name(), command.summary());
  }
  out += "\nOptions of every command, before or after it:\n";
  append_options(out, common);
  out +=
      "\nA service is written NAMESPACE/NAME; the last slash divides, no slash means the "
      "namespace\n"
      "\"default\". `regctl help COMMAND` tells more, regctl(1) everything.\n";
  return out;
}

std::string help_of(const Command& command, const std::vector<Option>& common) {
  std::string out = "Usage: regctl " + command.name();
  if (!command.options().empty()) out += " [OPTION]...";
  for (const Argument& argument : command.arguments()) {
    out += argument.required ? " " + argument.name : " [" + argument.name + "]";
    if (argument.repeatable) out += "...";
  }
  if (command.program() != nullptr) out += " -- COMMAND [ARGUMENT]...";
  out += "\n" + command.summary() + ".\n";
  if (!command.arguments().empty()) {
    out += "\nArguments:\n";
    for (const Argument& argument : command.arguments()) {
      append_entry(out, "  " + argument.name, argument.help);
    }
  }
  if (!command.options().empty()) {
    out += "\nOptions:\n";
    append_options(out, command.options());
  }
  out += "\nOptions of every command:\n";
  append_options(out, common);
  if (!command.more().empty()) out += "\n" + command.more() + "\n";
  return out;
}

}  // namespace shmreg::regctl
