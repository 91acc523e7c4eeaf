#include <iostream>
#include <shmreg/registry.hpp>

int main(int count, char** words) {
  const char* segment = count > 1 ? words[1] : "default";
  auto registry = shmreg::Registry::attach(segment, {.create = shmreg::CreateOptions()});
  auto mine =
      registry.register_service("production/config_server", {.endpoint = "tcp://127.0.0.1:4000"});
  auto found = registry.lookup("production/config_server");  // in any process of the host
  std::cout << (found ? found->endpoint() : found.message()) << std::endl;
  std::cin.get();  // registered until `mine` goes, or the kernel ends this process
}
