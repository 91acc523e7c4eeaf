#include "core/watcher.hpp"

#include <algorithm>
#include <utility>

#include "core/listing.hpp"
#include "core/lookup.hpp"
#include "core/service_access.hpp"
#include "core/service_table.hpp"
#include "sys/clock.hpp"
#include "sys/futex.hpp"

namespace shmreg::core {
namespace {

using layout::ChangeKind;

constexpr std::chrono::milliseconds kSlice{100};
constexpr std::chrono::milliseconds kLookPeriod{20};  // for what nothing wakes us of
constexpr std::uint64_t kStuckNs = 100'000'000;

WatchEventKind kind_of(ChangeKind kind) noexcept {
  switch (kind) {
    case ChangeKind::registered:
      return WatchEventKind::registered;
    case ChangeKind::updated:
      return WatchEventKind::updated;
    case ChangeKind::unregistered:
      return WatchEventKind::unregistered;
    case ChangeKind::expired:
      return WatchEventKind::expired;
    case ChangeKind::health:
      return WatchEventKind::health;
    case ChangeKind::died:
    case ChangeKind::none:
      break;
  }
  return WatchEventKind::died;
}

std::uint64_t ns_of(std::chrono::nanoseconds span) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(span.count(), 0));
}

using Place = std::pair<std::string, std::uint32_t>;

std::optional<Place> place_of(const Service& service) {
  const auto view = RecordView::of(ServiceAccess::image(service));
  if (!view) return std::nullopt;
  return Place{std::string(view->key()), view->header().ordinal};
}

Status log_corrupt() {
  return {Errc::corrupt, "a change log makes no sense; regctl doctor tells more"};
}

}  // namespace

Watcher::Watcher(std::shared_ptr<Attachment> attachment, WatchScope scope)
    : attachment_(std::move(attachment)), scope_(std::move(scope)) {
  const Segment& segment = attachment_->segment();
  if (scope_.is_one_service()) {
    logs_.emplace_back(segment.partition_of(hash_key(scope_.text(), segment.hash_seed())));
    return;
  }
  for (std::uint32_t p = 0; p < segment.geometry().partitions; ++p) logs_.emplace_back(p);
}

void Watcher::cancel() noexcept {
  cancelled_.store(1, std::memory_order_release);
  sys::futex_wake(cancelled_, 1);
}

bool Watcher::may_write() {
  Writer writer;
  return attachment_->segment().writable() && attachment_->writer(writer).ok();
}

void Watcher::know(const Service& service, std::uint64_t number) {
  const auto view = RecordView::of(ServiceAccess::image(service));
  if (!view) return;
  Known& known = known_[service.id()];
  known.service = service;
  known.told = number;
  known.owner = owner_of(attachment_->segment(), *view);
  known.cell = view->header().cell;
  owners_by_pid_ = owners_by_pid_ || known.owner.kind == OwnerKind::pid;
  if (known.owner.deadline_ns) {
    next_deadline_ns_ = std::min(next_deadline_ns_, *known.owner.deadline_ns);
  }
}

// A partition is read after its counter: of what is written meanwhile a snapshot may hold the end,
// and the log tells the way there.
void Watcher::note_ahead(Log& log, const std::vector<Service>& services, std::size_t from) const {
  const std::uint32_t partitions = attachment_->segment().geometry().partitions;
  log.ahead.clear();
  log.ahead_until = log.seen;
  for (std::size_t i = from; i < services.size(); ++i) {
    const Service& service = services[i];
    const std::uint64_t count = service.change() / partitions;
    if (count <= log.seen || !scope_.contains(service.full_name())) continue;
    if (const auto place = place_of(service)) log.ahead[*place] = service.change();
    log.ahead_until = std::max(log.ahead_until, count);
  }
}

bool Watcher::is_overtaken(const Log& log, const Service& service, std::uint64_t number) {
  if (log.ahead.empty()) return false;
  const auto place = place_of(service);
  if (!place) return false;
  const auto ahead = log.ahead.find(*place);
  return ahead != log.ahead.end() && ahead->second > number;
}

// Whole, or nothing of it has happened: who calls again begins again.
Status Watcher::take_snapshot(bool anew) {
  const Segment& segment = attachment_->segment();
  std::vector<Log> logs = logs_;
  std::vector<Service> services;
  for (Log& log : logs) {
    const layout::Partition& partition = segment.partition(log.partition);
    log.seen = partition.change_counter.load(std::memory_order_acquire);
    log.stuck_ns = 0;
    ChangeImage last;
    // Whether what is pending has happened is not known: it is told once it is.
    if (log.seen != 0 && read_change(segment, log.partition, log.seen, last) == ChangeFate::pending)
      --log.seen;
    const std::size_t from = services.size();
    const Errc outcome =
        read_partition(segment, attachment_->watch(), log.partition, std::nullopt, services);
    if (outcome != Errc::ok) return Status(outcome);
    note_ahead(log, services, from);
  }
  known_.clear();
  owners_by_pid_ = false;
  next_deadline_ns_ = ~std::uint64_t{0};
  if (anew) {
    WatchEvent lost;
    lost.kind = WatchEventKind::lost;
    lost.at_ns = sys::wall_clock_ns();
    // As far as the new beginning: what comes after that is followed.
    for (std::size_t i = 0; i < logs.size(); ++i) {
      if (logs[i].seen > logs_[i].seen) lost.lost += logs[i].seen - logs_[i].seen;
    }
    events_.push_back(std::move(lost));
  }
  logs_ = std::move(logs);
  for (Service& service : services) {
    if (!scope_.contains(service.full_name())) continue;
    know(service, service.change());
    WatchEvent event;
    event.kind = WatchEventKind::present;
    event.change = service.change();
    event.at_ns = service.registered_at_ns();
    event.service = std::move(service);
    events_.push_back(std::move(event));
  }
  return {};
}

