#include "sys/mapping.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <utility>

#include "sys/errno.hpp"

namespace shmreg::sys {

Mapping::Mapping(Mapping&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      writable_(other.writable_),
      watched_(std::move(other.watched_)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(bytes_, other.bytes_);
  std::swap(writable_, other.writable_);
  watched_ = std::move(other.watched_);
  return *this;
}

Mapping::~Mapping() {
  watched_ = WatchedRange();  // before somebody else's memory can be there
  if (base_ != nullptr) ::munmap(base_, bytes_);
}

Result<Mapping> Mapping::reserve(const SharedFile& file, std::uint64_t bytes, bool writable) {
  Mapping mapping;
  void* at = ::mmap(nullptr, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, file.descriptor(), 0);
  if (at == MAP_FAILED) {
    const int error_number = errno;
    rlimit limit{};
    if (error_number == ENOMEM && ::getrlimit(RLIMIT_AS, &limit) == 0 &&
        limit.rlim_cur != RLIM_INFINITY) {
      return Status(Errc::no_space, "no address space for a segment of " + std::to_string(bytes) +
                                        " bytes: this process's limit (ulimit -v) is " +
                                        std::to_string(limit.rlim_cur) + " bytes");
    }
    return status_of(error_number, "cannot map the segment");
  }
  mapping.base_ = static_cast<unsigned char*>(at);
  mapping.bytes_ = bytes;
  mapping.writable_ = writable;
  mapping.watched_ = WatchedRange(at, bytes, writable);
  return mapping;
}

Status Mapping::open(std::uint64_t offset, std::uint64_t bytes) const {
  const std::uint64_t page = page_bytes();
  const std::uint64_t begin = offset / page * page;
  const std::uint64_t end = (offset + bytes + page - 1) / page * page;
  if (begin > end || end > (bytes_ + page - 1) / page * page) {
    return {Errc::corrupt, "claimed memory lies beyond the segment's limit"};
  }
  const int protection = writable_ ? PROT_READ | PROT_WRITE : PROT_READ;
  if (::mprotect(base_ + begin, end - begin, protection) != 0) {
    return status_of(errno, "cannot open claimed memory");
  }
  return {};
}

}  // namespace shmreg::sys
