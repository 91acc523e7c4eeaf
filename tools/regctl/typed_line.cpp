#include "regctl/typed_line.hpp"

#include <algorithm>
#include <string_view>

namespace shmreg::regctl {
namespace {

bool is_option(std::string_view word) { return word.size() > 1 && word.front() == '-'; }

class Reader {
 public:
  Reader(const Commands& commands, const std::vector<Option>& common)
      : commands_(commands), common_(common) {}

  // A word that is complete. False where what follows cannot be known.
  bool pass(const std::string& word, std::size_t index) {
    const bool plain = open_ == nullptr && !is_option(word);
    if (behind_dashes_ || (plain && command_ != nullptr)) {
      ++arguments_;
    } else if (word == "--") {  // divides wherever it stands
      behind_dashes_ = true;
      open_ = nullptr;
      program_at_ = index + 1;
    } else if (open_ != nullptr) {
      take(*open_, word);
      open_ = nullptr;
    } else if (is_option(word)) {
      const auto [option, value_at] = option_of(word);
      if (option == nullptr) return true;
      if (value_at == std::string::npos) {
        open_ = option;
      } else {
        take(*option, word.substr(value_at));
      }
    } else {
      const auto named = std::find_if(commands_.begin(), commands_.end(),
                                      [&](const Command& each) { return each.name() == word; });
      if (named == commands_.end()) return false;
      command_ = &*named;
    }
    return true;
  }

  [[nodiscard]] Expected last(const std::string& word) const {
    Expected here;
    here.command = command_;
    here.typed = word;
    here.may_begin_with_dash = behind_dashes_;
    if (behind_dashes_ && command_ == nullptr) return here;
    if (behind_dashes_ && command_->program() != nullptr) {
      here.program_at = program_at_;
    } else if (open_ != nullptr) {
      here.placeholder = open_->value_name;
    } else if (!behind_dashes_ && is_option(word)) {
      const auto [option, value_at] = option_of(word);
      here.options = option == nullptr || value_at == std::string::npos;
      if (here.options) return here;
      here.placeholder = option->value_name;
      here.before = word.substr(0, value_at);
      here.typed = word.substr(value_at);
    } else if (command_ == nullptr) {
      here.placeholder = "COMMAND";
      here.options = word == "-";
    } else {
      const Argument* argument = next_argument();
      if (argument != nullptr) here.placeholder = argument->name;
      here.options = !behind_dashes_ && (argument == nullptr || word == "-");
    }
    return here;
  }

 private:
  struct Found {
    const Option* option;  // null: none, or a flag
    std::size_t value_at;  // npos: the value is the next word
  };

  [[nodiscard]] const Option* find(std::string_view name) const {
    const auto is_named = [&](const Option& option) {
      const auto comma = option.names.find(',');
      return option.long_name() == name ||
             (comma != std::string::npos && option.names.substr(0, comma) == name);
    };
    const auto among = [&](const std::vector<Option>& options) -> const Option* {
      const auto found = std::find_if(options.begin(), options.end(), is_named);
      return found == options.end() ? nullptr : &*found;
    };
    const Option* own = command_ == nullptr ? nullptr : among(command_->options());
    return own != nullptr ? own : among(common_);
  }

  // The option of a word that takes a value: "--output", "--output=js", "-o", "-ojs", "-qojs".
  [[nodiscard]] Found option_of(const std::string& word) const {
    if (word.compare(0, 2, "--") == 0) {
      const auto equals = word.find('=');
      const Option* option = find(std::string_view(word).substr(0, equals));
      if (option == nullptr || option->value_name.empty()) return {nullptr, std::string::npos};
      return {option, equals == std::string::npos ? equals : equals + 1};
    }
    for (std::size_t i = 1; i < word.size(); ++i) {
      const Option* option = find(std::string("-") + word[i]);
      if (option == nullptr) break;
      if (option->value_name.empty()) continue;
      return {option, i + 1 == word.size() ? std::string::npos : i + 1};
    }
    return {nullptr, std::string::npos};
  }

  static void take(const Option& option, const std::string& value) {
    const std::string name = option.long_name();
    if (name == "--segment" || name == "--trust-owner") (void)option.set(value);
  }

  [[nodiscard]] const Argument* next_argument() const {
    const auto& declared = command_->arguments();
    if (arguments_ < declared.size()) return &declared[arguments_];
    return !declared.empty() && declared.back().repeatable ? &declared.back() : nullptr;
  }

  const Commands& commands_;
  const std::vector<Option>& common_;
  const Command* command_ = nullptr;
  const Option* open_ = nullptr;  // waits for its value
  std::size_t arguments_ = 0;
  bool behind_dashes_ = false;
  std::size_t program_at_ = 0;
};

}  // namespace

Expected expected(const std::vector<std::string>& words, const Commands& commands,
                  const std::vector<Option>& common) {
  if (words.empty()) return {};
  Reader reader(commands, common);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (!reader.pass(words[i], i)) return {};
  }
  return reader.last(words.back());
}

}  // namespace shmreg::regctl
