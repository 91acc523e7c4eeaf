#include "sys/process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace shmreg::sys {
namespace {

// A small file of /proc, whole; empty where it cannot be read.
std::string read_proc(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return {};
  std::string text;
  std::vector<char> buffer(4096);
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(descriptor);
  return text;
}

std::string proc_path(std::uint32_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

struct Stat {
  char state = '?';
  std::uint64_t flags = 0;  // PF_* of the kernel
  std::uint64_t threads = 0;
  std::uint64_t start_ticks = 0;
  std::uint64_t pending = 0;  // signals of this thread alone, by bit
};
constexpr std::uint64_t kExiting = 0x4;  // PF_EXITING, since 2.6

std::optional<Stat> parse_stat(const std::string& text) {
  // The program's name in parentheses may itself hold spaces and parentheses: count from the last.
  const std::size_t close = text.rfind(')');
  if (close == std::string::npos || close + 2 >= text.size()) return std::nullopt;
  Stat stat;
  stat.state = text[close + 2];
  std::size_t at = close + 2;
  for (int field = 3; field < 31; ++field) {
    if (field == 20) stat.threads = std::strtoull(text.c_str() + at, nullptr, 10);
    if (field == 22) stat.start_ticks = std::strtoull(text.c_str() + at, nullptr, 10);
    if (field == 9) stat.flags = std::strtoull(text.c_str() + at, nullptr, 10);
    at = text.find(' ', at);
    if (at == std::string::npos) return std::nullopt;
    ++at;
  }
  stat.pending = std::strtoull(text.c_str() + at, nullptr, 10);
  return stat;
}

// Of a thread alone ("SigPnd"), or of the process ("ShdPnd").
bool kill_is_pending(const std::string& status, const char* field) {
  const std::size_t at = status.find(field);
  if (at == std::string::npos) return true;  // cannot be told
  const auto pending = std::strtoull(status.c_str() + at + std::strlen(field), nullptr, 16);
  return (pending >> (SIGKILL - 1) & 1) != 0;
}

std::uint64_t pid_namespace_of_self() {
  struct stat st {};
  return ::stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

int open_pidfd(std::uint32_t pid) {  // Linux 5.3; close-on-exec by itself
  return static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0U));
}

bool pidfd_has_ended(int descriptor) {
  pollfd wait_for{descriptor, POLLIN, 0};
  return ::poll(&wait_for, 1, 0) > 0 && (wait_for.revents & POLLIN) != 0;
}

bool whole_process_ended(std::uint32_t pid) {
  const int descriptor = open_pidfd(pid);
  if (descriptor < 0) return true;
  const bool ended = pidfd_has_ended(descriptor);
  ::close(descriptor);
  return ended;
}

// /proc is there, and numbers processes as we do: after `unshare --pid` without a new mount it is
// still the outer namespace's, where our pids are other processes'.
bool proc_is_ours() {
  std::array<char, 16> self{};
  const ssize_t length = ::readlink("/proc/self", self.data(), self.size() - 1);
  return length > 0 && std::strtoul(self.data(), nullptr, 10) ==
                           static_cast<unsigned long>(::syscall(SYS_getpid));
}

}  // namespace

std::uint32_t own_pid() noexcept { return static_cast<std::uint32_t>(::syscall(SYS_getpid)); }
std::uint32_t own_thread_id() noexcept { return static_cast<std::uint32_t>(::syscall(SYS_gettid)); }

ProcessIdentity own_identity() {
  ProcessIdentity identity;
  identity.pid = own_pid();
  if (const auto stat = parse_stat(read_proc("/proc/self/stat"))) {
    identity.start_ticks = stat->start_ticks;  // of ourselves, in whatever namespace's /proc
  }
  identity.pid_namespace = pid_namespace_of_self();
  return identity;
}

