// XXH3 over a name's bytes, for all the maps that take a hash function.
#pragma once

#include <xxhash.h>

#include <cstddef>
#include <string_view>

#include "workload.hpp"

namespace shmreg::bench {

struct KeyHash {
  using is_avalanching = void;  // Boost.Unordered need not mix it again
  using is_transparent = void;

  [[nodiscard]] std::size_t operator()(std::string_view text) const noexcept {
    return XXH3_64bits(text.data(), text.size());
  }
  [[nodiscard]] std::size_t operator()(const Key& key) const noexcept {
    return operator()(key.view());
  }
};

}  // namespace shmreg::bench
