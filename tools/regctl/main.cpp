// regctl: every command that a person or a script gives the registry.
//
// main() is where whatever went wrong becomes one line on standard error and an exit code: nothing
// gets past it.
#include <fcntl.h>
#include <unistd.h>

#include <clocale>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "output/exit_code.hpp"
#include "output/nearest.hpp"
#include "regctl/command_line.hpp"
#include "regctl/commands.hpp"
#include "regctl/complete_command.hpp"
#include "regctl/context.hpp"
#include "regctl/help.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;
using output::Json;

int print_version(Context& context) {
  context.answer(Json::document().set("version", version()), std::string("regctl ") + version());
  return output::kDone;
}

int print_help(Context& context, const Commands& commands,
               const std::optional<std::string>& topic) {
  const auto common = context.common_options();
  if (!topic) {
    context.out().write(overview(commands, common));
    return output::kDone;
  }
  std::vector<std::string> known;
  for (const Command& command : commands) {
    known.push_back(command.name());
    if (command.name() != *topic) continue;
    context.out().write(help_of(command, common));
    return output::kDone;
  }
  const auto meant = output::nearest(*topic, known);
  throw Failure(output::kUsage, "unknown command '" + *topic + "'" +
                                    (meant ? "; did you mean '" + *meant + "'?" : "") +
                                    "; see regctl help");
}

int run(const std::vector<std::string>& words) {
  Context context;
  const auto common = context.common_options();
  Commands commands;
  add_segment_commands(commands);
  add_register_commands(commands);
  add_find_commands(commands);
  add_namespace_commands(commands);
  add_watch_commands(commands);
  add_transfer_commands(commands);
  add_run_command(commands);
  add_doctor_command(commands);
  commands.push_back(Command("version", "Print the version").action(print_version));

  std::optional<std::string> topic;
  Command help("help", "Print how regctl, or one command, is used");
  help.optional_argument("COMMAND", "the command to explain", into(topic));
  help.action([&](Context& here) { return print_help(here, commands, topic); });
  commands.push_back(std::move(help));

  commands.push_back(complete_command(commands));

  const Command* command = parse_command_line(words, commands, common, context);
  int status = output::kDone;
  if (context.help_wanted()) {
    if (command != nullptr) topic = command->name();
    status = print_help(context, commands, topic);
  } else if (context.version_wanted()) {
    status = print_version(context);
  } else if (command == nullptr) {
    throw Failure(output::kUsage, "no command given; see regctl help");
  } else {
    status = command->run(context);
  }
  context.out().flush();
  return status;
}

// A closed standard stream would be given to the next file that is opened, perhaps the segment, and
// what is printed would be written into it. These stand-ins take the place, and refuse to be
// written, or read: that nothing is there must not look like an empty file.
void keep_standard_streams() {
  for (int stream = 0; stream <= 2; ++stream) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    [[maybe_unused]] const int lowest = ::open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
  }
}

// For what is thrown where no handler can be: the last word is still one line of ours.
[[noreturn]] void give_up() {
  complain("internal error; please report it");
  ::_exit(output::kOwnFault);
}

}  // namespace
}  // namespace shmreg::regctl

int main(int argc, char** argv) {
  using namespace shmreg;  // NOLINT(google-build-using-namespace)
  std::set_terminate(regctl::give_up);
  regctl::keep_standard_streams();
  // For the width of characters and for globs: text is UTF-8 here, whatever the user's locale is.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "");
  try {
    return regctl::run({argv + (argc > 0 ? 1 : 0), argv + argc});
  } catch (const output::Failure& failure) {
    if (*failure.what() != '\0') regctl::complain(failure.what());
    return failure.code();
  } catch (const Error& error) {
    regctl::complain(error.what());
    return output::exit_code(error.errc());
  } catch (const std::bad_alloc&) {
    regctl::complain("out of memory");
    return output::kNoRoom;
  } catch (const std::exception& error) {
    regctl::complain(std::string("internal error: ") + error.what());
    return output::kOwnFault;
  } catch (...) {
    regctl::complain("internal error");
    return output::kOwnFault;
  }
}
