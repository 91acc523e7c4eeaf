#include "core/liveness.hpp"

#include <cstring>
#include <mutex>
#include <utility>

#include "core/planted_fault.hpp"
#include "core/printable.hpp"
#include "sys/clock.hpp"
#include "sys/kernel_mark.hpp"
#include "sys/thread.hpp"

namespace shmreg::core {

using layout::EntryLife;
using layout::MarkState;

bool byte_lock_held(const Segment& segment, std::uint32_t entry) noexcept {
  const auto state = segment.file().lock_state(entry);
  // Cannot be asked, or was asked of another file (the program closed our descriptor): that is not
  // a proof of anything.
  return !state.ok() || state.value().locked || !segment.file().intact();
}

// Modelled in tests/model/entry.pml: Prover.
bool proven_gone(const Segment& segment, const EntryLife& life) {
  if (life.entry >= segment.geometry().max_processes) return true;  // nobody can be such a process
  const layout::ProcessEntry& entry = segment.entry(life.entry);
  const MarkState state = MarkState::of(entry.mark_and_generation.load(std::memory_order_acquire));
  if (state.generation != life.generation) return true;  // reuse required the proof
  const bool marked = (state.mark & sys::kOwnerDied) != 0 ||
                      (state.mark & sys::kThreadIdMask) == 0 ||
                      entry.liveness.load(std::memory_order_relaxed) == kByteLock;
  if (planted(Fault::lock_on_mark_alone)) return marked;
  return marked && !byte_lock_held(segment, life.entry) && !still_runs(segment, life);
}

bool still_runs(const Segment& segment, const EntryLife& life) {
  const layout::ProcessEntry& entry = segment.entry(life.entry);
  const MarkState state = MarkState::of(entry.mark_and_generation.load(std::memory_order_acquire));
  // A clean detach marks itself and lives on: it has stopped using the segment. It is told apart by
  // FUTEX_WAITERS, which the kernel keeps when it marks and a detach does not set.
  if ((state.mark & sys::kOwnerDied) != 0 && (state.mark & sys::kWakeOnDeath) == 0) return false;
  const auto identity = identity_of_entry(segment, life);
  sys::ProcessHandle handle;
  if (!identity || handle.open(identity->process) != sys::ProcessHandle::Opened::open ||
      handle.has_ended()) {
    return false;
  }
  // Marked, and the process is there: on its way out, or replaced by exec, which has ended every
  // thread that was attached and leaves the pid to another program.
  return (state.mark & sys::kOwnerDied) == 0 || sys::is_ending(identity->process.pid);
}

std::optional<EntryIdentity> identity_of_entry(const Segment& segment, const EntryLife& life) {
  if (life.entry >= segment.geometry().max_processes) return std::nullopt;
  const layout::ProcessEntry& entry = segment.entry(life.entry);
  EntryIdentity identity;
  identity.process.pid = entry.pid.load(std::memory_order_acquire);
  identity.process.start_ticks = entry.start_ticks.load(std::memory_order_acquire);
  identity.process.pid_namespace = entry.pid_namespace.load(std::memory_order_acquire);
  std::array<std::uint64_t, std::tuple_size_v<decltype(entry.program)>> program{};
  for (std::size_t i = 0; i < program.size(); ++i) {
    program.at(i) = entry.program.at(i).load(std::memory_order_acquire);
  }
  const MarkState state = MarkState::of(entry.mark_and_generation.load(std::memory_order_acquire));
  if (state.generation != life.generation) return std::nullopt;
  std::array<char, sizeof program> text{};
  std::memcpy(text.data(), program.data(), sizeof program);
  identity.program.assign(text.data(), ::strnlen(text.data(), text.size()));
  return identity;
}

std::string describe_entry(const Segment& segment, const EntryLife& life) {
  const auto identity = identity_of_entry(segment, life);
  if (!identity) return "a process that has ended";
  std::string text =
      "pid " + std::to_string(identity->process.pid) + " (" + printable(identity->program) + ")";
  if (identity->process.pid_namespace != sys::own_identity().pid_namespace) {
    return text + " of another PID namespace";
  }
  const sys::RunState state = sys::run_state_of(identity->process.pid);
  if (state != sys::RunState::running) text += std::string(", ") + sys::to_string(state);
  return text;
}

namespace {

using Opened = sys::ProcessHandle::Opened;
using Life = sys::ProcessHandle::Life;

// Nothing where there is no descriptor to be had.
std::optional<Alive> ask_handle(sys::ProcessHandle& handle, const sys::ProcessIdentity& identity) {
  // Not its last breath, which comes milliseconds after the kill: a dead owner is not returned.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!handle.is_open()) {
      switch (handle.open(identity)) {
        case Opened::no_such_process:
          return Alive::no;
        case Opened::no_descriptor:
          return std::nullopt;
        case Opened::cannot_tell:
          return Alive::unknown;
        case Opened::open:
          break;
      }
    }
    const Life life = handle.life();
    if (life != Life::lost) return life == Life::doomed ? Alive::no : Alive::yes;
    handle.forget();
  }
  return Alive::unknown;
}

