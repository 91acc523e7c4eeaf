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
#include <ctime>
#include <string_view>
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
  std::uint64_t pid = 0;
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
  stat.pid = std::strtoull(text.c_str(), nullptr, 10);
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

// A thread that comes back to its program no more. The kernel queues SIGKILL for every thread of a
// killed process before the first of them acts on it.
bool is_doomed(const Stat& thread) {
  return (thread.pending >> (SIGKILL - 1) & 1) != 0 || (thread.flags & kExiting) != 0 ||
         thread.state == 'Z' || thread.state == 'X';
}

// Of a thread alone ("SigPnd"), or of the process ("ShdPnd").
bool kill_is_pending(const std::string& status, const char* field, bool cannot_tell = true) {
  const std::size_t at = status.find(field);
  if (at == std::string::npos) return cannot_tell;
  const auto pending = std::strtoull(status.c_str() + at + std::strlen(field), nullptr, 16);
  return (pending >> (SIGKILL - 1) & 1) != 0;
}

// SIGKILL was sent to the process: it stays among its pending signals to the end. (Where a thread
// of its own ends the others, by execve or exit_group, it does not.)
bool was_killed(std::uint32_t pid) {
  return kill_is_pending(read_proc(proc_path(pid, "status")), "ShdPnd:", false);
}

// The first thread's, of the process that `identity` names. Nothing, and errno: ESRCH where it has
// been reaped, 0 where the descriptor is of something else.
std::optional<Stat> read_stat(int descriptor, const ProcessIdentity& identity) {
  for (;;) {
    std::array<char, 1024> text{};
    errno = 0;
    const ssize_t got = ::pread(descriptor, text.data(), text.size() - 1, 0);
    if (got <= 0) return std::nullopt;
    const auto stat = parse_stat(std::string(text.data(), static_cast<std::size_t>(got)));
    if (!stat || stat->pid != identity.pid || stat->start_ticks != identity.start_ticks) {
      return std::nullopt;
    }
    // 0 threads: this one was being released while it was read, by its parent, or by an execve
    // whose thread takes its place. The next read finds nobody, or that one.
    if (stat->threads != 0) return stat;
  }
}

// Whether each of `threads` threads is on its way out. The listing of threads may end early while
// some of them go, so all must have been seen; else, and where it cannot be told, no.
bool every_thread_is_doomed(std::uint32_t pid, std::uint64_t threads) {
  const std::string tasks = proc_path(pid, "task/");
  DIR* directory = ::opendir(tasks.c_str());
  if (directory == nullptr) return false;
  std::uint64_t doomed = 0;
  bool all = true;
  while (const dirent* entry = ::readdir(directory)) {  // NOLINT(concurrency-mt-unsafe): own stream
    if (entry->d_name[0] == '.') continue;
    const auto thread = parse_stat(read_proc(tasks + entry->d_name + "/stat"));
    all = thread && is_doomed(*thread);
    if (!all) break;
    ++doomed;
  }
  ::closedir(directory);
  return all && doomed >= threads;
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

std::optional<std::uint32_t> process_of_thread(std::uint32_t id) {
  if (!proc_is_ours()) return std::nullopt;
  constexpr std::string_view kLabel = "\nTgid:";
  const std::string status = read_proc(proc_path(id, "status"));
  const std::size_t at = status.find(kLabel);
  if (at == std::string::npos) return std::nullopt;
  const auto number = std::strtoul(status.c_str() + at + kLabel.size(), nullptr, 10);
  return number == 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(number));
}

std::uint64_t age_ns_of(std::uint64_t start_ticks) noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto now_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                      static_cast<std::uint64_t>(now.tv_nsec);
  const auto ticks_a_second = static_cast<std::uint64_t>(std::max(::sysconf(_SC_CLK_TCK), 1L));
  const std::uint64_t began_ns = start_ticks / ticks_a_second * 1'000'000'000 +
                                 start_ticks % ticks_a_second * 1'000'000'000 / ticks_a_second;
  return now_ns > began_ns ? now_ns - began_ns : 0;
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
    : identity_(other.identity_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      stat_descriptor_(std::exchange(other.stat_descriptor_, -1)),
      doomed_(other.doomed_) {}

ProcessHandle& ProcessHandle::operator=(ProcessHandle&& other) noexcept {
  std::swap(identity_, other.identity_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(stat_descriptor_, other.stat_descriptor_);
  std::swap(doomed_, other.doomed_);
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
  const auto no_descriptor = [] { return errno == EMFILE || errno == ENFILE; };
  ProcessHandle opened;
  opened.identity_ = identity;
  opened.descriptor_ = open_pidfd(identity.pid);
  if (opened.descriptor_ < 0) {
    if (errno == ESRCH) return Opened::no_such_process;
    return no_descriptor() ? Opened::no_descriptor : Opened::cannot_tell;
  }
  if (proc_is_ours()) {
    opened.stat_descriptor_ = ::open(proc_path(identity.pid, "stat").c_str(), O_RDONLY | O_CLOEXEC);
    if (opened.stat_descriptor_ < 0 && no_descriptor()) return Opened::no_descriptor;
  }
  // The start time is read after the descriptor was opened: if it fits, the descriptor is of the
  // right process (pids are not reused while it lives; if it had ended before, the descriptor
  // would be of a later process, whose start time differs).
  errno = 0;
  const auto now = identity_of(identity.pid);
  if (!now) return Opened::no_such_process;
  if (now->start_ticks == 0) return no_descriptor() ? Opened::no_descriptor : Opened::cannot_tell;
  if (now->start_ticks != identity.start_ticks) return Opened::no_such_process;
  *this = std::move(opened);
  return Opened::open;
}

bool ProcessHandle::has_ended() const noexcept { return pidfd_has_ended(descriptor_); }

ProcessHandle::Life ProcessHandle::life() {
  if (doomed_) return Life::doomed;
  if (stat_descriptor_ < 0) {
    // Signal 0 tells a pidfd from whatever else has the number.
    const bool ours = ::syscall(SYS_pidfd_send_signal, descriptor_, 0, nullptr, 0) == 0 ||
                      errno == ESRCH || errno == EPERM;
    if (!ours) return Life::lost;
    doomed_ = has_ended();
    return doomed_ ? Life::doomed : Life::alive;
  }
  const auto first = read_stat(stat_descriptor_, identity_);
  if (!first) {
    doomed_ = errno == ESRCH;  // reaped
    return doomed_ ? Life::doomed : Life::lost;
  }
  if (!is_doomed(*first)) return Life::alive;
  if (first->threads > 1) {
    if (!was_killed(identity_.pid) && !every_thread_is_doomed(identity_.pid, first->threads))
      return Life::alive;
    // An execve may have moved its thread to the front while the others were looked at.
    const auto again = read_stat(stat_descriptor_, identity_);
    if (again ? !is_doomed(*again) : errno != ESRCH) return Life::alive;
  }
  doomed_ = true;
  return Life::doomed;
}

void ProcessHandle::forget() noexcept {
  descriptor_ = -1;
  stat_descriptor_ = -1;
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
