// A segment's file in /dev/shm: created whole or not at all, opened without following anything,
// claimed in extents, locked by bytes.
//
// The descriptor of a file in which this process has a process-table entry must never be closed:
// the kernel drops every POSIX byte lock of a process with *any* descriptor of that file
// (fcntl(2)), and with the lock the proof that the process lives. So a SharedFile that is told to
// keep() does not close its descriptor: it is kept for whoever opens the same file next, until a
// SharedFile of that file is destroyed that need not keep.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shmreg/error.hpp"

namespace shmreg::sys {

inline constexpr std::string_view kDirectory = "/dev/shm";

struct FileStatus {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint32_t owner = 0;
  std::uint32_t group = 0;
  std::uint32_t mode = 0;  // permission bits
  std::uint32_t links = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t allocated_bytes = 0;
};

// Who holds a byte lock, as fcntl tells it.
struct LockState {
  bool locked = false;
  std::int32_t pid = 0;  // as numbered here; 0 or -1 where the kernel does not tell
};

class SharedFile {
 public:
  SharedFile() noexcept = default;
  SharedFile(SharedFile&& other) noexcept;
  SharedFile& operator=(SharedFile&& other) noexcept;
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;
  ~SharedFile();

  // A file without a name (O_TMPFILE), invisible until publish(). Vanishes with the process.
  [[nodiscard]] static Result<SharedFile> create_unnamed(std::uint32_t mode,
                                                         std::optional<std::uint32_t> group);
  // Gives it its name, atomically; segment_exists where that is taken.
  [[nodiscard]] Status publish(const std::string& file_name) const;

  // Opens what is there: no creation, no symbolic link, no waiting on a FIFO; only regular files.
  [[nodiscard]] static Result<SharedFile> open(const std::string& file_name, bool writable);

  void keep(bool keep = true) noexcept { keep_ = keep; }
  [[nodiscard]] bool is_open() const noexcept { return descriptor() >= 0; }
  [[nodiscard]] int descriptor() const noexcept {
    return descriptor_.load(std::memory_order_acquire);
  }
  // Whether the descriptor still leads to the file that was opened. Programs close descriptors that
  // are not theirs (closefrom and the like), and the number is then somebody else's file: nothing
  // may be claimed in that, and its locks prove nothing.
  [[nodiscard]] bool intact() const noexcept;
  // Opens the file anew by its name where it is no longer intact; false where the name leads
  // elsewhere by now.
  bool reopen(const std::string& file_name, bool writable) noexcept;

  [[nodiscard]] Result<FileStatus> status() const;
  [[nodiscard]] Status set_size(std::uint64_t bytes) const;
  // Makes [offset, offset + bytes) take up space, in calls of at most 1 MiB, after checking that
  // the file system has it: a full one is an error here and not SIGBUS at some later store.
  [[nodiscard]] Status claim(std::uint64_t offset, std::uint64_t bytes) const;
  // Reads up to `bytes`; fewer past the end of the file.
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, void* into, std::size_t bytes) const;
  [[nodiscard]] Status write(std::uint64_t offset, const void* from, std::size_t bytes) const;

  // POSIX byte locks (of the process, not of the descriptor: a forked child has none). Keys are
  // numbers, placed far beyond any file's end. lock() fails with false where another process holds
  // it; unlock never fails.
  [[nodiscard]] Result<bool> lock(std::uint64_t key) const;
  void unlock(std::uint64_t key) const noexcept;
  // Whether any process, this one too, holds a write lock there. By F_OFD_GETLK of type F_RDLCK:
  // plain F_GETLK says of one's own lock that it is free, and a stranger's read lock must not
  // count.
  // With `readers` those count as well, to name who is in the way.
  [[nodiscard]] Result<LockState> lock_state(std::uint64_t key, bool readers = false) const;

 private:
  explicit SharedFile(int descriptor) noexcept;

  std::atomic<int> descriptor_{-1};
  bool keep_ = false;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

// What the name leads to at this moment, without opening it.
[[nodiscard]] Result<FileStatus> status_of_name(const std::string& file_name);
[[nodiscard]] Status unlink_name(const std::string& file_name);
// The entries of kDirectory whose name begins with `prefix`, sorted.
[[nodiscard]] std::vector<std::string> file_names(std::string_view prefix);

[[nodiscard]] std::uint32_t effective_user() noexcept;
[[nodiscard]] std::string user_name(std::uint32_t user);  // or the number

// The page size that mappings and protections are cut by (16 KiB or 64 KiB on some aarch64).
[[nodiscard]] std::uint64_t page_bytes() noexcept;

}  // namespace shmreg::sys
