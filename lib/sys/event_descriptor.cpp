#include "sys/event_descriptor.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "sys/errno.hpp"
#include "sys/thread.hpp"

namespace shmreg::sys {

EventDescriptor::~EventDescriptor() {
  const NoCancellation no_cancellation;
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status EventDescriptor::open() {
  descriptor_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor_ < 0) return status_of(errno, "cannot make a descriptor");
  return {};
}

void EventDescriptor::raise() const noexcept {
  const NoCancellation no_cancellation;
  const int saved_errno = errno;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(descriptor_, &one, sizeof one);
  errno = saved_errno;
}

void EventDescriptor::clear() const noexcept {
  const NoCancellation no_cancellation;
  const int saved_errno = errno;
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(descriptor_, &count, sizeof count);
  errno = saved_errno;
}

EventDescriptor::Wait EventDescriptor::wait(
    std::optional<std::chrono::nanoseconds> timeout) const noexcept {
  // As every other wait of the library's, none in which a thread is cancelled.
  const NoCancellation no_cancellation;
  const int saved_errno = errno;
  pollfd wanted{descriptor_, POLLIN, 0};
  timespec span{};
  if (timeout) {
    const std::int64_t ns = std::max<std::int64_t>(timeout->count(), 0);
    span.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
    span.tv_nsec = static_cast<long>(ns % 1'000'000'000);
  }
  const int ready = ::ppoll(&wanted, 1, timeout ? &span : nullptr, nullptr);
  const bool interrupted = ready < 0 && errno == EINTR;
  errno = saved_errno;
  if (ready > 0) return Wait::raised;
  return interrupted ? Wait::interrupted : Wait::timed_out;
}

}  // namespace shmreg::sys
