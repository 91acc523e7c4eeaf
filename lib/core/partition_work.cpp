#include "core/partition_work.hpp"

#include <algorithm>
#include <cstring>

#include "core/durations.hpp"
#include "core/list_scout.hpp"
#include "core/planted_fault.hpp"
#include "sys/clock.hpp"

namespace shmreg::core {

using layout::EntryLife;
using layout::HealthCell;
using layout::OwnerList;
using layout::RecordHeader;
using layout::Word64;

std::uint64_t PartitionWork::next_stamp() noexcept {
  // Advanced before use: whoever dies with the number in hand has used it up.
  const std::uint64_t count = partition_.stamp_counter.load(std::memory_order_relaxed) + 1;
  partition_.stamp_counter.store(count, std::memory_order_release);
  return count * segment_.geometry().partitions + partition_index_;
}

std::optional<sys::ProcessIdentity> PartitionWork::owner_process(const RecordView& record) const {
  if (const auto named = record.owner_process()) return named;
  const auto life = record.owner_life();
  if (!life) return std::nullopt;
  const auto identity = identity_of_entry(segment_, *life);
  return identity ? std::optional(identity->process) : std::nullopt;
}

bool PartitionWork::is_own(const RecordView& record) const {
  if (record.owner_life() == writer_.life) return true;
  return writer_.self.complete() && owner_process(record) == writer_.self;
}

std::string PartitionWork::describe_holder(const RecordView& record) const {
  const auto kind = static_cast<OwnerKind>(record.header().owner_kind);
  std::string text;
  if (kind == OwnerKind::process && record.owner_life()) {
    text = describe_entry(segment_, *record.owner_life());
  } else if (kind == OwnerKind::pid) {
    const auto process = record.owner_process().value_or(sys::ProcessIdentity{});
    text = "pid " + std::to_string(process.pid);
    text += process.pid_namespace == writer_.self.pid_namespace
                ? " (" + sys::program_of(process.pid) + ")"
                : " of another PID namespace";
  } else if (kind == OwnerKind::ttl) {
    text = "a registration with a time to live of " + human_duration(record.period_ns());
  } else {
    text = "a static registration";
  }
  const std::uint64_t now = sys::monotonic_clock_ns();
  const std::uint64_t since = record.header().registered_mono_ns;
  if (since != 0 && since <= now) text += ", " + human_duration(now - since) + " ago";
  return text + " (id " + std::to_string(record.header().id) + ")";
}

Result<std::uint32_t> PartitionWork::compose(New& record) {
  RecordHeader& header = record.header;
  const std::string_view key = record.name->key;
  header.key_bytes = static_cast<std::uint16_t>(key.size());
  header.namespace_bytes = static_cast<std::uint8_t>(record.name->namespace_bytes);
  header.endpoint_bytes = static_cast<std::uint16_t>(record.content.endpoint.size());
  header.attribute_bytes = static_cast<std::uint16_t>(record.content.attributes.size());
  const std::size_t size_class = layout::size_class_for(header.bytes());
  header.size_class = static_cast<std::uint8_t>(size_class);
  Result<std::uint32_t> location = memory_.take_record(size_class);
  if (!location) return location;
  Word64* words = segment_.record(location.value(), header.bytes());
  header.stamp = next_stamp();
  header.change = log_.upcoming();

  const std::size_t count = (header.bytes() + 7) / 8;
  std::array<std::uint64_t, 64> small;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::vector<std::uint64_t> large;
  std::uint64_t* image = small.data();
  if (count > small.size()) {
    large.resize(count);
    image = large.data();
  }
  image[count - 1] = 0;  // the last word is zero-padded
  auto* to = reinterpret_cast<unsigned char*>(image);
  const auto append = [&to](const void* from, std::size_t bytes) {
    if (bytes != 0) std::memcpy(to, from, bytes);
    to += bytes;
  };
  append(&header, sizeof header);
  append(key.data(), key.size());
  append(record.content.endpoint.data(), record.content.endpoint.size());
  append(record.content.attributes.data(), record.content.attributes.size());

  // (tests/model/lookup.pml: write_record)
  // It has been 0 since the record was freed; readers still in here find that, or words of this
  // record under a stamp of 0.
  words[layout::kStampWord].store(0, std::memory_order_release);
  for (std::size_t i = 1; i < count; ++i) words[i].store(image[i], std::memory_order_release);
  words[layout::kStampWord].store(header.stamp, std::memory_order_release);
  return location;
}

void PartitionWork::publish(WriterIndex& index, Word64* slot, const HashedName& name,
                            std::uint32_t location, layout::ChangeKind kind, std::uint64_t id,
                            std::uint32_t retired) {
  log_.begin(kind, id, {location, retired});
  const std::uint64_t value = layout::make_slot(name.place, name.namespace_tag, location);
  if (planted(Fault::slot_before_record)) {
    Word64& stamp = segment_.record(location, sizeof(RecordHeader))[layout::kStampWord];
    const std::uint64_t written = stamp.exchange(0);
    index.fill(slot, value);
    stamp.store(written);
  } else {
    index.fill(slot, value);
  }
  log_.commit(name.hash);
}

void PartitionWork::retire(const RecordCopy& record, bool with_cell) noexcept {
  record.words()[layout::kStampWord].store(0, std::memory_order_release);
  if (with_cell) give_cell(record.view().header().cell, record.view().owner_life());
}

Result<std::uint32_t> PartitionWork::add_cell(std::uint64_t id, std::uint64_t deadline_ns,
                                              const std::optional<EntryLife>& life) {
  const Result<std::uint32_t> taken = memory_.take_cell();
  if (!taken) return taken;
  const std::uint32_t index = taken.value();
  HealthCell& cell = *segment_.cell(index);
  // Its id is 0 since it was freed: nobody takes the fields for theirs until it is set again.
  cell.deadline_ns.store(deadline_ns, std::memory_order_release);
  cell.health.store(static_cast<std::uint32_t>(Health::unknown), std::memory_order_release);
  cell.location.store(0, std::memory_order_release);
  cell.prev.store(0, std::memory_order_release);
  cell.next.store(0, std::memory_order_release);
  if (life) {
    OwnerList& list = segment_.owner_list(life->entry, partition_index_);
    const std::uint32_t head = list.head.load(std::memory_order_relaxed);
    cell.next.store(head, std::memory_order_release);
    if (HealthCell* first = head != 0 ? segment_.cell(head) : nullptr) {
      first->prev.store(index, std::memory_order_release);
    }
    list.head.store(index, std::memory_order_release);
    list.count.store(list.count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  cell.id.store(id, std::memory_order_release);
  return index;
}

void PartitionWork::set_cell_location(std::uint32_t cell, std::uint32_t location) noexcept {
  if (HealthCell* at = segment_.cell(cell)) {
    at->location.store(location, std::memory_order_release);
  }
}

void PartitionWork::give_cell(std::uint32_t index, const std::optional<EntryLife>& life) noexcept {
  HealthCell* cell = segment_.cell(index);
  if (cell == nullptr) return;
  if (life && life->entry < segment_.geometry().max_processes) {
    OwnerList& list = segment_.owner_list(life->entry, partition_index_);
    if (list.generation.load(std::memory_order_relaxed) == life->generation) {
      const std::uint32_t next = cell->next.load(std::memory_order_relaxed);
      const std::uint32_t prev = cell->prev.load(std::memory_order_relaxed);
      if (HealthCell* before = prev != 0 ? segment_.cell(prev) : nullptr) {
        before->next.store(next, std::memory_order_release);
      } else {
        list.head.store(next, std::memory_order_release);
      }
      if (HealthCell* after = next != 0 ? segment_.cell(next) : nullptr) {
        after->prev.store(prev, std::memory_order_release);
      }
      const std::uint32_t count = list.count.load(std::memory_order_relaxed);
      list.count.store(count == 0 ? 0 : count - 1, std::memory_order_release);
    }
  }
  memory_.give_cell(index);
}

void PartitionWork::remove(WriterIndex& index, Word64* slot, const RecordCopy& record,
                           std::uint32_t location, layout::ChangeKind kind) {
  const RecordHeader& header = record.view().header();
  const bool told = !planted(Fault::deaths_untold) || kind != layout::ChangeKind::died;
  if (told) log_.begin(kind, header.id, {location, location});
  // This is the moment: from here on nobody finds it, whatever its slot says.
  // (tests/model/lookup.pml: take_away)
  record.words()[layout::kStampWord].store(0, std::memory_order_release);
  index.clear(slot);
  if (told) log_.commit(hash_key(record.view().key(), segment_.hash_seed()));
  give_cell(header.cell, record.view().owner_life());
  if (header.ordinal != 0) leave(index, record.view().key());
}

Result<PartitionWork::Anchor> PartitionWork::compose_anchor(const HashedName& name,
                                                            layout::AnchorState state) {
  New anchor;
  anchor.header.id = segment_.header().next_id.fetch_add(1, std::memory_order_acq_rel);
  anchor.header.owner_kind = static_cast<std::uint8_t>(OwnerKind::permanent);
  anchor.header.flags = layout::kAnchor;
  anchor.name = &name;
  const Result<std::uint32_t> cell = add_cell(anchor.header.id, state.word(), std::nullopt);
  if (!cell) return cell.status();
  anchor.header.cell = cell.value();
  const Result<std::uint32_t> location = compose(anchor);
  if (!location) {
    give_cell(cell.value(), std::nullopt);
    return location.status();
  }
  set_cell_location(cell.value(), location.value());
  return Anchor{cell.value(), location.value(), anchor.header.size_class};
}

void PartitionWork::give_anchor(const Anchor& anchor) noexcept {
  give_record(anchor.location, anchor.size_class);
  give_cell(anchor.cell, std::nullopt);
}

void PartitionWork::give_record(std::uint32_t location, std::uint8_t size_class) noexcept {
  Word64* words = segment_.record(location, sizeof(RecordHeader));
  if (words != nullptr) words[layout::kStampWord].store(0, std::memory_order_release);
  memory_.give_record(location, size_class);
}

void PartitionWork::publish_shared(WriterIndex& index, Word64* slot, const HashedName& instance,
                                   std::uint32_t location, std::uint64_t id,
                                   const WriterIndex::Place& old, const Anchor& anchor) {
  log_.begin(layout::ChangeKind::registered, id, {location, old.location});
  // Without an anchor no lookup leads here, and repair takes it away.
  index.fill(slot, layout::make_slot(instance.place, instance.namespace_tag, location));
  index.fill(old.slot, layout::make_slot(instance.hash, instance.namespace_tag, anchor.location));
  log_.commit(instance.hash);
}

void PartitionWork::leave(WriterIndex& index, std::string_view key) {
  RecordCopy record;
  const HashedName name = hashed(key, segment_.hash_seed());
  const WriterIndex::Place place = index.find(name, record);
  if (place.slot == nullptr || !is_anchor(record.view())) return;
  const RecordHeader header = record.view().header();
  HealthCell* cell = segment_.cell(header.cell);
  if (cell == nullptr) return;
  auto state = layout::AnchorState::of(cell->deadline_ns.load(std::memory_order_relaxed));
  if (state.count > 1) {
    --state.count;
    // Readers go through no more ordinals than are in use.
    while (state.last > 0 && index.find(name.instance(state.last), record).slot == nullptr) {
      --state.last;
    }
    cell->deadline_ns.store(state.word(), std::memory_order_release);
    return;
  }
  index.clear(place.slot);
  give_anchor({header.cell, place.location, header.size_class});
}

void PartitionWork::remove_ended(WriterIndex& index, Word64* slot, const RecordCopy& record,
                                 std::uint32_t location) {
  const auto kind = static_cast<OwnerKind>(record.view().header().owner_kind);
  remove(index, slot, record, location,
         kind == OwnerKind::ttl ? layout::ChangeKind::expired : layout::ChangeKind::died);
}

std::uint64_t PartitionWork::adopt_list(const EntryLife& life) {
  OwnerList& list = segment_.owner_list(life.entry, partition_index_);
  if (list.generation.load(std::memory_order_relaxed) == life.generation) return 0;
  const DirtySection dirty(partition_);
  const std::uint64_t drained = drain_list(life.entry);
  list.generation.store(life.generation, std::memory_order_release);
  return drained;
}

std::uint64_t PartitionWork::drain_list(std::uint32_t entry) {
  OwnerList& list = segment_.owner_list(entry, partition_index_);
  WriterIndex index(segment_, partition_);
  std::uint64_t drained = 0;
  const std::uint64_t bound = partition_.services.load(std::memory_order_relaxed);
  RecordCopy record;
  ListScout scout(segment_, index, list.head.load(std::memory_order_relaxed));
  while (index.valid() && drained < bound) {
    scout.advance();
    const std::uint32_t head = list.head.load(std::memory_order_relaxed);
    const HealthCell* cell = head != 0 ? segment_.cell(head) : nullptr;
    if (cell == nullptr) break;
    const std::uint32_t location = cell->location.load(std::memory_order_relaxed);
    if (!record.read(segment_, location) || record.view().header().cell != head) break;
    const auto life = record.view().owner_life();
    if (!life || life->entry != entry ||
        life->generation != list.generation.load(std::memory_order_relaxed)) {
      break;
    }
    Word64* slot = index.find_location(place_of(record.view(), segment_.hash_seed()), location);
    if (slot == nullptr) break;
    remove(index, slot, record, location, layout::ChangeKind::died);
    ++drained;
  }
  // What could not be followed is unreachable, or found by its owner's mark, or by repair.
  list.head.store(0, std::memory_order_release);
  list.count.store(0, std::memory_order_release);
  return drained;
}

std::uint64_t PartitionWork::sweep() {
  WriterIndex index(segment_, partition_);
  std::uint64_t swept = 0;
  RecordCopy record;
  for (std::uint64_t i = 0; index.valid() && i < index.slot_count(); ++i) {
    Word64* slot = index.slots() + i;
    const std::uint32_t location = layout::location_of_slot(slot->load(std::memory_order_relaxed));
    if (location == 0 || !record.read(segment_, location)) continue;
    if (alive(record.view()) != Alive::no) continue;
    remove_ended(index, slot, record, location);
    ++swept;
  }
  return swept;
}

bool PartitionWork::make_room() {
  const bool swept = sweep() > 0;
  return log_.forget() || swept;
}

Status PartitionWork::rebuild() {
  const WriterIndex before(segment_, partition_);
  if (!before.valid()) return {Errc::corrupt, "an index descriptor leads outside of the segment"};
  const std::uint64_t live = partition_.services.load(std::memory_order_relaxed);
  const std::uint32_t log2_now = before.descriptor().log2_slots;
  // Half full or less afterwards: the next rebuild is at least a quarter of the slots away. The
  // largest index there is may fill up further.
  std::uint32_t log2_slots = log2_now;
  while ((live + 1) * 2 > (std::uint64_t{1} << log2_slots) && log2_slots < layout::kMaxLog2Slots) {
    ++log2_slots;
  }
  const bool worth_clearing =
      partition_.tombstones.load(std::memory_order_relaxed) * 8 > before.slot_count();
  if (log2_slots == log2_now && !worth_clearing) {
    return {Errc::segment_full,
            "a partition holds as many services as it can; create the segment "
            "anew with more --partitions"};
  }

  // (tests/model/lookup.pml: rebuild)
  // Before the memory of any index is written: a reader that counts its miss only if this has not
  // moved cannot have read a slot of the new filling and the old count.
  partition_.rebuilds.store(partition_.rebuilds.load(std::memory_order_relaxed) + 1,
                            std::memory_order_seq_cst);
  Result<layout::IndexDescriptor> taken = memory_.take_index(log2_slots);
  // No room for a larger one: one of the same size without the tombstones, if that is worth it.
  if (!taken && log2_slots != log2_now && worth_clearing) taken = memory_.take_index(log2_now);
  if (!taken) return taken.status();
  const layout::IndexDescriptor& fresh = taken.value();
  sweep();  // of ended owners' records; only now, where it comes to something
  Word64* to = segment_.slots(fresh);
  const std::uint64_t buckets = fresh.slots() / layout::kBucketSlots;
  RecordCopy record;
  // An honest index needs a few slots looked at for each that it holds. Bytes that send every probe
  // the same way would keep the lock for minutes: that is an error instead.
  std::uint64_t probes_left = 64 * fresh.slots();
  for (std::uint64_t i = 0; i < before.slot_count(); ++i) {
    const std::uint64_t value = before.slots()[i].load(std::memory_order_relaxed);
    const std::uint32_t location = layout::location_of_slot(value);
    if (location == 0 || !record.read(segment_, location)) continue;
    const std::uint64_t place = place_of(record.view(), segment_.hash_seed());
    std::uint64_t bucket = home_bucket(place, fresh.log2_slots);
    for (std::uint64_t probe = 0; probe < fresh.slots(); ++probe) {
      if (probes_left-- == 0) {
        memory_.give_index(fresh);
        return {Errc::corrupt,
                "an index leads to the same record many times; regctl doctor tells more"};
      }
      Word64* slot = to + bucket * layout::kBucketSlots + probe % layout::kBucketSlots;
      if (slot->load(std::memory_order_relaxed) == layout::kEmptySlot) {
        slot->store(value, std::memory_order_release);
        break;
      }
      if (probe % layout::kBucketSlots == layout::kBucketSlots - 1) {
        bucket = (bucket + 1) & (buckets - 1);
      }
    }
  }
  partition_.descriptor.store(fresh.word(), std::memory_order_seq_cst);
  partition_.tombstones.store(0, std::memory_order_relaxed);
  memory_.give_index(before.descriptor());
  return {};
}

}  // namespace shmreg::core
