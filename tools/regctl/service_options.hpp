// What a service says of itself, as options: shared by register and run.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "regctl/command.hpp"
#include "shmreg/registry.hpp"

namespace shmreg::regctl {

struct ServiceOptions {
  std::string service;
  std::string endpoint;
  std::vector<std::string> metadata;
  std::vector<std::string> tags;
  std::vector<std::string> depends;
  std::vector<std::string> wants;
  bool shared = false;
  bool replace = false;
  bool create = false;

  // Failure (usage) where a piece of metadata is not KEY=VALUE.
  [[nodiscard]] ServiceSpec spec() const;
  [[nodiscard]] RegisterOptions options() const { return {replace, shared}; }
};

// Declares SERVICE and --endpoint ... --create.
void add_service_options(Command& command, ServiceOptions& options);

// KEY and VALUE of what was given to `option`; the first '=' divides. Failure (usage) without one.
[[nodiscard]] std::pair<std::string, std::string> split_metadata(const std::string& text,
                                                                 const std::string& option);

// A service as its two parts. Failure (usage) where the name breaks a rule.
struct ServiceName {
  explicit ServiceName(const std::string& written);
  std::string full;
  std::string namespace_name;
  std::string name;
};

}  // namespace shmreg::regctl
