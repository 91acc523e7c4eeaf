#include "core/service_table.hpp"

#include <string>

#include "sys/clock.hpp"

namespace shmreg::core {
namespace {

using layout::RecordHeader;

std::string quoted(std::string_view key) { return "'" + std::string(key) + "'"; }

std::uint64_t owner_word(const std::optional<layout::EntryLife>& life) noexcept {
  return life ? std::uint64_t{life->generation} << 32 | (life->entry + 1) : 0;
}

Status index_corrupt() {
  return {Errc::corrupt,
          "an index descriptor leads outside of the segment; regctl doctor tells more"};
}

bool out_of_room(Errc code) { return code == Errc::segment_full || code == Errc::no_space; }

}  // namespace

// Whether who registers may do so over what is there: it is the same owner's, and nobody is left
// with less than before. What a process registered for itself, and what a wrapper stands for beside
// the process that it runs, only they themselves replace.
bool ServiceTable::is_owners_own(const PartitionWork& work, const Registering& request,
                                 const RecordView& old) const {
  if (!request.process || !request.process->complete() ||
      work.owner_process(old) != request.process) {
    return false;
  }
  if (writer_.self == *request.process) return true;
  return static_cast<OwnerKind>(old.header().owner_kind) == OwnerKind::pid &&
         (!old.owner_life() || *old.owner_life() == writer_.life);
}

Result<std::uint64_t> ServiceTable::add(const Registering& request) {
  const HashedName& name = request.name;
  PartitionLock lock(writer_);
  if (Status locked = lock.acquire(segment_.partition_of(name.hash)); !locked) return locked;
  PartitionWork work(writer_, lock);
  WriterIndex index(segment_, lock.partition());
  if (!index.valid()) return index_corrupt();
  if (request.life) work.adopt_list(*request.life);

  RecordCopy old;
  WriterIndex::Place place = index.find(name, old);
  const bool ended =
      place.slot != nullptr && (old.stamp() == 0 || work.alive(old.view()) == Alive::no);
  if (place.slot != nullptr && !ended) {
    if (!request.replace && !is_owners_own(work, request, old.view())) {
      return Status(Errc::already_registered,
                    quoted(name.key) + " is already registered by " +
                        work.describe_holder(old.view()) +
                        (request.process && request.process == writer_.self
                             ? "; replace it, or register another name"
                             : "; unregister or --replace it, or register another name"));
    }
  }

  const DirtySection dirty(lock.partition());
  if (ended) {
    // Told by itself: its end is one change, the registration that takes its place another.
    work.remove_ended(index, place.slot, old, place.location);
    place = index.find(name, old);
  }
  if (place.slot == nullptr && (place.free == nullptr || index.wants_rebuild())) {
    const Status rebuilt = work.rebuild();
    index = WriterIndex(segment_, lock.partition());
    place = index.find(name, old);
    // Without a larger index there may still be a free slot in this one.
    if (place.slot == nullptr && place.free == nullptr) {
      return rebuilt ? Status(Errc::corrupt,
                              "an index holds more than its partition counts; regctl "
                              "doctor tells more")
                     : rebuilt;
    }
  }

  const std::uint64_t id = segment_.header().next_id.fetch_add(1, std::memory_order_acq_rel);
  const std::uint64_t now = sys::monotonic_clock_ns();
  const std::uint64_t deadline = request.kind == OwnerKind::ttl ? now + request.period_ns : 0;
  PartitionWork::New record;
  record.header.owner = owner_word(request.life);
  record.header.id = id;
  record.header.registered_at_ns = sys::wall_clock_ns();
  record.header.registered_mono_ns = now;
  record.header.owner_kind = static_cast<std::uint8_t>(request.kind);
  record.header.flags = request.kind == OwnerKind::ttl ? layout::kCellHasState : 0;
  record.name = &name;
  record.content = request.content;

  const auto compose = [&]() -> Result<std::uint32_t> {
    const Result<std::uint32_t> cell = work.add_cell(id, deadline, request.life);
    if (!cell) return cell;
    record.header.cell = cell.value();
    Result<std::uint32_t> location = work.compose(record);
    if (!location) work.give_cell(cell.value(), request.life);
    return location;
  };
  Result<std::uint32_t> location = compose();
  if (!location && out_of_room(location.code()) && work.make_room()) {
    place = index.find(name, old);
    location = compose();
  }
  if (!location) return location.status();
  work.set_cell_location(record.header.cell, location.value());
  work.publish(index, place.slot != nullptr ? place.slot : place.free, name, location.value(),
               layout::ChangeKind::registered, id, place.slot != nullptr ? place.location : 0);
  if (place.slot != nullptr) work.retire(old, true);
  return id;
}

Result<bool> ServiceTable::remove(const HashedName& name, std::optional<std::uint64_t> id,
                                  bool force) {
  PartitionLock lock(writer_);
  if (Status locked = lock.acquire(segment_.partition_of(name.hash)); !locked) return locked;
  PartitionWork work(writer_, lock);
  WriterIndex index(segment_, lock.partition());
  if (!index.valid()) return index_corrupt();
  RecordCopy record;
  const WriterIndex::Place place = index.find(name, record);
  if (place.slot == nullptr || record.stamp() == 0) return false;
  const RecordView& view = record.view();
  if (id && *id != view.header().id) return false;
  const Alive alive = work.alive(view);
  if (alive != Alive::no && !force && !work.is_own(view) &&
      static_cast<OwnerKind>(view.header().owner_kind) == OwnerKind::process) {
    return Status(Errc::not_owner,
                  quoted(name.key) + " belongs to " + work.describe_holder(view) +
                      ", which registered it for itself; --force takes it away all the same");
  }
  const DirtySection dirty(lock.partition());
  if (alive == Alive::no) {
    work.remove_ended(index, place.slot, record, place.location);
    return false;
  }
  work.remove(index, place.slot, record, place.location, layout::ChangeKind::unregistered);
  return true;
}

Status ServiceTable::update(const HashedName& name, std::optional<std::uint64_t> id,
                            const Content& content) {
  PartitionLock lock(writer_);
  if (Status locked = lock.acquire(segment_.partition_of(name.hash)); !locked) return locked;
  PartitionWork work(writer_, lock);
  WriterIndex index(segment_, lock.partition());
  if (!index.valid()) return index_corrupt();
  RecordCopy old;
  const WriterIndex::Place place = index.find(name, old);
  const bool there =
      place.slot != nullptr && old.stamp() != 0 && work.alive(old.view()) != Alive::no;
  if (id && (!there || old.view().header().id != *id)) {
    return {Errc::registration_lost,
            quoted(name.key) + " is no longer registered under id " + std::to_string(*id) +
                (there ? "; it is now held by " + work.describe_holder(old.view()) : "")};
  }
  if (!there) return {Errc::not_found, "no service " + quoted(name.key)};
  if (!work.is_own(old.view())) {
    return {Errc::not_owner, quoted(name.key) + " belongs to " + work.describe_holder(old.view()) +
                                 "; only its owner may update it"};
  }

  const DirtySection dirty(lock.partition());
  // The same registration: header, cell and owner stay; what names the owner is carried over.
  std::vector<unsigned char> attributes(content.attributes.begin(), content.attributes.end());
  AttributeReader reader(old.view().attributes());
  while (const auto attribute = reader.next()) {
    if (attribute->kind == layout::AttributeKind::process ||
        attribute->kind == layout::AttributeKind::period) {
      append_attribute(attributes, attribute->kind, attribute->key, attribute->value);
    }
  }
  PartitionWork::New record;
  record.header = old.view().header();
  record.name = &name;
  record.content = {content.endpoint, attributes};
  if (layout::kRecordHeaderBytes + name.key.size() + content.endpoint.size() + attributes.size() >
      layout::kMaxRecordBytes) {
    return {Errc::invalid_argument, quoted(name.key) + " would be over 64 KiB"};
  }
  Result<std::uint32_t> location = work.compose(record);
  if (!location && out_of_room(location.code()) && work.make_room()) {
    location = work.compose(record);
  }
  if (!location) return location.status();
  work.publish(index, place.slot, name, location.value(), layout::ChangeKind::updated,
               record.header.id, place.location);
  work.set_cell_location(record.header.cell, location.value());
  work.retire(old, false);
  return {};
}

Result<bool> ServiceTable::renew(const HashedName& name, std::uint64_t id) {
  PartitionLock lock(writer_);
  if (Status locked = lock.acquire(segment_.partition_of(name.hash)); !locked) return locked;
  PartitionWork work(writer_, lock);
  const WriterIndex index(segment_, lock.partition());
  if (!index.valid()) return index_corrupt();
  RecordCopy record;
  const WriterIndex::Place place = index.find(name, record);
  if (place.slot == nullptr || record.stamp() == 0) return false;
  const RecordHeader& header = record.view().header();
  if (header.id != id || work.alive(record.view()) == Alive::no) return false;
  if (static_cast<OwnerKind>(header.owner_kind) != OwnerKind::ttl) {
    return Status(Errc::invalid_argument, quoted(name.key) +
                                              " has no time to live: it is held by " +
                                              work.describe_holder(record.view()));
  }
  layout::HealthCell* cell = segment_.cell(header.cell);
  if (cell == nullptr || cell->id.load(std::memory_order_acquire) != id) {
    return Status(Errc::corrupt, "a health cell is not its record's; regctl doctor tells more");
  }
  // One store, after the id was compared under the lock: readers see the old deadline or the new.
  cell->deadline_ns.store(sys::monotonic_clock_ns() + record.view().period_ns(),
                          std::memory_order_release);
  return true;
}

Status ServiceTable::set_health(const HashedName& name, Health health) {
  PartitionLock lock(writer_);
  if (Status locked = lock.acquire(segment_.partition_of(name.hash)); !locked) return locked;
  PartitionWork work(writer_, lock);
  WriterIndex index(segment_, lock.partition());
  if (!index.valid()) return index_corrupt();
  RecordCopy old;
  const WriterIndex::Place place = index.find(name, old);
  if (place.slot == nullptr || old.stamp() == 0 || work.alive(old.view()) == Alive::no) {
    return {Errc::not_found, "no service " + quoted(name.key)};
  }
  const RecordHeader& header = old.view().header();
  layout::HealthCell* cell = segment_.cell(header.cell);
  if (cell == nullptr || cell->id.load(std::memory_order_acquire) != header.id) {
    return {Errc::corrupt, "a health cell is not its record's; regctl doctor tells more"};
  }
  const auto value = static_cast<std::uint32_t>(health);
  const DirtySection dirty(lock.partition());
  if ((header.flags & layout::kCellHasState) != 0) {
    work.log().begin(layout::ChangeKind::health, header.id, {place.location, 0});
    cell->health.store(value, std::memory_order_seq_cst);
    work.log().commit(name.hash);
    return {};
  }
  const std::string_view kept = old.view().attributes();
  PartitionWork::New record;
  record.header = header;
  record.header.flags |= layout::kCellHasState;
  record.name = &name;
  record.content = {old.view().endpoint(),
                    {reinterpret_cast<const unsigned char*>(kept.data()), kept.size()}};
  Result<std::uint32_t> location = work.compose(record);
  if (!location && out_of_room(location.code()) && work.make_room()) {
    location = work.compose(record);
  }
  if (!location) return location.status();
  // Nobody looks there before a record says that there is something.
  cell->health.store(value, std::memory_order_release);
  work.publish(index, place.slot, name, location.value(), layout::ChangeKind::health, header.id,
               place.location);
  work.set_cell_location(header.cell, location.value());
  work.retire(old, false);
  return {};
}

Result<bool> ServiceTable::remove_if_ended(const HashedName& name, std::uint64_t id) {
  PartitionLock lock(writer_);
  if (Status locked = lock.acquire(segment_.partition_of(name.hash)); !locked) return locked;
  PartitionWork work(writer_, lock);
  WriterIndex index(segment_, lock.partition());
  if (!index.valid()) return index_corrupt();
  RecordCopy record;
  const WriterIndex::Place place = index.find(name, record);
  if (place.slot == nullptr || record.view().header().id != id ||
      work.alive(record.view()) != Alive::no) {
    return false;
  }
  const DirtySection dirty(lock.partition());
  work.remove_ended(index, place.slot, record, place.location);
  return true;
}

Result<std::uint64_t> ServiceTable::reclaim_earlier_lives() {
  std::uint64_t reclaimed = 0;
  for (std::uint32_t p = 0; p < segment_.geometry().partitions; ++p) {
    const layout::OwnerList& list = segment_.owner_list(writer_.life.entry, p);
    if (list.head.load(std::memory_order_acquire) == 0 ||
        list.generation.load(std::memory_order_relaxed) == writer_.life.generation) {
      continue;
    }
    PartitionLock lock(writer_);
    // Not waited for: what stays is not found, and goes when this entry first uses the list.
    if (Status locked = lock.acquire(p, PartitionLock::Wait::no); !locked) continue;
    reclaimed += PartitionWork(writer_, lock).adopt_list(writer_.life);
  }
  return reclaimed;
}

namespace {

bool left_something(const layout::OwnerList& list, const layout::EntryLife& ended) noexcept {
  return list.head.load(std::memory_order_acquire) != 0 &&
         list.generation.load(std::memory_order_relaxed) == ended.generation;
}

}  // namespace

Result<std::uint64_t> ServiceTable::reclaim(const layout::EntryLife& ended) {
  std::uint64_t reclaimed = 0;
  Status outcome;
  for (std::uint32_t p = 0; p < segment_.geometry().partitions; ++p) {
    const layout::OwnerList& list = segment_.owner_list(ended.entry, p);
    if (!left_something(list, ended)) continue;
    PartitionLock lock(writer_);
    if (Status locked = lock.acquire(p); !locked) {
      outcome = locked;
      continue;
    }
    // Another may have been quicker.
    if (!left_something(list, ended)) continue;
    PartitionWork work(writer_, lock);
    const DirtySection dirty(lock.partition());
    reclaimed += work.drain_list(ended.entry);
  }
  if (!outcome) return outcome;
  // Until it is proven gone its threads may still add to its lists.
  if (proven_gone(segment_, ended)) {
    segment_.entry(ended.entry).reclaimed.store(ended.generation, std::memory_order_release);
  }
  return reclaimed;
}

Result<std::uint64_t> ServiceTable::collect_garbage() {
  std::uint64_t collected = 0;
  for (std::uint32_t p = 0; p < segment_.geometry().partitions; ++p) {
    PartitionLock lock(writer_);
    if (Status locked = lock.acquire(p); !locked) return locked;
    PartitionWork work(writer_, lock);
    const DirtySection dirty(lock.partition());
    collected += work.sweep();
  }
  return collected;
}

}  // namespace shmreg::core
