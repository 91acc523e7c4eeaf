#include "crew.hpp"

#include <linux/futex.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace shmreg::scale {
namespace {

constexpr unsigned kLookMs = 100;

pid_t await_change(pid_t process, int& status, int options) {
  pid_t changed = -1;
  while ((changed = ::waitpid(process, &status, options)) < 0 && errno == EINTR) {
  }
  return changed;
}

}  // namespace

void futex_sleep(const FutexWord& word, std::uint32_t seen, unsigned limit_ms) {
  timespec limit{};
  limit.tv_sec = static_cast<time_t>(limit_ms / 1000);
  limit.tv_nsec = static_cast<long>(limit_ms % 1000) * 1'000'000;
  ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, limit_ms == 0 ? nullptr : &limit, nullptr, 0);
}

void futex_wake_all(const FutexWord& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

Crew::~Crew() {
  for (const pid_t process : std::vector<pid_t>(processes_)) kill(process);
  for (const pid_t process : killed_) {
    int status = 0;
    await_change(process, status, 0);
  }
}

pid_t Crew::start(const std::function<void()>& work) {
  std::cout.flush();
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process < 0) throw std::runtime_error("cannot start another process");
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    // What removes the segment is the parent's.
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
    int code = 0;
    try {
      work();
    } catch (const std::exception& problem) {
      std::fprintf(stderr, "shmreg_scale: process %d: %s\n", ::getpid(), problem.what());
      code = 1;
    }
    ::_exit(code);
  }
  processes_.push_back(process);
  return process;
}

void Crew::kill(pid_t process) {
  ::kill(process, SIGKILL);
  std::erase(processes_, process);
  killed_.push_back(process);
}

void Crew::bury(pid_t process) {
  int status = 0;
  await_change(process, status, 0);
  std::erase(killed_, process);
}

void Crew::forget(pid_t process, int status) {
  std::erase(processes_, process);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error("one of the processes has failed");
  }
}

void Crew::stop(pid_t process) {
  int status = 0;
  ::kill(process, SIGSTOP);
  await_change(process, status, WUNTRACED);
}

void Crew::resume(pid_t process) {
  int status = 0;
  ::kill(process, SIGCONT);
  await_change(process, status, WCONTINUED);
}

void Crew::check() {
  // One by one: not those of somebody else in this process.
  for (const pid_t process : std::vector<pid_t>(processes_)) {
    int status = 0;
    if (await_change(process, status, WNOHANG) == process) forget(process, status);
  }
}

void Crew::await_all() {
  while (!processes_.empty()) {
    const pid_t process = processes_.front();
    int status = 0;
    await_change(process, status, 0);
    forget(process, status);
  }
}

void Crew::await(const FutexWord& word, std::uint32_t value) {
  for (;;) {
    const std::uint32_t seen = word.load(std::memory_order_acquire);
    if (seen >= value) return;
    futex_sleep(word, seen, kLookMs);
    check();
  }
}

bool Crew::sleeps(pid_t process) {
  const std::filesystem::path tasks = "/proc/" + std::to_string(process) + "/task";
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(tasks, gone)) {
    std::ifstream file(task.path() / "stat");
    std::string line;
    std::getline(file, line);
    // The name before it may hold anything, but no field after it a parenthesis.
    const std::size_t end = line.rfind(')');
    if (end == std::string::npos || end + 2 >= line.size() || line[end + 2] != 'S') return false;
  }
  return true;
}

void Crew::await_sleep() {
  const timespec pause{0, 200'000};
  for (const pid_t process : processes_) {
    while (!sleeps(process)) {
      check();
      ::nanosleep(&pause, nullptr);
    }
  }
}

}  // namespace shmreg::scale
