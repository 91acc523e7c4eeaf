// A way into the floors: a writer of a scratch segment, as Registry makes one for itself.
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/attachment.hpp"
#include "core/lookup.hpp"
#include "core/registrar.hpp"
#include "core/service_table.hpp"
#include "support/scratch_segment.hpp"

namespace shmreg::test {

struct Insides {
  explicit Insides(const ScratchSegment& segment,
                   std::chrono::milliseconds lock_timeout = std::chrono::seconds(60),
                   bool write = true) {
    core::AttachRequest request;
    request.file_name = segment.file_name();
    request.write = write;
    request.may_read_only = false;
    request.lock_timeout = lock_timeout;
    attachment = core::Attachment::attach(request).value();
    if (!write) return;
    if (Status ready = attachment->writer(writer); !ready) {
      throw std::runtime_error(ready.message());
    }
  }

  [[nodiscard]] const core::Segment& segment() const { return attachment->segment(); }
  [[nodiscard]] core::HashedName hashed(std::string_view key) const {
    return core::hashed(key, segment().hash_seed());
  }
  // A static service; "namespace/name". The text must live until it has returned.
  [[nodiscard]] Result<std::uint64_t> add(std::string_view key, std::string_view endpoint = {},
                                          bool own = false) const {
    core::Registering request;
    request.name = hashed(key);
    request.kind = own ? OwnerKind::process : OwnerKind::permanent;
    if (own) request.life = writer.life;
    if (own) request.process = writer.self;
    request.content.endpoint = endpoint;
    return core::Registrar(writer).add(request);
  }
  [[nodiscard]] Result<bool> remove(std::string_view key) const {
    return core::ServiceTable(writer).remove(hashed(key), std::nullopt, true);
  }
  [[nodiscard]] Errc lookup(std::string_view key, Service& found) const {
    return core::lookup(segment(), attachment->watch(), key, found);
  }
  [[nodiscard]] Errc lookup(std::string_view key) const {
    Service found;
    return lookup(key, found);
  }
  // Names ("p/0", "p/17", ...) whose keys begin their probe in `bucket` of an index of so many
  // slots, in a segment of one partition.
  [[nodiscard]] std::vector<std::string> names_at(std::uint64_t bucket, std::uint32_t log2_slots,
                                                  std::size_t count) const {
    std::vector<std::string> names;
    for (std::uint64_t i = 0; names.size() < count; ++i) {
      std::string name = "p/" + std::to_string(i);
      if (core::home_bucket(hashed(name).hash, log2_slots) == bucket) {
        names.push_back(std::move(name));
      }
    }
    return names;
  }

  std::shared_ptr<core::Attachment> attachment;
  core::Writer writer;
};

// One partition: every name is in it.
inline CreateOptions one_partition(std::uint32_t initial_slots = 16) {
  CreateOptions options;
  options.max_size_bytes = std::uint64_t{16} << 20;
  options.partitions = 1;
  options.max_processes = 4;
  options.initial_slots = initial_slots;
  return options;
}

// What the partition's changes have put out of use is free at once, and next to be used.
inline void forget_changes(const Insides& insides, std::uint32_t partition = 0) {
  core::PartitionLock lock(insides.writer);
  if (Status locked = lock.acquire(partition); !locked) throw std::runtime_error(locked.message());
  const core::DirtySection dirty(lock.partition());
  (void)core::PartitionWork(insides.writer, lock).log().forget();
}

// Has the next writer repair the partition, as after a death in the middle of a change.
inline void leave_dirty(const Insides& insides, std::uint32_t partition = 0) {
  insides.segment().partition(partition).dirty.store(1);
}

}  // namespace shmreg::test
