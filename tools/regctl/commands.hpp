// The groups of commands, a file each. Every function appends its group to the list.
#pragma once

#include "regctl/command.hpp"

namespace shmreg::regctl {

void add_segment_commands(Commands& commands);    // create destroy segments ps info
void add_doctor_command(Commands& commands);      // doctor gc
void add_register_commands(Commands& commands);   // register renew unregister
void add_find_commands(Commands& commands);       // lookup list count namespaces
void add_run_command(Commands& commands);         // run
void add_namespace_commands(Commands& commands);  // tree cleanup
void add_watch_commands(Commands& commands);      // wait watch
void add_transfer_commands(Commands& commands);   // export import

}  // namespace shmreg::regctl
