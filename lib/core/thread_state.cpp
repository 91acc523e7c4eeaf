#include "core/thread_state.hpp"

#include <pthread.h>

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

// Trivial, so that it can be asked when the thread's other objects are gone.
thread_local bool state_is_gone = false;
thread_local ThreadState* late_state = nullptr;

void end_late_state(void* state) {
  late_state = nullptr;
  delete static_cast<ThreadState*>(state);
}

// The state of a thread that has given up its own. The C library calls the destructors of keys
// anew as long as one of them sets a key, up to PTHREAD_DESTRUCTOR_ITERATIONS times; only what is
// begun in the last of these rounds stays for ever.
ThreadState& late() {
  static const struct Key {
    pthread_key_t key{};
    bool made = ::pthread_key_create(&key, &end_late_state) == 0;
  } key;
  if (late_state == nullptr) {
    late_state = new ThreadState;
    if (key.made) (void)::pthread_setspecific(key.key, late_state);
  }
  return *late_state;
}

}  // namespace

ThreadState& ThreadState::current() {
  static thread_local ThreadState state;
  if (state_is_gone) return late();
  if (state.epoch_ != sys::fork_epoch()) state.begin_anew();
  return state;
}

ThreadState::ThreadState() : epoch_(sys::fork_epoch()), ordinal_(ordinals().take()) {}

// In this order: tests/model/lock.pml, end_of_thread.
ThreadState::~ThreadState() {
  if (epoch_ == sys::fork_epoch()) release_held();
  if (ordinal_ != 0) ordinals().give(ordinal_);
  state_is_gone = true;
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
