#include "core/thread_state.hpp"

#include <bitset>

#include "sys/fork_epoch.hpp"
#include "sys/futex.hpp"
#include "sys/thread.hpp"

namespace shmreg::core {
namespace {

constexpr std::uint32_t kOrdinals = 65536;

// Which ordinals are in use. Never destroyed: threads may end after main has returned.
struct Ordinals {
  sys::ForkAwareMutex mutex;
  std::bitset<kOrdinals> used;
  std::uint32_t lowest_free = 1;

  std::uint32_t take() noexcept {
    mutex.lock();
    std::uint32_t ordinal = lowest_free;
    while (ordinal < kOrdinals && used.test(ordinal)) ++ordinal;
    if (ordinal < kOrdinals) used.set(ordinal);
    lowest_free = ordinal;
    mutex.unlock();
    return ordinal < kOrdinals ? ordinal : 0;
  }
  void give(std::uint32_t ordinal) noexcept {
    mutex.lock();
    used.reset(ordinal);
    if (ordinal < lowest_free) lowest_free = ordinal;
    mutex.unlock();
  }
};

Ordinals& ordinals() {
  static auto* const all = new Ordinals;
  return *all;
}

}  // namespace

namespace {

// Trivial, so that it can be asked at any moment of a thread's end.
thread_local ThreadState* own_state = nullptr;

void end_state(void* state) {
  own_state = nullptr;
  delete static_cast<ThreadState*>(state);
}

}  // namespace

ThreadState& ThreadState::current() {
  static const sys::AtThreadEnd at_thread_end(&end_state);
  if (own_state == nullptr) {
    own_state = new ThreadState;
    at_thread_end.call_with(own_state);
  }
  if (own_state->epoch_ != sys::fork_epoch()) own_state->begin_anew();
  return *own_state;
}

ThreadState::ThreadState() : epoch_(sys::fork_epoch()), ordinal_(ordinals().take()) {}

// In this order: tests/model/lock.pml, end_of_thread.
ThreadState::~ThreadState() {
  if (epoch_ == sys::fork_epoch()) release_held();
  if (ordinal_ != 0) ordinals().give(ordinal_);
}

// The child's copy of the forking thread: what that held is the parent's still.
void ThreadState::begin_anew() {
  epoch_ = sys::fork_epoch();
  frame_ = nullptr;
  held_ = nullptr;
}

bool ThreadState::enter(const std::shared_ptr<Segment>& segment, const void* frame) noexcept {
  if (frame_ != nullptr) {
    if (frame_ > frame || sys::on_signal_stack()) return false;
    release_held();
  }
  frame_ = frame;
  segment_ = segment;
  return true;
}

// Modelled in tests/model/lock.pml: release_held.
void ThreadState::release_held() noexcept {
  if (held_ == nullptr) return;
  std::uint64_t mine = word_;
  if (!held_->lock.compare_exchange_strong(mine, 0, std::memory_order_seq_cst)) {
    held_ = nullptr;  // never got, or already released
    return;
  }
  if (held_->contended.exchange(0, std::memory_order_seq_cst) != 0) {
    sys::futex_wake(held_->contended, 1);
  }
  held_ = nullptr;
}

}  // namespace shmreg::core
