// One command as it is declared: its words, its options, what it does.
//
// The declaration is the one source of what the parser accepts (command_line.cpp) and of what
// --help prints (help.cpp). Values land in variables of the command's own, which its action reads;
// a setter refuses a malformed value with a message, and nothing has happened by then.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shmreg/error.hpp"

namespace shmreg::regctl {

class Context;

using Setter = std::function<Status(const std::string&)>;

// Where a value goes. What they refer to must outlive the command.
[[nodiscard]] Setter into(std::string& target);
[[nodiscard]] Setter into(std::optional<std::string>& target);
[[nodiscard]] Setter into(std::vector<std::string>& target);  // appends
[[nodiscard]] Setter into(std::optional<std::chrono::nanoseconds>& target);
[[nodiscard]] Setter size_into(std::uint64_t& target);
[[nodiscard]] Setter mode_into(std::uint32_t& target);
[[nodiscard]] Setter number_into(std::uint32_t& target);
[[nodiscard]] Setter positive_into(std::uint32_t& target);  // where 0 stands for "not told"
[[nodiscard]] Setter id_into(std::optional<std::uint64_t>& target);
[[nodiscard]] Setter pid_into(std::optional<std::int32_t>& target);

struct Option {
  std::string names;       // "-s,--segment" or "--all"
  std::string value_name;  // empty: a flag
  std::string help;
  bool repeatable = false;
  Setter set;  // a flag's is called with an empty string

  [[nodiscard]] std::string long_name() const;  // "--segment"
};

struct Argument {
  std::string name;  // "SERVICE"
  std::string help;
  bool required = true;
  bool repeatable = false;  // the last one alone: it takes all words that are left
  Setter set;
};

enum class Repeat { no, yes };

class Command {
 public:
  Command(std::string name, std::string summary)
      : name_(std::move(name)), summary_(std::move(summary)) {}

  Command& argument(std::string name, std::string help, Setter set);
  Command& optional_argument(std::string name, std::string help, Setter set);
  // One or more, each handed to the setter; no other argument comes after it.
  Command& arguments(std::string name, std::string help, Setter set);
  Command& flag(std::string names, std::string help, bool& target);
  Command& value(std::string names, std::string value_name, std::string help, Setter set,
                 Repeat repeat = Repeat::no);
  // What stands behind `--` is a program to run and its arguments.
  Command& program(std::vector<std::string>& target);
  Command& more(std::string text);  // a paragraph at the end of --help
  Command& action(std::function<int(Context&)> run);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& summary() const noexcept { return summary_; }
  [[nodiscard]] const std::string& more() const noexcept { return more_; }
  [[nodiscard]] const std::vector<Argument>& arguments() const noexcept { return arguments_; }
  [[nodiscard]] const std::vector<Option>& options() const noexcept { return options_; }
  [[nodiscard]] std::vector<std::string>* program() const noexcept { return program_; }
  [[nodiscard]] int run(Context& context) const { return action_(context); }

 private:
  std::string name_;
  std::string summary_;
  std::string more_;
  std::vector<Argument> arguments_;
  std::vector<Option> options_;
  std::vector<std::string>* program_ = nullptr;
  std::function<int(Context&)> action_;
};

using Commands = std::vector<Command>;

}  // namespace shmreg::regctl
