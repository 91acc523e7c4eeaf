// Registers SERVICE for itself through the library, and holds it until its standard input ends.
//   hold SEGMENT SERVICE
// Says "held ID" once it is registered. Exit status: 0, or 1 with the reason on standard error.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "shmreg/registry.hpp"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: hold SEGMENT SERVICE\n");
    return 2;
  }
  try {
    auto registry = shmreg::Registry::attach(argv[1]);
    const auto mine = registry.register_service(argv[2]).value();
    std::printf("held %llu\n", static_cast<unsigned long long>(mine.id()));
    std::fflush(stdout);
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return EXIT_SUCCESS;
  } catch (const shmreg::Error& error) {
    std::fprintf(stderr, "hold: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
