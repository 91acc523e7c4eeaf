// A process whose number is chosen: one that was another's, or is another's in a PID namespace
// beside. Needs privileges, and Linux 5.5.
#pragma once

#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace shmreg::test {

// As fork(), of the C library's handlers none; -1 where it may not be, or the number is in use.
inline pid_t fork_as(pid_t number) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<std::uintptr_t>(&number);
  arguments.set_tid_size = 1;
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

class ChosenPid {
 public:
  explicit ChosenPid(pid_t number) : ChosenPid(number, [] {}) {}
  // Does `body`, then nothing.
  template <class Body>
  ChosenPid(pid_t number, Body body) : pid_(fork_as(number)) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    for (;;) ::poll(nullptr, 0, -1);
  }
  ChosenPid(const ChosenPid&) = delete;
  ChosenPid& operator=(const ChosenPid&) = delete;
  ~ChosenPid() {
    if (there()) (void)end();
  }

  [[nodiscard]] bool there() const { return pid_ > 0; }
  // Kills it; true where nobody has sent it a deadly signal before.
  [[nodiscard]] bool end() {
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

 private:
  pid_t pid_;
};

}  // namespace shmreg::test
