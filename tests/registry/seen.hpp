// What is seen of services, as values that a test can compare; and a process that holds some.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

namespace shmreg::test {

using Pairs = std::vector<std::pair<std::string, std::string>>;
using Texts = std::vector<std::string>;

inline Pairs owned(const std::vector<std::pair<std::string_view, std::string_view>>& pairs) {
  return {pairs.begin(), pairs.end()};
}
inline Texts owned(const std::vector<std::string_view>& texts) {
  return {texts.begin(), texts.end()};
}

inline std::multiset<std::string> names_of(const std::vector<Service>& services) {
  std::multiset<std::string> names;
  for (const Service& service : services) names.emplace(service.full_name());
  return names;
}

// Everything of a service that can be seen, for "unchanged to the byte".
inline std::string picture_of(const Service& service) {
  std::string text = std::string(service.full_name()) + "|" + std::string(service.endpoint()) +
                     "|" + std::to_string(service.id()) + "|" + std::to_string(service.pid()) +
                     "|" + std::to_string(service.change()) + "|" +
                     std::to_string(service.registered_at_ns());
  for (const auto& [key, value] : service.metadata()) {
    text += "|" + std::string(key) + "=" + std::string(value);
  }
  for (const auto tag : service.tags()) text += "|" + std::string(tag);
  return text;
}

inline bool mentions(const std::string& text, std::uint64_t number) {
  return text.find(std::to_string(number)) != std::string::npos;
}

// What a process does that holds these names until it is killed.
inline void hold(const Parent& parent, const ScratchSegment& segment, const Texts& names) {
  auto registry = segment.attach();
  std::vector<Registration> held;
  for (const std::string& name : names) {
    held.push_back(registry.register_service(name, {.endpoint = "of " + name}).value());
  }
  parent.tell(held.back().id());
  parent.linger();
}

}  // namespace shmreg::test
