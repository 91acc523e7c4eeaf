// A process to be killed, stopped, and asked: forked from the test, it runs a function and ends
// without the test's destructors. The two talk in numbers over two pipes; whoever waits for a word
// from one that has gone is told so instead of waiting for ever. Nothing outlives the test.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/sanitizers.hpp"

namespace shmreg::test {

inline constexpr int kFailedCheck = 99;
inline constexpr int kPatienceMs = 120'000;  // under a sanitizer, beside other builds

// In a child Boost.Test's own macros would tell nobody.
#define CHILD_CHECK(condition)                                                         \
  do {                                                                                 \
    if (!(condition)) {                                                                \
      std::fprintf(stderr, "%s:%d: in a child: %s\n", __FILE__, __LINE__, #condition); \
      ::_exit(::shmreg::test::kFailedCheck);                                           \
    }                                                                                  \
  } while (false)

namespace detail {

inline void write_word(int pipe, std::uint64_t word) {
  while (::write(pipe, &word, sizeof word) < 0 && errno == EINTR) {
  }
}

// False at the end of the pipe.
inline bool read_word(int pipe, std::uint64_t& word) {
  for (;;) {
    pollfd wait{pipe, POLLIN, 0};
    const int ready = ::poll(&wait, 1, kPatienceMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) throw std::runtime_error("the other side said nothing in time");
    const ssize_t got = ::read(pipe, &word, sizeof word);
    if (got < 0 && errno == EINTR) continue;
    return got == static_cast<ssize_t>(sizeof word);
  }
}

}  // namespace detail

// AddressSanitizer's allocator is not made for forks: a thread that is just beginning takes memory
// from it, and a child that was forked meanwhile waits for a lock that nobody holds any more. What
// was started before a fork is given time to begin.
inline void let_threads_begin() {
  struct stat threads {};
  const bool alone = ::stat("/proc/self/task", &threads) == 0 && threads.st_nlink <= 3;
  if (kUnderAsan && !alone) ::poll(nullptr, 0, 50);
}

[[noreturn]] inline void stay_until_killed() {
  // Not pause(2), in which ThreadSanitizer runs no handler.
  for (;;) ::poll(nullptr, 0, -1);
}

// The test, as its child sees it.
class Parent {
 public:
  Parent(int in, int out) : in_(in), out_(out) {}
  void tell(std::uint64_t word = 1) const { detail::write_word(out_, word); }
  // Ends this process where the test has gone.
  [[nodiscard]] std::uint64_t hear() const {
    std::uint64_t word = 0;
    if (!detail::read_word(in_, word)) ::_exit(0);
    return word;
  }
  void await() const { (void)hear(); }
  // Until killed, or until the test lets go.
  [[noreturn]] void linger() const {
    for (;;) await();
  }
  [[nodiscard]] int out() const { return out_; }

 private:
  int in_;
  int out_;
};

enum class Birth {
  forked,
  raw_clone,          // clone(2) by its number: no handler of the C library runs
  new_pid_namespace,  // as the first process of a PID namespace of its own; needs privileges
};

class Child {
 public:
  template <class Body>
  explicit Child(Body body, Birth birth = Birth::forked) {
    int down[2];
    int up[2];
    if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipes");
    }
    std::fflush(stdout);
    std::fflush(stderr);
    let_threads_begin();
    const pid_t test = ::getpid();
    direct_ = birth == Birth::raw_clone
                  ? static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0))
                  : ::fork();
    if (direct_ < 0) throw std::runtime_error("cannot fork");
    if (direct_ == 0) {
      ::close(down[1]);
      ::close(up[0]);
      die_with(test);
      const Parent parent(down[0], up[1]);
      if (birth == Birth::new_pid_namespace) enter_pid_namespace(parent);
      run(body, parent);
    }
    ::close(down[0]);
    ::close(up[1]);
    out_ = down[1];
    in_ = up[0];
    pid_ = direct_;
    if (birth == Birth::new_pid_namespace) pid_ = static_cast<pid_t>(hear());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::close(out_);
    ::close(in_);
    if (reaped_) return;
    ::kill(direct_, SIGKILL);
    (void)reap();
  }

  // As numbered here.
  [[nodiscard]] pid_t pid() const { return pid_; }

  void tell(std::uint64_t word = 1) const { detail::write_word(out_, word); }
  [[nodiscard]] std::uint64_t hear() {
    std::uint64_t word = 0;
    if (!detail::read_word(in_, word)) {
      throw std::runtime_error("the child ended, status " + std::to_string(reap()));
    }
    return word;
  }
  void await() { (void)hear(); }
  // Until the child has closed its end of the pipe, as exec does.
  [[nodiscard]] bool has_closed_its_pipe() const {
    std::uint64_t word = 0;
    return !detail::read_word(in_, word);
  }

  void signal(int number) const { ::kill(pid_, number); }
  // Killed and gone; the process's number may be somebody else's from here on.
  void kill() {
    signal(SIGKILL);
    (void)reap();
  }
  // Killed, and kept as a zombie.
  void kill_unreaped() const {
    signal(SIGKILL);
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(direct_), &info, WEXITED | WNOWAIT) < 0 &&
           errno == EINTR) {
    }
  }
  // Stopped, and known to be.
  void stop() const {
    signal(SIGSTOP);
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(direct_), &info, WSTOPPED | WNOWAIT) < 0 &&
           errno == EINTR) {
    }
  }
  void resume() const { signal(SIGCONT); }

  // Waits for its end: its exit status, or 128 and the signal's number. Not for ever: what hangs is
  // killed, and that is said.
  int reap() {
    if (reaped_) return status_;
    const int handle = static_cast<int>(::syscall(SYS_pidfd_open, direct_, 0));
    pollfd end{handle, POLLIN, 0};
    int ready = 1;
    while (handle >= 0 && (ready = ::poll(&end, 1, kPatienceMs)) < 0 && errno == EINTR) {
    }
    if (handle >= 0) ::close(handle);
    if (ready == 0) {
      std::fprintf(stderr, "a child hangs and is killed: %d\n", direct_);
      ::kill(direct_, SIGKILL);
    }
    int status = 0;
    while (::waitpid(direct_, &status, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return status_;
  }

 private:
  static void die_with(pid_t test) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != test && test != 0) ::_exit(0);
  }

  template <class Body>
  [[noreturn]] static void run(Body& body, const Parent& parent) {
    try {
      body(parent);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in a child: %s\n", error.what());
      ::_exit(kFailedCheck);
    }
    ::_exit(0);
  }

  // Returns in the namespace's first process. The process in between tells the test what number
  // that one has outside, and ends as it ends.
  static void enter_pid_namespace(const Parent& parent) {
    int told[2];
    if (::pipe2(told, O_CLOEXEC) != 0 || ::unshare(CLONE_NEWPID) != 0) ::_exit(kFailedCheck);
    const pid_t first = ::fork();
    if (first == 0) {
      die_with(0);
      // Not a word before the test has that number: it would take the word for it.
      ::close(told[1]);
      char end = 0;
      while (::read(told[0], &end, 1) < 0 && errno == EINTR) {
      }
      ::close(told[0]);
      return;
    }
    parent.tell(static_cast<std::uint64_t>(first));
    ::close(told[1]);
    ::close(told[0]);
    int status = 0;
    while (::waitpid(first, &status, 0) < 0 && errno == EINTR) {
    }
    ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  }

  pid_t direct_ = -1;  // the process that was forked from the test
  pid_t pid_ = -1;     // the one that runs the body
  int out_ = -1;
  int in_ = -1;
  bool reaped_ = false;
  int status_ = 0;
};

// Whether a child may do what a test needs: `attempt` says so in a process of its own.
template <class Attempt>
[[nodiscard]] bool a_child_may(Attempt attempt) {
  Child child([&](const Parent&) { ::_exit(attempt() ? 0 : 1); });
  return child.reap() == 0;
}

[[nodiscard]] inline bool may_make_pid_namespaces() {
  return a_child_may([] { return ::unshare(CLONE_NEWPID) == 0; });
}

}  // namespace shmreg::test
