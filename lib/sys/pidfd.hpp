// A descriptor of a process, for signalling it and waiting for its end: it stays that process's,
// whatever becomes of its number. (Whether a process lives, by its identity: ProcessHandle.)
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace shmreg::sys {

enum class SignalFate : std::uint8_t { ok, no_such_process, not_permitted, failed };

class PidFd {
 public:
  // Of whichever process has that number now, in one's own PID namespace.
  explicit PidFd(std::uint32_t pid) noexcept;
  PidFd(PidFd&& other) noexcept;
  PidFd& operator=(PidFd&& other) noexcept;
  PidFd(const PidFd&) = delete;
  PidFd& operator=(const PidFd&) = delete;
  ~PidFd();

  [[nodiscard]] std::uint32_t pid() const noexcept { return pid_; }
  // ok where it is open.
  [[nodiscard]] SignalFate opened() const noexcept { return fate_of(error_); }
  // SIGTERM, and SIGCONT: a stopped one could not see to it.
  [[nodiscard]] SignalFate ask_to_stop() noexcept;
  // SIGKILL.
  void kill() const noexcept;
  // What failed last, for people.
  [[nodiscard]] std::string what() const;

 private:
  [[nodiscard]] static SignalFate fate_of(int error) noexcept;
  friend std::vector<bool> await_an_end(std::span<const PidFd> processes,
                                        std::chrono::milliseconds timeout);

  std::uint32_t pid_;
  int descriptor_;
  int error_;
};

// Waits until one of them has ended, and says of each whether it has; of none once the time is out.
[[nodiscard]] std::vector<bool> await_an_end(std::span<const PidFd> processes,
                                             std::chrono::milliseconds timeout);

// This process and those it descends from. Without a /proc only the nearest is known.
[[nodiscard]] std::set<std::uint32_t> own_line();
// As many descriptors as this process may have.
void raise_descriptor_limit() noexcept;

}  // namespace shmreg::sys
