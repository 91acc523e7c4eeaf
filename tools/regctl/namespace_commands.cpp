// Namespaces with what lies below them: tree shows them, cleanup empties one.
#include <algorithm>
#include <map>
#include <memory>

#include "output/escape.hpp"
#include "output/exit_code.hpp"
#include "output/service_view.hpp"
#include "regctl/commands.hpp"
#include "regctl/context.hpp"
#include "regctl/service_options.hpp"
#include "shmreg/termination.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;
using output::Format;
using output::Json;
using output::require;

// --- cleanup -------------------------------------------------------------------------------------

constexpr std::chrono::seconds kGrace{5};

struct CleanupArguments {
  std::string namespace_name;
  bool terminate = false;
  bool force = false;
};

bool is_or_below(std::string_view name, std::string_view top) {
  return name.substr(0, top.size()) == top &&
         (name.size() == top.size() || name[top.size()] == '/');
}

std::vector<Service> services_in(const Registry& registry, const std::string& top) {
  return require(registry.query({.namespace_name = top, .and_below = true}));
}

int cleanup(Context& context, const CleanupArguments& arguments) {
  const std::string& top = arguments.namespace_name;
  (void)ServiceName(top + "/x");  // Failure where it is no namespace
  if (!arguments.force && (is_or_below(top, "production") || is_or_below(top, "default"))) {
    throw Failure(output::kNotPermitted, "'" + top +
                                             "' is not a namespace of tests: it is cleaned up only "
                                             "with --force");
  }
  Registry registry = context.attach();
  auto services = services_in(registry, top);
  if (!services.empty()) registry = context.attach(Access::read_write);
  std::uint64_t removed = 0;
  Termination termination;
  if (arguments.terminate) {
    termination = terminate_owners(registry, services, kGrace);
    // What has ended with its owner is as good as removed by us.
    const auto left = services_in(registry, top);
    for (const Service& service : services) {
      const bool asked = termination.ended.contains(service.pid());
      const bool there = std::any_of(
          left.begin(), left.end(), [&](const Service& each) { return each.id() == service.id(); });
      if (asked && !there) ++removed;
    }
    services = left;
  }
  if (!services.empty()) removed += require(registry.cleanup(top));
  Json document = Json::document();
  document.set("namespace", top)
      .set("removed", removed)
      .set("terminated", termination.ended.size());
  context.answer(document, std::to_string(removed));
  if (termination.not_asked.empty()) return output::kDone;
  std::string who;
  for (const std::string& one : termination.not_asked) who += (who.empty() ? "" : ", ") + one;
  complain("owners that could not be stopped (their services are removed): " + who);
  return termination.not_permitted ? output::kNotPermitted : output::kConflict;
}

// --- tree ----------------------------------------------------------------------------------------

struct Node {
  std::vector<const Service*> services;
  std::map<std::string, Node, std::less<>> below;  // by the next part of the name
};

Node tree_of(const std::vector<Service>& services) {
  Node root;
  for (const Service& service : services) {
    Node* node = &root;
    for (std::string_view rest = service.namespace_name(); !rest.empty();) {
      const auto slash = std::min(rest.find('/'), rest.size());
      node = &node->below[std::string(rest.substr(0, slash))];
      rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    node->services.push_back(&service);
  }
  return root;
}

// Depth is bounded by the length of a namespace: 255 bytes, 128 parts.
Json to_json(const std::string& name, const Node& node) {
  Json services = Json::array();
  for (const Service* service : node.services) services.push(output::ServiceView::json(*service));
  Json namespaces = Json::array();
  for (const auto& [part, below] : node.below) namespaces.push(to_json(part, below));
  return std::move(Json::object()
                       .set("name", name)
                       .set("services", std::move(services))
                       .set("namespaces", std::move(namespaces)));
}

std::string service_line(const Service& service, Format format) {
  std::string line(service.name());
  if (!service.endpoint().empty()) line.append("  ").append(service.endpoint());
  if (service.pid() != 0) line += "  pid " + std::to_string(service.pid());
  if (format == Format::wide) {
    line.append("  ").append(to_string(service.owner()));
    line.append("  ").append(to_string(service.health()));
  }
  return line;
}

void print_node(Context& context, const Node& node, const std::string& indent) {
  std::size_t left = node.services.size() + node.below.size();
  const auto branch = [&] { return indent + (--left == 0 ? "└── " : "├── "); };
  for (const Service* service : node.services) {
    context.out().line(branch() + output::escape(service_line(*service, context.style().format)));
  }
  for (const auto& [part, below] : node.below) {
    const std::string line = branch();
    context.out().line(line + output::escape(part) + "/");
    print_node(context, below, indent + (left == 0 ? "    " : "│   "));
  }
}

void print_names(Context& context, const Node& node) {
  for (const Service* service : node.services) {
    context.out().line(output::escape(service->full_name()));
  }
  for (const auto& [part, below] : node.below) print_names(context, below);
}

int tree(Context& context) {
  const Registry registry = context.attach();
  auto services = require(registry.list());
  std::sort(services.begin(), services.end(),
            [](const Service& a, const Service& b) { return a.full_name() < b.full_name(); });
  const Node root = tree_of(services);
  if (context.style().quiet) return output::kDone;
  switch (context.style().format) {
    case Format::json: {
      Json namespaces = Json::array();
      for (const auto& [part, node] : root.below) namespaces.push(to_json(part, node));
      context.answer(Json::document().set("namespaces", std::move(namespaces)), "");
      break;
    }
    case Format::jsonl:
      for (const auto& [part, node] : root.below) {
        context.answer(Json::document().merge(to_json(part, node)), "");
      }
      break;
    case Format::name:
      print_names(context, root);
      break;
    case Format::table:
    case Format::wide:
      for (const auto& [part, node] : root.below) {
        context.out().line(output::escape(part) + "/");
        print_node(context, node, "");
      }
      break;
  }
  return output::kDone;
}

}  // namespace

void add_namespace_commands(Commands& commands) {
  commands.push_back(
      Command("tree", "Show the namespaces as a tree, with their services").action(tree));

  auto cleaned = std::make_shared<CleanupArguments>();
  commands.push_back(
      Command("cleanup", "Remove every service of a namespace and of those below it")
          .argument("NAMESPACE", "the namespace", into(cleaned->namespace_name))
          .flag("--terminate", "first ask the owners to stop: SIGTERM, SIGKILL after 5 s",
                cleaned->terminate)
          .flag("--force", "also of production and default", cleaned->force)
          .action([cleaned](Context& context) { return cleanup(context, *cleaned); })
          .more("Prints how many were removed. Never stops itself nor the processes that it was "
                "called by."));
}

}  // namespace shmreg::regctl