void Watcher::told_end(std::uint64_t id) { known_.erase(id); }

Status Watcher::tell(const Log& log, std::uint64_t count, const ChangeImage& change, bool& lapped) {
  WatchEvent event;
  event.kind = kind_of(change.kind);
  event.change = change.number;
  event.at_ns = change.at_ns;
  const auto known = known_.find(change.id);
  if (layout::is_end(change.kind)) {
    if (known == known_.end()) return {};  // of another scope, or told already
    event.service = std::move(known->second.service);
    ServiceAccess::set_alive(event.service,
                             change.kind == ChangeKind::died ? Alive::no : Alive::yes);
    told_end(change.id);
    events_.push_back(std::move(event));
    return {};
  }
  if (known != known_.end() && known->second.told >= change.number) return {};
  const Segment& segment = attachment_->segment();
  switch (read_changed_record(segment, log.partition, count, change, event.service)) {
    case ChangeFate::read:
      break;
    case ChangeFate::lost:
      lapped = true;
      return {};
    default:
      return log_corrupt();
  }
  if (!scope_.contains(event.service.full_name())) return {};
  if (is_overtaken(log, event.service, change.number)) return {};
  if (change.kind == ChangeKind::registered && change.records.retired != 0) {
    // What it has replaced is gone, and this one event says so.
    Service old;
    const ChangeFate fate =
        read_kept_record(segment, log.partition, count, change.records.retired, old);
    if (fate == ChangeFate::lost) {
      lapped = true;
      return {};
    }
    if (fate == ChangeFate::read) told_end(old.id());
  }
  know(event.service, change.number);
  events_.push_back(std::move(event));
  return {};
}

bool Watcher::has_happened(const ChangeImage& change) const {
  const Segment& segment = attachment_->segment();
  const layout::Word64* words = segment.record(change.records.record, layout::kRecordHeaderBytes);
  if (words == nullptr) return false;
  const bool retired = words[layout::kStampWord].load(std::memory_order_acquire) == 0;
  if (layout::is_end(change.kind)) return retired;
  RecordCopy copy;
  if (retired || !copy.read(segment, change.records.record)) return false;
  Service found;
  const std::string_view key = copy.view().key();
  return lookup_at(segment, attachment_->watch(), key, hash_key(key, segment.hash_seed()),
                   copy.view().header().ordinal, found) == Errc::ok &&
         found.change() == change.number;
}

Status Watcher::see_to(Log& log, std::uint64_t count, const ChangeImage& change) {
  const std::uint64_t now = sys::monotonic_clock_ns();
  if (log.stuck_ns == 0) log.stuck_ns = now;
  if (now - log.stuck_ns < kStuckNs) return {};
  Writer writer;
  if (attachment_->segment().writable() && attachment_->writer(writer).ok()) {
    PartitionLock lock(writer);
    // Whoever gets it repairs. A stopped writer keeps it: then nothing has happened yet.
    (void)lock.acquire(log.partition, PartitionLock::Wait::no).ok();
    return {};
  }
  const auto holder = layout::LockHolder::of(
      attachment_->segment().partition(log.partition).lock.load(std::memory_order_acquire));
  if (!proven_gone(attachment_->segment(), {holder.entry, holder.generation})) return {};
  // Nobody who could repair it is there: judged as a repair would.
  bool lapped = false;
  if (has_happened(change)) {
    if (Status told = tell(log, count, change, lapped); !told) return told;
  }
  if (lapped) return take_snapshot(/*anew=*/true);
  log.seen = count;
  log.stuck_ns = 0;
  return {};
}

Status Watcher::follow(Log& log) {
  const Segment& segment = attachment_->segment();
  for (;;) {
    ChangeImage change;
    const std::uint64_t count = log.seen + 1;
    switch (read_change(segment, log.partition, count, change)) {
      case ChangeFate::end:
        log.stuck_ns = 0;
        return {};
      case ChangeFate::pending:
        return see_to(log, count, change);
      case ChangeFate::lost:
        return take_snapshot(/*anew=*/true);
      case ChangeFate::corrupt:
        return log_corrupt();
      case ChangeFate::read:
        break;
    }
    log.stuck_ns = 0;
    if (change.kind != ChangeKind::none) {
      bool lapped = false;
      if (Status told = tell(log, count, change, lapped); !told) return told;
      if (lapped) return take_snapshot(/*anew=*/true);
    }
    log.seen = count;
    if (count >= log.ahead_until) log.ahead.clear();
  }
}

