// Questions: lookup, list, count, namespaces.
#include <algorithm>
#include <chrono>
#include <memory>

#include "output/escape.hpp"
#include "output/exit_code.hpp"
#include "output/listing.hpp"
#include "output/nearest.hpp"
#include "output/service_view.hpp"
#include "output/units.hpp"
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

struct ListArguments {
  Query query;
  std::vector<std::string> metadata;
  std::vector<std::string> where;
  std::optional<std::string> health;
  std::optional<std::int32_t> pid;

  [[nodiscard]] bool is_plain() const {
    return !query.match && query.tags.empty() && metadata.empty() && where.empty() && !health &&
           !pid;
  }
};

// What a person wants of a service: where to reach it, else which process it is.
std::string plain(const Service& service) {
  if (!service.endpoint().empty()) return std::string(service.endpoint());
  return service.pid() == 0 ? std::string() : std::to_string(service.pid());
}

// "its owner 4711 (config_server) died 4 min ago"
std::string ending(const LastKnown& last) {
  const Service& service = last.service;
  std::string owner = "its owner";
  if (service.pid() != 0) {
    owner += " " + std::to_string(service.pid());
    if (!last.program.empty()) owner += " (" + last.program + ")";
  }
  std::string when;
  if (last.at_ns != 0) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto age_ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() - last.at_ns;
    when = " " +
           output::human_duration(static_cast<std::uint64_t>(std::max<std::int64_t>(age_ns, 0))) +
           " ago";
  }
  switch (last.end) {
    case WatchEventKind::died:
      return owner + (when.empty() ? " has died" : " died" + when);
    case WatchEventKind::expired:
      return "its time to live " + (when.empty() ? std::string("is up") : "was up" + when);
    default:
      return (service.pid() == 0 ? "it" : owner + "'s registration") + " was unregistered" + when;
  }
}

Json last_json(const LastKnown& last) {
  const Service& service = last.service;
  return std::move(Json::object()
                       .set("event", to_string(last.end))
                       .set("at", last.at_ns == 0 ? Json() : Json(output::rfc3339(last.at_ns)))
                       .set("id", service.id())
                       .set("pid", service.pid() == 0 ? Json() : Json(service.pid()))
                       .set("program", last.program.empty() ? Json() : Json(last.program)));
}

// A name of the same namespace that is spelt nearly so; else the same name in the namespace that is
// nearest. By the parts that differ: "default/" in common makes no two names alike.
std::string near_name(const Registry& registry, const ServiceName& wanted) {
  const auto info = registry.info();
  if (!info || info->services > kNearNameLimit) return "";
  const auto services = registry.list();
  if (!services) return "";
  std::vector<std::string> beside;
  std::vector<std::string> elsewhere;
  for (const Service& service : *services) {
    if (service.namespace_name() == wanted.namespace_name) beside.emplace_back(service.name());
    if (service.name() == wanted.name) elsewhere.emplace_back(service.namespace_name());
  }
  std::sort(beside.begin(), beside.end());
  std::sort(elsewhere.begin(), elsewhere.end());
  if (const auto near = output::nearest(wanted.name, beside)) {
    return wanted.namespace_name + "/" + *near;
  }
  if (elsewhere.empty()) return "";
  const auto near = output::nearest(wanted.namespace_name, elsewhere);
  return near.value_or(elsewhere.front()) + "/" + wanted.name;
}

