#include "torture/common_ground.hpp"

#include <climits>
#include <thread>

#include "sys/futex.hpp"

namespace torture {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

void Gate::open(std::uint32_t value) noexcept {
  word_.store(value, std::memory_order_seq_cst);
  shmreg::sys::futex_wake(word_, INT_MAX);
}

void Gate::advance() noexcept {
  word_.fetch_add(1, std::memory_order_seq_cst);
  shmreg::sys::futex_wake(word_, INT_MAX);
}

void Gate::await(std::uint32_t value) const noexcept {
  for (std::uint32_t seen = this->value(); seen < value; seen = this->value()) {
    shmreg::sys::futex_wait(word_, seen, milliseconds(100));
  }
}

bool Gate::await(std::uint32_t value, milliseconds patience) const noexcept {
  const auto deadline = Clock::now() + patience;
  for (std::uint32_t seen = this->value(); seen < value; seen = this->value()) {
    if (Clock::now() >= deadline) return false;
    shmreg::sys::futex_wait(word_, seen, milliseconds(20));
  }
  return true;
}

void Complaints::add(const std::string& text) noexcept {
  const std::uint64_t place = count_.fetch_add(1);
  if (place >= kKept) return;
  auto& kept = texts_.at(place);
  for (std::size_t i = 0; i < text.size() && i + 1 < kBytes; ++i) kept.at(i).store(text[i]);
}

std::string Complaints::text() const {
  std::string all;
  const std::uint64_t total = count();
  for (std::uint64_t i = 0; i < total && i < kKept; ++i) {
    all += "\n  ";
    for (const auto& character : texts_.at(i)) {
      const char c = character.load();
      if (c == '\0') break;
      all += c;
    }
  }
  if (total > kKept) all += "\n  and " + std::to_string(total - kKept) + " more";
  return all;
}

std::uint64_t now_ns() noexcept {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
          .count());
}

void await_any(const std::atomic<std::uint32_t>& word) noexcept {
  const auto until = Clock::now() + milliseconds(5);
  while (word.load(std::memory_order_relaxed) == 0 && Clock::now() < until) {
  }
}

void pass(std::chrono::nanoseconds span) noexcept {
  const auto until = Clock::now() + span;
  constexpr microseconds kTimerSlack{100};
  if (span > 2 * kTimerSlack) std::this_thread::sleep_for(span - kTimerSlack);
  while (Clock::now() < until) {
  }
}

}  // namespace torture