// Ends of which no change tells: of pids, of times to live, and of processes where nobody is left
// who could write them down.
void Watcher::look_for_ends() {
  const std::uint64_t now = sys::monotonic_clock_ns();
  if (now < next_look_ns_ && now < next_deadline_ns_) return;
  const Segment& segment = attachment_->segment();
  Writer writer;
  const bool write = segment.writable() && attachment_->writer(writer).ok();
  next_deadline_ns_ = ~std::uint64_t{0};
  std::vector<std::uint64_t> ended;
  for (auto& [id, known] : known_) {
    RecordOwner& owner = known.owner;
    if (owner.kind == OwnerKind::permanent) continue;
    if (owner.kind == OwnerKind::ttl) {
      const auto cell = read_cell(segment, known.cell, id);
      if (!cell) continue;  // replaced or gone: the log tells
      owner.deadline_ns = cell->deadline_ns;
      if (now < cell->deadline_ns) {
        next_deadline_ns_ = std::min(next_deadline_ns_, cell->deadline_ns);
        continue;
      }
    } else if (owner_alive(segment, attachment_->watch(), owner) != Alive::no) {
      continue;
    }
    ended.push_back(id);
  }
  std::sort(ended.begin(), ended.end());
  for (const std::uint64_t id : ended) {
    Known& known = known_.at(id);
    if (write) {
      const HashedName name = hashed(known.service.full_name(), segment.hash_seed());
      const auto removed = ServiceTable(writer).remove_if_ended(name, id);
      if (removed.code() != Errc::busy) continue;
      // Not waited for. Where the lock is held on and on, it is told without being written down.
      if (known.ended_ns == 0) known.ended_ns = now;
      if (now - known.ended_ns < kStuckNs) continue;
    }
    WatchEvent event;
    event.kind =
        known.owner.kind == OwnerKind::ttl ? WatchEventKind::expired : WatchEventKind::died;
    event.at_ns = sys::wall_clock_ns();
    event.service = std::move(known.service);
    ServiceAccess::set_alive(event.service, Alive::no);
    told_end(id);
    events_.push_back(std::move(event));
  }
  // In proportion to what it costs: at most a twentieth of the time.
  const std::uint64_t spent = sys::monotonic_clock_ns() - now;
  next_look_ns_ = now + std::max<std::uint64_t>(ns_of(kLookPeriod), 20 * spent);
}

std::chrono::nanoseconds Watcher::slice(std::optional<std::uint64_t> deadline_ns) const {
  const std::uint64_t now = sys::monotonic_clock_ns();
  const bool looks = owners_by_pid_ || !attachment_->segment().writable();
  std::uint64_t until = now + ns_of(kSlice);
  if (looks) until = std::min(until, now + ns_of(kLookPeriod));
  until = std::min(until, next_deadline_ns_);
  if (deadline_ns) until = std::min(until, *deadline_ns);
  return std::chrono::nanoseconds(until > now ? until - now : 0);
}

Status Watcher::begin() {
  if (begun_) return {};
  (void)may_write();  // where it may, so that deaths beside it are told at once
  if (Status begun = take_snapshot(/*anew=*/false); !begun) return begun;
  begun_ = true;
  return {};
}

Result<bool> Watcher::next(WatchEvent& event, std::optional<std::chrono::nanoseconds> timeout,
                           bool return_on_signal) {
  const Segment& segment = attachment_->segment();
  std::optional<std::uint64_t> deadline_ns;
  if (timeout) deadline_ns = sys::monotonic_clock_ns() + ns_of(*timeout);
  if (Status begun = begin(); !begun) return begun;
  for (;;) {
    if (!segment.whole()) return Segment::truncated();
    if (!events_.empty()) {
      event = std::move(events_.front());
      events_.pop_front();
      return true;
    }
    if (take_cancel()) return Status(Errc::cancelled);
    // Announced first, then looked: a change that is not seen now wakes.
    words_.clear();
    words_.push_back({&cancelled_, 0});
    for (const Log& log : logs_) {
      layout::Partition& partition = segment.partition(log.partition);
      words_.push_back({&partition.watch, partition.watch.load(std::memory_order_seq_cst)});
      if (segment.writable()) partition.watched.exchange(1, std::memory_order_seq_cst);
    }
    for (std::size_t i = 0; i < logs_.size(); ++i) {
      if (Status followed = follow(logs_[i]); !followed) return followed;
    }
    if (!events_.empty()) continue;
    if (attachment_->segment_lost()) return Status(Errc::segment_retired);
    look_for_ends();
    if (!segment.whole()) continue;  // what was found ended may be zeros
    if (!events_.empty()) continue;
    if (deadline_ns && sys::monotonic_clock_ns() >= *deadline_ns) return false;
    const sys::Slept slept = sys::futex_wait_any(words_, slice(deadline_ns));
    if (slept == sys::Slept::interrupted && return_on_signal) {
      return Status(Errc::interrupted);
    }
  }
}

}  // namespace shmreg::core
