// The only file that knows CLI11, which takes seconds to compile. CLI11 sorts words into options,
// arguments and the rest; what is required, what was misspelt and what to say about it is decided
// here, since its own messages have two lines and its exit codes are not ours.
#include "regctl/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "output/exit_code.hpp"
#include "output/nearest.hpp"
#include "regctl/context.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;

constexpr std::string_view kSplit = "--";

[[noreturn]] void usage(const std::string& message) { throw Failure(output::kUsage, message); }

std::string hint(const std::string& word, const std::vector<std::string>& known) {
  const auto meant = output::nearest(word, known);
  return meant ? "; did you mean '" + *meant + "'?" : std::string();
}

std::string see_help(const Command* command) {
  return command == nullptr ? "; see regctl help" : "; see regctl help " + command->name();
}

// An option or argument as declared, and as CLI11 has it.
template <class Declared>
struct Bound {
  const Declared* declared;
  CLI::Option* parsed;
};

struct Parsed {
  explicit Parsed(std::string name) : app("", std::move(name)) {}

  CLI::App app;
  std::vector<Bound<Option>> options;
  std::vector<std::pair<CLI::App*, const Command*>> commands;
  std::vector<std::pair<const Command*, Bound<Argument>>> arguments;
};

void declare_option(Parsed& parsed, CLI::App& app, const Option& option) {
  if (option.value_name.empty()) {
    auto* flag = app.add_flag(option.names)->disable_flag_override();
    parsed.options.push_back({&option, flag});
    return;
  }
  // A word too many would be taken for one more value, and '[a,b]' for two, were extra words
  // allowed. Without a function to call, CLI11 just keeps the words.
  auto* value = app.add_option(option.names)->expected(1)->allow_extra_args(false);
  value->multi_option_policy(option.repeatable ? CLI::MultiOptionPolicy::TakeAll
                                               : CLI::MultiOptionPolicy::TakeLast);
  value->allow_extra_args(false);
  parsed.options.push_back({&option, value});
}

void declare_command(Parsed& parsed, const Command& command) {
  CLI::App& app = *parsed.app.add_subcommand(command.name());
  app.set_help_flag();
  app.fallthrough();
  app.allow_extras();
  for (const Option& option : command.options()) declare_option(parsed, app, option);
  for (const Argument& argument : command.arguments()) {
    // Of which there may be many is what CLI11 has no place for: the rest, to the byte.
    if (argument.repeatable) continue;
    auto* word = app.add_option(argument.name)->expected(1)->allow_extra_args(false);
    parsed.arguments.push_back({&command, {&argument, word}});
  }
  parsed.commands.emplace_back(&app, &command);
}

// CLI11 takes the word "++" for the end of a command, and "--endpoint=" for an option whose value
// is the next word. A word with a control character is no name: this one stands for "++" within
// CLI11.
constexpr std::string_view kTwoPlus = "++";
constexpr std::string_view kInPlaceOfTwoPlus = "\x01++";

std::string as_written(std::string word) {
  return word == kInPlaceOfTwoPlus ? std::string(kTwoPlus) : std::move(word);
}

std::vector<std::string> as_written(std::vector<std::string> words) {
  for (std::string& word : words) word = as_written(std::move(word));
  return words;
}

std::vector<std::string> for_cli11(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const std::string& word : words) {
    const bool empty_value =
        word.size() > 3 && word.compare(0, 2, "--") == 0 && word.find('=') == word.size() - 1;
    if (!empty_value) {
      out.emplace_back(word == kTwoPlus ? kInPlaceOfTwoPlus : std::string_view(word));
      continue;
    }
    out.push_back(word.substr(0, word.size() - 1));
    out.emplace_back();
  }
  return out;
}

// "--endpoint: 1 required TEXT missing", "json cannot be overridden" and their like.
[[noreturn]] void refuse(const CLI::ParseError& error, const Command* command) {
  const std::string said = error.what();
  const std::string word = said.substr(0, said.find_first_of(": "));
  const std::string name = word.substr(std::min(word.find_first_not_of('-'), word.size()));
  const std::string option = "option " + std::string(name.size() == 1 ? "-" : "--") + name;
  if (said.find("required") != std::string::npos) {
    usage(option + " needs a value" + see_help(command));
  }
  if (said.find("override") != std::string::npos) {
    usage(option + " takes no value" + see_help(command));
  }
  usage(said + see_help(command));
}

[[noreturn]] void refuse_rest(const std::vector<std::string>& rest, const Command* command,
                              const Commands& commands, const std::vector<Option>& common) {
  const std::string& word = rest.front();
  if (word.size() > 1 && word.front() == '-') {
    const std::string name = word.substr(0, word.find('='));
    std::vector<std::string> known;
    for (const Option& option : common) known.push_back(option.long_name());
    if (command != nullptr) {
      for (const Option& option : command->options()) known.push_back(option.long_name());
    }
    usage("unknown option '" + name + "'" + hint(name, known) + see_help(command));
  }
  if (command != nullptr) {
    usage("unexpected argument '" + word + "' to " + command->name() + see_help(command));
  }
  std::vector<std::string> known;
  for (const Command& each : commands) known.push_back(each.name());
  usage("unknown command '" + word + "'" + hint(word, known) + see_help(nullptr));
}

