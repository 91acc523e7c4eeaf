// Questions: lookup, list, count, namespaces.
#include <fnmatch.h>

#include <algorithm>
#include <memory>

#include "output/escape.hpp"
#include "output/exit_code.hpp"
#include "output/listing.hpp"
#include "output/nearest.hpp"
#include "output/service_view.hpp"
#include "regctl/commands.hpp"
#include "regctl/context.hpp"
#include "regctl/service_options.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;
using output::Format;
using output::Json;
using output::require;
using output::ServiceView;

// Looking for a near name reads every name; beyond so many a miss would take too long.
constexpr std::uint64_t kNearNameLimit = 20'000;

struct LookupArguments {
  std::string service;
  bool all = false;
  bool healthy = false;
};

struct Filter {
  std::optional<std::string> namespace_name;
  std::optional<std::string> glob;
  std::vector<std::string> metadata;
  std::vector<std::string> tags;
  std::optional<std::string> health;
  std::optional<std::int32_t> pid;

  [[nodiscard]] bool is_plain() const {
    return !glob && metadata.empty() && tags.empty() && !health && !pid;
  }
};

// What a person wants of a service: where to reach it, else which process it is.
std::string plain(const Service& service) {
  if (!service.endpoint().empty()) return std::string(service.endpoint());
  return service.pid() == 0 ? std::string() : std::to_string(service.pid());
}

std::string near_name(const Registry& registry, const std::string& wanted) {
  const auto info = registry.info();
  if (!info || info->services > kNearNameLimit) return "";
  const auto services = registry.list();
  if (!services) return "";
  std::vector<std::string> names;
  for (const Service& service : *services) names.emplace_back(service.full_name());
  std::sort(names.begin(), names.end());
  if (const auto near = output::nearest(wanted, names)) return *near;
  // The right name in the wrong namespace.
  const std::string tail = wanted.substr(wanted.rfind('/'));
  const auto elsewhere = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
    return name.substr(name.rfind('/')) == tail;
  });
  return elsewhere == names.end() ? "" : *elsewhere;
}

int miss(Context& context, const LookupArguments& arguments, const ServiceName& service,
         const std::string& kind, const std::string& message) {
  Json document = Json::document();
  if (arguments.all) document.set("services", Json::array());
  document.set("error", std::move(Json::object()
                                      .set("kind", kind)
                                      .set("namespace", service.namespace_name)
                                      .set("service", service.name)
                                      .set("message", message)));
  context.answer(document, "");
  context.remark(message);
  return output::kNo;
}

void answer(Context& context, const ServiceName& name, const Service& service) {
  const auto format = context.style().format;
  context.answer(Json::document().merge(ServiceView::json(service)),
                 format == Format::name ? name.full : plain(service));
  // The answer of a service that has neither endpoint nor pid is an empty line, not nothing.
  if (format == Format::table && !context.style().quiet && plain(service).empty()) {
    context.out().line("");
  }
}

// Every instance, in the order in which they were registered; or the best one.
Result<std::vector<Service>> find(const Registry& registry, const LookupArguments& arguments,
                                  const std::string& name) {
  std::vector<Service> services;
  if (arguments.all) {
    auto all = registry.lookup_all(name);
    if (!all) return all.status();
    services = std::move(all).value();
    std::sort(services.begin(), services.end(),
              [](const Service& a, const Service& b) { return a.id() < b.id(); });
  } else {
    auto found = registry.lookup(name);
    if (!found) return found.status();
    services.push_back(std::move(found).value());
  }
  return services;
}

