// What comes into the table: registrations, each under one partition's lock, each visible with one
// store.
//
// Always holds: nobody's service is changed before it is certain that he is not in the way, and
// nothing that is there goes before there is room for what takes its place.
#pragma once

#include <cstdint>
#include <optional>

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

class Registrar {
 public:
  explicit Registrar(const Writer& writer) noexcept : writer_(writer), segment_(*writer.segment) {}

  // The registration id. already_registered names the holder.
  [[nodiscard]] Result<std::uint64_t> add(const Registering& request);

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

  const Writer& writer_;
  const Segment& segment_;
};

}  // namespace shmreg::core
