#include "core/attachment.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "core/reclaim.hpp"
#include "sys/bus_error.hpp"
#include "sys/clock.hpp"
#include "sys/kernel_mark.hpp"
#include "sys/thread.hpp"

namespace shmreg::core {
namespace {

using layout::EntryLife;
using layout::MarkState;

std::uint64_t pack(const EntryLife& life) {
  return std::uint64_t{life.generation} << 32 | life.entry;
}
EntryLife unpack(std::uint64_t word) {
  return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
}

// What this process is attached to. Never destroyed: services registered for as long as the process
// lives must not end with its static destructors. A forked child begins a list of its own: its
// parent's may have been cut short in the middle of a change by another thread.
struct Attachments {
  struct Known {
    std::uint64_t device;
    std::uint64_t inode;
    bool writable;
    std::weak_ptr<Attachment> attachment;
  };
  struct Lists {
    std::vector<Known> known;
    std::vector<std::shared_ptr<Attachment>> pinned;
    Lists* inherited = nullptr;  // kept reachable, never looked into
  };
  sys::ForkAwareMutex mutex;

  // Under the mutex.
  Lists& lists() {
    if (epoch_ != sys::fork_epoch()) {
      auto* const fresh = new Lists;
      fresh->inherited = lists_;
      lists_ = fresh;
      epoch_ = sys::fork_epoch();
    }
    return *lists_;
  }
  static Attachments& all() {
    static auto* const attachments = new Attachments;
    return *attachments;
  }

