#include "torture/stepped_victim.hpp"

#include <dirent.h>
#include <elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <system_error>

namespace torture {
namespace {

// --- what differs from machine to machine --------------------------------------------------------

#if defined(__x86_64__)
constexpr bool kBreakpoints = true;
// The program counter is behind it when it is reported.
constexpr long kBreakpointBits = 0xcc;
constexpr long kBreakpointMask = 0xff;
constexpr std::uintptr_t kBreakpointBytes = 1;
constexpr long kSystemCallBits = 0x050f;
constexpr long kSystemCallMask = 0xffff;

std::uintptr_t instruction_pointer(pid_t thread) {
  errno = 0;
  const long value = ::ptrace(PTRACE_PEEKUSER, thread, offsetof(user, regs.rip), nullptr);
  if (errno != 0) throw std::system_error(errno, std::generic_category(), "PTRACE_PEEKUSER");
  return static_cast<std::uintptr_t>(value);
}
void set_instruction_pointer(pid_t thread, std::uintptr_t place) {
  if (::ptrace(PTRACE_POKEUSER, thread, offsetof(user, regs.rip), place) != 0) {
    throw std::system_error(errno, std::generic_category(), "PTRACE_POKEUSER");
  }
}
#else
// Stepped all the way, which takes longer.
constexpr bool kBreakpoints = false;
constexpr long kBreakpointBits = 0;
constexpr long kBreakpointMask = 0;
constexpr std::uintptr_t kBreakpointBytes = 0;
constexpr long kSystemCallBits = 0xd4000001;  // aarch64: svc #0
constexpr long kSystemCallMask = 0xffffffff;

std::uintptr_t instruction_pointer(pid_t thread) {
  user_regs_struct registers{};
  iovec into{&registers, sizeof registers};
  if (::ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &into) != 0) {
    throw std::system_error(errno, std::generic_category(), "PTRACE_GETREGSET");
  }
  return registers.pc;
}
void set_instruction_pointer(pid_t /*thread*/, std::uintptr_t /*place*/) {}
#endif

// --- the same everywhere -------------------------------------------------------------------------

// The breakpoint lies in this process's own copy of the page.
bool peek(pid_t thread, std::uintptr_t place, long& word) {
  errno = 0;
  word = ::ptrace(PTRACE_PEEKTEXT, thread, place, nullptr);
  return errno == 0;
}
bool poke(pid_t thread, std::uintptr_t place, long word) {
  return ::ptrace(PTRACE_POKETEXT, thread, place, word) == 0;
}

// A process id, a thread's, or the negative of the victim's group: any thread of it.
pid_t wait_for(pid_t whom, int& status) {
  for (;;) {
    const pid_t got = ::waitpid(whom, &status, __WALL);
    if (got > 0) return got;
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
  }
}

void expect_stop(pid_t thread, const char* when) {
  int status = 0;
  if (wait_for(thread, status) != thread || !WIFSTOPPED(status)) {
    throw std::runtime_error(std::string("the victim ended ") + when + ", status " +
                             std::to_string(status));
  }
}

void request_of(int request, pid_t thread, unsigned long data = 0) {
  if (::ptrace(static_cast<__ptrace_request>(request), thread, nullptr, data) != 0) {
    throw std::system_error(errno, std::generic_category(), "ptrace");
  }
}

bool is_start_of_thread(int status) { return status >> 8 == (SIGTRAP | (PTRACE_EVENT_CLONE << 8)); }

// The thread of the process that is not its first one; 0 where there is none.
pid_t other_thread(pid_t process) {
  DIR* directory = ::opendir(("/proc/" + std::to_string(process) + "/task").c_str());
  if (directory == nullptr) return 0;
  pid_t other = 0;
  while (const dirent* entry = ::readdir(directory)) {  // NOLINT(concurrency-mt-unsafe)
    const auto thread = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (thread != 0 && thread != process) other = thread;
  }
  ::closedir(directory);
  return other;
}

}  // namespace

bool SteppedVictim::can_run_to() noexcept { return kBreakpoints; }

SteppedVictim::SteppedVictim(const std::function<void()>& prepare, const std::function<void()>& act,
                             Whose whose)
    : process_(start([&] {
        // A group of its own, so that its tracer can wait for any thread of it, and nobody else.
        if (::setpgid(0, 0) != 0)
          throw std::system_error(errno, std::generic_category(), "setpgid");
        prepare();
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
          throw std::system_error(errno, std::generic_category(), "PTRACE_TRACEME");
        }
        ::raise(SIGSTOP);
        act();
        ::raise(SIGSTOP);
        shmreg::test::stay_until_killed();
      })),
      whose_(whose),
      caller_(process_->pid()) {
  expect_stop(caller_, "as it prepared itself");
}

SteppedVictim::~SteppedVictim() {
  process_->signal(SIGKILL);
  bury_keeper();
}

