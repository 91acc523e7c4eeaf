// A process that holds names, for those who are to be told of its end.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

namespace shmreg::test {

inline constexpr auto kPatience = std::chrono::seconds(60);

// A process that registers these and lives until it is killed.
inline Child holder_of(const ScratchSegment& segment, std::vector<std::string> names) {
  return Child([&segment, names = std::move(names)](const Parent& parent) {
    auto registry = segment.attach(Access::read_write);
    std::vector<Registration> held;
    for (const auto& name : names) held.push_back(registry.register_service(name).value());
    parent.tell();
    parent.linger();
  });
}

}  // namespace shmreg::test
