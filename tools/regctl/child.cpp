#include "regctl/child.hpp"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "output/exit_code.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;

constexpr std::array kPassedOn{SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,   SIGUSR2, SIGWINCH,
                               SIGCONT, SIGTSTP, SIGALRM, SIGIO,   SIGVTALRM, SIGPROF, SIGPWR};
constexpr int kSignalBase = 128;

bool is_terminal_stop(int signal) noexcept {
  return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

// A terminal sends to its whole foreground group: the child, if still of our group, has the signal
// already, and two interrupts mean more to many a program than one. Hang-up alone goes to the
// session's leader by itself.
bool child_has_it(const siginfo_t& info, pid_t child) noexcept {
  if (info.si_code <= 0) return false;  // sent by a process, to us
  if (info.si_signo == SIGHUP && ::getsid(0) == ::getpid()) return false;
  return ::getpgid(child) == ::getpgrp();
}

// Between fork and execvp: async-signal-safe calls alone.
[[noreturn]] void become(const SignalRelay& relay, pid_t parent, int channel,
                         char* const* arguments) noexcept {
  // The parent may have died before the request was made.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(output::kOwnFault);
  char go = 0;
  ssize_t got = 0;
  do {
    got = ::recv(channel, &go, 1, 0);
  } while (got < 0 && errno == EINTR);
  if (got != 1) ::_exit(output::kOwnFault);  // never told to go
  relay.restore();
  ::execvp(arguments[0], arguments);
  const int error = errno;
  (void)::send(channel, &error, sizeof error, MSG_NOSIGNAL);
  ::_exit(output::kOwnFault);
}

}  // namespace

SignalRelay::SignalRelay() {
  ::sigemptyset(&held_back_);
  for (const int signal : kPassedOn) ::sigaddset(&held_back_, signal);
  ::sigaddset(&held_back_, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &held_back_, &original_mask_);
  // Where a parent left SIGCHLD ignored, children would vanish without a status. Ignored signals
  // that are blocked still arrive (kernel/signal.c, sig_ignored), so the others need no change.
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &by_default, &original_child_action_);
}

void SignalRelay::restore() const noexcept {
  ::sigaction(SIGCHLD, &original_child_action_, nullptr);
  ::sigprocmask(SIG_SETMASK, &original_mask_, nullptr);
}

void SignalRelay::relay_one(pid_t child) const {
  siginfo_t info{};
  const int signal = ::sigwaitinfo(&held_back_, &info);
  if (signal <= 0 || signal == SIGCHLD) return;
  if (!child_has_it(info, child)) ::kill(child, signal);
}

Child::Child(const SignalRelay& relay, const std::vector<std::string>& program) {
  std::vector<char*> arguments;
  for (const std::string& word : program) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);

  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw Failure(output::kSystemError, std::string("run: socketpair: ") + std::strerror(errno));
  }
  // What it will be called by the kernel once it is that command: its name is registered before.
  std::array<char, 16> own_name{};
  ::prctl(PR_GET_NAME, own_name.data());
  const std::string& command = program.front();
  ::prctl(PR_SET_NAME, command.c_str() + (command.rfind('/') + 1));
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(ends[0]);
    become(relay, parent, ends[1], arguments.data());
  }
  const int error = errno;
  ::prctl(PR_SET_NAME, own_name.data());
  ::close(ends[1]);
  channel_ = ends[0];
  if (pid_ < 0) {
    ::close(channel_);
    throw Failure(error == EAGAIN || error == ENOMEM ? output::kNoRoom : output::kSystemError,
                  std::string("run: cannot fork: ") + std::strerror(error));
  }
}

Child::~Child() {
  if (channel_ >= 0) ::close(channel_);  // the child reads the end, and ends
  if (pid_ > 0) reap();
}

void Child::reap() noexcept {
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

int Child::go() {
  const char byte = 1;
  // A child that was killed meanwhile reads nothing; wait() will tell its end.
  (void)::send(channel_, &byte, 1, MSG_NOSIGNAL);
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::recv(channel_, &error, sizeof error, MSG_WAITALL);
  } while (got < 0 && errno == EINTR);
  ::close(channel_);
  channel_ = -1;
  if (got != static_cast<ssize_t>(sizeof error)) return 0;
  reap();
  return error;
}

int Child::wait(const SignalRelay& relay) {
  while (true) {
    int status = 0;
    const pid_t changed = ::waitpid(pid_, &status, WNOHANG | WUNTRACED);
    if (changed < 0 && errno != EINTR) {
      const int error = errno;
      pid_ = -1;
      throw Failure(output::kSystemError, std::string("run: waitpid: ") + std::strerror(error));
    }
    if (changed <= 0) {
      relay.relay_one(pid_);
      continue;
    }
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      pid_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
    }
    // Stopped from the terminal: the shell waits for us to stop as well. SIGCONT resumes us, and is
    // passed on.
    if (WIFSTOPPED(status) && is_terminal_stop(WSTOPSIG(status))) ::kill(::getpid(), SIGSTOP);
  }
}

}  // namespace shmreg::regctl
