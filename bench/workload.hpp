// The work that every contender is given: the same names in the same order, and what the right
// answers add up to.
//
// A name has 25 bytes ("production/service-000042"), an endpoint 24 ("unix:/run/service-000042").
// `present` are registered in a shuffled order; `hits` are drawn from them at random, `misses` from
// names of the same shape that nobody registered, `visitors` are names that come and go. A Workload
// depends on nothing but its two sizes: two runs do the same work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace shmreg::bench {

inline constexpr std::size_t kNameBytes = 25;
inline constexpr std::size_t kEndpointBytes = 24;
inline constexpr std::size_t kMaxServices = 1'000'000;  // six digits

// A name with its bytes in place, padded with zeros, so that equal names are equal in all 32 bytes.
struct Key {
  std::uint8_t length = 0;
  char text[31] = {};

  [[nodiscard]] std::string_view view() const noexcept { return {text, length}; }
  friend bool operator==(const Key& a, const Key& b) noexcept {
    return std::memcmp(&a, &b, sizeof(Key)) == 0;
  }
};
static_assert(sizeof(Key) == 32);

// What the rivals keep under a name: 64 bytes, like the start of a registration.
struct Value {
  std::uint32_t length = 0;
  char endpoint[60] = {};

  [[nodiscard]] std::string_view view() const noexcept { return {endpoint, length}; }
};
static_assert(sizeof(Value) == 64);

// Of a found endpoint, what is added up: its last three digits. Zero for whatever cannot be an
// endpoint of this workload. Byte by byte: a load that straddles two of the stores that made the
// copy waits until both have left the store buffer, and whether it does so would be decided by how
// a contender happens to lay out its copy.
[[nodiscard]] inline std::uint64_t digest(std::string_view endpoint) noexcept {
  if (endpoint.size() != kEndpointBytes) return 0;
  const auto digit = [&](std::size_t from_end) {
    return static_cast<std::uint64_t>(endpoint[kEndpointBytes - from_end]);
  };
  return digit(1) | digit(2) << 8 | digit(3) << 16;
}

// The endpoint registered under a name.
[[nodiscard]] Value value_of(const Key& key) noexcept;

class Workload {
 public:
  // `operations` names in each list of questions: a power of two.
  Workload(std::size_t services, std::size_t operations);

  [[nodiscard]] std::size_t services() const noexcept { return present_.size(); }
  [[nodiscard]] std::span<const Key> present() const noexcept { return present_; }
  [[nodiscard]] std::span<const Key> hits() const noexcept { return hits_; }
  [[nodiscard]] std::span<const Key> misses() const noexcept { return misses_; }
  [[nodiscard]] std::span<const Key> visitors() const noexcept { return visitors_; }

 private:
  std::vector<Key> present_;
  std::vector<Key> hits_;
  std::vector<Key> misses_;
  std::vector<Key> visitors_;
};

// Sum of the digests that looking up all of `keys` must give where each is present.
[[nodiscard]] std::uint64_t sum_of_digests(std::span<const Key> keys) noexcept;

}  // namespace shmreg::bench
