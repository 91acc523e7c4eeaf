// What a test does to its own process, always in a child: limits, another user, file systems of its
// own.
#pragma once

#include <dirent.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>

namespace shmreg::test {

inline constexpr uid_t kNobody = 65534;

[[nodiscard]] inline bool become_nobody() {
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
         ::setresuid(kNobody, kNobody, kNobody) == 0;
}

// The soft limit alone: it can be raised again.
[[nodiscard]] inline bool limit(__rlimit_resource resource, rlim_t soft) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return false;
  now.rlim_cur = soft;
  return ::setrlimit(resource, &now) == 0;
}

// Mounts of this process's own, which nobody else sees. In a plain chroot "/" is no mount point:
// then it is what lies at `at` that must not pass on what is mounted over it.
[[nodiscard]] inline bool own_mounts(const char* at) {
  return ::unshare(CLONE_NEWNS) == 0 &&
         (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 ||
          ::mount(nullptr, at, nullptr, MS_PRIVATE, nullptr) == 0);
}

// A /dev/shm of this process's own, of so many bytes. Gone with its last process.
[[nodiscard]] inline bool mount_own_shm(std::size_t bytes) {
  const std::string size = "size=" + std::to_string(bytes) + ",mode=1777";
  return own_mounts("/dev/shm") && ::mount("tmpfs", "/dev/shm", "tmpfs", 0, size.c_str()) == 0;
}

// A /proc that numbers processes as this process's PID namespace does.
[[nodiscard]] inline bool mount_own_proc() {
  return own_mounts("/proc") && ::mount("proc", "/proc", "proc", 0, nullptr) == 0;
}

[[nodiscard]] inline int open_descriptors() {
  int count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return -1;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

}  // namespace shmreg::test
