// Every state that a segment is in while an operation runs, to be looked at one by one afterwards.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <vector>

#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/sanitizers.hpp"

namespace shmreg::test {

using Bytes = std::vector<unsigned char>;
using Operation = std::function<void(const Insides&)>;

// Instrumented code is many times as many instructions, of which few are stores of its own; a
// longer operation is cut short there. What a sanitizer looks at is how this process copes with
// the states that it is given.
inline constexpr int kStride = kSanitized ? 23 : 1;
inline constexpr int kMostSteps = kSanitized ? 20'000 : 20'000'000;

// Every state that the segment was in while `operation` ran. The child first does what `prepare`
// says. Empty where this process may not trace its children.
class States {
 public:
  States(const ScratchSegment& scratch, const Operation& prepare, const Operation& operation) {
    map(scratch);
    Child child([&](const Parent& parent) {
      const Insides insides(scratch);
      prepare(insides);
      if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
      ::raise(SIGSTOP);
      operation(insides);
      ::raise(SIGSTOP);
      parent.linger();
    });
    if (stopped(child)) {
      keep();
      // From one SIGSTOP to the next.
      complete_ = kSanitized;
      for (int step = 0; step < kMostSteps; ++step) {
        if (::ptrace(PTRACE_SINGLESTEP, child.pid(), nullptr, nullptr) != 0) break;
        int status = 0;
        if (::waitpid(child.pid(), &status, 0) < 0 || !WIFSTOPPED(status)) break;
        if (WSTOPSIG(status) == SIGSTOP) {
          complete_ = true;
          break;
        }
        if (step % kStride == 0) keep();
      }
      keep();
    }
    child.kill();
  }
  States(const States&) = delete;
  States& operator=(const States&) = delete;
  ~States() {
    if (memory_ != nullptr) ::munmap(memory_, bytes_);
  }

  // To the end of the operation, and not just of patience.
  [[nodiscard]] bool complete() const { return complete_; }
  [[nodiscard]] const std::vector<Bytes>& all() const { return states_; }

 private:
  void map(const ScratchSegment& scratch) {
    const int file = ::open(scratch.path().c_str(), O_RDONLY | O_CLOEXEC);
    bytes_ = std::size_t{16} << 20;
    memory_ = static_cast<unsigned char*>(
        ::mmap(nullptr, bytes_, PROT_READ, MAP_SHARED | MAP_NORESERVE, file, 0));
    ::close(file);
  }
  static bool stopped(Child& child) {
    int status = 0;
    return ::waitpid(child.pid(), &status, 0) > 0 && WIFSTOPPED(status);
  }
  // The part that has been handed out; beyond it lie zeros, and reading would claim them.
  void keep() {
    std::uint64_t top = 0;
    std::memcpy(&top, memory_ + offsetof(layout::Header, heap_top), sizeof top);
    const std::size_t used = std::min<std::size_t>(top * 4096, bytes_);
    if (!states_.empty() && states_.back().size() == used &&
        std::memcmp(states_.back().data(), memory_, used) == 0) {
      return;
    }
    states_.emplace_back(memory_, memory_ + used);
  }

  unsigned char* memory_ = nullptr;
  std::size_t bytes_ = 0;
  bool complete_ = false;
  std::vector<Bytes> states_;
};

}  // namespace shmreg::test