 private:
  Lists* lists_ = nullptr;
  std::uint32_t epoch_ = 0;
};

using Guard = std::lock_guard<sys::ForkAwareMutex>;

// The epoch in which the calling thread is claiming an entry; 0: it is not.
thread_local std::uint32_t claiming_in = 0;

// Claims, or detaches: both under locks of this process's threads.
struct Claiming {
  Claiming() { claiming_in = sys::fork_epoch(); }
  Claiming(const Claiming&) = delete;
  Claiming& operator=(const Claiming&) = delete;
  ~Claiming() { claiming_in = 0; }
};

std::shared_ptr<Attachment> find_known(const AttachRequest& request,
                                       const sys::FileStatus& status) {
  auto& known_ones = Attachments::all().lists().known;
  std::erase_if(known_ones, [](const auto& known) { return known.attachment.expired(); });
  for (const auto& known : known_ones) {
    if (known.device != status.device || known.inode != status.inode) continue;
    if (known.writable != request.write) continue;
    auto attachment = known.attachment.lock();
    if (!attachment || attachment->lock_timeout() != request.lock_timeout) continue;
    // Made for somebody who was content with reading.
    if (request.write && !request.may_read_only && !attachment->segment().writable()) continue;
    // Of a truncated file the reader of its header says more.
    if (!attachment->segment().retired() && attachment->segment().whole()) return attachment;
  }
  return nullptr;
}

}  // namespace

Result<std::shared_ptr<Attachment>> Attachment::attach(const AttachRequest& request) {
  if (request.handle_bus_errors) sys::install_bus_error_handler();
  Attachments& all = Attachments::all();
  // Asked by name before opening: a second descriptor is only opened where it is needed.
  const Result<sys::FileStatus> status = sys::status_of_name(request.file_name);
  if (!status) return status.status();
  {
    const Guard guard(all.mutex);
    if (auto known = find_known(request, status.value())) return known;
  }
  bool writable = request.write;
  Result<std::shared_ptr<Segment>> segment =
      Segment::attach(request.file_name, writable, request.trusted);
  if (!segment && writable && request.may_read_only && segment.code() == Errc::permission_denied) {
    writable = false;
    segment = Segment::attach(request.file_name, writable, request.trusted);
  }
  if (!segment) return segment.status();
  const Result<sys::FileStatus> opened = segment.value()->file().status();
  if (!opened) return opened.status();
  auto attachment = std::make_shared<Attachment>(std::move(segment).value(), request.lock_timeout);
  const Guard guard(all.mutex);
  all.lists().known.push_back(
      {opened.value().device, opened.value().inode, request.write, attachment});
  return attachment;
}

Attachment::Attachment(std::shared_ptr<Segment> segment, std::chrono::nanoseconds lock_timeout)
    : segment_(std::move(segment)), lock_timeout_(lock_timeout) {}

Attachment::~Attachment() {
  const Claiming claiming;
  // In a forked child the keeper is the parent's.
  if (keeper_ && !has_entry()) keeper_->abandon();
  keeper_.reset();
}

bool Attachment::has_entry() const noexcept {
  return epoch_.load(std::memory_order_acquire) == sys::fork_epoch();
}

void Attachment::pin() {
  Attachments& all = Attachments::all();
  const Guard guard(all.mutex);
  auto& pinned = all.lists().pinned;
  if (std::find(pinned.begin(), pinned.end(), shared_from_this()) == pinned.end()) {
    pinned.push_back(shared_from_this());
  }
}

Status Attachment::check_name() const {
  if (!segment_->retired() && !name_lost_.load(std::memory_order_relaxed)) return {};
  return {Errc::segment_retired,
          "the segment was destroyed, or its file removed, while attached; "
          "attach again once it has been created anew"};
}

bool Attachment::segment_lost() noexcept {
  if (segment_->retired() || name_lost_.load(std::memory_order_relaxed)) return true;
  if (has_entry()) return false;
  constexpr std::uint64_t kLookPeriodNs = 1'000'000'000;
  const std::uint64_t now = sys::monotonic_clock_ns();
  std::uint64_t next = next_look_ns_.load(std::memory_order_relaxed);
  if (now < next || !next_look_ns_.compare_exchange_strong(next, now + kLookPeriodNs,
                                                           std::memory_order_relaxed)) {
    return false;
  }
  const auto status = segment_->file().status();
  if (status.ok() && status.value().links == 0) name_lost_.store(true, std::memory_order_relaxed);
  return name_lost_.load(std::memory_order_relaxed);
}

Status Attachment::claim() {
  // A signal handler that interrupts its own thread in here would wait for itself.
  if (claiming_in == sys::fork_epoch()) {
    return Status(Errc::nested_call,
                  "a signal handler called a writing operation while another was under way");
  }
  const Claiming claiming;
  const sys::NoCancellation no_cancellation;
  const Guard guard(mutex_);
  if (has_entry()) return {};
  if (keeper_) keeper_->abandon();
  keeper_ = std::make_unique<Keeper>(segment_, name_lost_);
  self_ = sys::own_identity();
  const Result<EntryLife> life = keeper_->start(self_);
  if (!life) {
    keeper_.reset();
    return life.status();
  }
  life_.store(pack(life.value()), std::memory_order_release);
  epoch_.store(sys::fork_epoch(), std::memory_order_release);
  return {};
}

Status Attachment::writer(Writer& writer) {
  if (!segment_->writable()) {
    return {Errc::permission_denied,
            "this process may only read the segment; its file's mode and owner say who may write"};
  }
  if (!segment_->whole()) return Segment::truncated();
  const bool fresh = !has_entry();
  if (fresh) {
    if (segment_->retired()) return check_name();
    if (Status claimed = claim(); !claimed) return claimed;
  }
  if (Status named = check_name(); !named) return named;
  writer.segment = segment_;
  writer.life = unpack(life_.load(std::memory_order_acquire));
  writer.self = self_;
  writer.watch = &watch_;
  writer.lock_timeout = lock_timeout_;

  const auto state = MarkState::of(
      segment_->entry(writer.life.entry).mark_and_generation.load(std::memory_order_acquire));
  if (state.generation != writer.life.generation || (state.mark & sys::kOwnerDied) != 0) {
    // An entry of zeros is nobody's mark.
    if (!segment_->whole()) return Segment::truncated();
    {
      const Claiming claiming;
      const Guard guard(mutex_);
      if (unpack(life_.load()) == writer.life) {
        epoch_.store(0, std::memory_order_release);
        keeper_.reset();  // still its thread: ends it; the entry is no longer ours
      }
    }
    if (Status claimed = claim(); !claimed) return claimed;
    writer.life = unpack(life_.load(std::memory_order_acquire));
    (void)reclaim_earlier_lives(writer).ok();  // else at the first use of each list
    return {Errc::registration_lost,
            "this process had been marked as ended, and what it had registered is gone; it is "
            "attached anew: register again"};
  }
  if (fresh) {
    if (Result<std::uint64_t> reclaimed = reclaim_earlier_lives(writer); !reclaimed) {
      return reclaimed.status();
    }
  }
  return {};
}

}  // namespace shmreg::core
