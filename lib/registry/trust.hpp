// Whose segments are followed: the public face's user ids as the core has them.
#pragma once

#include <cstdint>
#include <vector>

#include "shmreg/segment.hpp"

namespace shmreg {

inline std::vector<std::uint32_t> trusted_users(const TrustOptions& trust) {
  return {trust.trusted_owners.begin(), trust.trusted_owners.end()};
}

}  // namespace shmreg
