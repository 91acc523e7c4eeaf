#include "insides.hpp"

#include <chrono>

#include "core/attachment.hpp"
#include "core/bucket.hpp"
#include "core/index.hpp"
#include "core/reclaim.hpp"
#include "question.hpp"
#include "shmreg/registry.hpp"

namespace shmreg::scale {
namespace {

template <class Figure>
std::uint64_t sum(const core::Segment& segment, Figure figure_of) {
  std::uint64_t all = 0;
  for (std::uint32_t p = 0; p < segment.geometry().partitions; ++p) {
    all += figure_of(segment.partition(p));
  }
  return all;
}

std::uint64_t home_of(const core::HashedName& name, const core::WriterIndex& index) noexcept {
  return core::home_bucket(name.place, index.descriptor().log2_slots);
}

}  // namespace

Insides::Insides(const std::string& segment) {
  core::AttachRequest request;
  request.file_name = std::string(core::kFilePrefix) + segment;
  request.may_read_only = false;
  request.lock_timeout = AttachOptions{}.lock_timeout;
  attachment_ = core::Attachment::attach(request).value();
  if (const Status ready = attachment_->writer(writer_); !ready) {
    throw Error(ready.code(), ready.message());
  }
}

bool Insides::has_ended(const layout::EntryLife& life) const noexcept {
  return !core::entry_lives(attachment_->segment(), life);
}

bool Insides::owns_nothing(const layout::EntryLife& life) const noexcept {
  const core::Segment& segment = attachment_->segment();
  for (std::uint32_t p = 0; p < segment.geometry().partitions; ++p) {
    const layout::OwnerList& list = segment.owner_list(life.entry, p);
    if (list.head.load(std::memory_order_acquire) != 0 &&
        list.generation.load(std::memory_order_acquire) == life.generation) {
      return false;
    }
  }
  return true;
}

std::uint64_t Insides::reclaim(const layout::EntryLife& life) const {
  return core::reclaim(writer_, life).value();
}

bool Insides::any_locked() const noexcept {
  return sum(attachment_->segment(), [](const auto& partition) {
           return std::uint64_t{partition.lock.load(std::memory_order_acquire) != 0 ? 1U : 0U};
         }) != 0;
}

std::uint64_t Insides::services() const noexcept {
  return sum(attachment_->segment(), [](const auto& partition) {
    return std::uint64_t{partition.services.load(std::memory_order_acquire)};
  });
}

std::uint64_t Insides::tombstones() const noexcept {
  return sum(attachment_->segment(), [](const auto& partition) {
    return std::uint64_t{partition.tombstones.load(std::memory_order_acquire)};
  });
}

std::uint64_t Insides::rebuilds() const noexcept {
  return sum(attachment_->segment(), [](const auto& partition) {
    return partition.rebuilds.load(std::memory_order_acquire);
  });
}

std::uint64_t Insides::slots() const noexcept {
  return sum(attachment_->segment(), [](const auto& partition) {
    return layout::IndexDescriptor::of(partition.descriptor.load(std::memory_order_acquire))
        .slots();
  });
}

void Insides::probe_hit(std::string_view name, Probes& probes) const {
  const core::Segment& segment = attachment_->segment();
  const core::HashedName hashed = core::hashed(name, segment.hash_seed());
  const core::WriterIndex index(segment, segment.partition(segment.partition_of(hashed.hash)));
  core::RecordCopy copy;
  const auto place = index.find(hashed, copy);
  require(place.slot != nullptr, "a name that is registered is not in the index");
  const std::uint64_t buckets = index.slot_count() / layout::kBucketSlots;
  const auto at = static_cast<std::uint64_t>(place.slot - index.slots()) / layout::kBucketSlots;
  probes.add(((at - home_of(hashed, index)) & (buckets - 1)) + 1);
}

void Insides::probe_miss(std::string_view name, Probes& probes) const {
  const core::Segment& segment = attachment_->segment();
  const core::HashedName hashed = core::hashed(name, segment.hash_seed());
  const core::WriterIndex index(segment, segment.partition(segment.partition_of(hashed.hash)));
  const std::uint64_t buckets = index.slot_count() / layout::kBucketSlots;
  std::uint64_t bucket = home_of(hashed, index);
  std::uint64_t looked_at = 1;
  for (; looked_at < buckets; ++looked_at, bucket = (bucket + 1) & (buckets - 1)) {
    if (core::has_empty_slot(index.slots() + bucket * layout::kBucketSlots)) break;
  }
  probes.add(looked_at);
}

}  // namespace shmreg::scale
