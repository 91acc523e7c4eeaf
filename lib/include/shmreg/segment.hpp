// Segments as files: create, destroy, enumerate, examine. What an administrator does; a program
// that only registers and looks up needs none of it but perhaps create_segment.
//
// A segment NAME ([A-Za-z0-9._-]{1,64}, not starting with a dot) lies at /dev/shm/shmreg.NAME.
// All functions are safe to call from any thread and any number of processes at once.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shmreg/api.h"
#include "shmreg/error.hpp"

namespace shmreg {

inline constexpr std::string_view kDefaultSegment = "default";

struct CreateOptions {
  std::uint64_t max_size_bytes = std::uint64_t{1} << 30;  // limit of growth; 4 MiB to 64 GiB
  std::uint32_t partitions = 0;        // power of two up to 4096; 0: 64, or more on many CPUs
  std::uint32_t max_processes = 1024;  // attached at once; 1 to 65534
  std::uint32_t initial_slots = 512;   // per partition; power of two, 16 to 65536
  std::uint32_t mode = 0600;           // permission bits of the file, not subject to the umask
  std::optional<gid_t> group{};        // the file's group; absent: the creator's
  bool reserve = false;                // claim the whole limit from the file system at once
  bool if_missing = false;             // an existing segment is a success
};

struct TrustOptions {
  std::vector<uid_t> trusted_owners{};  // besides root and the caller's effective user
};

// Complete or not at all: a creator killed at any instant leaves nothing behind.
// Returns true if it created, false if `if_missing` found one already there, that this process may
// attach to for reading.
// Throws Error: segment_exists, invalid_name, invalid_argument, no_space, permission_denied; with
// `if_missing` whatever attaching to what is there does.
SHMREG_API bool create_segment(std::string_view name, const CreateOptions& options = {},
                               const TrustOptions& trust = {});

// Retires and unlinks. Processes still attached learn at their next write. Without `force` refuses
// (segment_in_use) while a service with a live owner is registered. Returns how many services were
// registered. Throws Error. A corrupt segment is removed only by `force`.
SHMREG_API std::uint64_t destroy_segment(std::string_view name, bool force = false,
                                         const TrustOptions& trust = {});

enum class Liveness : std::uint8_t {
  kernel_mark = 1,  // the kernel marks an owner's end; a lookup loads one word
  byte_lock = 2,    // a file lock tells; a lookup costs one system call
};
[[nodiscard]] SHMREG_API std::string_view to_string(Liveness liveness) noexcept;

// One file of the right name in /dev/shm, whether or not it can be attached.
struct SegmentInfo {
  std::string name;
  uid_t owner = 0;
  gid_t group = 0;
  std::uint32_t mode = 0;
  std::uint64_t bytes_used = 0;   // what the file system has given for it
  std::uint64_t bytes_limit = 0;  // 0 where the header was not readable
  std::uint32_t processes = 0;    // attached now
  Status problem;                 // why it cannot be attached; ok where it can
};
[[nodiscard]] SHMREG_API std::vector<SegmentInfo> segments();

// One thing that is not as it must be.
struct Problem {
  std::string where;        // "partition 12, slot 40"
  std::string what;         // one sentence
  bool repairable = false;  // a writer, or doctor --repair, mends it
};

struct DoctorReport {
  std::vector<Problem> problems;
  std::uint64_t services = 0;         // reachable records, of live owners or not
  std::uint64_t partitions_busy = 0;  // changed so fast that they could not be examined
  // What this kernel and sandbox give, one sentence each.
  std::vector<std::string> guarantees;
};

// Walks every structure and checks every invariant, read-only, by pread (a truncated or garbage
// file is an answer, not a crash). Throws Error only where there is no such file or it may not be
// read (no_such_segment, permission_denied, untrusted_owner, incompatible for what is no file).
[[nodiscard]] SHMREG_API DoctorReport doctor(std::string_view name, const TrustOptions& trust = {});

}  // namespace shmreg
