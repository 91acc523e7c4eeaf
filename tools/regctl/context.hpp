// What every command needs and none owns: the common options, the way to the segment, the way out.
#pragma once

#include <string>
#include <vector>

#include "output/json.hpp"
#include "output/table.hpp"
#include "output/writer.hpp"
#include "regctl/command.hpp"
#include "shmreg/registry.hpp"

namespace shmreg::regctl {

class Context {
 public:
  Context();

  // -s, -o and so on; their values land in this object.
  [[nodiscard]] std::vector<Option> common_options();

  [[nodiscard]] const std::string& segment() const noexcept { return segment_; }
  [[nodiscard]] const output::Style& style() const noexcept { return style_; }
  [[nodiscard]] output::Writer& out() noexcept { return out_; }
  [[nodiscard]] bool help_wanted() const noexcept { return help_; }
  [[nodiscard]] bool version_wanted() const noexcept { return version_; }

  // Failure (usage) where a user named by --trust-owner is unknown.
  [[nodiscard]] TrustOptions trust() const;
  // Throws shmreg::Error.
  [[nodiscard]] Registry attach(Access access = Access::prefer_write, bool create = false) const;

  // One answer: the document as JSON, else a line of text, escaped here; no line where it is empty.
  void answer(const output::Json& document, const std::string& plain);
  // One answer of several facts: JSON, the name alone, or a table of two columns.
  void answer(const output::Json& document, const std::string& name,
              const std::vector<std::pair<std::string, std::string>>& facts);
  // A remark on standard error that is no failure; -q silences it.
  void remark(const std::string& text) const;

 private:
  std::string segment_;
  std::vector<std::string> trusted_owners_;
  output::Style style_;
  bool help_ = false;
  bool version_ = false;
  output::Writer out_;
};

// "regctl: TEXT" on standard error, one line whatever the text holds.
void complain(const std::string& text);

}  // namespace shmreg::regctl
