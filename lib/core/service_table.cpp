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

constexpr auto kPidKind = static_cast<std::uint8_t>(OwnerKind::pid);

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

Status ServiceTable::taken(const PartitionWork& work, const Registering& request,
                           const RecordView& old) const {
  std::string text =
      quoted(request.name.key) + " is already registered by " + work.describe_holder(old);
  if (request.shared != (old.header().ordinal != 0)) {
    text += request.shared ? ", which does not share it" : ", as one that shares it";
  }
  const bool own = request.process && request.process == writer_.self;
  return {Errc::already_registered,
          text + (own ? "; replace it, or register another name"
                      : "; unregister or --replace it, or register another name")};
}

Result<std::uint64_t> ServiceTable::add(const Registering& request) {
  NameWork name(writer_, request.name);
  if (Status opened = name.open(); !opened) return opened;
  PartitionWork& work = name.work();
  if (request.life) work.adopt_list(*request.life);

  // Nothing is changed before it is certain that nobody is in the way.
  const bool was_shared = name.shared();
  const bool joins = request.shared && was_shared;
  const bool tolerates = joins || request.replace;
  Status in_the_way;
  std::optional<std::uint16_t> own;  // what this owner has there already
  bool ended = false;
  bool others = false;
  const auto look = [&](const NameWork::Found& found) {
    const RecordView& old = found.record.view();
    // Among instances it is not asked whether each pid lives, which would take a system call each.
    const bool mine = is_owners_own(work, request, old);
    const bool asks = !joins || mine || old.header().owner_kind != kPidKind;
    if (found.record.stamp() == 0 || (asks && work.alive(old) == Alive::no)) {
      ended = true;
    } else if (mine) {
      own = old.header().ordinal;
    } else if (!tolerates) {
      in_the_way = taken(work, request, old);
    } else {
      others = true;
    }
    return in_the_way.ok();
  };
  // Who has no process has nothing there: it need not look at all the others.
  if (!joins || request.process || request.replace) name.for_each(look);
  if (!in_the_way) return in_the_way;

  const DirtySection dirty(name.partition());
  if (ended) take_away(name, Which::ended, 0);  // told as a change of its own
  if (!request.shared) return put(name, 0, request, nullptr);

  // One that is not shared becomes the first instance with one store.
  if (!was_shared && (own || others)) {
    const Result<PartitionWork::Anchor> anchor =
        work.compose_anchor(request.name, {.count = 1, .last = 1});
    if (!anchor) return anchor.status();
    Result<std::uint64_t> id = put(name, 1, request, &*anchor);
    if (id) return id;
    work.give_anchor(*anchor);
    if (id.code() != Errc::not_found) return id;
    // What stood there has ended meanwhile.
  }
  const Result<std::uint16_t> ordinal = name.join(joins ? own : std::nullopt);
  if (!ordinal) return ordinal.status();
  Result<std::uint64_t> id = put(name, ordinal.value(), request, nullptr);
  if (!id) {
    work.leave(name.index(), request.name.key);
  } else if (request.replace && others) {
    take_away(name, Which::others, id.value());  // once the new one can be found
  }
  return id;
}

void ServiceTable::take_away(NameWork& name, Which which, std::uint64_t but_id) {
  PartitionWork& work = name.work();
  name.for_each([&](const NameWork::Found& found) {
    const RecordView& old = found.record.view();
    if (found.record.stamp() == 0 || work.alive(old) == Alive::no) {
      work.remove_ended(name.index(), found.place.slot, found.record, found.place.location);
    } else if (which == Which::others && old.header().id != but_id) {
      work.remove(name.index(), found.place.slot, found.record, found.place.location,
                  layout::ChangeKind::unregistered);
    }
    return true;
  });
}

Result<std::uint64_t> ServiceTable::put(NameWork& name, std::uint16_t ordinal,
                                        const Registering& request,
                                        const PartitionWork::Anchor* anchor) {
  PartitionWork& work = name.work();
  NameWork::Found at;
  if (Status place = name.make_place(ordinal, at); !place) return place;
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
  record.header.ordinal = ordinal;
  record.name = &at.name;
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
    if (Status place = name.make_place(ordinal, at); !place) return place;
    location = compose();
  }
  if (!location) return location.status();
  work.set_cell_location(record.header.cell, location.value());
  if (anchor != nullptr) {
    NameWork::Found old;
    if (!name.look(0, old)) {
      work.give_record(location.value(), record.header.size_class);
      work.give_cell(record.header.cell, request.life);
      return Status(Errc::not_found);
    }
    work.publish_shared(name.index(), at.place.free, at.name, location.value(), id, old.place,
                        *anchor);
    work.retire(old.record, true);
    return id;
  }
  if (ordinal != 0) {
    name.reach(ordinal);
  } else if (name.shared()) {
    // What is shared becomes one that is not: there is room for that, so the instances may go. The
    // anchor stays, and is what the new one takes the place of.
    const Result<std::uint16_t> stays = name.join(std::uint16_t{1});
    if (stays) take_away(name, Which::others, 0);
  }
  work.publish(name.index(), at.there() ? at.place.slot : at.place.free, at.name, location.value(),
               layout::ChangeKind::registered, id, at.there() ? at.place.location : 0);
  if (!at.there()) return id;
  work.retire(at.record, true);
  if (ordinal != 0) work.leave(name.index(), request.name.key);  // counted twice
  return id;
}

