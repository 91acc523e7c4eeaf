// A service as it was found: one registration's bytes, copied out, and what was known of its owner
// at that moment.
//
// A `Service` owns its bytes (the first kInlineBytes inside the object, larger records on the heap)
// and is meant to be reused: a lookup into the same object again allocates nothing. All string
// views point into the object and live until it is assigned, looked up into again, or destroyed.
// Everything in one Service is of one registration: it is never a mix of two.
//
// Thread safety: as a value; one object is not to be used from two threads at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shmreg/api.h"

namespace shmreg {

namespace core {
struct ServiceAccess;
}

// Who a service belongs to, which decides when it ends.
enum class OwnerKind : std::uint8_t {
  process = 1,    // an attached process: ends with it, by the kernel's word
  pid = 2,        // another process, named by pid: ends with that process
  ttl = 3,        // nobody: ends when it is not renewed in time
  permanent = 4,  // nobody: stays until unregistered ("static" in text and JSON)
  remote = 5,     // another host (reserved)
};
[[nodiscard]] SHMREG_API std::string_view to_string(OwnerKind kind) noexcept;

enum class Health : std::uint8_t {
  unknown = 0,
  starting = 1,
  passing = 2,
  warning = 3,
  critical = 4,
  maintenance = 5,
};
[[nodiscard]] SHMREG_API std::string_view to_string(Health health) noexcept;
[[nodiscard]] SHMREG_API std::optional<Health> health_from_string(std::string_view text) noexcept;

// Whether the owner lives. `unknown`: a pid of another PID namespace, or no /proc to ask.
enum class Alive : std::uint8_t { no = 0, yes = 1, unknown = 2 };

class SHMREG_API Service {
 public:
  static constexpr std::size_t kInlineBytes = 256;

  Service() noexcept = default;
  Service(const Service& other);
  Service& operator=(const Service& other);
  Service(Service&& other) noexcept;
  Service& operator=(Service&& other) noexcept;
  ~Service() = default;

  // True once a lookup or a list has filled it.
  [[nodiscard]] bool has_value() const noexcept { return size_ != 0; }

  [[nodiscard]] std::string_view full_name() const noexcept;       // "namespace/name"
  [[nodiscard]] std::string_view namespace_name() const noexcept;  // may itself hold slashes
  [[nodiscard]] std::string_view name() const noexcept;
  [[nodiscard]] std::uint64_t id() const noexcept;  // below 2^53, ascending, never reused
  // Whether it is one of its name's instances, which others may be beside.
  [[nodiscard]] bool shared() const noexcept;
  [[nodiscard]] std::string_view endpoint() const noexcept;  // empty where none was given
  [[nodiscard]] OwnerKind owner() const noexcept;
  // The owner's pid as its own PID namespace numbers it; 0 for ttl, permanent and remote.
  [[nodiscard]] std::uint32_t pid() const noexcept { return pid_; }
  [[nodiscard]] Alive alive() const noexcept { return alive_; }
  [[nodiscard]] Health health() const noexcept { return health_; }
  // Nanoseconds since 1970-01-01 UTC.
  [[nodiscard]] std::int64_t registered_at_ns() const noexcept;
  // Since the registration, by the monotonic clock; an update does not begin it anew.
  [[nodiscard]] std::uint64_t uptime_ns() const noexcept;
  // Of a ttl, the time within which it is to be renewed; 0 for every other owner.
  [[nodiscard]] std::uint64_t period_ns() const noexcept;
  // Advances with every change of this service; comparable within one service.
  [[nodiscard]] std::uint64_t change() const noexcept;

  // Decoded on demand, in the order given at registration.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::string_view>> metadata() const;
  [[nodiscard]] std::optional<std::string_view> metadata(std::string_view key) const noexcept;
  [[nodiscard]] std::vector<std::string_view> tags() const;
  [[nodiscard]] std::vector<std::string_view> depends() const;  // full names
  [[nodiscard]] std::vector<std::string_view> wants() const;    // full names

 private:
  friend struct core::ServiceAccess;

  [[nodiscard]] const unsigned char* bytes() const noexcept {
    return heap_.empty() ? inline_.data() : heap_.data();
  }

  std::uint32_t size_ = 0;  // bytes of the record image; 0: empty
  std::uint32_t pid_ = 0;
  Alive alive_ = Alive::unknown;
  Health health_ = Health::unknown;
  alignas(16) std::array<unsigned char, kInlineBytes> inline_;
  std::vector<unsigned char> heap_;  // in use where the image is larger than inline_
};

}  // namespace shmreg
