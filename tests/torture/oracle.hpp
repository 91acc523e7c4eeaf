// The oracle of histories: tries all orders one after the other, and shares no code with the
// checker. For small ones.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "torture/history.hpp"
#include "torture/story.hpp"

namespace torture {

struct Oracle {
  const std::vector<Operation>& all;
  std::vector<bool> done = std::vector<bool>(all.size());
  std::set<std::uint64_t> known_ids = ids_of(all);
  bool dead_p = false;

  struct State {
    std::optional<Operation> held;  // by a process that lives: what made it so
    std::uint64_t id = 0;
    std::uint64_t last_id = 0;
  };

  static std::set<std::uint64_t> ids_of(const std::vector<Operation>& all) {
    std::set<std::uint64_t> ids;
    for (const Operation& operation : all) {
      const bool registers =
          operation.kind == Kind::registration || operation.kind == Kind::seizure;
      if (registers && operation.outcome == Outcome::done) ids.insert(operation.id);
    }
    return ids;
  }

  bool explains() { return explains(State()); }
  bool explains(const State& state) {
    bool all_done = true;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool optional = is_optional(all[i]);
      all_done = all_done && (done[i] || optional);
      if (done[i] || !may_be_next(i)) continue;
      State next = state;
      const bool was_dead = dead_p;
      if (happens(all[i], next)) {
        done[i] = true;
        if (explains(next)) return true;
        done[i] = false;
      }
      dead_p = was_dead;
    }
    return all_done;
  }

  static bool is_optional(const Operation& operation) {
    return operation.kind != Kind::death && operation.outcome == Outcome::cut_short;
  }

  [[nodiscard]] bool may_be_next(std::size_t i) const {
    for (std::size_t j = 0; j < all.size(); ++j) {
      if (j != i && !done[j] && !is_optional(all[j]) && all[j].ended < all[i].began) return false;
      // What was cut short and has not been done by then never is.
      if (done[j] && is_optional(all[i]) && all[j].began > end_of(all[i])) return false;
    }
    return true;
  }

  [[nodiscard]] std::uint64_t end_of(const Operation& cut_short) const {
    for (const Operation& operation : all) {
      if (operation.kind == Kind::death && operation.process == cut_short.process) {
        return operation.ended;
      }
    }
    return UINT64_MAX;
  }

  // A registration whose caller never heard of its id has the one that others saw.
  bool matches(State& state, std::uint64_t id) {
    if (state.id == 0 && id > state.last_id && !known_ids.contains(id)) {
      state.id = id;
      state.last_id = id;
    }
    return id != 0 && state.id == id;
  }

  bool happens(const Operation& operation, State& state) {
    const bool mine = state.held && state.held->process == operation.process;
    const bool there = mine && state.id == operation.id;
    switch (operation.kind) {
      case Kind::death:
        dead_p = true;
        if (mine) state.held.reset();
        return true;
      case Kind::registration:
      case Kind::seizure:
        if (operation.outcome == Outcome::refused) {
          return operation.kind == Kind::registration && state.held && !mine &&
                 pid_of(state.held->process) == operation.pid && matches(state, operation.id);
        }
        if (operation.kind == Kind::registration && state.held && !mine) return false;
        if (operation.id != 0 && operation.id <= state.last_id) return false;
        state.held = operation;
        state.id = operation.id;
        state.last_id = std::max(state.last_id, operation.id);
        if (dead_p && operation.process == kP) state.held.reset();
        return true;
      case Kind::update:
        if (operation.outcome == Outcome::lost) return !there;
        if (there) state.held->number = operation.number;
        return there;
      case Kind::unregistration:
        if (operation.outcome == Outcome::lost) return !there;
        if (there) state.held.reset();
        return there;
      case Kind::lookup:
        break;
    }
    if (operation.outcome == Outcome::absent) return !state.held;
    return state.held && state.held->number == operation.number &&
           pid_of(state.held->process) == operation.pid && matches(state, operation.id);
  }
};

}  // namespace torture