Result<bool> ServiceTable::remove(const HashedName& key, std::optional<std::uint64_t> id,
                                  bool force) {
  NameWork name(writer_, key);
  if (Status opened = name.open(); !opened) return opened;
  PartitionWork& work = name.work();
  const auto is_meant = [&](const NameWork::Found& found) {
    return found.record.stamp() != 0 && (!id || *id == found.record.view().header().id);
  };
  bool any = false;
  Status refused;
  name.for_each([&](const NameWork::Found& found) {
    const RecordView& record = found.record.view();
    if (!is_meant(found)) return true;
    any = true;
    if (!force && !work.is_own(record) &&
        static_cast<OwnerKind>(record.header().owner_kind) == OwnerKind::process &&
        work.alive(record) != Alive::no) {
      refused = {Errc::not_owner,
                 quoted(key.key) + " belongs to " + work.describe_holder(record) +
                     ", which registered it for itself; --force takes it away all the same"};
    }
    return refused.ok();
  });
  if (!refused) return refused;
  if (!any) return false;
  const DirtySection dirty(name.partition());
  bool removed = false;
  name.for_each([&](const NameWork::Found& found) {
    if (!is_meant(found)) return true;
    if (work.alive(found.record.view()) == Alive::no) {
      work.remove_ended(name.index(), found.place.slot, found.record, found.place.location);
    } else {
      work.remove(name.index(), found.place.slot, found.record, found.place.location,
                  layout::ChangeKind::unregistered);
      removed = true;
    }
    return true;
  });
  return removed;
}

Status ServiceTable::update(const HashedName& key, std::optional<std::uint64_t> id,
                            const Content& content) {
  NameWork name(writer_, key);
  if (Status opened = name.open(); !opened) return opened;
  PartitionWork& work = name.work();
  NameWork::Found found;
  const bool there = name.find(id, found) && found.record.stamp() != 0 &&
                     work.alive(found.record.view()) != Alive::no;
  const auto& old = found.record;
  if (id && (!there || old.view().header().id != *id)) {
    return {Errc::registration_lost,
            quoted(key.key) + " is no longer registered under id " + std::to_string(*id) +
                (there ? "; it is now held by " + work.describe_holder(old.view()) : "")};
  }
  if (!there && name.shared()) {
    return {Errc::not_owner,
            quoted(key.key) + " is shared by others; none of its instances is this process's"};
  }
  if (!there) return {Errc::not_found, "no service " + quoted(key.key)};
  if (!work.is_own(old.view())) {
    return {Errc::not_owner, quoted(key.key) + " belongs to " + work.describe_holder(old.view()) +
                                 "; only its owner may update it"};
  }
  // The same registration: header, cell and owner stay; what names the owner is carried over.
  std::vector<unsigned char> attributes(content.attributes.begin(), content.attributes.end());
  AttributeReader reader(old.view().attributes());
  while (const auto attribute = reader.next()) {
    if (attribute->kind == layout::AttributeKind::process ||
        attribute->kind == layout::AttributeKind::period) {
      append_attribute(attributes, attribute->kind, attribute->key, attribute->value);
    }
  }
  if (layout::kRecordHeaderBytes + key.key.size() + content.endpoint.size() + attributes.size() >
      layout::kMaxRecordBytes) {
    return {Errc::invalid_argument, quoted(key.key) + " would be over 64 KiB"};
  }
  const DirtySection dirty(name.partition());
  return renew_record(name, found, {content.endpoint, attributes}, layout::ChangeKind::updated,
                      old.view().header().flags);
}

Status ServiceTable::renew_record(NameWork& name, NameWork::Found& found, const Content& content,
                                  layout::ChangeKind kind, std::uint8_t flags) {
  PartitionWork& work = name.work();
  PartitionWork::New record;
  record.header = found.record.view().header();
  record.header.flags = flags;
  record.name = &found.name;
  record.content = content;
  Result<std::uint32_t> location = work.compose(record);
  if (!location && out_of_room(location.code()) && work.make_room()) {
    location = work.compose(record);
  }
  if (!location) return location.status();
  work.publish(name.index(), found.place.slot, found.name, location.value(), kind, record.header.id,
               found.place.location);
  work.set_cell_location(record.header.cell, location.value());
  work.retire(found.record, false);
  return {};
}

Result<layout::HealthCell*> ServiceTable::cell_of(const RecordView& record) const {
  layout::HealthCell* cell = segment_.cell(record.header().cell);
  if (cell != nullptr && cell->id.load(std::memory_order_acquire) == record.header().id)
    return cell;
  return Status(Errc::corrupt, "a health cell is not its record's; regctl doctor tells more");
}

