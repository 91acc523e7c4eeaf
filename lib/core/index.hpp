// A partition's index as its writer sees it, under the lock: find a key's slot, take a slot for a
// new one, empty one, and build a larger or cleaner index.
//
// Slots never move within an index. A probe goes bucket by bucket from the key's home and ends at a
// bucket with an empty slot: no record of that home lies further on, because a bucket that was ever
// full has had no empty slot since (deletion leaves a tombstone there).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/record_copy.hpp"
#include "core/segment.hpp"

namespace shmreg::core {

// Where a key's probe begins: its bucket, in an index of `log2_slots`.
[[nodiscard]] constexpr std::uint64_t home_bucket(std::uint64_t hash,
                                                  std::uint32_t log2_slots) noexcept {
  return hash & ((std::uint64_t{1} << (log2_slots - 3)) - 1);
}

// "namespace/name" with what is derived from it for one segment; or one instance of a shared name.
struct HashedName {
  std::string_view key;
  std::size_t namespace_bytes = 0;
  std::uint64_t hash = 0;  // of the key: its partition, and who waits for it
  std::uint16_t namespace_tag = 0;
  std::uint16_t ordinal = 0;  // 0: the name itself
  std::uint64_t place = 0;    // where its probe begins

  [[nodiscard]] HashedName instance(std::uint16_t which) const noexcept {
    return {key, namespace_bytes, hash, namespace_tag, which, layout::instance_hash(hash, which)};
  }
};
[[nodiscard]] std::uint64_t hash_key(std::string_view key, std::uint64_t seed) noexcept;
[[nodiscard]] std::uint16_t namespace_tag(std::string_view name, std::uint64_t seed) noexcept;
[[nodiscard]] HashedName hashed(std::string_view key, std::uint64_t seed) noexcept;
// Where a record's probe begins.
[[nodiscard]] std::uint64_t place_of(const RecordView& record, std::uint64_t seed) noexcept;

class WriterIndex {
 public:
  // The descriptor is another process's bytes: where it leads nowhere, nothing is found.
  WriterIndex(const Segment& segment, layout::Partition& partition) noexcept;
  [[nodiscard]] bool valid() const noexcept { return slots_ != nullptr; }

  struct Place {
    layout::Word64* slot = nullptr;  // where the key is; null where it is not
    layout::Word64* free = nullptr;  // where it could go; null where there is no room
    std::uint32_t location = 0;
  };
  // `copy` holds the record when it was found.
  [[nodiscard]] Place find(const HashedName& name, RecordCopy& copy) const;
  // The slot that leads to `location`, of a record with that place.
  [[nodiscard]] layout::Word64* find_location(std::uint64_t place,
                                              std::uint32_t location) const noexcept;

  // Puts a slot value where find() said. Publishes.
  void fill(layout::Word64* slot, std::uint64_t value) noexcept;
  void clear(layout::Word64* slot) noexcept;

  [[nodiscard]] std::uint64_t slot_count() const noexcept { return descriptor_.slots(); }
  [[nodiscard]] layout::Word64* slots() const noexcept { return slots_; }
  [[nodiscard]] const layout::IndexDescriptor& descriptor() const noexcept { return descriptor_; }
  // Whether one more service wants a larger index, or tombstones want clearing.
  [[nodiscard]] bool wants_rebuild() const noexcept;

 private:
  const Segment* segment_;
  layout::Partition* partition_;
  layout::IndexDescriptor descriptor_;
  layout::Word64* slots_;
};

}  // namespace shmreg::core
