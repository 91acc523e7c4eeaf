#include "torture/course.hpp"

#include <unordered_map>

namespace torture {

Course::Course(SteppedVictim& victim, const std::function<Seen()>& look) {
  struct Known {
    std::uint64_t visits = 0;
    bool system_call = false;
  };
  std::unordered_map<std::uintptr_t, Known> known;
  const auto visit = [&](std::uintptr_t place) -> const Known& {
    const auto [at, fresh] = known.try_emplace(place);
    if (fresh) at->second.system_call = victim.is_before_system_call();
    // An instruction that repeats itself (rep movs) is stepped through, and come to once.
    if (points_.empty() || points_.back().place != place) ++at->second.visits;
    return at->second;
  };
  (void)look();
  for (bool goes_on = true, called = false;;) {
    const std::uintptr_t place = goes_on ? victim.place() : 0;
    const Known here = goes_on ? visit(place) : Known{};
    points_.push_back({place, here.visits});
    if (!goes_on) break;
    called = here.system_call;
    goes_on = victim.step();
    const Seen seen = look();
    if (!seen.changed && !called) continue;
    changes_.push_back(points_.size());
    if (seen.half_done) half_done_.push_back(points_.size());
  }
  // The fewest stops to each point.
  for (std::size_t i = 1; i < points_.size(); ++i) {
    const Point& before = points_[i - 1];
    Point& now = points_[i];
    now.from = before.from;
    now.stops = before.stops + 1;
    // Each visit to a breakpoint is two stops: at it, and past it.
    if (SteppedVictim::can_run_to() && now.place != 0 && now.place != before.place &&
        2 * now.visit < now.stops) {
      now.from = i;
      now.stops = 2 * now.visit;
    }
  }
}

bool Course::lead(SteppedVictim& victim, std::size_t point) const {
  std::size_t at = points_.at(point).from;
  if (at != 0 && !victim.run_to(points_.at(at).place, points_.at(at).visit)) {
    if (victim.has_ended()) return false;
    at = 0;
  }
  for (; at < point; ++at) {
    if (!victim.step()) return false;
  }
  return true;
}

}  // namespace torture