int miss(Context& context, const LookupArguments& arguments, const ServiceName& service,
         const std::string& kind, const std::string& message,
         const std::optional<LastKnown>& last = std::nullopt) {
  Json document = Json::document();
  if (arguments.all) document.set("services", Json::array());
  document.set("error", std::move(Json::object()
                                      .set("kind", kind)
                                      .set("namespace", service.namespace_name)
                                      .set("service", service.name)
                                      .set("last", last ? last_json(*last) : Json())
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

// The kernel marks a process that dumps core only once that is done: its services are still found.
void remark_on_owner(const Context& context, const Registry& registry, const ServiceName& name) {
  if (context.style().quiet) return;
  const auto info = registry.service_info(name.full);
  if (!info || info->state != ProcessState::dumping_core) return;
  context.remark("'" + name.full + "': its owner " + std::to_string(info->service.pid()) + " (" +
                 info->program + ") is dumping core, and is gone after that");
}

int lookup(Context& context, const LookupArguments& arguments) {
  const ServiceName name(arguments.service);
  const Registry registry = context.attach();
  auto found = find(registry, arguments, name.full);
  if (found.code() == Errc::not_found) {
    const auto last = require(registry.last_known(name.full));
    std::string message = found.message();
    if (last) {
      message += "; " + ending(*last);
    } else if (const std::string near = context.style().quiet ? "" : near_name(registry, name);
               !near.empty()) {
      message += "; did you mean '" + near + "'?";
    }
    return miss(context, arguments, name, "not_found", message, last);
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
  if (!arguments.all) remark_on_owner(context, registry, name);
  return output::kDone;
}

// Before anything is attached: a malformed filter is a mistake also where nothing is registered.
Query query_of(const ListArguments& arguments) {
  Query query = arguments.query;
  for (const auto& piece : arguments.metadata) {
    query.metadata.push_back(split_metadata(piece, "--meta"));
  }
  for (const std::string& text : arguments.where) {
    auto condition = MetadataCondition::parse(text);
    if (!condition) throw Failure(output::kUsage, "--where: " + condition.message());
    query.where.push_back(std::move(condition).value());
  }
  if (arguments.health) {
    query.health = health_from_string(*arguments.health);
    if (!query.health) {
      throw Failure(output::kUsage, "--health: '" + *arguments.health +
                                        "' is none of unknown, starting, passing, warning, "
                                        "critical or maintenance");
    }
  }
  if (arguments.pid) query.pid = static_cast<std::uint32_t>(*arguments.pid);
  if (const Status checked = query.check(); !checked) {
    throw Failure(output::kUsage, checked.message());
  }
  return query;
}

std::optional<std::string_view> view(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

int list(Context& context, const ListArguments& arguments) {
  const Query query = query_of(arguments);
  const Registry registry = context.attach();
  auto services = require(registry.query(query));
  std::sort(services.begin(), services.end(), output::comes_before);
  output::print_list<ServiceView>(context.out(), context.style(), "services", services);
  if (!services.empty() || arguments.is_plain()) return output::kDone;
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

  auto wished = std::make_shared<ListArguments>();
  commands.push_back(
      Command("list", "List the live services of one namespace, or of all")
          .optional_argument("NAMESPACE", "that one alone, not those below it",
                             into(wished->query.namespace_name))
          .value("--match", "GLOB", "name, or NAMESPACE/NAME where GLOB holds a slash",
                 into(wished->query.match))
          .value("--meta", "K=V", "with this metadata", into(wished->metadata), Repeat::yes)
          .value("--where", "EXPR", "metadata compared: 'version>=3', 'zone in a,b'",
                 into(wished->where), Repeat::yes)
          .value("--tag", "T", "with this tag", into(wished->query.tags), Repeat::yes)
          .value("--health", "STATE", "unknown, starting, passing, warning, critical, maintenance",
                 into(wished->health))
          .value("--pid", "PID", "of this process", pid_into(wished->pid))
          .action([wished](Context& context) { return list(context, *wished); })
          .more(
              "All filters must hold. EXPR: a key, one of = != < <= > >= and a value; or KEY in "
              "A,B; or\nKEY not in A,B. Numbers are compared as numbers, versions (1.10.0) part "
              "by part, else bytes;\na service without the key never matches. Exit status 1 where "
              "there are filters and nothing\nmatches."));

  auto counted = std::make_shared<std::optional<std::string>>();
  commands.push_back(
      Command("count", "Count the live services of one namespace, or of all")
          .optional_argument("NAMESPACE", "that one alone, not those below it", into(*counted))
          .action([counted](Context& context) { return count(context, *counted); }));

  commands.push_back(
      Command("namespaces", "List the namespaces that have live services").action(namespaces));
}

}  // namespace shmreg::regctl
