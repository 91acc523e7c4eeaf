// How long is a service still found after its process was killed with -9?
//   gone_after SEGMENT SERVICE PID
// Claim: 1 ms after kill(2) has returned, a lookup says not found, with nobody's help. Method: the
// lookup is warmed up; then kill, and lookups without pause until the first not found, and on for
// 300 ms, while the process is taken down: what was gone must not come back. The victim is found
// first: an answer of "not found" that was there all along would prove nothing.
// Prints the microseconds until it was not found. Exit status: 0 if the claim held, 1 if it took
// longer, 2 for usage, 3 where the service was not there to begin with or is not of PID, 4 if it
// was found again.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "shmreg/registry.hpp"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kLimit = std::chrono::milliseconds(1);
constexpr auto kPatience = std::chrono::seconds(5);
constexpr auto kAftermath = std::chrono::milliseconds(300);
constexpr int kWarmUps = 1000;

long long microseconds(Clock::duration span) {
  return std::chrono::duration_cast<std::chrono::microseconds>(span).count();
}

int measure(const char* segment, const char* service, pid_t pid) {
  shmreg::AttachOptions options;
  options.access = shmreg::Access::read_only;
  const auto registry = shmreg::Registry::attach(segment, options);
  shmreg::Service found;
  for (int i = 0; i < kWarmUps; ++i) {
    if (registry.lookup(service, found) != shmreg::Errc::ok ||
        found.pid() != static_cast<std::uint32_t>(pid)) {
      std::fprintf(stderr, "gone_after: %s is not found under pid %d\n", service, pid);
      return 3;
    }
  }

  if (::kill(pid, SIGKILL) != 0) {
    std::perror("gone_after: kill");
    return 3;
  }
  const auto killed_at = Clock::now();
  auto gone_after = Clock::duration::zero();
  bool gone = false;
  while (!gone && Clock::now() - killed_at < kPatience) {
    gone = registry.lookup(service, found) == shmreg::Errc::not_found;
    gone_after = Clock::now() - killed_at;
  }
  std::printf("%lld\n", gone ? microseconds(gone_after) : -1LL);
  while (gone && Clock::now() - killed_at < kAftermath) {
    if (registry.lookup(service, found) == shmreg::Errc::not_found) continue;
    std::fprintf(stderr, "gone_after: %s was found again after %lld us\n", service,
                 microseconds(Clock::now() - killed_at));
    return 4;
  }
  return gone && gone_after <= kLimit ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  // Never 0 or below: kill(2) takes those for groups of processes.
  const long pid = argc == 4 ? std::strtol(argv[3], nullptr, 10) : 0;
  if (pid <= 0) {
    std::fprintf(stderr, "usage: gone_after SEGMENT SERVICE PID\n");
    return 2;
  }
  try {
    return measure(argv[1], argv[2], static_cast<pid_t>(pid));
  } catch (const shmreg::Error& error) {
    std::fprintf(stderr, "gone_after: %s\n", error.what());
    return 3;
  }
}
