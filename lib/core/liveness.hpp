// Whether an owner lives, and whether a process is proven gone: two questions.
//
// Lives: the kernel's mark on the entry, or another generation, says no at once (one load); a
// process that is known by its byte lock alone costs a system call, an owner named by pid a read of
// its /proc/PID/stat, kept open beside its pidfd. This is what a lookup asks.
//
// Proven gone: no thread of it runs any more, so that what it held may be taken over: mark and
// free byte lock together, and its pidfd where its pid is visible. The mark alone comes while
// threads may still run for microseconds; no pause would prove that they do not.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "core/segment.hpp"
#include "shmreg/service.hpp"
#include "sys/fork_epoch.hpp"
#include "sys/kernel_mark.hpp"
#include "sys/process.hpp"

namespace shmreg::core {

inline constexpr std::uint32_t kKernelMark = 1;
inline constexpr std::uint32_t kByteLock = 2;

// The system call for an entry that is known by its byte lock alone.
[[nodiscard]] bool byte_lock_held(const Segment& segment, std::uint32_t entry) noexcept;

// Modelled in tests/model/entry.pml: Reader.
[[nodiscard]] inline bool entry_lives(const Segment& segment,
                                      const layout::EntryLife& life) noexcept {
  if (life.entry >= segment.geometry().max_processes) return false;
  const layout::ProcessEntry& entry = segment.entry(life.entry);
  // Before the word: a claimer marks the old life before it says by what the new one is known.
  const std::uint32_t known_by = entry.liveness.load(std::memory_order_acquire);
  const std::uint64_t word = entry.mark_and_generation.load(std::memory_order_acquire);
  const auto state = layout::MarkState::of(word);
  if (state.generation != life.generation || (state.mark & sys::kThreadIdMask) == 0 ||
      (state.mark & sys::kOwnerDied) != 0) {
    return false;
  }
  if (known_by != kByteLock) [[likely]]
    return true;
  // The lock may be the next claimer's already, who marks this life before it takes the lock.
  return byte_lock_held(segment, life.entry) &&
         entry.mark_and_generation.load(std::memory_order_acquire) == word;
}

[[nodiscard]] bool proven_gone(const Segment& segment, const layout::EntryLife& life);

// The part of the proof that the pidfd gives: whether the process of that life is seen running.
// Where its pid is not visible from here, no.
[[nodiscard]] bool still_runs(const Segment& segment, const layout::EntryLife& life);

// Who an entry says it is; consistent for the life asked for, nothing where that has passed.
struct EntryIdentity {
  sys::ProcessIdentity process;
  std::string program;
};
[[nodiscard]] std::optional<EntryIdentity> identity_of_entry(const Segment& segment,
                                                             const layout::EntryLife& life);
// "pid 4711 (config_server), stopped", for messages.
[[nodiscard]] std::string describe_entry(const Segment& segment, const layout::EntryLife& life);

// Descriptors of processes that own services by pid, so that asking again is one read. Bounded: the
// oldest gives way, also where the program may open no more. Never waits: where another thread is
// in it, descriptors are opened for this one question.
class PidWatch {
 public:
  [[nodiscard]] Alive ask(const sys::ProcessIdentity& identity);

 private:
  [[nodiscard]] Alive ask_held(const sys::ProcessIdentity& identity);
  // Closes one that is held; false where there is none.
  [[nodiscard]] bool give_up_one();
  static constexpr std::size_t kHeld = 64;
  struct Held {
    sys::ProcessIdentity identity;
    sys::ProcessHandle handle;
  };

  sys::ForkAwareMutex mutex_;
  std::array<Held, kHeld> held_;
  std::size_t next_ = 0;
};

// The owner as a record names it, in one's own copy.
struct RecordOwner {
  OwnerKind kind = OwnerKind::process;
  std::optional<layout::EntryLife> life;        // process; pid with a wrapper
  std::optional<sys::ProcessIdentity> process;  // pid
  std::optional<std::uint64_t> deadline_ns;     // ttl
};
[[nodiscard]] Alive owner_alive(const Segment& segment, PidWatch& watch, const RecordOwner& owner);

}  // namespace shmreg::core