int lookup(Context& context, const LookupArguments& arguments) {
  const ServiceName name(arguments.service);
  const Registry registry = context.attach();
  auto found = find(registry, arguments, name.full);
  if (found.code() == Errc::not_found) {
    const std::string near = context.style().quiet ? "" : near_name(registry, name.full);
    return miss(context, arguments, name, "not_found",
                found.message() + (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
  std::vector<Service> services = require(std::move(found));
  if (arguments.healthy) {
    const std::string health(to_string(services.front().health()));
    std::erase_if(services, [](const Service& each) { return !output::is_healthy(each); });
    if (services.empty()) {
      return miss(context, arguments, name, "not_healthy",
                  "'" + name.full + "' is registered, but its health is " + health);
    }
  }
  const auto format = context.style().format;
  if (format == Format::wide || (arguments.all && format != Format::table)) {
    output::print_list<ServiceView>(context.out(), context.style(), "services", services);
    return output::kDone;
  }
  for (const Service& service : services) answer(context, name, service);
  return output::kDone;
}

bool matches_glob(const Service& service, const std::string& glob) {
  // A pattern with a slash means the whole name.
  const bool whole = glob.find('/') != std::string::npos;
  const std::string text(whole ? service.full_name() : service.name());
  return ::fnmatch(glob.c_str(), text.c_str(), 0) == 0;
}

std::vector<Service> filtered(std::vector<Service> services, const Filter& filter) {
  std::vector<std::pair<std::string, std::string>> metadata;
  for (const auto& piece : filter.metadata) {
    metadata.push_back(split_metadata(piece, "--meta"));
  }
  const auto unwanted = [&](const Service& service) {
    if (filter.glob && !matches_glob(service, *filter.glob)) return true;
    if (filter.health && to_string(service.health()) != *filter.health) return true;
    if (filter.pid && service.pid() != static_cast<std::uint32_t>(*filter.pid)) return true;
    for (const auto& [key, value] : metadata) {
      const auto present = service.metadata(key);
      if (!present || *present != value) return true;
    }
    const auto tags = service.tags();
    return std::any_of(filter.tags.begin(), filter.tags.end(), [&](const std::string& tag) {
      return std::find(tags.begin(), tags.end(), tag) == tags.end();
    });
  };
  services.erase(std::remove_if(services.begin(), services.end(), unwanted), services.end());
  return services;
}

// Before anything is attached: a malformed filter is a mistake also where nothing is registered.
void check(const Filter& filter) {
  for (const auto& piece : filter.metadata) (void)split_metadata(piece, "--meta");
  if (filter.health && !health_from_string(*filter.health)) {
    throw Failure(output::kUsage, "--health: '" + *filter.health +
                                      "' is none of unknown, starting, passing, warning, critical "
                                      "or maintenance");
  }
}

std::optional<std::string_view> view(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

int list(Context& context, const Filter& filter) {
  check(filter);
  const Registry registry = context.attach();
  auto services = filtered(require(registry.list(view(filter.namespace_name))), filter);
  std::sort(services.begin(), services.end(), output::comes_before);
  output::print_list<ServiceView>(context.out(), context.style(), "services", services);
  if (!services.empty() || filter.is_plain()) return output::kDone;
  context.remark("no service matches");
  return output::kNo;
}

int count(Context& context, const std::optional<std::string>& namespace_name) {
  const std::uint64_t services = require(context.attach().count(view(namespace_name)));
  Json document = Json::document();
  document.set("namespace", namespace_name ? Json(*namespace_name) : Json()).set("count", services);
  context.answer(document, std::to_string(services));
  return output::kDone;
}

struct NamespaceView {
  static std::vector<output::Column> columns() {
    return {{"NAMESPACE"}, {"SERVICES", output::Align::right}};
  }
  static std::vector<output::Cell> cells(const NamespaceCount& row) {
    return {row.name, std::to_string(row.services)};
  }
  static Json json(const NamespaceCount& row) {
    return std::move(Json::object().set("namespace", row.name).set("services", row.services));
  }
  static std::string name(const NamespaceCount& row) { return row.name; }
};

int namespaces(Context& context) {
  const auto found = require(context.attach().namespaces());
  output::print_list<NamespaceView>(context.out(), context.style(), "namespaces", found);
  return output::kDone;
}

}  // namespace

void add_find_commands(Commands& commands) {
  auto wanted = std::make_shared<LookupArguments>();
  commands.push_back(
      Command("lookup", "Find a live service; print its endpoint, or its pid")
          .argument("SERVICE", "NAMESPACE/NAME; without a slash the namespace is \"default\"",
                    into(wanted->service))
          .flag("--all", "every live instance", wanted->all)
          .flag("--healthy", "only if passing, or unknown without a check", wanted->healthy)
          .action([wanted](Context& context) { return lookup(context, *wanted); })
          .more("Exit status 1 where it is not found."));

  auto filter = std::make_shared<Filter>();
  commands.push_back(
      Command("list", "List the live services of one namespace, or of all")
          .optional_argument("NAMESPACE", "that one alone, not those below it",
                             into(filter->namespace_name))
          .value("--match", "GLOB", "name, or NAMESPACE/NAME where GLOB holds a slash",
                 into(filter->glob))
          .value("--meta", "K=V", "with this metadata", into(filter->metadata), Repeat::yes)
          .value("--tag", "T", "with this tag", into(filter->tags), Repeat::yes)
          .value("--health", "STATE", "unknown, starting, passing, warning, critical, maintenance",
                 into(filter->health))
          .value("--pid", "PID", "of this process", pid_into(filter->pid))
          .action([filter](Context& context) { return list(context, *filter); })
          .more("All filters must hold. Exit status 1 where there are filters and nothing "
                "matches."));

  auto counted = std::make_shared<std::optional<std::string>>();
  commands.push_back(
      Command("count", "Count the live services of one namespace, or of all")
          .optional_argument("NAMESPACE", "that one alone, not those below it", into(*counted))
          .action([counted](Context& context) { return count(context, *counted); }));

  commands.push_back(
      Command("namespaces", "List the namespaces that have live services").action(namespaces));
}

}  // namespace shmreg::regctl