void SteppedVictim::begin() {
  counted_ = caller_;
  if (const pid_t keeper = other_thread(caller_); keeper != 0) {
    request_of(PTRACE_ATTACH, keeper);
    expect_stop(keeper, "as its keeper was met");
    keeper_ = keeper;
    if (whose_ == Whose::callers) request_of(PTRACE_CONT, keeper_);
  } else {
    request_of(PTRACE_SETOPTIONS, caller_, PTRACE_O_TRACECLONE);
  }
  if (whose_ == Whose::callers) return;
  if (keeper_ == 0) {
    request_of(PTRACE_CONT, caller_);
    int status = 0;
    (void)wait_for(caller_, status);
    if (!is_start_of_thread(status)) throw std::runtime_error("the victim started no keeper");
    meet_keeper();
  }
  counted_ = keeper_;
  request_of(PTRACE_CONT, caller_);
}

void SteppedVictim::meet_keeper() {
  unsigned long started = 0;
  if (::ptrace(PTRACE_GETEVENTMSG, caller_, nullptr, &started) != 0) {
    throw std::system_error(errno, std::generic_category(), "PTRACE_GETEVENTMSG");
  }
  if (keeper_ != 0) throw std::runtime_error("the victim started a third thread");
  keeper_ = static_cast<pid_t>(started);
  expect_stop(keeper_, "as its keeper began");
}

bool SteppedVictim::go(int request) {
  if (ended_) return false;
  if (counted_ != 0) {
    request_of(request, counted_);
    counted_runs_ = true;
  }
  while (!ended_) {
    int status = 0;
    const pid_t thread = wait_for(-caller_, status);
    if (thread != counted_) {
      other_stopped(status);
    } else if (WIFSTOPPED(status) && is_start_of_thread(status)) {
      meet_keeper();
      request_of(PTRACE_CONT, keeper_);
      request_of(request, counted_);
    } else if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP) {
      counted_runs_ = false;
      return true;
    } else if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP) {
      counted_runs_ = false;
      ended_ = true;
    } else if (thread == keeper_ && !WIFSTOPPED(status)) {
      // The end of a detach; the caller's is still to come.
      counted_ = keeper_ = 0;
    } else {
      throw std::runtime_error("the victim came to grief, status " + std::to_string(status));
    }
  }
  return false;
}

// Of the thread that does not count.
void SteppedVictim::other_stopped(int status) {
  const pid_t other = counted_ == caller_ ? keeper_ : caller_;
  if (!WIFSTOPPED(status)) {
    if (other == caller_) throw std::runtime_error("the victim ended by itself");
    keeper_ = 0;
  } else if (WSTOPSIG(status) == SIGSTOP && other == caller_) {
    ended_ = true;
  } else if (WSTOPSIG(status) == SIGTRAP &&
             instruction_pointer(other) == breakpoint_.place + kBreakpointBytes) {
    // Helped over a breakpoint that is not meant for it.
    set_instruction_pointer(other, breakpoint_.place);
    if (breakpoint_.is_set) {
      (void)poke(other, breakpoint_.place, breakpoint_.original);
      request_of(PTRACE_SINGLESTEP, other);
      expect_stop(other, "at another's breakpoint");
      (void)poke(other, breakpoint_.place, breakpoint_.trap);
    }
    request_of(PTRACE_CONT, other);
  } else {
    throw std::runtime_error("the victim's other thread stopped, status " + std::to_string(status));
  }
}

bool SteppedVictim::step() { return go(PTRACE_SINGLESTEP); }

bool SteppedVictim::run_to(std::uintptr_t place, std::uint64_t visit) {
  long original = 0;
  if (!kBreakpoints || ended_ || !peek(counted_, place, original)) return false;
  breakpoint_ = {place, original, (original & ~kBreakpointMask) | kBreakpointBits};
  for (std::uint64_t seen = 0;;) {
    breakpoint_.is_set = poke(counted_, place, breakpoint_.trap);
    if (!breakpoint_.is_set) return false;
    const bool there = go(PTRACE_CONT);
    breakpoint_.is_set = false;
    // Through a thread that stands still.
    if (!poke(ended_ ? caller_ : counted_, place, original)) {
      throw std::runtime_error("cannot take a breakpoint back");
    }
    if (!there) return false;
    set_instruction_pointer(counted_, place);
    if (++seen == visit) return true;
    if (!step()) return false;
  }
}

void SteppedVictim::finish() {
  if (go(PTRACE_CONT)) throw std::runtime_error("the victim stopped on its way to the end");
}

std::uintptr_t SteppedVictim::place() const {
  return counted_ == 0 || counted_runs_ ? 0 : instruction_pointer(counted_);
}

bool SteppedVictim::is_before_system_call() const {
  long word = 0;
  const std::uintptr_t at = place();
  return at != 0 && peek(counted_, at, word) && (word & kSystemCallMask) == kSystemCallBits;
}

// A traced thread is its tracer's to bury, before its process is.
void SteppedVictim::bury_keeper() {
  for (int status = 0; keeper_ != 0;) {
    const pid_t got = ::waitpid(keeper_, &status, __WALL);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || !WIFSTOPPED(status)) keeper_ = 0;
  }
}

void SteppedVictim::kill() {
  process_->signal(SIGKILL);
  bury_keeper();
  if (process_->reap() != 128 + SIGKILL) throw std::runtime_error("the victim ended by itself");
}

}  // namespace torture
