#include "regctl/service_options.hpp"

#include "output/exit_code.hpp"

namespace shmreg::regctl {
namespace {

std::vector<std::string> full_names(const std::vector<std::string>& services) {
  std::vector<std::string> names;
  for (const std::string& service : services) names.push_back(ServiceName(service).full);
  return names;
}

}  // namespace

ServiceSpec ServiceOptions::spec() const {
  ServiceSpec spec;
  spec.endpoint = endpoint;
  for (const std::string& piece : metadata) {
    spec.metadata.push_back(split_metadata(piece, "--meta"));
  }
  spec.tags = tags;
  spec.depends = full_names(depends);
  spec.wants = full_names(wants);
  return spec;
}

void add_service_options(Command& command, ServiceOptions& options) {
  command
      .argument("SERVICE", "NAMESPACE/NAME; without a slash the namespace is \"default\"",
                into(options.service))
      .value("--endpoint", "URI", "where it is reached", into(options.endpoint))
      .value("--meta", "K=V", "metadata; the first '=' divides", into(options.metadata),
             Repeat::yes)
      .value("--tag", "T", "a tag", into(options.tags), Repeat::yes)
      .value("--depends", "SERVICE", "a service that it cannot do without", into(options.depends),
             Repeat::yes)
      .value("--wants", "SERVICE", "a service that it would like to have", into(options.wants),
             Repeat::yes)
      .flag("--shared", "as one instance of the name, beside others", options.shared)
      .flag("--replace", "replace what stands at the name, whoever holds it", options.replace)
      .flag("--create", "create the segment where it is missing", options.create);
}

std::pair<std::string, std::string> split_metadata(const std::string& text,
                                                   const std::string& option) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw output::Failure(output::kUsage, option + ": '" + text + "' is not KEY=VALUE");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

ServiceName::ServiceName(const std::string& written)
    : full(output::require(shmreg::full_name(written))),
      namespace_name(full.substr(0, full.rfind('/'))),
      name(full.substr(full.rfind('/') + 1)) {}

}  // namespace shmreg::regctl
