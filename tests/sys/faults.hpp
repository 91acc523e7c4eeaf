// Memory whose file has become shorter, touching it, and who handles that. In children:
// CHILD_CHECK.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "support/child.hpp"
#include "sys/bus_error.hpp"

namespace shmreg::test {

inline constexpr int kDiedOfSigbus = 128 + SIGBUS;

// Of a file that has become shorter since it was mapped: not a byte of it is there.
class Hollow {
 public:
  explicit Hollow(std::size_t bytes, bool writable = true) : bytes_(bytes) {
    const int file = ::memfd_create("hollow", MFD_CLOEXEC);
    CHILD_CHECK(file >= 0 && ::ftruncate(file, static_cast<off_t>(bytes)) == 0);
    at_ = ::mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                 MAP_SHARED | MAP_NORESERVE, file, 0);
    CHILD_CHECK(at_ != MAP_FAILED && ::ftruncate(file, 0) == 0);
    ::close(file);
  }
  Hollow(const Hollow&) = delete;
  Hollow& operator=(const Hollow&) = delete;
  ~Hollow() { ::munmap(at_, bytes_); }

  [[nodiscard]] void* at() const { return at_; }
  [[nodiscard]] volatile unsigned char* byte(std::size_t offset) const {
    return static_cast<volatile unsigned char*>(at_) + offset;
  }

 private:
  std::size_t bytes_;
  void* at_ = nullptr;
};

inline void foreign_fault() {
  const Hollow hollow(4096);
  (void)*hollow.byte(0);
}

inline void own_fault() {
  const Hollow hollow(4096);
  const sys::WatchedRange range(hollow.at(), 4096, true);
  CHILD_CHECK(*hollow.byte(17) == 0);
  CHILD_CHECK(range.broken());
}

// A handler of the program's own.
inline void install(int flags, void (*with)(int, siginfo_t*, void*),
                    void (*without)(int) = nullptr) {
  struct sigaction action {};
  action.sa_flags = flags;
  if (with != nullptr) {
    action.sa_sigaction = with;
  } else {
    action.sa_handler = without;
  }
  CHILD_CHECK(::sigaction(SIGBUS, &action, nullptr) == 0);
}

// How a child ends that does this.
template <class Body>
int end_of(Body body) {
  Child child([&](const Parent&) { body(); });
  return child.reap();
}

}  // namespace shmreg::test
