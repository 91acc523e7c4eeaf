// One segment as one process uses it: the mapping, the descriptors it watches pids by, and, from
// the first write on, its entry in the process table with the keeper that stands for it.
//
// A process has one of these per segment (and lock timeout): attaching again shares it. A forked
// child inherits the mapping and may read; its first write claims an entry of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/keeper.hpp"
#include "core/liveness.hpp"
#include "core/partition_lock.hpp"
#include "core/segment.hpp"
#include "sys/fork_epoch.hpp"

namespace shmreg::core {

struct AttachRequest {
  std::string file_name;
  bool write = true;
  bool may_read_only = true;  // where the file's mode does not allow writing
  std::vector<std::uint32_t> trusted;
  std::chrono::nanoseconds lock_timeout{};
  bool handle_bus_errors = true;  // installs the process's handler, unless it is there
};

class Attachment : public std::enable_shared_from_this<Attachment> {
 public:
  [[nodiscard]] static Result<std::shared_ptr<Attachment>> attach(const AttachRequest& request);

  Attachment(std::shared_ptr<Segment> segment, std::chrono::nanoseconds lock_timeout);
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  ~Attachment();

  [[nodiscard]] const Segment& segment() const noexcept { return *segment_; }
  [[nodiscard]] PidWatch& watch() noexcept { return watch_; }
  [[nodiscard]] std::chrono::nanoseconds lock_timeout() const noexcept { return lock_timeout_; }

  // What a writing operation needs; claims an entry where this process has none yet.
  // permission_denied for a read-only client; corrupt for a truncated file; segment_retired;
  // process_table_full; registration_lost, once, where this process had been marked as ended though
  // it lives: it has been attached anew and owns nothing.
  [[nodiscard]] Status writer(Writer& writer);
  // Whether this very process (not its parent) has an entry.
  [[nodiscard]] bool has_entry() const noexcept;
  // Whether the segment was destroyed, or its file has lost its name: nothing happens in it any
  // more. As seen within the last second.
  [[nodiscard]] bool segment_lost() noexcept;
  // Keeps this process attached until it ends.
  void pin();

 private:
  [[nodiscard]] Status claim();
  [[nodiscard]] Status check_name() const;

  std::shared_ptr<Segment> segment_;
  std::chrono::nanoseconds lock_timeout_;
  PidWatch watch_;
  sys::ForkAwareMutex mutex_;                   // over claim()
  std::atomic<bool> name_lost_{false};          // before keeper_, which writes it
  std::atomic<std::uint64_t> next_look_ns_{0};  // at the name, where no keeper looks
  std::unique_ptr<Keeper> keeper_;
  sys::ProcessIdentity self_;
  // Of the process whose entry it is; 0: none. Stored last, so that who sees it sees life_ too.
  std::atomic<std::uint32_t> epoch_{0};
  std::atomic<std::uint64_t> life_{0};
};

}  // namespace shmreg::core
