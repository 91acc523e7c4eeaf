// A segment's address range: the whole limit is mapped without access, and what has been claimed
// from the file system is opened piece by piece. Reading a hole of a tmpfs file allocates its page
// (and raises SIGBUS on a full one), and mlockall(MCL_FUTURE) would claim the whole limit: neither
// can happen where there is no access.
//
// A file that somebody truncates takes the memory with it: a mapping is watched (bus_error.hpp),
// and says of itself that it is broken.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmreg/error.hpp"
#include "sys/bus_error.hpp"
#include "sys/shared_file.hpp"

namespace shmreg::sys {

class Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  // Reserves `bytes` of address space over the file, without access.
  [[nodiscard]] static Result<Mapping> reserve(const SharedFile& file, std::uint64_t bytes,
                                               bool writable);
  // Opens [offset, offset + bytes) to reading (and writing), rounded to whole pages outwards.
  // Idempotent, and safe to call from several threads at once.
  [[nodiscard]] Status open(std::uint64_t offset, std::uint64_t bytes) const;

  [[nodiscard]] unsigned char* data() const noexcept { return base_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return bytes_; }
  // Whether memory of it has gone; see WatchedRange.
  [[nodiscard]] bool broken() const noexcept { return watched_.broken(); }
  void set_broken() const noexcept { watched_.set_broken(); }

 private:
  unsigned char* base_ = nullptr;
  std::uint64_t bytes_ = 0;
  bool writable_ = false;
  WatchedRange watched_;
};

}  // namespace shmreg::sys
