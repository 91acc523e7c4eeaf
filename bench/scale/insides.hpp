// The one way of this program into the floors of the library (tests/floors knows it): what cannot
// be asked of a Registry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/partition_lock.hpp"

namespace shmreg::core {
class Attachment;
}

namespace shmreg::scale {

// How many buckets of eight slots a probe looks at.
struct Probes {
  std::uint64_t count = 0;
  std::uint64_t buckets = 0;
  std::uint64_t most = 0;

  void add(std::uint64_t looked_at) noexcept {
    ++count;
    buckets += looked_at;
    if (looked_at > most) most = looked_at;
  }
  [[nodiscard]] double mean() const noexcept {
    return count == 0 ? 0 : static_cast<double>(buckets) / static_cast<double>(count);
  }
};

class Insides {
 public:
  // Shares the attachment, and the entry, of this process's Registry of the same segment.
  explicit Insides(const std::string& segment);

  [[nodiscard]] layout::EntryLife own_life() const noexcept { return writer_.life; }
  // Whether the kernel has marked that life as ended.
  [[nodiscard]] bool has_ended(const layout::EntryLife& life) const noexcept;
  // Whether nothing is left on its lists.
  [[nodiscard]] bool owns_nothing(const layout::EntryLife& life) const noexcept;
  // What a keeper does for a neighbour that has ended: how many services it took away.
  [[nodiscard]] std::uint64_t reclaim(const layout::EntryLife& life) const;

  // Whether somebody has a partition's lock.
  [[nodiscard]] bool any_locked() const noexcept;

  // Summed over the partitions.
  [[nodiscard]] std::uint64_t services() const noexcept;
  [[nodiscard]] std::uint64_t tombstones() const noexcept;
  [[nodiscard]] std::uint64_t rebuilds() const noexcept;
  [[nodiscard]] std::uint64_t slots() const noexcept;

  // Of names that are registered, while nobody writes. Throws where one is not.
  void probe_hit(std::string_view name, Probes& probes) const;
  void probe_miss(std::string_view name, Probes& probes) const;

 private:
  std::shared_ptr<core::Attachment> attachment_;
  core::Writer writer_;
};

}  // namespace shmreg::scale
