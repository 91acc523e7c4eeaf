#include "regctl/context.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <limits>

#include "output/escape.hpp"
#include "output/exit_code.hpp"
#include "output/units.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;
using output::Format;

Status unknown_word(const std::string& word, std::string_view known) {
  return {Errc::invalid_argument, "'" + word + "' is none of " + std::string(known)};
}

uid_t uid_of(const std::string& user) {
  std::array<char, 16384> buffer;
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr) {
    return found->pw_uid;
  }
  // A user of another container has a number and no name.
  const auto uid = output::parse_number(user, std::numeric_limits<uid_t>::max() - 1);
  if (!uid) throw Failure(output::kUsage, "--trust-owner: there is no user '" + user + "'");
  return static_cast<uid_t>(*uid);
}

}  // namespace

Context::Context() {
  const char* named = std::getenv("SHMREG_SEGMENT");
  segment_ = named != nullptr && *named != '\0' ? std::string(named) : std::string(kDefaultSegment);
}

std::vector<Option> Context::common_options() {
  const auto format = [this](const std::string& word) {
    const auto wanted = output::format_from_string(word);
    if (!wanted) return unknown_word(word, output::kFormats);
    style_.format = *wanted;
    return Status();
  };
  const auto color = [this](const std::string& word) {
    const auto wanted = output::color_from_string(word);
    if (!wanted) return unknown_word(word, output::kColors);
    style_.color = *wanted;
    return Status();
  };
  const auto raise = [](bool& flag, bool value) {
    return [&flag, value](const std::string&) {
      flag = value;
      return Status();
    };
  };
  const auto json = [this](const std::string&) {
    style_.format = Format::json;
    return Status();
  };
  return {
      {"-s,--segment", "SEGMENT", "the segment; else $SHMREG_SEGMENT, else \"default\"", false,
       into(segment_)},
      {"-o,--output", "FORMAT", "table, wide, json, jsonl or name", false, format},
      {"--json", "", "short for -o json", false, json},
      {"-q,--quiet", "", "print nothing but errors", false, raise(style_.quiet, true)},
      {"--no-header", "", "leave out a table's header", false, raise(style_.header, false)},
      {"--color", "WHEN", "auto (on a terminal), always or never", false, color},
      {"--trust-owner", "USER", "accept a segment whose file belongs to USER", true,
       into(trusted_owners_)},
      {"-h,--help", "", "print this help", false, raise(help_, true)},
      {"--version", "", "print the version", false, raise(version_, true)},
  };
}

TrustOptions Context::trust() const {
  TrustOptions trust;
  for (const std::string& user : trusted_owners_) trust.trusted_owners.push_back(uid_of(user));
  return trust;
}

Registry Context::attach(Access access, bool create) const {
  AttachOptions options;
  options.access = access;
  options.trust = trust();
  if (create) options.create.emplace().if_missing = true;
  return Registry::attach(segment_, options);
}

void Context::answer(const output::Json& document, const std::string& plain) {
  if (style_.quiet) return;
  if (style_.is_json()) {
    out_.line(document.text());
  } else if (!plain.empty()) {
    out_.line(output::escape(plain));
  }
}

void Context::answer(const output::Json& document, const std::string& name,
                     const std::vector<std::pair<std::string, std::string>>& facts) {
  if (style_.is_json() || style_.format == Format::name) return answer(document, name);
  if (style_.quiet) return;
  output::Table table({{"FACT"}, {"VALUE"}});
  for (const auto& [fact, value] : facts) table.add({fact, value});
  table.print(out_, style_);
}

void Context::remark(const std::string& text) const {
  if (!style_.quiet) complain(text);
}

void complain(const std::string& text) {
  const std::string line = "regctl: " + output::escape(text) + "\n";
  // Standard error may be closed or full, and there is nowhere left to say so.
  [[maybe_unused]] const ssize_t written = ::write(2, line.data(), line.size());
}

}  // namespace shmreg::regctl
