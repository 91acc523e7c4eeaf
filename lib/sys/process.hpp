// Processes as /proc and pidfds know them. Every answer copes with a /proc that is not mounted, and
// with a pid that has been given to somebody else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace shmreg::sys {

// Names one process for good: a pid comes round, a pid with its start time does not. Without a
// /proc of its own namespace a process has neither; such identities are complete() of nobody.
struct ProcessIdentity {
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;    // /proc/PID/stat, field 22; 0 where unknown
  std::uint64_t pid_namespace = 0;  // inode number of the PID namespace; 0 where unknown

  [[nodiscard]] bool complete() const noexcept {
    return pid != 0 && start_ticks != 0 && pid_namespace != 0;
  }
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

[[nodiscard]] ProcessIdentity own_identity();
// Of a process of one's own PID namespace; nothing where it does not exist. A zombie has ended.
[[nodiscard]] std::optional<ProcessIdentity> identity_of(std::uint32_t pid);

// "config_server" of /proc/PID/comm, or "?" where it cannot be known.
[[nodiscard]] std::string program_of(std::uint32_t pid);
[[nodiscard]] std::string own_program();

// /proc answers for a thread's id as for a process's. Whose thread it is: of a process, its own
// number; nothing where that cannot be told.
[[nodiscard]] std::optional<std::uint32_t> process_of_thread(std::uint32_t id);

// How long ago a process began that has this start time (time asleep included).
[[nodiscard]] std::uint64_t age_ns_of(std::uint64_t start_ticks) noexcept;

enum class RunState : std::uint8_t { running, stopped, dumping_core, ended, unknown };
[[nodiscard]] RunState run_state_of(std::uint32_t pid);
[[nodiscard]] const char* to_string(RunState state) noexcept;
// Whether any thread of the process is on its way out: killed, or exiting. True as well where that
// cannot be told. Once one thread of a dying process has ended, no means that the process goes on:
// the kernel queues SIGKILL for all of them first (zap_other_threads), so each is exiting, or has
// it pending, or has taken it and does not leave the kernel any more.
[[nodiscard]] bool is_ending(std::uint32_t pid);

// A descriptor that refers to one process, whatever becomes of its number.
class ProcessHandle {
 public:
  ProcessHandle() noexcept = default;
  ProcessHandle(ProcessHandle&& other) noexcept;
  ProcessHandle& operator=(ProcessHandle&& other) noexcept;
  ProcessHandle(const ProcessHandle&) = delete;
  ProcessHandle& operator=(const ProcessHandle&) = delete;
  ~ProcessHandle();

  enum class Opened : std::uint8_t { open, no_such_process, no_descriptor, cannot_tell };
  // Opens the process `identity` names: no_such_process where it has ended or the pid is another's
  // by now; no_descriptor where this process, or the system, may open no more; cannot_tell where it
  // is of another PID namespace, or start time or pidfds are missing.
  [[nodiscard]] Opened open(const ProcessIdentity& identity);
  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
  // One poll(2). A zombie has ended. The last thing to be known of an end: only after memory and
  // files have been taken down, milliseconds after the signal for a large process.
  [[nodiscard]] bool has_ended() const noexcept;
  // doomed: has ended, or is bound to, since each of its threads has SIGKILL pending, is exiting or
  // has ended. (Not the first thread alone: execve(2) of another one kills it too, and the process
  // goes on under the same pid.) Once doomed, always doomed. One read of /proc/PID/stat, kept open,
  // so the number's next process is never meant; its threads are looked at only where the first one
  // is on its way out. Without a /proc: has_ended().
  // lost: the program has closed our descriptors, and may have others under their numbers.
  enum class Life : std::uint8_t { alive, doomed, lost };
  [[nodiscard]] Life life();
  // After `lost`: the numbers are not ours to close.
  void forget() noexcept;

 private:
  ProcessIdentity identity_;
  int descriptor_ = -1;
  int stat_descriptor_ = -1;
  bool doomed_ = false;
};

[[nodiscard]] std::uint32_t own_pid() noexcept;  // a system call, never a cached value
[[nodiscard]] std::uint32_t own_thread_id() noexcept;
[[nodiscard]] unsigned online_cpus() noexcept;
[[nodiscard]] std::string kernel_release();
// True from Linux `major`.`minor` on.
[[nodiscard]] bool kernel_at_least(unsigned major, unsigned minor);

}  // namespace shmreg::sys
