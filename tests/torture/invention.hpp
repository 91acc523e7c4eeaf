// Small random histories, right ones; and such with one answer altered, which mostly are wrong.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "torture/crew.hpp"
#include "torture/history.hpp"
#include "torture/setting.hpp"
#include "torture/story.hpp"

namespace torture {

// Three processes with an operation after the other each, and what a name answers to them at a
// random instant within each; P may be killed in the middle of its last.
class Invention {
 public:
  explicit Invention(Random& random) : random_(random) {}

  std::vector<Operation> story() {
    struct Planned {
      std::uint64_t instant;
      Operation operation;
      bool death;
    };
    std::vector<Planned> plan;
    const bool p_dies = random_.below(2) == 0;
    for (const std::uint32_t process : {kP, kQ, kR}) {
      std::uint64_t tick = 1 + random_.below(6);
      const std::size_t count = 1 + random_.below(3);
      for (std::size_t i = 0; i < count; ++i) {
        Operation operation;
        operation.process = process;
        operation.began = 8 * tick + process;
        tick += 1 + random_.below(5);
        operation.ended = 8 * tick + process;
        tick += 1 + random_.below(2);
        const std::uint64_t instant =
            operation.began + random_.below(operation.ended - operation.began + 1);
        plan.push_back({instant, operation, false});
      }
      if (process != kP || !p_dies) continue;
      Operation& last = plan.back().operation;
      // Either it had come to its end by then, or it was cut short.
      const bool cut_short = random_.below(3) != 0;
      Operation death{.kind = Kind::death, .process = kP};
      death.began = (cut_short ? last.began : last.ended) + 8 * random_.below(4) + 4;
      death.ended = death.began + 8 * (1 + random_.below(3)) + 1;
      if (cut_short) {
        last.ended = kNotEnded;
        plan.back().instant = last.began + random_.below(death.ended - last.began);
      }
      plan.push_back({death.began + random_.below(death.ended - death.began), death, true});
    }
    std::stable_sort(plan.begin(), plan.end(),
                     [](const Planned& a, const Planned& b) { return a.instant < b.instant; });
    for (Planned& planned : plan) {
      if (planned.death) {
        p_dead_ = true;
        if (holder_ == kP) holder_ = 0;
      } else {
        decide(planned.operation);
      }
    }
    std::vector<Operation> story;
    for (const Planned& planned : plan) story.push_back(planned.operation);
    return story;
  }

 private:
  void decide(Operation& operation) {
    const std::uint32_t who = operation.process;
    const bool cut_short = operation.ended == kNotEnded;
    const bool happened = !cut_short || (!p_dead_ && random_.below(2) == 0);
    const std::uint64_t kind = who == kR ? 5 : random_.below(6);
    if (kind <= 2 || my_id_[who] == 0) {
      operation.kind = kind == 5 ? Kind::lookup : kind == 0 ? Kind::seizure : Kind::registration;
    } else {
      operation.kind = kind == 3 ? Kind::update : kind == 4 ? Kind::unregistration : Kind::lookup;
    }
    const std::uint64_t own_id = my_id_[who];
    const bool there = holder_ == who && id_ == own_id;
    operation.outcome = Outcome::done;
    switch (operation.kind) {
      case Kind::registration:
      case Kind::seizure:
        operation.number = number_of(who, ++count_);
        if (operation.kind == Kind::registration && holder_ != 0 && holder_ != who) {
          operation.outcome = Outcome::refused;
          operation.id = id_;
          operation.pid = pid_of(holder_);
        } else if (happened) {
          operation.id = last_id_ += 1 + random_.below(2);
          my_id_[who] = operation.id;
          id_ = operation.id;
          number_ = operation.number;
          holder_ = who == kP && p_dead_ ? 0 : who;
        }
        if (cut_short) operation.id = 0;
        break;
      case Kind::update:
      case Kind::unregistration:
        operation.id = own_id;
        if (operation.kind == Kind::update) operation.number = number_of(who, ++count_);
        if (!there) operation.outcome = Outcome::lost;
        if (there && happened && operation.kind == Kind::update) number_ = operation.number;
        if (there && happened && operation.kind == Kind::unregistration) holder_ = 0;
        break;
      default:
        operation.outcome = holder_ == 0 ? Outcome::absent : Outcome::done;
        if (holder_ == 0) break;
        operation.number = number_;
        operation.id = id_;
        operation.pid = pid_of(holder_);
    }
    if (!cut_short) return;
    operation.outcome = Outcome::cut_short;
    operation.pid = 0;
  }

  Random& random_;
  bool p_dead_ = false;
  std::uint32_t holder_ = 0;
  std::uint32_t count_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t id_ = 0;
  std::uint64_t last_id_ = 0;
  std::array<std::uint64_t, 4> my_id_{};
};

// Makes one answer another.
inline void alter(std::vector<Operation>& story, Random& random) {
  Operation& one = story.at(random.below(story.size()));
  const Operation& other = story.at(random.below(story.size()));
  if (one.kind == Kind::death || one.ended == kNotEnded) return;
  if (one.kind == Kind::lookup) {
    if (one.outcome == Outcome::done && random.one_in(3)) {
      one.outcome = Outcome::absent;
      one.number = 0;
      one.id = 0;
      one.pid = 0;
    } else if (other.number != 0 && other.kind != Kind::death) {
      one.outcome = Outcome::done;
      one.number = other.number;
      one.pid = pid_of(writer_of(other.number));
      if (other.id != 0) one.id = other.id;
    }
  } else if (one.kind == Kind::update || one.kind == Kind::unregistration) {
    one.outcome = one.outcome == Outcome::done ? Outcome::lost : Outcome::done;
  } else if (one.outcome == Outcome::done) {
    one.id = std::max<std::uint64_t>(1, one.id + random.below(4) - 2);
  } else {
    one.id = std::max<std::uint64_t>(1, one.id + random.below(3) - 1);
  }
}

}  // namespace torture
