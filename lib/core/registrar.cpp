#include "core/registrar.hpp"

#include <string>

#include "sys/clock.hpp"

namespace shmreg::core {
namespace {

std::string quoted(std::string_view key) { return "'" + std::string(key) + "'"; }

std::uint64_t owner_word(const std::optional<layout::EntryLife>& life) noexcept {
  return life ? std::uint64_t{life->generation} << 32 | (life->entry + 1) : 0;
}

constexpr auto kPidKind = static_cast<std::uint8_t>(OwnerKind::pid);

}  // namespace

// Whether who registers may do so over what is there: it is the same owner's, and nobody is left
// with less than before. What a process registered for itself, and what a wrapper stands for beside
// the process that it runs, only they themselves replace.
bool Registrar::is_owners_own(const PartitionWork& work, const Registering& request,
                              const RecordView& old) const {
  if (!request.process || !request.process->complete() ||
      work.owner_process(old) != request.process) {
    return false;
  }
  if (writer_.self == *request.process) return true;
  return static_cast<OwnerKind>(old.header().owner_kind) == OwnerKind::pid &&
         (!old.owner_life() || *old.owner_life() == writer_.life);
}

Status Registrar::taken(const PartitionWork& work, const Registering& request,
                        const RecordView& old) const {
  std::string text =
      quoted(request.name.key) + " is already registered by " + work.describe_holder(old);
  const bool own = request.process && request.process == writer_.self;
  const std::string replace = own ? "replace it" : "unregister or --replace it";
  if (old.header().ordinal != 0) {
    return {Errc::already_registered, text + ", as one that shares it; share it as well, " +
                                          replace + ", or register another name"};
  }
  if (request.shared) text += ", which does not share it";
  return {Errc::already_registered, text + "; " + replace + ", or register another name"};
}

Result<std::uint64_t> Registrar::add(const Registering& request) {
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

void Registrar::take_away(NameWork& name, Which which, std::uint64_t but_id) {
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

Result<std::uint64_t> Registrar::put(NameWork& name, std::uint16_t ordinal,
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

}  // namespace shmreg::core
