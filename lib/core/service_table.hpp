// The table as its writers change it: register, unregister, update, renew, each under one
// partition's lock, each visible with one store.
//
// Always holds: a record is complete before a slot leads to it and unchanged while one does;
// unregistering begins with the record's stamp, which is the moment it happens; memory is given
// back only after nothing leads to it; every change lies in a DirtySection, so that a successor
// repairs what a dead writer left. No service is changed before it is certain that there is room.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/index.hpp"
#include "core/name_work.hpp"
#include "core/partition_lock.hpp"
#include "core/partition_work.hpp"

namespace shmreg::core {

struct Registering {
  HashedName name;
  OwnerKind kind = OwnerKind::process;
  std::optional<layout::EntryLife> life;        // whose mark ends it
  std::optional<sys::ProcessIdentity> process;  // who the owner is, for "own name again"
  std::uint64_t period_ns = 0;                  // of a ttl
  Content content;                              // with process and period attributes included
  bool replace = false;
  bool shared = false;  // as one instance among others
};

class ServiceTable {
 public:
  explicit ServiceTable(const Writer& writer) noexcept
      : writer_(writer), segment_(*writer.segment) {}

  // The registration id. already_registered names the holder.
  [[nodiscard]] Result<std::uint64_t> add(const Registering& request);
  // False where it was not there, or not under that id. Without one all instances of a shared name
  // go, or none. not_owner names the owner.
  [[nodiscard]] Result<bool> remove(const HashedName& name, std::optional<std::uint64_t> id,
                                    bool force);
  // not_found, not_owner; registration_lost where `id` is given and not the present one.
  [[nodiscard]] Status update(const HashedName& name, std::optional<std::uint64_t> id,
                              const Content& content);
  [[nodiscard]] Result<bool> renew(const HashedName& name, std::uint64_t id);

  // Sets what its health cell says; its first health is published with a new record. not_found;
  // invalid_argument where a shared name's instance is not named by its id.
  [[nodiscard]] Status set_health(const HashedName& name, std::optional<std::uint64_t> id,
                                  Health health);
  // Takes it away if it still has that id and its owner has ended; whether it was so.
  [[nodiscard]] Result<bool> remove_if_ended(const HashedName& name, std::uint64_t id);

  // Takes away what earlier lives of this writer's entry left behind; how many.
  [[nodiscard]] Result<std::uint64_t> reclaim_earlier_lives();
  // Takes away what a life that has ended left behind, in proportion to that; how many. timed_out
  // where a partition's lock was not to be had: what is left there goes another time.
  [[nodiscard]] Result<std::uint64_t> reclaim(const layout::EntryLife& ended);
  // Takes away everything whose owner has ended, whatever the owner is; looks at every service.
  [[nodiscard]] Result<std::uint64_t> collect_garbage();

 private:
  [[nodiscard]] bool is_owners_own(const PartitionWork& work, const Registering& request,
                                   const RecordView& old) const;
  // What is said to who may not register.
  [[nodiscard]] Status taken(const PartitionWork& work, const Registering& request,
                             const RecordView& old) const;
  // Inside a DirtySection: a new registration where the name, or the ordinal, has its place.
  // Nothing that is there goes before there is room for it. With an anchor, of which it is the
  // first instance, it takes the place of what stands at the name: not_found where nothing does any
  // more.
  [[nodiscard]] Result<std::uint64_t> put(NameWork& name, std::uint16_t ordinal,
                                          const Registering& request,
                                          const PartitionWork::Anchor* anchor);
  // Inside a DirtySection: what has ended under the name, or that and all others but one.
  enum class Which : std::uint8_t { ended, others };
  void take_away(NameWork& name, Which which, std::uint64_t but_id);
  // Inside a DirtySection: the same registration with a new record.
  [[nodiscard]] Status renew_record(NameWork& name, NameWork::Found& found, const Content& content,
                                    layout::ChangeKind kind, std::uint8_t flags);
  // Of one partition; busy where its lock is taken and not to be waited for.
  [[nodiscard]] Result<std::uint64_t> reclaim_from(std::uint32_t partition,
                                                   const layout::EntryLife& ended,
                                                   PartitionLock::Wait wait);
  [[nodiscard]] Result<layout::HealthCell*> cell_of(const RecordView& record) const;

  const Writer& writer_;
  const Segment& segment_;
};

}  // namespace shmreg::core
