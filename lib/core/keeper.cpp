#include "core/keeper.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "core/liveness.hpp"
#include "core/neighbours.hpp"
#include "core/planted_fault.hpp"
#include "core/printable.hpp"
#include "core/process_table.hpp"
#include "sys/clock.hpp"
#include "sys/fork_epoch.hpp"
#include "sys/futex.hpp"

namespace shmreg::core {
namespace {

using layout::EntryLife;
using layout::MarkState;

constexpr std::chrono::seconds kKeeperSlice{1};
constexpr std::uint64_t kCheckPeriodNs = 950'000'000;  // a slice's end is never too early for it
constexpr std::chrono::milliseconds kLockPatience{100};

// The futex word: the low half of mark_and_generation (little-endian, as the header requires).
std::atomic<std::uint32_t>* futex_word(layout::ProcessEntry& entry) noexcept {
  return reinterpret_cast<std::atomic<std::uint32_t>*>(&entry.mark_and_generation);
}

// Of two keepers of a process, for two lock timeouts, one does not detach while the other claims: a
// byte lock is the whole process's, and would be given up with both.
sys::ForkAwareMutex claims;

}  // namespace

Keeper::~Keeper() { stop(); }

Result<layout::EntryLife> Keeper::start(const sys::ProcessIdentity& self) {
  const std::lock_guard<sys::ForkAwareMutex> guard(claims);
  self_ = self;
  by_mark_ = sys::kernel_marks_ends();
  try {
    mark_ = std::make_unique<sys::KernelMark>();
  } catch (const std::exception& error) {  // boost's, or out of memory
    return Status(Errc::no_space, std::string("cannot map a page for the keeper: ") + error.what());
  }
  phase_.store(kStarting, std::memory_order_relaxed);
  failure_ = Status();
  if (!thread_.start(
          "shmreg-keeper", [](void* keeper) { static_cast<Keeper*>(keeper)->run(); }, this)) {
    return Status(Errc::no_space,
                  "cannot start the keeper thread: this process may have no more threads "
                  "(ulimit -u, or its cgroup's pids.max)");
  }
  while (phase_.load(std::memory_order_acquire) == kStarting) {
    sys::futex_wait(phase_, kStarting, std::chrono::milliseconds(100));
  }
  if (phase_.load(std::memory_order_acquire) == kFailed) {
    thread_.join();
    return failure_;
  }
  return life_;
}

// Modelled in tests/model/entry.pml: Keeper, after end_keeps.
void Keeper::stop() noexcept {
  if (!thread_.started()) return;
  const std::lock_guard<sys::ForkAwareMutex> guard(claims);
  phase_.store(kStop, std::memory_order_release);
  sys::futex_wake(phase_, 1);
  thread_.join();
  // Not where another copy of this library in this process has taken the entry meanwhile: the lock
  // is the process's, and now stands for that one.
  const auto now = MarkState::of(segment_->entry(life_.entry).mark_and_generation.load());
  if (now.generation == life_.generation) segment_->file().unlock(life_.entry);
}

void Keeper::abandon() noexcept {
  thread_.abandon();
  // The page was not inherited (MADV_DONTFORK): unmapping its address here could hit whatever lies
  // there now. Kept reachable, never destroyed.
  static auto* const inherited = new std::vector<std::unique_ptr<sys::KernelMark>>;
  inherited->push_back(std::move(mark_));
}

void Keeper::run() noexcept {
  thread_id_ = sys::own_thread_id();
  if (by_mark_ && !mark_->adopt_thread()) by_mark_ = false;
  try {
    failure_ = claim();
  } catch (const std::exception& error) {
    failure_ = Status(Errc::no_space, error.what());
  }
  const bool claimed = failure_.ok();
  std::uint32_t starting = kStarting;
  phase_.compare_exchange_strong(starting, claimed ? kClaimed : kFailed, std::memory_order_acq_rel);
  sys::futex_wake(phase_, 1);
  if (!claimed) return;
  keep();
  give_up();
}

Status Keeper::claim() {
  const std::uint32_t entries = segment_->geometry().max_processes;
  Status failure;
  for (std::uint32_t i = 0; i < entries; ++i) {
    if (try_claim(i, failure)) return {};
    if (!failure) return failure;
  }
  std::string message = "the process table is full: " + std::to_string(count_processes(*segment_)) +
                        " of " + std::to_string(entries) + " entries are of living processes";
  for (std::uint32_t i = 0; i < entries; ++i) {
    // Readers' locks too: anybody who may read the file can place one, and block a claim with it.
    const auto state = segment_->file().lock_state(i, true);
    if (!state.ok() || !state.value().locked) continue;
    const auto pid = static_cast<std::uint32_t>(std::max(state.value().pid, 0));
    message += ", entry " + std::to_string(i) + " is locked by ";
    message += pid != 0
                   ? "pid " + std::to_string(pid) + " (" + printable(sys::program_of(pid)) + ")"
                   : std::string("a process of another PID namespace");
    break;
  }
  return {Errc::process_table_full,
          message +
              "; end some (regctl ps lists them) or create the segment anew with a larger "
              "--max-processes"};
}

// Kept, the lock would speak for a life that has ended, or lost it to a stray close(). Unless that
// life is this very process's: by another keeper, whose lock it is as well.
void Keeper::give_back_lock(const EntryLife& life) const {
  const auto claimer = identity_of_entry(*segment_, life);
  if (!claimer || claimer->process != self_) segment_->file().unlock(life.entry);
}

// Modelled in tests/model/entry.pml: Keeper, from end_in_use on.
bool Keeper::try_claim(std::uint32_t index, Status& failure) {
  layout::ProcessEntry& entry = segment_->entry(index);
  const auto claimable = [&](const MarkState& state) {
    if (is_free(state)) return true;
    // An owner that is known by its byte lock alone is never marked.
    return entry.liveness.load(std::memory_order_relaxed) == kByteLock &&
           proven_gone(*segment_, {index, state.generation});
  };
  const MarkState first = MarkState::of(entry.mark_and_generation.load(std::memory_order_acquire));
  if (!claimable(first)) return false;
  if (!is_free(first)) {
    // Known by its byte lock alone, and dead. Marked before that lock is ours: it would look alive.
    std::uint64_t unmarked = first.word();
    const MarkState ended{first.mark | sys::kOwnerDied, first.generation};
    if (!entry.mark_and_generation.compare_exchange_strong(unmarked, ended.word(),
                                                           std::memory_order_acq_rel)) {
      return false;
    }
  }
  const Result<bool> locked = segment_->file().lock(index);
  if (!locked) {
    failure = locked.status();
    return false;
  }
  if (!locked.value()) return false;
  std::uint64_t word = entry.mark_and_generation.load(std::memory_order_acquire);
  // What was judged above must still be there: another thread of this process, which the byte lock
  // does not keep out, may have claimed the entry meanwhile.
  const MarkState before = MarkState::of(word);
  if (before.generation != first.generation || (is_free(first) && !is_free(before))) {
    give_back_lock({index, before.generation});
    return false;
  }

  // The proof that reuse requires is the one of proven_gone(): where the lock was dropped by a
  // stray close() the process may still be ending, and its pidfd tells.
  if (before.generation != 0 && still_runs(*segment_, {index, before.generation})) {
    give_back_lock({index, before.generation});
    return false;
  }

  // Before the claim: killed right after it, this life is known by what it was meant to be known
  // by.
  entry.liveness.store(by_mark_ ? kKernelMark : kByteLock, std::memory_order_release);
  if (by_mark_ && !planted(Fault::word_before_robust_list)) mark_->arm(futex_word(entry));
  const MarkState mine{thread_id_ | sys::kWakeOnDeath, before.generation + 1};
  if (!entry.mark_and_generation.compare_exchange_strong(word, mine.word(),
                                                         std::memory_order_acq_rel)) {
    mark_->disarm();
    return false;
  }
  life_ = {index, mine.generation};
  introduce(index);
  if (by_mark_ && planted(Fault::word_before_robust_list)) mark_->arm(futex_word(entry));
  return true;
}

void Keeper::introduce(std::uint32_t index) noexcept {
  layout::ProcessEntry& entry = segment_->entry(index);
  entry.pid.store(self_.pid, std::memory_order_release);
  entry.start_ticks.store(self_.start_ticks, std::memory_order_release);
  entry.pid_namespace.store(self_.pid_namespace, std::memory_order_release);
  entry.attached_at_ns.store(static_cast<std::uint64_t>(sys::wall_clock_ns()),
                             std::memory_order_release);
  entry.waiting_for.store(0, std::memory_order_release);
  std::array<std::uint64_t, 4> words{};
  const std::string program = sys::own_program();
  std::memcpy(words.data(), program.data(), std::min(program.size(), sizeof words - 1));
  for (std::size_t i = 0; i < words.size(); ++i) {
    entry.program.at(i).store(words.at(i), std::memory_order_release);
  }
}

void Keeper::keep() noexcept {
  PidWatch watch;
  Neighbours neighbours({segment_, life_, self_, &watch, kLockPatience});
  layout::Word32& attention = segment_->entry(life_.entry).attention;
  neighbours.announce();
  std::uint64_t next_check_ns = sys::monotonic_clock_ns() + kCheckPeriodNs;
  std::vector<sys::AwaitedWord> words;
  while (phase_.load(std::memory_order_acquire) == kClaimed) {
    try {
      words = {{&phase_, kClaimed}, {&attention, attention.load(std::memory_order_acquire)}};
      neighbours.look_after();
      words.insert(words.end(), neighbours.words().begin(), neighbours.words().end());
    } catch (const std::exception&) {  // out of memory: another keeper, or another time
    }
    sys::futex_wait_any(words, kKeeperSlice);
    if (sys::monotonic_clock_ns() < next_check_ns) continue;
    next_check_ns = sys::monotonic_clock_ns() + kCheckPeriodNs;
    check_file();
  }
}

void Keeper::check_file() noexcept {
  // The number may be another file's by now; without it there is nothing to be asked.
  if (!segment_->file().reopen(segment_->file_name(), segment_->writable())) {
    const auto named = sys::status_of_name(segment_->file_name());
    name_lost_.store(!named.ok(), std::memory_order_relaxed);
    return;
  }
  // Still ours: harmless. Dropped by a close() elsewhere in this process: taken again.
  const auto now = MarkState::of(segment_->entry(life_.entry).mark_and_generation.load());
  if (now.generation == life_.generation) (void)segment_->file().lock(life_.entry).ok();
  const auto status = segment_->file().status();
  if (status.ok() && status.value().links == 0) {
    name_lost_.store(true, std::memory_order_relaxed);
  }
  (void)segment_->check_whole().ok();  // else writers would learn it only from what they touch
}

// Modelled in tests/model/entry.pml: Keeper, from end_keeps on.
void Keeper::give_up() noexcept {
  layout::ProcessEntry& entry = segment_->entry(life_.entry);
  // Marked by oneself while still armed: the word no longer holds this thread's id, so the kernel
  // leaves it alone whatever happens from here on. Without kWakeOnDeath, which the kernel keeps:
  // that tells a detach from a death.
  std::uint64_t alive = MarkState{thread_id_ | sys::kWakeOnDeath, life_.generation}.word();
  entry.mark_and_generation.compare_exchange_strong(
      alive, MarkState{sys::kOwnerDied, life_.generation}.word(), std::memory_order_acq_rel);
  mark_->disarm();
  sys::futex_wake(*futex_word(entry), 1);
}

}  // namespace shmreg::core
