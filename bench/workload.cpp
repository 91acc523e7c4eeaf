#include "workload.hpp"

#include <algorithm>
#include <random>

namespace shmreg::bench {
namespace {

constexpr std::size_t kDigits = 6;

// `prefix` and the number in six digits.
Key name(std::string_view prefix, std::size_t number) {
  Key key;
  key.length = kNameBytes;
  std::memcpy(key.text, prefix.data(), prefix.size());
  for (std::size_t place = 0; place < kDigits; ++place) {
    key.text[kNameBytes - 1 - place] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  return key;
}

constexpr std::string_view kPresent = "production/service-";
constexpr std::string_view kMissing = "production/missing-";
constexpr std::string_view kVisitor = "production/visitor-";
constexpr std::string_view kEndpoint = "unix:/run/service-";
static_assert(kPresent.size() + kDigits == kNameBytes && kMissing.size() == kPresent.size() &&
              kVisitor.size() == kPresent.size() && kEndpoint.size() + kDigits == kEndpointBytes);

std::vector<Key> draw(std::string_view prefix, std::size_t names, std::size_t count,
                      std::mt19937& random) {
  std::uniform_int_distribution<std::size_t> any(0, names - 1);
  std::vector<Key> keys;
  keys.reserve(count);
  for (std::size_t i = 0; i < count; ++i) keys.push_back(name(prefix, any(random)));
  return keys;
}

}  // namespace

Value value_of(const Key& key) noexcept {
  Value value;
  value.length = kEndpointBytes;
  std::memcpy(value.endpoint, kEndpoint.data(), kEndpoint.size());
  std::memcpy(value.endpoint + kEndpoint.size(), key.text + kPresent.size(), kDigits);
  return value;
}

Workload::Workload(std::size_t services, std::size_t operations) {
  std::mt19937 random(1);  // always the same sequence
  present_.reserve(services);
  for (std::size_t i = 0; i < services; ++i) present_.push_back(name(kPresent, i));
  std::shuffle(present_.begin(), present_.end(), random);
  hits_ = draw(kPresent, services, operations, random);
  misses_ = draw(kMissing, services, operations, random);
  visitors_ = draw(kVisitor, kMaxServices, operations, random);
}

std::uint64_t sum_of_digests(std::span<const Key> keys) noexcept {
  std::uint64_t sum = 0;
  for (const Key& key : keys) sum += digest(value_of(key).view());
  return sum;
}

}  // namespace shmreg::bench
