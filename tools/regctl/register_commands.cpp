// Entries made for others than regctl itself: register, renew, unregister.
//
// regctl is gone a moment later, so what it registers belongs to a process named by pid, to a time
// that must be renewed, or to nobody.
#include <memory>

#include "output/exit_code.hpp"
#include "output/json.hpp"
#include "regctl/commands.hpp"
#include "regctl/context.hpp"
#include "regctl/service_options.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;
using output::Format;
using output::Json;
using output::require;

struct RegisterArguments : ServiceOptions {
  std::optional<std::int32_t> pid;
  std::optional<std::chrono::nanoseconds> ttl;
  bool permanent = false;
};

struct IdArguments {
  std::string service;
  std::optional<std::uint64_t> id;
  bool force = false;
};

Json about(const ServiceName& service) {
  Json document = Json::document();
  document.set("namespace", service.namespace_name).set("name", service.name);
  return document;
}

Owner owner_of(const RegisterArguments& arguments) {
  const int given =
      (arguments.pid ? 1 : 0) + (arguments.ttl ? 1 : 0) + (arguments.permanent ? 1 : 0);
  if (given != 1) {
    throw Failure(output::kUsage,
                  "register needs exactly one of --pid, --ttl and --static; see regctl help "
                  "register");
  }
  if (arguments.pid) return Owner::process(*arguments.pid);
  if (arguments.ttl) return Owner::time_to_live(*arguments.ttl);
  return Owner::permanent();
}

int register_service(Context& context, const RegisterArguments& arguments) {
  const Owner owner = owner_of(arguments);
  const ServiceName service(arguments.service);
  const ServiceSpec spec = arguments.spec();
  Registry registry = context.attach(Access::read_write, arguments.create);
  const std::uint64_t id =
      require(registry.register_for(owner, service.full, spec, arguments.options()));
  const bool names = context.style().format == Format::name;
  context.answer(about(service).set("id", id), names ? service.full : std::to_string(id));
  return output::kDone;
}

int renew(Context& context, const IdArguments& arguments) {
  const ServiceName service(arguments.service);
  if (!arguments.id) throw Failure(output::kUsage, "renew needs --id; register printed it");
  Registry registry = context.attach(Access::read_write);
  auto result = registry.renew(service.full, *arguments.id);
  // A service that has no time to live, to the library a mistake of the caller, is a plain no here.
  const bool has_no_ttl = result.code() == Errc::invalid_argument;
  const std::string why = has_no_ttl ? result.message()
                                     : "'" + service.full + "' has no time to live under id " +
                                           std::to_string(*arguments.id) +
                                           ": it has expired, or was registered anew; register it "
                                           "again";
  const bool renewed = !has_no_ttl && require(std::move(result));
  context.answer(about(service).set("id", *arguments.id).set("renewed", renewed), "");
  if (renewed) return output::kDone;
  context.remark(why);
  return output::kNo;
}

int unregister(Context& context, const IdArguments& arguments) {
  const ServiceName service(arguments.service);
  Registry registry = context.attach(Access::read_write);
  auto gone = registry.unregister(service.full, {.id = arguments.id, .force = arguments.force});
  if (gone.code() == Errc::not_owner) {
    // The library speaks to programs, which have no --force.
    const bool told = gone.message().find("--force") != std::string::npos;
    throw Failure(output::kNotPermitted,
                  gone.message() + (told ? "" : "; --force unregisters it all the same"));
  }
  const bool removed = require(std::move(gone));
  context.answer(about(service).set("unregistered", removed), "");
  if (removed) return output::kDone;
  context.remark("'" + service.full + "' is not registered" +
                 (arguments.id ? " under id " + std::to_string(*arguments.id) : ""));
  return output::kNo;
}

}  // namespace

void add_register_commands(Commands& commands) {
  auto made = std::make_shared<RegisterArguments>();
  Command command("register", "Register a service for a process, for a time, or for good");
  add_service_options(command, *made);
  commands.push_back(
      command.value("--pid", "PID", "it ends with this process", pid_into(made->pid))
          .value("--ttl", "DURATION", "it ends unless renewed in time", into(made->ttl))
          .flag("--static", "it stays until it is unregistered", made->permanent)
          .action([made](Context& context) { return register_service(context, *made); })
          .more("Exactly one of --pid, --ttl and --static says when it ends. DURATION is a number "
                "and a unit:\nns, us, ms, s, m, h or d. Prints the registration id."));

  auto renewed = std::make_shared<IdArguments>();
  commands.push_back(
      Command("renew", "Begin a service's time to live anew")
          .argument("SERVICE", "NAMESPACE/NAME", into(renewed->service))
          .value("--id", "ID", "the id that register printed; required", id_into(renewed->id))
          .action([renewed](Context& context) { return renew(context, *renewed); })
          .more("Exit status 1 where it has expired or the id is another's."));

  auto gone = std::make_shared<IdArguments>();
  commands.push_back(
      Command("unregister", "Remove a service's registration")
          .argument("SERVICE", "NAMESPACE/NAME", into(gone->service))
          .value("--id", "ID", "only the registration with this id", id_into(gone->id))
          .flag("--force", "also what another live process registered for itself", gone->force)
          .action([gone](Context& context) { return unregister(context, *gone); })
          .more("Of a shared name all instances, or the one with the id. Exit status 1 where it "
                "was not "
                "there, or has another id."));
}

}  // namespace shmreg::regctl
