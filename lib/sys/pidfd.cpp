#include "sys/pidfd.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>

namespace shmreg::sys {

PidFd::PidFd(std::uint32_t pid) noexcept
    : pid_(pid),
      descriptor_(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0U))),
      error_(descriptor_ < 0 ? errno : 0) {}

PidFd::PidFd(PidFd&& other) noexcept
    : pid_(other.pid_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      error_(std::exchange(other.error_, EBADF)) {}

PidFd& PidFd::operator=(PidFd&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(error_, other.error_);
  return *this;
}

PidFd::~PidFd() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

SignalFate PidFd::fate_of(int error) noexcept {
  if (error == 0) return SignalFate::ok;
  if (error == ESRCH) return SignalFate::no_such_process;
  return error == EPERM ? SignalFate::not_permitted : SignalFate::failed;
}

SignalFate PidFd::ask_to_stop() noexcept {
  const auto send = [&](int signal) {
    return ::syscall(SYS_pidfd_send_signal, descriptor_, signal, nullptr, 0) == 0 ? 0 : errno;
  };
  error_ = send(SIGTERM);
  if (error_ == 0) (void)send(SIGCONT);
  return fate_of(error_);
}

void PidFd::kill() const noexcept {
  (void)::syscall(SYS_pidfd_send_signal, descriptor_, SIGKILL, nullptr, 0);
}

std::string PidFd::what() const { return std::generic_category().message(error_); }

std::vector<bool> await_an_end(std::span<const PidFd> processes,
                               std::chrono::milliseconds timeout) {
  std::vector<pollfd> polled;
  for (const PidFd& process : processes) polled.push_back({process.descriptor_, POLLIN, 0});
  std::vector<bool> ended(processes.size());
  const int wait_ms = timeout.count() > 0 ? static_cast<int>(timeout.count()) : 0;
  if (::poll(polled.data(), polled.size(), wait_ms) <= 0) return ended;
  for (std::size_t i = 0; i < polled.size(); ++i) ended[i] = polled[i].revents != 0;
  return ended;
}

std::set<std::uint32_t> own_line() {
  std::set<std::uint32_t> line{static_cast<std::uint32_t>(::getpid())};
  auto pid = static_cast<std::uint32_t>(::getppid());
  while (pid != 0 && line.insert(pid).second) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    // "4711 (a program) S 4710 ...": the name may hold anything, so from its last parenthesis on.
    const auto close = text.rfind(')');
    if (close == std::string::npos || close + 4 > text.size()) break;
    pid = static_cast<std::uint32_t>(std::strtoul(text.c_str() + close + 4, nullptr, 10));
  }
  return line;
}

void raise_descriptor_limit() noexcept {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace shmreg::sys