std::optional<ProcessIdentity> identity_of(std::uint32_t pid) {
  ProcessIdentity identity;
  identity.pid = pid;
  const auto stat = proc_is_ours() ? parse_stat(read_proc(proc_path(pid, "stat"))) : std::nullopt;
  if (stat) {
    // 'Z' may be a leader that left by pthread_exit while other threads go on: the pidfd knows.
    if (stat->state == 'X' || (stat->state == 'Z' && whole_process_ended(pid))) return std::nullopt;
    identity.start_ticks = stat->start_ticks;
    identity.pid_namespace = pid_namespace_of_self();
    return identity;
  }
  // No /proc, or hidepid= hides strangers: "no such process" alone means that there is none.
  if (::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return std::nullopt;
  identity.pid_namespace = pid_namespace_of_self();
  return identity;
}

std::string program_of(std::uint32_t pid) {
  std::string name = proc_is_ours() ? read_proc(proc_path(pid, "comm")) : std::string();
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name.empty() ? "?" : name;
}

std::string own_program() {
  // Of the process, not of the calling thread. Not by own_pid(): in a /proc of an outer PID
  // namespace that number is somebody else's.
  std::string name = read_proc("/proc/self/comm");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name.empty() ? "?" : name;
}

RunState run_state_of(std::uint32_t pid) {
  if (!proc_is_ours()) return RunState::unknown;
  const auto stat = parse_stat(read_proc(proc_path(pid, "stat")));
  if (!stat) return RunState::ended;
  if (stat->state == 'X' || (stat->state == 'Z' && whole_process_ended(pid))) {
    return RunState::ended;
  }
  if (read_proc(proc_path(pid, "status")).find("CoreDumping:\t1") != std::string::npos) {
    return RunState::dumping_core;
  }
  return stat->state == 'T' || stat->state == 't' ? RunState::stopped : RunState::running;
}

bool is_ending(std::uint32_t pid) {
  const std::string tasks = proc_path(pid, "task/");
  DIR* directory = ::opendir(tasks.c_str());
  if (directory == nullptr) return true;
  bool ending = false;
  while (const dirent* entry = ::readdir(directory)) {  // NOLINT(concurrency-mt-unsafe): own stream
    if (entry->d_name[0] == '.') continue;
    const std::string task = tasks + entry->d_name;
    const std::string status = read_proc(task + "/status");
    const auto stat = parse_stat(read_proc(task + "/stat"));
    ending = ending || !stat || (stat->flags & kExiting) != 0 ||
             kill_is_pending(status, "SigPnd:") || kill_is_pending(status, "ShdPnd:");
  }
  ::closedir(directory);
  return ending;
}

const char* to_string(RunState state) noexcept {
  switch (state) {
    case RunState::running:
      return "running";
    case RunState::stopped:
      return "stopped";
    case RunState::dumping_core:
      return "dumping core";
    case RunState::ended:
      return "ended";
    case RunState::unknown:
      break;
  }
  return "state unknown";
}

ProcessHandle::ProcessHandle(ProcessHandle&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      stat_descriptor_(std::exchange(other.stat_descriptor_, -1)) {}

ProcessHandle& ProcessHandle::operator=(ProcessHandle&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(stat_descriptor_, other.stat_descriptor_);
  return *this;
}

ProcessHandle::~ProcessHandle() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (stat_descriptor_ >= 0) ::close(stat_descriptor_);
}

ProcessHandle::Opened ProcessHandle::open(const ProcessIdentity& identity) {
  if (identity.pid == 0 || identity.start_ticks == 0 ||
      identity.pid_namespace != pid_namespace_of_self()) {
    return Opened::cannot_tell;
  }
  const int descriptor = open_pidfd(identity.pid);
  if (descriptor < 0) return errno == ESRCH ? Opened::no_such_process : Opened::cannot_tell;
  ProcessHandle opened;
  opened.descriptor_ = descriptor;
  if (proc_is_ours()) {
    opened.stat_descriptor_ = ::open(proc_path(identity.pid, "stat").c_str(), O_RDONLY | O_CLOEXEC);
  }
  // The start time is read after the descriptor was opened: if it fits, the descriptor is of the
  // right process (pids are not reused while it lives; if it had ended before, the descriptor
  // would be of a later process, whose start time differs).
  const auto now = identity_of(identity.pid);
  if (!now) return Opened::no_such_process;
  if (now->start_ticks == 0) return Opened::cannot_tell;
  if (now->start_ticks != identity.start_ticks) return Opened::no_such_process;
  *this = std::move(opened);
  return Opened::open;
}

bool ProcessHandle::has_ended() const noexcept { return pidfd_has_ended(descriptor_); }

bool ProcessHandle::is_doomed() const {
  std::array<char, 1024> text{};
  const ssize_t got =
      stat_descriptor_ < 0 ? -1 : ::pread(stat_descriptor_, text.data(), text.size() - 1, 0);
  // ESRCH: reaped.
  const auto stat =
      got > 0 ? parse_stat(std::string(text.data(), static_cast<std::size_t>(got))) : std::nullopt;
  if (!stat) return has_ended();
  // The kernel queues SIGKILL for every thread before the first of them acts on it.
  if ((stat->pending >> (SIGKILL - 1) & 1) != 0) return true;
  // A leader that leaves by pthread_exit exits, and is a zombie, while other threads go on.
  if ((stat->flags & kExiting) != 0 && stat->threads <= 1 && stat->state != 'Z') return true;
  return has_ended();
}

unsigned online_cpus() noexcept {
  const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
  return cpus > 0 ? static_cast<unsigned>(cpus) : 1;
}

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "?";
}

bool kernel_at_least(unsigned major, unsigned minor) {
  unsigned have_major = 0;
  unsigned have_minor = 0;
  // NOLINTNEXTLINE(cert-err34-c): a release that does not parse is treated as new enough
  if (std::sscanf(kernel_release().c_str(), "%u.%u", &have_major, &have_minor) != 2) return true;
  return have_major != major ? have_major > major : have_minor >= minor;
}

}  // namespace shmreg::sys
