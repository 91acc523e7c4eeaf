#include "regctl/termination.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <utility>

namespace shmreg::regctl {
namespace {

using Clock = std::chrono::steady_clock;

// How long the kernel may take to end what it was told to kill.
constexpr std::chrono::seconds kKillTime{5};

class PidFd {
 public:
  explicit PidFd(pid_t pid) noexcept
      : descriptor_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  PidFd(PidFd&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  PidFd& operator=(PidFd&&) = delete;
  PidFd(const PidFd&) = delete;
  PidFd& operator=(const PidFd&) = delete;
  ~PidFd() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] bool open() const noexcept { return descriptor_ >= 0; }
  [[nodiscard]] bool send(int signal) const noexcept {
    return ::syscall(SYS_pidfd_send_signal, descriptor_, signal, nullptr, 0) == 0;
  }

 private:
  int descriptor_;
};

struct Asked {
  std::uint32_t pid;
  PidFd process;
};

// This process and those it descends from. Without a /proc only the nearest is known.
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

std::uint64_t own_pid_namespace() {
  struct stat status {};
  return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

// Pids that attached processes of other PID namespaces have: here they are somebody else's.
std::set<std::uint32_t> foreign_pids(const Registry& registry) {
  std::set<std::uint32_t> foreign;
  const auto processes = registry.processes();
  if (!processes) return foreign;
  const std::uint64_t own = own_pid_namespace();
  for (const ProcessInfo& process : *processes) {
    if (own == 0 || process.pid_namespace != own) foreign.insert(process.pid);
  }
  return foreign;
}

void raise_descriptor_limit() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Waits until all have ended, or the time is out; moves those that have to `ended`.
void await_ends(std::vector<Asked>& asked, std::chrono::milliseconds time,
                std::set<std::uint32_t>& ended) {
  const auto deadline = Clock::now() + time;
  while (!asked.empty()) {
    std::vector<struct pollfd> polled;
    for (const Asked& one : asked) polled.push_back({one.process.descriptor(), POLLIN, 0});
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (::poll(polled.data(), polled.size(), static_cast<int>(left > 0 ? left : 0)) == 0) return;
    std::vector<Asked> rest;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (polled[i].revents != 0) {
        ended.insert(asked[i].pid);
      } else {
        rest.push_back(std::move(asked[i]));
      }
    }
    asked.swap(rest);
  }
}

bool still_owns(const Registry& registry, const Service& service) {
  const auto all = registry.lookup_all(service.full_name());
  if (!all) return false;
  return std::any_of(all->begin(), all->end(), [&](const Service& now) {
    return now.id() == service.id() && now.pid() == service.pid() && now.alive() == Alive::yes;
  });
}

}  // namespace

Termination terminate_owners(const Registry& registry, const std::vector<Service>& services,
                             std::chrono::milliseconds grace) {
  Termination outcome;
  raise_descriptor_limit();
  const auto spared = own_line();
  const auto foreign = foreign_pids(registry);
  std::set<std::uint32_t> seen;
  std::vector<Asked> asked;
  const auto refuse = [&](std::uint32_t pid, int error) {
    outcome.not_asked.push_back("pid " + std::to_string(pid) + ": " + std::strerror(error));
    outcome.not_permitted = outcome.not_permitted || error == EPERM;
  };
  for (const Service& service : services) {
    const std::uint32_t pid = service.pid();
    if (pid == 0 || spared.contains(pid) || seen.contains(pid)) continue;
    // `unknown` is a pid of another PID namespace. A process known by its mark lives wherever it
    // is: its pid is of here only if it says so.
    if (service.alive() != Alive::yes) continue;
    if (service.owner() == OwnerKind::process && foreign.contains(pid)) continue;
    PidFd process(static_cast<pid_t>(pid));
    const int error = errno;
    if (!process.open()) {
      if (error == ESRCH || !seen.insert(pid).second) continue;  // it has ended meanwhile
      refuse(pid, error);
      continue;
    }
    if (!still_owns(registry, service)) continue;  // perhaps by another of its names
    seen.insert(pid);
    if (process.send(SIGTERM)) {
      (void)process.send(SIGCONT);  // a stopped one could not see to it
      asked.push_back({pid, std::move(process)});
    } else if (errno == ESRCH) {
      outcome.ended.insert(pid);
    } else {
      refuse(pid, errno);
    }
  }
  await_ends(asked, grace, outcome.ended);
  for (const Asked& one : asked) (void)one.process.send(SIGKILL);
  await_ends(asked, kKillTime, outcome.ended);
  for (const Asked& one : asked) {
    outcome.not_asked.push_back("pid " + std::to_string(one.pid) + ": does not end");
  }
  return outcome;
}

}  // namespace shmreg::regctl
