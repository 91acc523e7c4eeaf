#include "torture/name_search.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace torture {
namespace {

constexpr std::uint64_t bit(std::size_t place) { return std::uint64_t{1} << place; }

// Of one instant, as a death's end and the end of what it cut short are: those first, while they
// still have the death beside them. Beginnings before ends: what touches, overlaps.
enum class Step : std::uint8_t { beginning, end_of_cut_short, end };

struct Event {
  std::uint64_t tick;
  Step step;
  const Operation* operation;
};

std::string to_string(const NameState& state) {
  if (state.holder == 0) return "absent (last id " + std::to_string(state.last_id) + ")";
  return "held by " + std::to_string(state.holder) + " (number " +
         std::to_string(writer_of(state.number)) + "/" +
         std::to_string(static_cast<std::uint32_t>(state.number)) + ", id " +
         std::to_string(state.id) + ")";
}

NameState absent(NameState state) { return {0, 0, 0, state.last_id}; }

}  // namespace

NameSearch::NameSearch(const std::vector<NameState>& may_be, const Pids& pids) : pids_(pids) {
  for (const NameState& state : may_be) ways_.push_back({state, 0});
}

NameSearch::Verdict NameSearch::judge(const std::vector<Operation>& operations) {
  std::vector<Event> events;
  events.reserve(2 * operations.size());
  for (const Operation& operation : operations) {
    const bool cut_short = operation.kind != Kind::death && operation.outcome == Outcome::cut_short;
    events.push_back({operation.began, Step::beginning, &operation});
    events.push_back({operation.ended, cut_short ? Step::end_of_cut_short : Step::end, &operation});
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return a.tick != b.tick ? a.tick < b.tick : a.step < b.step;
  });
  for (const Event& event : events) {
    Verdict verdict = Verdict::right;
    if (event.step == Step::beginning) {
      if (!begin(*event.operation)) verdict = Verdict::undecided;
    } else {
      verdict = end(*event.operation);
    }
    if (verdict != Verdict::right) return verdict;
  }
  return Verdict::right;
}

std::vector<NameState> NameSearch::may_be() const {
  std::vector<NameState> states;
  for (const Way& way : ways_) states.push_back(way.state);
  return states;
}

bool NameSearch::only_looks(const Operation& operation) {
  switch (operation.outcome) {
    case Outcome::refused:
    case Outcome::lost:
    case Outcome::absent:
    case Outcome::failed:
      return true;
    case Outcome::done:
      return operation.kind == Kind::lookup;
    case Outcome::cut_short:
      break;
  }
  return false;
}

// As the kernel's mark has it: from the death on, though its last instructions may still run.
bool NameSearch::is_dead(const Way& way, std::uint32_t process) const {
  for (std::size_t place = 0; place < places_; ++place) {
    const Operation* other = under_way_.at(place);
    if (other != nullptr && other->kind == Kind::death && other->process == process) {
      return (way.taken & bit(place)) != 0;
    }
  }
  return false;
}

std::optional<NameState> NameSearch::after(const Way& way, const Operation& operation) const {
  const NameState& now = way.state;
  const bool own = now.holder == operation.process;
  const bool same_id = operation.id != 0 && operation.id == now.id;
  const auto pid_is_holders = [&] {
    const auto pid = pids_.find(now.holder);
    return operation.pid == 0 || pid == pids_.end() || pid->second == operation.pid;
  };
  const auto if_so = [&](bool right) { return right ? std::optional(now) : std::nullopt; };
  if (operation.outcome == Outcome::failed) return if_so(is_dead(way, operation.process));
  switch (operation.kind) {
    case Kind::registration:
    case Kind::seizure: {
      if (operation.outcome == Outcome::refused) {
        return if_so(operation.kind == Kind::registration && now.holder != 0 && !own &&
                     (same_id || operation.id == 0) && pid_is_holders());
      }
      if (operation.kind == Kind::registration && now.holder != 0 && !own) return std::nullopt;
      if (operation.id != 0 && operation.id <= now.last_id) return std::nullopt;
      NameState next{operation.process, operation.number, operation.id,
                     std::max(operation.id, now.last_id)};
      return is_dead(way, operation.process) ? absent(next) : next;
    }
    case Kind::update:
    case Kind::unregistration: {
      const bool there = own && operation.id == now.id;
      if (operation.outcome == Outcome::lost) return if_so(!there);
      if (!there) return std::nullopt;
      NameState next = now;
      next.number = operation.number;
      return operation.kind == Kind::update ? next : absent(now);
    }
    case Kind::lookup:
      if (operation.outcome == Outcome::absent) return if_so(now.holder == 0);
      return if_so(now.holder != 0 && operation.number == now.number && same_id &&
                   pid_is_holders());
    case Kind::death:
      break;
  }
  return own ? absent(now) : now;
}

