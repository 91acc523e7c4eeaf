#include "population.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <stdexcept>

namespace shmreg::scale {
namespace {

constexpr std::size_t kDigits = 7;
constexpr std::string_view kEndpoint = "unix:/run/service-";

void write_digits(char* to, std::size_t number) noexcept {
  for (std::size_t place = kDigits; place-- > 0; number /= 10) {
    to[place] = static_cast<char>('0' + number % 10);
  }
}

std::string next_name() {
  static unsigned count = 0;
  return "scale." + std::to_string(getpid()) + "." + std::to_string(++count);
}

// Far more than so many services take, and what a default segment has in any case: the limit costs
// nothing but addresses.
CreateOptions options_for(std::size_t services) {
  CreateOptions options;
  options.max_size_bytes += std::uint64_t{services} * 1024;
  return options;
}

}  // namespace

Name::Name(std::string_view prefix, std::size_t number) noexcept {
  const std::size_t length = std::min(prefix.size(), text_.size() - kDigits);
  std::memcpy(text_.data(), prefix.data(), length);
  write_digits(text_.data() + length, number);
  bytes_ = static_cast<std::uint8_t>(length + kDigits);
}

std::string endpoint_of(std::size_t number) {
  std::string endpoint(kEndpoint);
  endpoint.resize(kEndpoint.size() + kDigits);
  write_digits(endpoint.data() + kEndpoint.size(), number);
  return endpoint;
}

bool is_endpoint_of(std::string_view endpoint, std::size_t number) noexcept {
  std::array<char, kDigits> digits{};
  write_digits(digits.data(), number);
  return endpoint.size() == kEndpoint.size() + kDigits && endpoint.starts_with(kEndpoint) &&
         endpoint.ends_with(std::string_view(digits.data(), digits.size()));
}

OwnSegment::OwnSegment(std::size_t services)
    : creator_(getpid()), name_(next_name()), file_("/dev/shm/shmreg." + name_) {
  create_segment(name_, options_for(services));
}

OwnSegment::~OwnSegment() {
  if (getpid() != creator_) return;
  try {
    destroy_segment(name_, true);
  } catch (const std::exception&) {
    // Whatever it was, the file itself goes with file_.
  }
}

Registry OwnSegment::attach(Access access) const {
  AttachOptions options;
  options.access = access;
  return Registry::attach(name_, options);
}

void populate(Registry& registry, std::string_view prefix, std::size_t count) {
  ServiceSpec spec;
  for (std::size_t i = 0; i < count; ++i) {
    spec.endpoint = endpoint_of(i);
    (void)registry.register_for(Owner::permanent(), Name(prefix, i).view(), spec).value();
  }
}

}  // namespace shmreg::scale
