#include "sys/shared_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "sys/errno.hpp"
#include "sys/fork_epoch.hpp"

namespace shmreg::sys {
namespace {

constexpr std::uint64_t kClaimBytes = std::uint64_t{1} << 20;
// Beyond the largest file there can be in a tmpfs, within the range of off_t.
constexpr std::uint64_t kLockBase = std::uint64_t{1} << 60;

// O_NONBLOCK: a FIFO of that name must not hold us; it has no effect on a regular file.
constexpr int kOpenFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

std::string path_of(const std::string& file_name) {
  return std::string(kDirectory) + "/" + file_name;
}

FileStatus from_stat(const struct stat& st) {
  FileStatus status;
  status.device = st.st_dev;
  status.inode = st.st_ino;
  status.owner = st.st_uid;
  status.group = st.st_gid;
  status.mode = st.st_mode & 07777U;
  status.links = static_cast<std::uint32_t>(st.st_nlink);
  status.size_bytes = static_cast<std::uint64_t>(st.st_size);
  status.allocated_bytes = static_cast<std::uint64_t>(st.st_blocks) * 512;
  return status;
}

struct flock byte_range(std::uint64_t key, short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(kLockBase + key);
  range.l_len = 1;
  return range;
}

template <class Call>
auto retry_interrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

bool leads_to(int descriptor, std::uint64_t device, std::uint64_t inode) noexcept {
  struct stat st {};
  return ::fstat(descriptor, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

// Descriptors that may not be closed, and that nobody uses: without them every look at a segment
// that this process is attached to would cost one for good. Never destroyed.
class Spares {
 public:
  static Spares& all() {
    static auto* const spares = new Spares;
    return *spares;
  }

  void give(int descriptor, std::uint64_t device, std::uint64_t inode) {
    const bool writable = (::fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_RDWR;
    mutex_.lock();
    spares_.push_back({descriptor, device, inode, writable});
    mutex_.unlock();
  }
  // -1 where there is none.
  [[nodiscard]] int take(std::uint64_t device, std::uint64_t inode, bool writable) {
    int descriptor = -1;
    mutex_.lock();
    for (std::size_t i = 0; i < spares_.size() && descriptor < 0;) {
      const Spare spare = spares_.at(i);
      const bool asked_for =
          spare.device == device && spare.inode == inode && spare.writable == writable;
      if (asked_for) spares_.erase(spares_.begin() + static_cast<std::ptrdiff_t>(i));
      if (!asked_for) ++i;
      // Closed meanwhile by somebody whose it was not: the number is another file's.
      if (asked_for && leads_to(spare.descriptor, device, inode)) descriptor = spare.descriptor;
    }
    mutex_.unlock();
    return descriptor;
  }
  void close(std::uint64_t device, std::uint64_t inode) {
    for (const bool writable : {false, true}) {
      for (int spare = take(device, inode, writable); spare >= 0;) {
        ::close(spare);
        spare = take(device, inode, writable);
      }
    }
  }

 private:
  struct Spare {
    int descriptor;
    std::uint64_t device;
    std::uint64_t inode;
    bool writable;
  };
  ForkAwareMutex mutex_;
  std::vector<Spare> spares_;
};

}  // namespace

SharedFile::SharedFile(int descriptor) noexcept : descriptor_(descriptor) {
  struct stat st {};
  if (descriptor < 0 || ::fstat(descriptor, &st) != 0) return;
  device_ = st.st_dev;
  inode_ = st.st_ino;
}

SharedFile::SharedFile(SharedFile&& other) noexcept
    : descriptor_(other.descriptor_.exchange(-1)),
      keep_(std::exchange(other.keep_, false)),
      device_(other.device_),
      inode_(other.inode_) {}

SharedFile& SharedFile::operator=(SharedFile&& other) noexcept {
  other.descriptor_.store(descriptor_.exchange(other.descriptor_.load()));
  std::swap(keep_, other.keep_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

SharedFile::~SharedFile() {
  if (!is_open() || !intact()) return;
  if (keep_) {
    Spares::all().give(descriptor(), device_, inode_);
  } else {
    Spares::all().close(device_, inode_);
    ::close(descriptor());
  }
}

bool SharedFile::intact() const noexcept { return leads_to(descriptor(), device_, inode_); }

bool SharedFile::reopen(const std::string& file_name, bool writable) noexcept {
  if (intact()) return true;
  const int again = ::open(path_of(file_name).c_str(), (writable ? O_RDWR : O_RDONLY) | kOpenFlags);
  if (again < 0) return false;
  struct stat st {};
  if (::fstat(again, &st) != 0 || st.st_dev != device_ || st.st_ino != inode_) {
    ::close(again);
    return false;
  }
  // The old number is not closed: it is somebody else's.
  descriptor_.store(again, std::memory_order_release);
  return true;
}

Result<SharedFile> SharedFile::create_unnamed(std::uint32_t mode,
                                              std::optional<std::uint32_t> group) {
  const std::string directory(kDirectory);
  SharedFile file(retry_interrupted(
      [&] { return ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }));
  if (!file.is_open()) return status_of(errno, "cannot create a file in " + directory);
  if (group && ::fchown(file.descriptor_, static_cast<uid_t>(-1), *group) != 0) {
    return status_of(errno, "cannot give the segment to group " + std::to_string(*group));
  }
  // After chown, and by fchmod: the umask has no say in what was asked for.
  if (::fchmod(file.descriptor_, mode) != 0) return status_of(errno, "cannot set the mode");
  return file;
}

Status SharedFile::publish(const std::string& file_name) const {
  const std::string path = path_of(file_name);
  // Through /proc for everybody; AT_EMPTY_PATH needs CAP_DAC_READ_SEARCH before Linux 6.10 but
  // works where /proc is not mounted.
  const std::string self = "/proc/self/fd/" + std::to_string(descriptor());
  if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) return {};
  if (errno == ENOENT || errno == ENOTDIR) {
    if (::linkat(descriptor(), "", AT_FDCWD, path.c_str(), AT_EMPTY_PATH) == 0) return {};
  }
  return status_of(errno, "cannot name the segment " + path);
}

namespace {

// Who is told so can do little but ask somebody: whom, and for what.
Status not_permitted(const std::string& path, const struct stat& st, bool writable) {
  std::string mode(4, '0');
  for (std::size_t i = 0; i < 3; ++i) {
    mode[3 - i] = static_cast<char>('0' + (st.st_mode >> (3 * i) & 7));
  }
  return {Errc::permission_denied, path + " may not be " + (writable ? "written" : "read") +
                                       " by user " + user_name(effective_user()) +
                                       ": it belongs to user " + user_name(st.st_uid) +
                                       ", its mode is " + mode};
}

}  // namespace

Result<SharedFile> SharedFile::open(const std::string& file_name, bool writable) {
  const std::string path = path_of(file_name);
  // Asked before opening: opening a FIFO or a device can have effects of its own.
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) return status_of(errno, path);
  if (!S_ISREG(st.st_mode)) return Status(Errc::incompatible, path + " is not a regular file");
  SharedFile file(Spares::all().take(st.st_dev, st.st_ino, writable));
  if (file.is_open()) return file;
  file = SharedFile(retry_interrupted(
      [&] { return ::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | kOpenFlags); }));
  if (!file.is_open() && errno == EACCES) return not_permitted(path, st, writable);
  if (!file.is_open()) return status_of(errno, path);
  if (::fstat(file.descriptor_, &st) != 0) return status_of(errno, path);
  if (!S_ISREG(st.st_mode)) return Status(Errc::incompatible, path + " is not a regular file");
  return file;
}

Result<FileStatus> SharedFile::status() const {
  struct stat st {};
  if (::fstat(descriptor(), &st) != 0) return status_of(errno, "fstat");
  return from_stat(st);
}

Status SharedFile::set_size(std::uint64_t bytes) const {
  // Asked first: exceeding it raises SIGXFSZ, which ends the process by default.
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      limit.rlim_cur < bytes) {
    return {Errc::no_space, "a segment of " + std::to_string(bytes) +
                                " bytes is over this process's file size limit (ulimit -f) of " +
                                std::to_string(limit.rlim_cur) +
                                " bytes; raise it or ask for a smaller --max-size"};
  }
  const int failed =
      retry_interrupted([&] { return ::ftruncate(descriptor(), static_cast<off_t>(bytes)); });
  return failed != 0 ? status_of(errno, "cannot size the segment") : Status();
}

Status SharedFile::claim(std::uint64_t offset, std::uint64_t bytes) const {
  if (!intact()) {
    return {Errc::system_error,
            "this process has closed the segment's file descriptor (closefrom?); it is opened "
            "again within a second: try again"};
  }
  // Of all of it before any of it: whoever else uses the file system is not to run out for nothing.
  for (std::uint64_t wanted = bytes; bytes > 0; wanted = std::min(bytes, kClaimBytes)) {
    const std::uint64_t part = std::min(bytes, kClaimBytes);
    struct statvfs fs {};
    if (retry_interrupted([&] { return ::fstatvfs(descriptor(), &fs); }) != 0) {
      return status_of(errno, "cannot ask for the room in " + std::string(kDirectory));
    }
    const std::uint64_t free_bytes = std::uint64_t{fs.f_bavail} * fs.f_frsize;
    // f_blocks is 0 on a tmpfs without a limit.
    if (fs.f_blocks != 0 && free_bytes < wanted) {
      return {Errc::no_space, std::string(kDirectory) + " is full: " + std::to_string(free_bytes) +
                                  " bytes are free, " + std::to_string(wanted) +
                                  " more are needed; free some or mount it larger"};
    }
    const int failed = retry_interrupted([&] {
      // The size was set when the file was made. One that somebody has truncated must not become
      // longer again: the others would read zeros there without being told.
      return ::fallocate(descriptor(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                         static_cast<off_t>(part));
    });
    if (failed != 0) return status_of(errno, "cannot claim memory in " + std::string(kDirectory));
    offset += part;
    bytes -= part;
  }
  return {};
}

Result<std::size_t> SharedFile::read(std::uint64_t offset, void* into, std::size_t bytes) const {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = retry_interrupted([&] {
      return ::pread(descriptor(), static_cast<char*>(into) + done, bytes - done,
                     static_cast<off_t>(offset + done));
    });
    if (got < 0) return status_of(errno, "cannot read the segment's file");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Status SharedFile::write(std::uint64_t offset, const void* from, std::size_t bytes) const {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t put = retry_interrupted([&] {
      return ::pwrite(descriptor(), static_cast<const char*>(from) + done, bytes - done,
                      static_cast<off_t>(offset + done));
    });
    if (put < 0) return status_of(errno, "cannot write the segment's file");
    done += static_cast<std::size_t>(put);
  }
  return {};
}

Result<bool> SharedFile::lock(std::uint64_t key) const {
  struct flock range = byte_range(key, F_WRLCK);
  if (::fcntl(descriptor(), F_SETLK, &range) == 0) return true;
  if (errno == EACCES || errno == EAGAIN) return false;
  return status_of(errno, "cannot place a file lock");
}

void SharedFile::unlock(std::uint64_t key) const noexcept {
  struct flock range = byte_range(key, F_UNLCK);
  ::fcntl(descriptor(), F_SETLK, &range);
}

Result<LockState> SharedFile::lock_state(std::uint64_t key, bool readers) const {
  struct flock range = byte_range(key, readers ? F_WRLCK : F_RDLCK);
  if (::fcntl(descriptor(), F_OFD_GETLK, &range) != 0) {
    return status_of(errno, "cannot ask for a file lock");
  }
  LockState state;
  state.locked = range.l_type != F_UNLCK;
  state.pid = state.locked ? range.l_pid : 0;
  return state;
}

Result<FileStatus> status_of_name(const std::string& file_name) {
  struct stat st {};
  if (::lstat(path_of(file_name).c_str(), &st) != 0) return status_of(errno, path_of(file_name));
  return from_stat(st);
}

Status unlink_name(const std::string& file_name) {
  if (::unlink(path_of(file_name).c_str()) != 0) {
    return status_of(errno, "cannot remove " + path_of(file_name));
  }
  return {};
}

std::vector<std::string> file_names(std::string_view prefix) {
  std::vector<std::string> names;
  const std::string directory(kDirectory);
  DIR* dir = ::opendir(directory.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir)) {  // NOLINT(concurrency-mt-unsafe): own stream
    const std::string_view name = entry->d_name;
    if (name.substr(0, prefix.size()) == prefix) names.emplace_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

std::uint32_t effective_user() noexcept { return ::geteuid(); }

std::string user_name(std::uint32_t user) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(4096);
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return entry.pw_name;
  }
  return std::to_string(user);
}

std::uint64_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace shmreg::sys
