// Files that must not outlive this program.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace shmreg::bench {

// Removes a file, if it is there, when destroyed and when a signal ends this process (SIGINT,
// SIGTERM, SIGHUP; not SIGKILL). At most eight at a time, from one thread.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& path);
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile();

 private:
  std::size_t place_;
};

}  // namespace shmreg::bench
