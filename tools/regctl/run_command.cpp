// run: a command under a name, for as long as it runs.
//
// The name is bound to the command's own pid and to this process's life: either end is its end, by
// the kernel's word, also while this process is stopped. The command does not start before the name
// is its own.
#include <cerrno>
#include <cstring>
#include <memory>

#include "output/exit_code.hpp"
#include "regctl/child.hpp"
#include "regctl/commands.hpp"
#include "regctl/context.hpp"
#include "regctl/service_options.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;
using output::require;

// As shells have it.
constexpr int kCannotExecute = 126;
constexpr int kNoSuchCommand = 127;

struct RunArguments : ServiceOptions {
  std::vector<std::string> program;
};

int run(Context& context, const RunArguments& arguments) {
  if (arguments.program.empty()) {
    throw Failure(output::kUsage, "run needs a command, behind --; see regctl help run");
  }
  const ServiceName service(arguments.service);
  const ServiceSpec spec = arguments.spec();
  // Attaching starts no thread; the first write does. The fork comes in between.
  Registry registry = context.attach(Access::read_write, arguments.create);
  const SignalRelay relay;
  Child child(relay, arguments.program);
  const std::uint64_t id = require(registry.register_for(
      Owner::process(child.pid(), /*and_caller=*/true), service.full, spec, arguments.options()));
  // Whatever becomes of the unregistering, the name has ended with the command.
  const auto unregister = [&] { (void)registry.unregister(service.full, {.id = id}); };
  if (const int error = child.go(); error != 0) {
    unregister();
    throw Failure(error == ENOENT ? kNoSuchCommand : kCannotExecute,
                  "cannot run '" + arguments.program.front() + "': " + std::strerror(error));
  }
  const int status = child.wait(relay);
  unregister();
  return status;
}

}  // namespace

void add_run_command(Commands& commands) {
  auto made = std::make_shared<RunArguments>();
  Command command("run", "Run a command under a name, for as long as it runs");
  add_service_options(command, *made);
  commands.push_back(
      command.program(made->program)
          .action([made](Context& context) { return run(context, *made); })
          .more("Passes signals on, and dies with the command as the command dies with it. Exit "
                "status: the\ncommand's own, 128+N where signal N ended it, 127 where there is no "
                "such command, 126 where it\ncannot be executed, 5 where the name is taken and "
                "nothing was run."));
}

}  // namespace shmreg::regctl
