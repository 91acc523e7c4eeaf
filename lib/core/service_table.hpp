// The table as its writers change what is registered: unregister, update, renew, health, each under
// one partition's lock, each visible with one store. (What comes: registrar.hpp. What has ended:
// reclaim.hpp.)
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

class ServiceTable {
 public:
  explicit ServiceTable(const Writer& writer) noexcept
      : writer_(writer), segment_(*writer.segment) {}

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

 private:
  // Inside a DirtySection: the same registration with a new record.
  [[nodiscard]] Status renew_record(NameWork& name, NameWork::Found& found, const Content& content,
                                    layout::ChangeKind kind, std::uint8_t flags);
  [[nodiscard]] Result<layout::HealthCell*> cell_of(const RecordView& record) const;

  const Writer& writer_;
  const Segment& segment_;
};

}  // namespace shmreg::core
