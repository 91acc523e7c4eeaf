// Follows the change logs of a segment on behalf of one watch.
//
// Snapshot, then changes: the count of each log is read before its partition is, so that nothing
// falls between; what the snapshot has told already is told by the record's own change number and
// dropped. By registration id the watcher knows what every service in its scope was when it last
// told of it; an end is told of what is known, and of nothing else, so each is told once whoever
// noticed it.
//
// Ends that no writer notices by itself (a process named by pid, a time to live) the watcher looks
// for, and has them written into the log, where it then reads them like everybody else. One that
// may only read tells them to itself.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/attachment.hpp"
#include "core/change_log.hpp"
#include "shmreg/watch.hpp"
#include "sys/futex.hpp"

namespace shmreg::core {

// Which services: "ns/name", "ns/" with what is below it, or "".
class WatchScope {
 public:
  explicit WatchScope(std::string scope) : scope_(std::move(scope)) {}
  [[nodiscard]] bool is_one_service() const noexcept {
    return !scope_.empty() && scope_.back() != '/';
  }
  [[nodiscard]] const std::string& text() const noexcept { return scope_; }
  [[nodiscard]] bool contains(std::string_view full_name) const noexcept {
    if (is_one_service()) return full_name == scope_;
    return full_name.substr(0, scope_.size()) == scope_;
  }

 private:
  std::string scope_;
};

class Watcher {
 public:
  Watcher(std::shared_ptr<Attachment> attachment, WatchScope scope);

  // Takes the state from which changes are told; what next() does first where nobody has.
  [[nodiscard]] Status begin();
  [[nodiscard]] Result<bool> next(WatchEvent& event,
                                  std::optional<std::chrono::nanoseconds> timeout,
                                  bool return_on_signal = false);
  void cancel() noexcept;
  // Whether it was cancelled, which is then over.
  [[nodiscard]] bool take_cancel() noexcept {
    return cancelled_.exchange(0, std::memory_order_acq_rel) != 0;
  }
  // Told again by the next next().
  void unread(WatchEvent event) { events_.push_front(std::move(event)); }

 private:
  struct Known {
    Service service;
    std::uint64_t told = 0;      // the last change number
    std::uint64_t ended_ns = 0;  // since when its end could not be written down; 0: it has not
    RecordOwner owner;
    std::uint32_t cell = 0;
  };
  struct Log {
    explicit Log(std::uint32_t of) : partition(of) {}
    std::uint32_t partition;
    std::uint64_t seen = 0;      // entries up to this one have been told
    std::uint64_t stuck_ns = 0;  // since when the next one is pending; 0: it is not
    // What the snapshot holds of later entries: the change number by key and ordinal. What comes
    // before it of the same place is history that the snapshot has overtaken.
    std::map<std::pair<std::string, std::uint32_t>, std::uint64_t> ahead;
    std::uint64_t ahead_until = 0;  // the last entry that is in `ahead`
  };

  // What is there, as events; `anew`: after how much was lost.
  [[nodiscard]] Status take_snapshot(bool anew);
  [[nodiscard]] Status follow(Log& log);
  void note_ahead(Log& log, const std::vector<Service>& services, std::size_t from) const;
  [[nodiscard]] static bool is_overtaken(const Log& log, const Service& service,
                                         std::uint64_t number);
  [[nodiscard]] Status tell(const Log& log, std::uint64_t count, const ChangeImage& change,
                            bool& lapped);
  // An entry that stays pending: its writer is dead, and nobody has come by to repair.
  [[nodiscard]] Status see_to(Log& log, std::uint64_t count, const ChangeImage& change);
  [[nodiscard]] bool has_happened(const ChangeImage& change) const;
  void know(const Service& service, std::uint64_t number);
  void look_for_ends();
  void told_end(std::uint64_t id);
  [[nodiscard]] bool may_write();
  [[nodiscard]] std::chrono::nanoseconds slice(std::optional<std::uint64_t> deadline_ns) const;

  std::shared_ptr<Attachment> attachment_;
  WatchScope scope_;
  bool begun_ = false;
  std::vector<Log> logs_;
  std::unordered_map<std::uint64_t, Known> known_;  // by registration id
  std::deque<WatchEvent> events_;
  std::vector<sys::AwaitedWord> words_;
  std::atomic<std::uint32_t> cancelled_{0};
  std::uint64_t next_look_ns_ = 0;
  std::uint64_t next_deadline_ns_ = ~std::uint64_t{0};
  bool owners_by_pid_ = false;
};

}  // namespace shmreg::core
