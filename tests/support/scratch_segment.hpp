// A segment of a test's own: a name that no other test has, at the same time or later, and nothing
// left of it afterwards.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "shmreg/registry.hpp"
#include "shmreg/segment.hpp"

namespace shmreg::test {

inline std::string unique_name() {
  static std::atomic<unsigned> counter{0};
  return "unit." + std::to_string(::getpid()) + "." + std::to_string(++counter);
}

// Small enough to be copied, compared and examined many times.
inline CreateOptions small_segment() {
  CreateOptions options;
  options.max_size_bytes = std::uint64_t{16} << 20;
  options.partitions = 4;
  options.max_processes = 16;
  options.initial_slots = 16;
  return options;
}

class ScratchSegment {
 public:
  ScratchSegment() : ScratchSegment(CreateOptions{}) {}
  explicit ScratchSegment(const CreateOptions& options) { create_segment(name_, options); }
  ScratchSegment(const ScratchSegment&) = delete;
  ScratchSegment& operator=(const ScratchSegment&) = delete;
  ~ScratchSegment() {
    // Not in a forked child, whose copy of this object it is.
    if (::getpid() != creator_) return;
    if (::unlink(path().c_str()) != 0) ::rmdir(path().c_str());
  }

  // Only the name: whatever the test puts there goes with it.
  struct Absent {};
  explicit ScratchSegment(Absent /*unused*/) {}
  // A file of these bytes, `size` long.
  ScratchSegment(const std::vector<unsigned char>& bytes, std::uint64_t size) {
    write(bytes, size);
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string path() const { return "/dev/shm/shmreg." + name_; }
  [[nodiscard]] std::string file_name() const { return "shmreg." + name_; }

  [[nodiscard]] Registry attach(Access access = Access::prefer_write) const {
    AttachOptions options;
    options.access = access;
    return Registry::attach(name_, options);
  }
  [[nodiscard]] Registry reader() const { return attach(Access::read_only); }

  // The first `bytes` of the file; fewer where it is shorter.
  [[nodiscard]] std::vector<unsigned char> read(std::size_t bytes) const {
    const int file = ::open(path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw std::runtime_error("cannot open " + path());
    std::vector<unsigned char> content(bytes);
    const ssize_t got = ::pread(file, content.data(), bytes, 0);
    ::close(file);
    content.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return content;
  }
  // In place of whatever is there: a new file, and never through one that is mapped.
  void write(const std::vector<unsigned char>& bytes, std::uint64_t size) const {
    ::unlink(path().c_str());
    const int file = ::open(path().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) throw std::runtime_error("cannot create " + path());
    const bool done = ::ftruncate(file, static_cast<off_t>(size)) == 0 &&
                      (bytes.empty() || ::pwrite(file, bytes.data(), bytes.size(), 0) ==
                                            static_cast<ssize_t>(bytes.size()));
    ::close(file);
    if (!done) throw std::runtime_error("cannot write " + path());
  }

 private:
  std::string name_ = unique_name();
  pid_t creator_ = ::getpid();
};

}  // namespace shmreg::test
