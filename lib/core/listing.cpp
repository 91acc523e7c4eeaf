#include "core/listing.hpp"

#include <algorithm>
#include <bit>

#include "core/bucket.hpp"
#include "core/index.hpp"
#include "core/index_glance.hpp"
#include "core/instances.hpp"
#include "core/record_reading.hpp"

namespace shmreg::core {
namespace {

using layout::IndexDescriptor;
using layout::kBucketSlots;
using layout::Word64;

constexpr unsigned kEverySlot = (1U << kBucketSlots) - 1;

// One slot of a list; retried until it holds still.
Errc read_slot(const Segment& segment, const layout::Partition& partition, PidWatch& watch,
               const Word64& slot, std::optional<std::string_view> namespace_name,
               std::uint16_t tag, std::vector<Service>& services, std::int64_t& looks_left) {
  Service found;
  for (int retries = 0; retries < kMaxRetries; ++retries) {
    const std::uint64_t value = slot.load(std::memory_order_acquire);
    if (layout::location_of_slot(value) == 0) return Errc::ok;
    if (namespace_name && layout::tag_of_slot(value) != tag) return Errc::ok;
    const Word64* record = nullptr;
    switch (read_record<false>(segment, partition, slot, value, {}, 0, found, record)) {
      case Fate::other:  // retired just now
        return Errc::ok;
      case Fate::corrupt:
        return Errc::corrupt;
      case Fate::changed:
        continue;
      case Fate::read:
        break;
    }
    // As lookups do it: instances are come by through what stands at their name, which is one store
    // when a name begins to be shared.
    const std::uint64_t kind = ServiceAccess::words(found)[layout::kKindWord];
    if (layout::ordinal_of(kind) != 0) return Errc::ok;
    const std::uint64_t stamp = ServiceAccess::words(found)[layout::kStampWord];
    switch (judge_owner(segment, watch, found)) {
      case OwnerFate::alive:
        if (namespace_name && found.namespace_name() != *namespace_name) return Errc::ok;
        if (is_anchor(found)) return read_instances(segment, watch, found, services, looks_left);
        services.push_back(std::move(found));
        return Errc::ok;
      case OwnerFate::dead:
        if (slot_and_stamp_are(slot, value, record, stamp)) return Errc::ok;
        break;
      case OwnerFate::changed:
        if (slot_and_stamp_are(slot, value, record, stamp)) return Errc::corrupt;
        break;
    }
  }
  return Errc::busy;
}

// More bytes than a partition's records can have been while it was read, each a few times over:
// what leads to them is no honest index, and would have the reader allocate without end.
bool is_more_than_there_is(const Segment& segment, std::uint64_t bytes) {
  return bytes > 4 * segment.open_end();
}

// How many places of instances the anchors of a partition can honestly speak of. More than half of
// those that an anchor reaches to were in use at one time, each with a record whose memory stays
// the partition's.
std::int64_t most_looks(const Segment& segment) {
  return 1024 + static_cast<std::int64_t>(8 * segment.open_end() / kSmallestRecordBytes);
}

// A name that was unregistered and registered again while the partition was read may have been seen
// twice, under two ids: the later one stays. So with each instance of a shared name.
void keep_latest(std::vector<Service>& services, std::size_t first) {
  const auto begin = services.begin() + static_cast<std::ptrdiff_t>(first);
  const auto ordinal = [](const Service& service) {
    return layout::ordinal_of(ServiceAccess::words(service)[layout::kKindWord]);
  };
  std::sort(begin, services.end(), [&](const Service& a, const Service& b) {
    if (a.full_name() != b.full_name()) return a.full_name() < b.full_name();
    return ordinal(a) != ordinal(b) ? ordinal(a) < ordinal(b) : a.id() > b.id();
  });
  services.erase(std::unique(begin, services.end(),
                             [&](const Service& a, const Service& b) {
                               return a.full_name() == b.full_name() && ordinal(a) == ordinal(b);
                             }),
                 services.end());
}

}  // namespace

Errc read_partition(const Segment& segment, PidWatch& watch, std::uint32_t partition_index,
                    std::optional<std::string_view> namespace_name,
                    std::vector<Service>& services) {
  const layout::Partition& partition = segment.partition(partition_index);
  const std::uint16_t tag =
      namespace_name ? namespace_tag(*namespace_name, segment.hash_seed()) : std::uint16_t{0};
  const std::size_t first = services.size();
  if (segment.retired()) return Errc::segment_retired;
  bool in_place = !namespace_name;  // a list of everything comes by every record anyway
  for (int restarts = 0; restarts < 1000; ++restarts) {
    services.resize(first);
    const std::uint64_t rebuilds = partition.rebuilds.load(std::memory_order_acquire);
    const std::uint64_t changes = partition.change_counter.load(std::memory_order_acquire);
    const std::uint64_t descriptor = partition.descriptor.load(std::memory_order_acquire);
    const IndexDescriptor index = IndexDescriptor::of(descriptor);
    const Word64* slots = segment.slots(index);
    if (slots == nullptr) return Errc::corrupt;
    Errc outcome = Errc::ok;
    std::uint64_t bytes = 0;
    std::int64_t looks_left = most_looks(segment);
    IndexGlance glance(
        segment, index, slots,
        in_place ? IndexGlance::Way::in_place : IndexGlance::way_for(segment, index));
    for (std::uint64_t first_slot = 0; first_slot < index.slots(); first_slot += kBucketSlots) {
      const Word64* const bucket = slots + first_slot;
      unsigned mask = namespace_name ? slots_with_tag(glance.bucket(first_slot), tag) : kEverySlot;
      for (; mask != 0 && outcome == Errc::ok; mask &= mask - 1) {
        const std::size_t count = services.size();
        outcome = read_slot(segment, partition, watch, bucket[std::countr_zero(mask)],
                            namespace_name, tag, services, looks_left);
        for (std::size_t i = count; i < services.size(); ++i) {
          bytes += ServiceAccess::image(services[i]).size();
        }
        if (is_more_than_there_is(segment, bytes)) outcome = Errc::corrupt;
      }
      if (outcome != Errc::ok) break;
    }
    if (!glance.holds()) {
      in_place = true;
      continue;
    }
    // The vector loads of slots_with_tag() came before what is asked now.
    std::atomic_signal_fence(std::memory_order_acquire);
    if (!planted(Fault::list_unchecked) && !same_index(partition, descriptor, rebuilds)) continue;
    if (outcome != Errc::ok) return outcome;
    if (partition.change_counter.load(std::memory_order_acquire) != changes) {
      keep_latest(services, first);
    }
    return Errc::ok;
  }
  services.resize(first);
  return Errc::busy;
}

}  // namespace shmreg::core
