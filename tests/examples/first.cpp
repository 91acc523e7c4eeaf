// The example of README.md: one process registers, another one finds it. Returns 0 if it did.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>

#include "shmreg/registry.hpp"
#include "shmreg/segment.hpp"

namespace {

// What README.md quotes begins here.
int find_it(const std::string& segment) {
  auto registry = shmreg::Registry::attach(segment);
  auto found = registry.lookup("production/config_server");
  if (!found) return std::fprintf(stderr, "%s\n", found.message().c_str()), 1;
  std::printf("%s, pid %u\n", std::string(found->endpoint()).c_str(), found->pid());
  return 0;
}

int register_and_be_found(const std::string& segment) {
  auto registry = shmreg::Registry::attach(segment);
  auto mine =
      registry.register_service("production/config_server", {.endpoint = "tcp://127.0.0.1:4000"});
  if (!mine) return std::fprintf(stderr, "%s\n", mine.message().c_str()), 1;
  // ... and here it ends: serve; `mine` unregisters when it goes out of scope, the kernel
  // unregisters if the process dies first.

  std::fflush(stdout);
  const pid_t other = ::fork();
  if (other == 0) {
    const int status = find_it(segment);
    std::fflush(stdout);
    ::_exit(status);
  }
  int status = 0;
  if (::waitpid(other, &status, 0) != other || !WIFEXITED(status)) return 1;
  return WEXITSTATUS(status);
}

}  // namespace

int main() {
  const std::string segment = "example-first-" + std::to_string(::getpid());
  try {
    shmreg::create_segment(segment);
    const int status = register_and_be_found(segment);
    shmreg::destroy_segment(segment, /*force=*/true);
    return status;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
