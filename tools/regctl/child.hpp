// A program run as a child: held back until it is told to go, then given all signals.
//
//   SignalRelay relay;                    // from here on signals wait
//   Child child(relay, {"sleep", "60"});  // forked, not yet executed: it has a pid
//   ...                                   // what must be done under that pid first
//   if (int error = child.go()) ...       // executes it, or says why not
//   int status = child.wait(relay);       // as a shell would give it
//
// The child dies with this process (PDEATHSIG), whatever ends it. That follows the forking thread,
// so all of this belongs to the main thread, and the fork comes before there is a second one.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace shmreg::regctl {

// Holds back this process's signals, to be taken one by one and passed on.
class SignalRelay {
 public:
  SignalRelay();
  // In the child, before it executes: signals as this process was given them.
  void restore() const noexcept;
  // Waits for one signal, and passes it on to `child` unless the child got it as well.
  void relay_one(pid_t child) const;

 private:
  sigset_t held_back_;
  sigset_t original_mask_;
  struct sigaction original_child_action_ {};
};

class Child {
 public:
  // Forks. Throws Failure. `program` is what execvp gets; not empty.
  Child(const SignalRelay& relay, const std::vector<std::string>& program);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  // One that was never told to go ends unexecuted, and is reaped.
  ~Child();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // Executes the program: 0, or the errno of the attempt; it is then over and reaped.
  [[nodiscard]] int go();
  // Passes signals on until it has ended: its exit status, or 128 + the signal that ended it.
  [[nodiscard]] int wait(const SignalRelay& relay);

 private:
  void reap() noexcept;

  pid_t pid_ = -1;
  int channel_ = -1;  // a byte goes out for "go", an errno comes back, or the end where it worked
};

}  // namespace shmreg::regctl