// Closes what is ours to close: the program may have closed it, and have its own under the number.
void drop(sys::ProcessHandle& handle) {
  if (handle.is_open() && handle.life() == Life::lost) handle.forget();
  handle = sys::ProcessHandle();
}

}  // namespace

Alive PidWatch::ask(const sys::ProcessIdentity& identity) {
  // Reading /proc and polling are cancellation points: a lookup is none.
  const sys::NoCancellation no_cancellation;
  if (!mutex_.try_lock()) {
    sys::ProcessHandle once;
    return ask_handle(once, identity).value_or(Alive::unknown);
  }
  const std::unique_lock<sys::ForkAwareMutex> guard(mutex_, std::adopt_lock);
  return ask_held(identity);
}

Alive PidWatch::ask_held(const sys::ProcessIdentity& identity) {
  for (Held& held : held_) {
    if (!held.handle.is_open() || held.identity != identity) continue;
    if (const auto answer = ask_handle(held.handle, identity)) return *answer;
  }
  sys::ProcessHandle fresh;
  std::optional<Alive> answer = ask_handle(fresh, identity);
  while (!answer && give_up_one()) answer = ask_handle(fresh, identity);
  // Kept only if there is something to be kept: who asks for the dead evicts nobody.
  if (answer == Alive::yes) {
    Held& held = held_.at(next_++ % kHeld);
    drop(held.handle);
    held.handle = std::move(fresh);
    held.identity = identity;
  }
  return answer.value_or(Alive::unknown);
}

bool PidWatch::give_up_one() {
  for (Held& held : held_) {
    if (!held.handle.is_open()) continue;
    drop(held.handle);
    return true;
  }
  return false;
}

Alive owner_alive(const Segment& segment, PidWatch& watch, const RecordOwner& owner) {
  if (owner.life && !entry_lives(segment, *owner.life)) return Alive::no;
  switch (owner.kind) {
    case OwnerKind::process:
      return owner.life ? Alive::yes : Alive::no;
    case OwnerKind::pid: {
      if (!owner.process) return Alive::no;
      const Alive answer = watch.ask(*owner.process);
      if (answer != Alive::unknown || !owner.life) return answer;
      // Of another PID namespace: its wrapper's mark, which is its end too, is what can be known.
      return owner.process->pid_namespace != sys::own_identity().pid_namespace ? Alive::yes
                                                                               : Alive::unknown;
    }
    case OwnerKind::ttl:
      return owner.deadline_ns && sys::monotonic_clock_ns() < *owner.deadline_ns ? Alive::yes
                                                                                 : Alive::no;
    case OwnerKind::permanent:
      return Alive::yes;
    case OwnerKind::remote:
      break;
  }
  return Alive::no;
}

}  // namespace shmreg::core
