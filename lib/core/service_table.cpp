#include "core/service_table.hpp"

#include <string>

#include "sys/clock.hpp"

namespace shmreg::core {
namespace {

using layout::RecordHeader;

std::string quoted(std::string_view key) { return "'" + std::string(key) + "'"; }

}  // namespace

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
  const bool there = name.find_live(id, found);
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
  if (!name.find_live(id, found) || found.record.view().header().id != id) return false;
  const RecordView& record = found.record.view();
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
  const bool there = name.find_live(id, found);
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
  if (Status opened = name.open(PartitionLock::Wait::no); !opened) return opened;
  NameWork::Found found;
  if (!name.find(id, found) || found.record.view().header().id != id ||
      name.work().alive(found.record.view()) != Alive::no) {
    return false;
  }
  const DirtySection dirty(name.partition());
  name.work().remove_ended(name.index(), found.place.slot, found.record, found.place.location);
  return true;
}

}  // namespace shmreg::core
