// The example of README.md: one process registers, another one finds it. Returns 0 if it did.
// Between the two README lines stands what README.md quotes; .ci/lint compares.
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <string>

#include "shmreg/registry.hpp"
#include "shmreg/segment.hpp"

namespace {

int complain(const std::string& message) {
  std::cerr << "first: " << message << std::endl;
  return 1;
}

// README begins
int find(const std::string& segment) {
  auto registry = shmreg::Registry::attach(segment);
  auto found = registry.lookup("production/config_server");
  if (!found) return complain(found.message());
  std::cout << found->endpoint() << ", pid " << found->pid() << std::endl;
  return 0;
}

int serve(const std::string& segment, int (*work)(const std::string&)) {
  auto registry = shmreg::Registry::attach(segment);
  auto mine =
      registry.register_service("production/config_server", {.endpoint = "tcp://127.0.0.1:4000"});
  if (!mine) return complain(mine.message());
  return work(segment);  // registered until `mine` goes, or the kernel ends this process
}
// README ends

int be_found(const std::string& segment) {
  const pid_t other = ::fork();
  if (other < 0) return complain("fork failed");
  if (other == 0) ::_exit(find(segment));
  int status = 0;
  if (::waitpid(other, &status, 0) != other || !WIFEXITED(status)) return 1;
  return WEXITSTATUS(status);
}

}  // namespace

int main() {
  const std::string segment = "example-first-" + std::to_string(::getpid());
  try {
    shmreg::create_segment(segment);
    const int status = serve(segment, &be_found);
    shmreg::destroy_segment(segment, /*force=*/true);
    return status;
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}
