// Examines a segment's file, whatever bytes are in it: every structure, every invariant, by pread
// into this process's own memory, so that neither a truncated file nor a writer at work can do
// harm. A partition that is being written is read again; what keeps changing is said to be busy.
#pragma once

#include <cstdint>

#include "shmreg/segment.hpp"
#include "sys/shared_file.hpp"

namespace shmreg::core {

// Fills in problems, services and partitions_busy.
[[nodiscard]] DoctorReport check_segment(const sys::SharedFile& file, std::uint64_t file_bytes);

}  // namespace shmreg::core