// The words of an argument that may be given many times, from among those CLI11 had no place for.
std::vector<std::string> take_repeated(std::vector<std::string>& rest, const Command* command) {
  std::vector<std::string> taken;
  if (command == nullptr || command->arguments().empty() ||
      !command->arguments().back().repeatable) {
    return taken;
  }
  const auto first_option = std::find_if(rest.begin(), rest.end(), [](const std::string& word) {
    return word.size() > 1 && word.front() == '-';
  });
  // An unknown option is the mistake to tell of, not the words around it.
  if (first_option != rest.end()) {
    rest = {first_option, rest.end()};
    return taken;
  }
  taken.swap(rest);
  return taken;
}

void set_argument(const Argument& argument, const std::string& word) {
  const Status status = argument.set(word);
  if (!status) usage(argument.name + ": " + status.message());
}

void set_repeated(const Command& command, const std::vector<std::string>& words, bool help_wanted) {
  const Argument& argument = command.arguments().back();
  for (const std::string& word : words) set_argument(argument, word);
  if (words.empty() && argument.required && !help_wanted) {
    usage(command.name() + " needs " + argument.name + see_help(&command));
  }
}

// Options as they were written, so that of two that set the same (-o table --json) the last counts.
void sort_as_written(Parsed& parsed) {
  const auto& written = parsed.app.parse_order();
  const auto place = [&](const Bound<Option>& option) {
    const auto last = std::find(written.rbegin(), written.rend(), option.parsed);
    return written.rend() - last;
  };
  std::stable_sort(parsed.options.begin(), parsed.options.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
}

void set_option(const Option& option, const CLI::Option& parsed) {
  if (parsed.count() == 0) return;
  auto values = as_written(parsed.results());
  if (option.value_name.empty()) values = {""};
  if (!option.repeatable) values = {values.back()};  // the last word counts
  for (const std::string& value : values) {
    const Status status = option.set(value);
    if (!status) usage(option.long_name() + ": " + status.message());
  }
}

// Words behind "--" of a command that runs no program are arguments that may begin with a dash.
void set_arguments(const Parsed& parsed, const Command& command, std::vector<std::string> repeated,
                   std::vector<std::string> tail, bool help_wanted) {
  auto next = tail.begin();
  for (const auto& [owner, argument] : parsed.arguments) {
    if (owner != &command) continue;
    std::string word;
    if (argument.parsed->count() > 0) {
      word = as_written(argument.parsed->results().front());
    } else if (command.program() == nullptr && next != tail.end()) {
      word = *next++;
    } else if (argument.declared->required && !help_wanted) {
      usage(command.name() + " needs " + argument.declared->name + see_help(&command));
    } else {
      continue;
    }
    set_argument(*argument.declared, word);
  }
  if (!command.arguments().empty() && command.arguments().back().repeatable) {
    repeated.insert(repeated.end(), next, tail.end());
    next = tail.end();
    set_repeated(command, repeated, help_wanted);
  }
  if (command.program() != nullptr) {
    *command.program() = std::move(tail);
  } else if (next != tail.end()) {
    usage("unexpected argument '" + *next + "' to " + command.name() + see_help(&command));
  }
}

}  // namespace

const Command* parse_command_line(const std::vector<std::string>& words, const Commands& commands,
                                  const std::vector<Option>& common, const Context& context) {
  const auto split = std::find(words.begin(), words.end(), kSplit);
  auto head = for_cli11({words.begin(), split});
  const bool has_tail = split != words.end();
  std::vector<std::string> tail(has_tail ? split + 1 : split, words.end());

  Parsed parsed("regctl");
  parsed.app.set_help_flag();
  parsed.app.allow_extras();
  parsed.app.require_subcommand(0, 1);
  for (const Option& option : common) declare_option(parsed, parsed.app, option);
  for (const Command& command : commands) declare_command(parsed, command);

  const auto chosen = [&]() -> const Command* {
    for (const auto& [app, command] : parsed.commands) {
      if (app->parsed()) return command;
    }
    return nullptr;
  };
  try {
    std::reverse(head.begin(), head.end());  // CLI11 takes them from the back
    parsed.app.parse(std::move(head));
  } catch (const CLI::ParseError& error) {
    refuse(error, chosen());
  }

  const Command* command = chosen();
  auto rest = as_written(parsed.app.remaining(/*recurse=*/true));
  auto repeated = take_repeated(rest, command);
  if (!rest.empty()) refuse_rest(rest, command, commands, common);
  sort_as_written(parsed);
  for (const auto& option : parsed.options) set_option(*option.declared, *option.parsed);
  if (command == nullptr) {
    if (has_tail) usage("'--' without a command before it" + see_help(nullptr));
    return nullptr;
  }
  set_arguments(parsed, *command, std::move(repeated), std::move(tail), context.help_wanted());
  return command;
}

}  // namespace shmreg::regctl
