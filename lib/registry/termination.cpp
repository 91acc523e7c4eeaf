#include "shmreg/termination.hpp"

#include <algorithm>
#include <utility>

#include "core/attachment.hpp"
#include "registry/owner_process.hpp"
#include "sys/pidfd.hpp"
#include "sys/process.hpp"

namespace shmreg {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using sys::PidFd;
using sys::SignalFate;

// How long the kernel may take to end what it was told to kill.
constexpr std::chrono::seconds kKillTime{5};

// Waits until all have ended, or the time is out; moves those that have to `ended`.
void await_ends(std::vector<PidFd>& asked, std::chrono::milliseconds time,
                std::set<std::uint32_t>& ended) {
  const auto deadline = Clock::now() + time;
  while (!asked.empty()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    const std::vector<bool> over = sys::await_an_end(asked, left);
    std::vector<PidFd> rest;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (over[i]) {
        ended.insert(asked[i].pid());
      } else {
        rest.push_back(std::move(asked[i]));
      }
    }
    asked.swap(rest);
    if (left.count() <= 0) return;
  }
}

bool still_owns(const Registry& registry, const Service& service) {
  const auto all = registry.lookup_all(service.full_name());
  if (!all) return false;
  return std::any_of(all->begin(), all->end(), [&](const Service& now) {
    return now.id() == service.id() && now.pid() == service.pid() && now.alive() == Alive::yes;
  });
}

}  // namespace

Termination terminate_owners(const Registry& registry, const std::vector<Service>& services,
                             std::chrono::milliseconds grace) {
  Termination outcome;
  sys::raise_descriptor_limit();
  const auto spared = sys::own_line();
  const core::Segment& segment = registry.attachment_->segment();
  std::set<std::uint32_t> seen;
  std::vector<PidFd> asked;
  const auto refuse = [&](const PidFd& process, SignalFate fate) {
    outcome.not_asked.push_back("pid " + std::to_string(process.pid()) + ": " + process.what());
    outcome.not_permitted = outcome.not_permitted || fate == SignalFate::not_permitted;
  };
  for (const Service& service : services) {
    const std::uint32_t pid = service.pid();
    if (pid == 0 || spared.contains(pid) || seen.contains(pid)) continue;
    if (service.alive() != Alive::yes) continue;
    // One that is known by its mark, or its wrapper's, lives wherever it is.
    const auto owner = owner_process(segment, service);
    if (!owner || !owner->is_here()) continue;
    PidFd process(pid);
    if (const SignalFate fate = process.opened(); fate != SignalFate::ok) {
      if (fate == SignalFate::no_such_process || !seen.insert(pid).second) continue;
      refuse(process, fate);
      continue;
    }
    if (!still_owns(registry, service)) continue;  // perhaps by another of its names
    seen.insert(pid);
    const SignalFate fate = process.ask_to_stop();
    if (fate == SignalFate::ok) {
      asked.push_back(std::move(process));
    } else if (fate == SignalFate::no_such_process) {
      outcome.ended.insert(pid);
    } else {
      refuse(process, fate);
    }
  }
  // Up to a day: a clock's nanoseconds do not overflow.
  await_ends(asked, std::clamp<std::chrono::milliseconds>(grace, 0ms, 24h), outcome.ended);
  for (const PidFd& process : asked) process.kill();
  await_ends(asked, kKillTime, outcome.ended);
  for (const PidFd& process : asked) {
    outcome.not_asked.push_back("pid " + std::to_string(process.pid()) + ": does not end");
  }
  return outcome;
}

}  // namespace shmreg
