// How long single operations took, by three clocks, and the longest of each.
//
//   wall   by CLOCK_MONOTONIC: what a caller sees. With more processes than processors most of a
//          long one is somebody else's turn.
//   cpu    by the thread's processor time: what it did itself, spinning and retrying included.
//   held   wall less what the kernel counts as "ready to run, but no processor free": what it did
//          and what it waited for. A pause of the registry's making is in here. (A waiting that is
//          prolonged by the turn of whoever holds the lock is in here as well.)
//
// Counts are log-linear: 64 steps an octave, so that a quantile is exact to 1.6 %. It is plain data
// and may lie in memory that processes share; one thread writes it.
#pragma once

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace shmreg::scale {

[[nodiscard]] inline std::uint64_t clock_ns(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

class Latencies {
 public:
  void add(std::uint64_t ns) noexcept {
    ++counts_[step_of(ns)];
    ++count_;
    most_ns_ = std::max(most_ns_, ns);
  }
  void add(const Latencies& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    most_ns_ = std::max(most_ns_, other.most_ns_);
  }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t most_ns() const noexcept { return most_ns_; }
  // What so many of all stayed at or under: 0.999.
  [[nodiscard]] std::uint64_t quantile_ns(double part) const noexcept {
    const double wanted = part * static_cast<double>(count_);
    double seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += static_cast<double>(counts_[i]);
      if (counts_[i] != 0 && seen >= wanted) return std::min(most_ns_, last_of(i));
    }
    return most_ns_;
  }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr std::uint64_t kSteps = std::uint64_t{1} << kBits;
  static constexpr unsigned kOctaves = 34;  // up to 2^40 ns

  static std::size_t step_of(std::uint64_t ns) noexcept {
    if (ns < kSteps) return ns;
    const auto octave = static_cast<unsigned>(std::bit_width(ns)) - kBits - 1;
    if (octave >= kOctaves) return kSteps * (kOctaves + 1) - 1;
    return (octave + 1) * kSteps + (ns >> octave) - kSteps;
  }
  static std::uint64_t last_of(std::size_t step) noexcept {
    if (step < kSteps) return step;
    const std::uint64_t octave = step / kSteps - 1;
    return ((step % kSteps + kSteps + 1) << octave) - 1;
  }

  std::uint64_t count_ = 0;
  std::uint64_t most_ns_ = 0;
  std::array<std::uint64_t, kSteps*(kOctaves + 1)> counts_{};
};

struct Pauses {
  Latencies wall;
  Latencies cpu;
  Latencies held;

  void add(const Pauses& other) noexcept {
    wall.add(other.wall);
    cpu.add(other.cpu);
    held.add(other.held);
  }
};

// Times the operations of the thread that made it: a lap is an operation, and the few instructions
// between it and the one before.
//
// The clocks behind `cpu` and `held` are system calls, dearer than a lookup, so they are read once
// a batch. A lap that is short by the wall is taken to be as long by all three. What is left of a
// batch's processor time and of its waiting belongs to its long lap; of several they are added up
// and counted as one, so that no pause is made to look shorter than it was.
class PauseClock {
 public:
  PauseClock() : schedstat_(::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}
  PauseClock(const PauseClock&) = delete;
  PauseClock& operator=(const PauseClock&) = delete;
  ~PauseClock() { ::close(schedstat_); }

  // `work` does some operations and calls lap() after each.
  template <class Work>
  void batch(Pauses& pauses, Work work) {
    unserved_ns_ = unserved_ns();
    cpu_ns_ = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    short_ns_ = long_ns_ = 0;
    pauses_ = &pauses;
    wall_ns_ = clock_ns(CLOCK_MONOTONIC);
    work();
    if (long_ns_ == 0) return;
    pauses.cpu.add(less(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns_, short_ns_));
    pauses.held.add(less(long_ns_, unserved_ns() - unserved_ns_));
  }
  void lap() noexcept {
    const std::uint64_t now = clock_ns(CLOCK_MONOTONIC);
    const std::uint64_t wall = now - wall_ns_;
    wall_ns_ = now;
    pauses_->wall.add(wall);
    if (wall < kShortNs) {
      pauses_->cpu.add(wall);
      pauses_->held.add(wall);
      short_ns_ += wall;
    } else {
      long_ns_ += wall;
    }
  }

 private:
  static constexpr std::uint64_t kShortNs = 10'000;

  static std::uint64_t less(std::uint64_t from, std::uint64_t what) noexcept {
    return from > what ? from - what : 0;
  }
  // The second number of schedstat; 0 where the kernel does not count it.
  [[nodiscard]] std::uint64_t unserved_ns() const noexcept {
    std::array<char, 64> text{};
    if (::pread(schedstat_, text.data(), text.size() - 1, 0) <= 0) return 0;
    const char* const second = std::strchr(text.data(), ' ');
    return second == nullptr ? 0 : std::strtoull(second, nullptr, 10);
  }

  int schedstat_;
  Pauses* pauses_ = nullptr;
  std::uint64_t wall_ns_ = 0;
  std::uint64_t cpu_ns_ = 0;
  std::uint64_t unserved_ns_ = 0;
  std::uint64_t short_ns_ = 0;
  std::uint64_t long_ns_ = 0;
};

}  // namespace shmreg::scale
