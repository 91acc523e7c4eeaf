// The JSON of a service's line, taken apart: which of ServiceView's keys it has, and their values,
// each of the type that it must be of. What they mean together is for service_line.cpp to say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "output/service_line.hpp"

namespace shmreg::output {

struct ServiceMembers {
  // In the order in which ServiceView writes them.
  enum Key : std::size_t {
    kSchemaKey,
    kNamespace,
    kName,
    kId,
    kShared,
    kPid,
    kEndpoint,
    kMetadata,
    kTags,
    kDepends,
    kWants,
    kHealth,
    kEffectiveHealth,
    kCause,
    kOwner,
    kTtl,
    kAlive,
    kNode,
    kRegisteredAt,
    kUptime,
    kKeys,  // how many; also: none of them
  };

  // What lies in arrays and in the metadata; the endpoint is among the strings.
  ServiceSpec spec;
  std::array<std::string, kKeys> strings;
  std::array<std::int64_t, kKeys> integers{};  // true is 1
  // Which token of the line a key's value is; 0, which is the line's own bracket, where it is not
  // there.
  std::array<std::size_t, kKeys> tokens{};

  [[nodiscard]] bool has(Key key) const noexcept { return tokens.at(key) != 0; }

  // Reads `text`, which must be one JSON object, into `members`, which are to be new.
  [[nodiscard]] static std::optional<BadLine> read(std::string_view text, ServiceMembers& members);
};

[[nodiscard]] std::string_view name_of(ServiceMembers::Key key) noexcept;

// Where a token begins in text that has been read without fault up to there.
[[nodiscard]] std::size_t column_of(std::string_view text, std::size_t token) noexcept;

}  // namespace shmreg::output
