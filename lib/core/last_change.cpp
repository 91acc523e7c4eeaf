#include "core/last_change.hpp"

#include <utility>

#include "core/change_log.hpp"
#include "core/index.hpp"
#include "core/record_image.hpp"
#include "core/service_access.hpp"

namespace shmreg::core {
namespace {

using layout::ChangeKind;

WatchEventKind end_of(ChangeKind kind) noexcept {
  if (kind == ChangeKind::expired) return WatchEventKind::expired;
  return kind == ChangeKind::unregistered ? WatchEventKind::unregistered : WatchEventKind::died;
}

}  // namespace

bool find_last_end(const Segment& segment, PidWatch& watch, std::string_view key, WatchEvent& end,
                   std::optional<std::uint64_t> id) {
  const std::uint32_t partition = segment.partition_of(hash_key(key, segment.hash_seed()));
  std::uint64_t count = segment.partition(partition).change_counter.load(std::memory_order_acquire);
  // What has gone from the log has gone for good: going back ends there.
  for (std::uint64_t looked = 0; count > 0 && looked < layout::kChangeLogEntries;
       --count, ++looked) {
    ChangeImage change;
    const ChangeFate fate = read_change(segment, partition, count, change);
    if (fate == ChangeFate::pending) continue;  // whether it has happened is not known
    if (fate != ChangeFate::read) return false;
    if (change.kind == ChangeKind::none || (id && change.id != *id)) continue;
    Service record;
    if (read_changed_record(segment, partition, count, change, record) != ChangeFate::read) {
      return false;
    }
    if (record.full_name() != key) continue;
    end.change = change.number;
    if (layout::is_end(change.kind)) {
      end.kind = end_of(change.kind);
      end.at_ns = change.at_ns;
    } else {
      const auto view = RecordView::of(ServiceAccess::image(record));
      if (!view) return false;
      const RecordOwner owner = owner_of(segment, *view);
      if (owner_alive(segment, watch, owner) != Alive::no) return false;
      end.kind = owner.kind == OwnerKind::ttl ? WatchEventKind::expired : WatchEventKind::died;
      end.at_ns = 0;
    }
    if (end.kind != WatchEventKind::unregistered) ServiceAccess::set_alive(record, Alive::no);
    end.service = std::move(record);
    return true;
  }
  return false;
}

}  // namespace shmreg::core
