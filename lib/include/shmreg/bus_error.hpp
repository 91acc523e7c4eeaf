// SIGBUS: for programs that have a handler of their own. Others need nothing of this.
//
// Whoever may write a segment's file may truncate it; who then touches what was mapped of it gets
// SIGBUS. Unless told otherwise (AttachOptions::handle_bus_errors) the library installs a handler
// with the first attach. It acts for faults in segments alone, which it puts zeros into; calls on
// such a segment then return Errc::corrupt. Everything else it passes on to the handler that was
// there before. It is one for the whole process and stays until the process ends or the program
// installs another.
//
// A program that installs a handler later than that, or switches ours off, calls handle_sigbus from
// its own:
//
//   void on_sigbus(int, siginfo_t* info, void*) {
//     if (shmreg::handle_sigbus(info)) return;
//     ...
//   }
//
// Installed with SA_SIGINFO (and SA_ONSTACK, where threads run on small stacks). With any handler a
// thread that blocks SIGBUS dies of such a fault: the kernel does not wait with it.
#pragma once

#include <signal.h>

#include "shmreg/api.h"

namespace shmreg {

// True if the fault was in a segment of this process and has been dealt with: return from the
// handler. False, and nothing done, for every other. Async-signal-safe.
[[nodiscard]] SHMREG_API bool handle_sigbus(const siginfo_t* info) noexcept;

}  // namespace shmreg
