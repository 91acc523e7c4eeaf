#include "torture/own_shm.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>

#include "support/child.hpp"
#include "support/resources.hpp"

namespace torture {
namespace {

constexpr std::size_t kBytes = std::size_t{32} << 20;

}  // namespace

OwnShm::OwnShm() {
  // Tried by a child first: half of it done here could not be undone.
  if (!shmreg::test::a_child_may([] { return shmreg::test::mount_own_shm(kBytes); })) return;
  everybodys_ = ::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  directory_ = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  own_ = everybodys_ >= 0 && directory_ >= 0 && shmreg::test::mount_own_shm(kBytes);
}

OwnShm::~OwnShm() {
  if (own_ && (::setns(everybodys_, CLONE_NEWNS) != 0 || ::fchdir(directory_) != 0)) {
    std::fprintf(stderr, "cannot go back to everybody's /dev/shm\n");
  }
  if (everybodys_ >= 0) ::close(everybodys_);
  if (directory_ >= 0) ::close(directory_);
}

}  // namespace torture