void NameSearch::let_look(Way& way) const {
  for (std::size_t place = 0; place < places_; ++place) {
    const Operation* operation = under_way_.at(place);
    if (operation == nullptr || (way.taken & bit(place)) != 0 || !only_looks(*operation)) continue;
    if (after(way, *operation)) way.taken |= bit(place);
  }
}

bool NameSearch::begin(const Operation& operation) {
  std::size_t place = 0;
  while (place < under_way_.size() && under_way_.at(place) != nullptr) ++place;
  if (place == under_way_.size()) return false;
  const auto beside = std::count_if(under_way_.begin(), under_way_.end(),
                                    [](const Operation* other) { return other != nullptr; });
  overlapping_ += beside != 0 ? 1 : 0;
  under_way_.at(place) = &operation;
  places_ = std::max(places_, place + 1);
  if (only_looks(operation)) {
    for (Way& way : ways_) let_look(way);
  }
  return true;
}

NameSearch::Verdict NameSearch::end(const Operation& operation) {
  const auto at = std::find(under_way_.begin(), under_way_.end(), &operation);
  const auto place = static_cast<std::size_t>(at - under_way_.begin());
  // What was cut short may have taken effect by now, and never does later.
  const bool must = operation.kind == Kind::death || operation.outcome != Outcome::cut_short;
  const Verdict verdict = let_take_effect(place, must);
  if (verdict == Verdict::right) forget(place);
  return verdict;
}

NameSearch::Verdict NameSearch::let_take_effect(std::size_t place, bool must) {
  std::set<Way> done;
  std::set<Way> seen;
  std::vector<Way> open;
  for (const Way& way : ways_) {
    if ((way.taken & bit(place)) != 0) {
      done.insert(way);
    } else {
      open.push_back(way);
      if (!must) done.insert(way);
    }
  }
  while (!open.empty()) {
    const Way way = open.back();
    open.pop_back();
    for (std::size_t other = 0; other < places_; ++other) {
      const Operation* operation = under_way_.at(other);
      if (operation == nullptr || (way.taken & bit(other)) != 0) continue;
      const auto state = after(way, *operation);
      if (!state) continue;
      Way next{*state, way.taken | bit(other)};
      let_look(next);
      if ((next.taken & bit(place)) != 0) {
        done.insert(next);
      } else if (seen.insert(next).second) {
        open.push_back(next);
      }
    }
    if (done.size() + seen.size() > kMostWays) return Verdict::undecided;
  }
  if (done.empty()) {
    explain(*under_way_.at(place), ways_);
    return Verdict::wrong;
  }
  most_ways_ = std::max<std::uint64_t>(most_ways_, done.size());
  ways_.assign(done.begin(), done.end());
  return Verdict::right;
}

void NameSearch::forget(std::size_t place) {
  for (Way& way : ways_) way.taken &= ~bit(place);
  std::sort(ways_.begin(), ways_.end());
  ways_.erase(std::unique(ways_.begin(), ways_.end()), ways_.end());
  ended_.push_back(under_way_.at(place));
  under_way_.at(place) = nullptr;
  while (places_ > 0 && under_way_.at(places_ - 1) == nullptr) --places_;
}

void NameSearch::explain(const Operation& operation, const std::vector<Way>& before) {
  constexpr std::size_t kShown = 12;
  explanation_ = "nothing explains\n    " + torture::to_string(operation) + "\n  when it is";
  for (std::size_t i = 0; i < before.size() && i < kShown; ++i) {
    explanation_ += (i == 0 ? " " : ", or ") + to_string(before.at(i).state);
  }
  explanation_ += "; beside it";
  for (const Operation* other : under_way_) {
    if (other == nullptr || other == &operation) continue;
    explanation_ += "\n    " + torture::to_string(*other);
  }
  explanation_ += "\n  and before";
  const std::size_t from = ended_.size() > kShown ? ended_.size() - kShown : 0;
  for (std::size_t i = from; i < ended_.size(); ++i) {
    explanation_ += "\n    " + torture::to_string(*ended_.at(i));
  }
}

}  // namespace torture