Result<bool> ServiceTable::renew(const HashedName& key, std::uint64_t id) {
  NameWork name(writer_, key);
  if (Status opened = name.open(); !opened) return opened;
  NameWork::Found found;
  if (!name.find(id, found) || found.record.stamp() == 0) return false;
  const RecordView& record = found.record.view();
  if (record.header().id != id || name.work().alive(record) == Alive::no) return false;
  if (static_cast<OwnerKind>(record.header().owner_kind) != OwnerKind::ttl) {
    return Status(Errc::invalid_argument, quoted(key.key) + " has no time to live: it is held by " +
                                              name.work().describe_holder(record));
  }
  const Result<layout::HealthCell*> cell = cell_of(record);
  if (!cell) return cell.status();
  // One store, after the id was compared under the lock: readers see the old deadline or the new.
  cell.value()->deadline_ns.store(sys::monotonic_clock_ns() + record.period_ns(),
                                  std::memory_order_release);
  return true;
}

Status ServiceTable::set_health(const HashedName& key, std::optional<std::uint64_t> id,
                                Health health) {
  NameWork name(writer_, key);
  if (Status opened = name.open(); !opened) return opened;
  PartitionWork& work = name.work();
  NameWork::Found found;
  const bool there = name.find(id, found) && found.record.stamp() != 0 &&
                     work.alive(found.record.view()) != Alive::no;
  if (!there && !id && name.shared()) {
    return {Errc::invalid_argument,
            quoted(key.key) + " is shared by several: whose health it is, its id must say"};
  }
  const RecordHeader header = there ? found.record.view().header() : RecordHeader{};
  if (!there || (id && header.id != *id)) {
    return {Errc::not_found, "no service " + quoted(key.key) +
                                 (id ? " of id " + std::to_string(*id) : std::string())};
  }
  const Result<layout::HealthCell*> cell = cell_of(found.record.view());
  if (!cell) return cell.status();
  const auto value = static_cast<std::uint32_t>(health);
  const DirtySection dirty(name.partition());
  if ((header.flags & layout::kCellHasState) != 0) {
    name.note_health();
    work.log().begin(layout::ChangeKind::health, header.id, {found.place.location, 0});
    cell.value()->health.store(value, std::memory_order_seq_cst);
    work.log().commit(key.hash);
    return {};
  }
  const std::string_view kept = found.record.view().attributes();
  // Nobody looks there before a record says that there is something.
  cell.value()->health.store(value, std::memory_order_release);
  name.note_health();
  return renew_record(name, found,
                      {found.record.view().endpoint(),
                       {reinterpret_cast<const unsigned char*>(kept.data()), kept.size()}},
                      layout::ChangeKind::health,
                      static_cast<std::uint8_t>(header.flags | layout::kCellHasState));
}

Result<bool> ServiceTable::remove_if_ended(const HashedName& key, std::uint64_t id) {
  NameWork name(writer_, key);
  if (Status opened = name.open(); !opened) return opened;
  NameWork::Found found;
  if (!name.find(id, found) || found.record.view().header().id != id ||
      name.work().alive(found.record.view()) != Alive::no) {
    return false;
  }
  const DirtySection dirty(name.partition());
  name.work().remove_ended(name.index(), found.place.slot, found.record, found.place.location);
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

// Far from each other for entries that are next to each other: a golden section of the circle on.
std::uint32_t first_partition_of(std::uint32_t entry, std::uint32_t partitions) noexcept {
  return static_cast<std::uint32_t>(std::uint64_t{entry * 0x9e37'79b9U} * partitions >> 32);
}

}  // namespace

Result<std::uint64_t> ServiceTable::reclaim_from(std::uint32_t partition,
                                                 const layout::EntryLife& ended,
                                                 PartitionLock::Wait wait) {
  const layout::OwnerList& list = segment_.owner_list(ended.entry, partition);
  if (!left_something(list, ended)) return 0;
  PartitionLock lock(writer_);
  if (Status locked = lock.acquire(partition, wait); !locked) return locked;
  // Another may have been quicker.
  if (!left_something(list, ended)) return 0;
  PartitionWork work(writer_, lock);
  const DirtySection dirty(lock.partition());
  return work.drain_list(ended.entry);
}

Result<std::uint64_t> ServiceTable::reclaim(const layout::EntryLife& ended) {
  // All keepers beside it come at the same moment. Each begins elsewhere and passes by what another
  // is at: they share the work, and none waits for what will be done without it.
  const std::uint32_t partitions = segment_.geometry().partitions;
  const std::uint32_t first = first_partition_of(writer_.life.entry, partitions);
  std::uint64_t reclaimed = 0;
  Status outcome;
  for (const auto wait : {PartitionLock::Wait::no, PartitionLock::Wait::yes}) {
    outcome = {};
    for (std::uint32_t i = 0; i < partitions; ++i) {
      const Result<std::uint64_t> from = reclaim_from((first + i) % partitions, ended, wait);
      if (from) {
        reclaimed += from.value();
      } else {
        outcome = from.status();
      }
    }
    if (outcome.ok()) break;
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
