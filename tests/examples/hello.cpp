#include <iostream>
#include <shmreg/registry.hpp>

int main(int count, char** words) {
  const char* segment = count > 1 ? words[1] : "default";
  auto registry = shmreg::Registry::attach(segment, {.create = shmreg::CreateOptions()});
  auto mine =
      registry.register_service("production/config_server", {.endpoint = "tcp://127.0.0.1:4000"});
  if (!mine) {
    std::cerr << mine.message() << std::endl;
    return 1;
  }
  auto found = registry.lookup("production/config_server");  // as any process of the host may
  std::cout << found->endpoint() << std::endl;
  std::cin.get();  // registered until `mine` goes, or the kernel ends this process
}
