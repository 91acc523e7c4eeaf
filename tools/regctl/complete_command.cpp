// What a word may be is said by its placeholder, which --help shows as well: a new command that
// keeps to the names below is completed without being told here.
//
// The shells' scripts (tools/completion) only carry words here and candidates back. A press of TAB
// is no place for messages: what cannot be told is not told. What is offered is inserted as it is,
// so that what is no text for a terminal (only a corrupt segment has such names) is not offered.
#include "regctl/complete_command.hpp"

#include <memory>
#include <set>

#include "output/escape.hpp"
#include "output/exit_code.hpp"
#include "regctl/context.hpp"
#include "regctl/live_names.hpp"
#include "regctl/typed_line.hpp"

namespace shmreg::regctl {
namespace {

constexpr std::size_t kMostCandidates = 2000;
constexpr std::size_t kMostDescribed = 60;  // characters

struct CompleteArguments {
  std::vector<std::string> words;
  bool describe = false;
};

bool is_printable(std::string_view text) { return output::escape(text) == text; }

// One line, and not too long for a list.
std::string shortened(const std::string& text) {
  std::string_view rest = text;
  std::string out;
  for (std::size_t n = 0; n < kMostDescribed && !rest.empty(); ++n) {
    const auto bytes = output::first_code_point(rest).bytes;
    out += rest.substr(0, bytes);
    rest.remove_prefix(bytes);
  }
  return output::escape(out) + (rest.empty() ? "" : "...");
}

class Candidates {
 public:
  Candidates(Context& context, Expected expected, bool describe)
      : out_(context.out()), expected_(std::move(expected)), describe_(describe) {}

  // False once there are enough.
  bool add(const std::string& value, const std::string& description) {
    const std::string& typed = expected_.typed;
    if (offered_.size() == kMostCandidates) return false;
    if (value.compare(0, typed.size(), typed) != 0 || !is_printable(value)) return true;
    // Would be taken for an option. Services of the namespace "default" have a longer name as well.
    const bool dashed = !value.empty() && value.front() == '-';
    if (dashed && !expected_.may_begin_with_dash && expected_.before.empty()) return true;
    return print(expected_.before + value, description);
  }

  bool add_option(const std::string& name, const std::string& description) {
    if (name.compare(0, expected_.typed.size(), expected_.typed) != 0) return true;
    return print(name, description);
  }

  // That the shell knows better: files, or how another program is completed.
  void leave_to_shell(const std::string& what) { out_.line("\t" + what); }

 private:
  bool print(const std::string& value, const std::string& description) {
    if (!offered_.insert(value).second) return true;
    out_.line(describe_ && !description.empty() ? value + "\t" + shortened(description) : value);
    return true;
  }

  output::Writer& out_;
  Expected expected_;
  bool describe_;
  std::set<std::string> offered_;
};

// "table, wide or json", "on|off" as words.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty() && word != "or") words.push_back(word);
    word.clear();
  };
  for (const char c : text) {
    if (c == ' ' || c == ',' || c == '|') {
      end_word();
    } else {
      word += c;
    }
  }
  end_word();
  return words;
}

std::vector<std::string> healths() {
  std::vector<std::string> words;
  for (const Health health : {Health::unknown, Health::starting, Health::passing, Health::warning,
                              Health::critical, Health::maintenance}) {
    words.emplace_back(to_string(health));
  }
  return words;
}

// Of the placeholders that stand for a few fixed words.
std::vector<std::string> choices(const std::string& placeholder) {
  if (placeholder == "FORMAT") return words_of(output::kFormats);
  if (placeholder == "WHEN") return words_of(output::kColors);
  if (placeholder == "CONDITION") return {"registered", "passing", "gone"};
  if (placeholder == "STATE") return healths();
  const bool literal = !placeholder.empty() && placeholder.front() >= 'a';
  return literal ? words_of(placeholder) : std::vector<std::string>();
}

void add_options(Candidates& candidates, const std::vector<Option>& options) {
  for (const Option& option : options) {
    candidates.add_option(option.long_name(), option.help);
    const auto comma = option.names.find(',');
    if (comma != std::string::npos) {
      candidates.add_option(option.names.substr(0, comma), option.help);
    }
  }
}

void add_values(Candidates& candidates, const Context& context, const Expected& expected,
                const Commands& commands) {
  const std::string& what = expected.placeholder;
  const Offer offer = [&](const std::string& value, const std::string& description) {
    return candidates.add(value, description);
  };
  const auto registry = [&] { return context.attach(Access::read_only); };
  const std::string command = expected.command == nullptr ? "" : expected.command->name();
  for (const std::string& choice : choices(what)) offer(choice, "");
  if (what == "COMMAND") {
    for (const Command& each : commands) offer(each.name(), each.summary());
  } else if (what == "SERVICE" || what == "NAMESPACE|SERVICE") {
    offer_services(registry(), expected.typed, offer);
  } else if (what == "NAMESPACE") {
    offer_namespaces(registry(), /*above=*/command == "cleanup", offer);
  } else if (what == "SEGMENT") {
    offer_segments(offer);
  } else if (what == "PID" && command == "list") {
    offer_owners(registry(), offer);
  } else if (what == "PID") {
    offer_processes(offer);
  } else if (what == "FILE") {
    candidates.leave_to_shell("files");
  }
}

int complete(Context& context, const CompleteArguments& arguments, const Commands& commands) {
  if (context.style().quiet) return output::kDone;
  // The segment that the words name, or complete's own.
  Context typed(context);
  const auto common = typed.common_options();
  const Expected here = expected(arguments.words, commands, common);
  Candidates candidates(context, here, arguments.describe);
  if (here.program_at) {
    candidates.leave_to_shell("program " + std::to_string(*here.program_at));
    return output::kDone;
  }
  if (here.options) {
    if (here.command != nullptr) add_options(candidates, here.command->options());
    add_options(candidates, common);
  }
  try {
    add_values(candidates, typed, here, commands);
  } catch (const std::exception&) {
    // No segment, or one that is not for us: no names.
  }
  return output::kDone;
}

}  // namespace

Command complete_command(const Commands& commands) {
  auto made = std::make_shared<CompleteArguments>();
  Command command("complete", "Print what may come next on a command line; for shells to ask");
  command
      .arguments("WORD", "behind --: what follows regctl on that line, the last one being typed",
                 into(made->words))
      .flag("--describe", "with a description, behind a tab", made->describe)
      .action([made, &commands](Context& context) { return complete(context, *made, commands); })
      .more(
          "A candidate a line. A line that begins with a tab says what the shell is to complete "
          "instead: files,\nor a program that begins with the word of that number, from 0.");
  return command;
}

}  // namespace shmreg::regctl
