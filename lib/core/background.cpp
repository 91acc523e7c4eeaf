#include "core/background.hpp"

#include <climits>
#include <utility>

#include "sys/fork_epoch.hpp"
#include "sys/futex.hpp"

namespace shmreg::core {

Status Background::start(std::function<void()> run) {
  if (Status opened = event_.open(); !opened) return opened;
  run_ = std::move(run);
  epoch_ = sys::fork_epoch();
  const auto body = [](void* self) { static_cast<Background*>(self)->run_(); };
  if (thread_.start("shmreg-waiter", body, this)) return {};
  epoch_ = 0;
  return {Errc::no_space, "cannot start a thread to wait in: this process may have no more"};
}

bool Background::is_ours() const noexcept { return epoch_ == sys::fork_epoch(); }

void Background::ask_to_stop() noexcept {
  stop_.store(1, std::memory_order_release);
  sys::futex_wake(stop_, INT_MAX);
}

void Background::stop() noexcept {
  if (epoch_ == 0) return;
  if (!is_ours()) return thread_.abandon();
  ask_to_stop();
  thread_.join();
  epoch_ = 0;
}

}  // namespace shmreg::core
