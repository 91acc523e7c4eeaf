// Whether one name's operations can be put into an order that explains every answer: the search at
// the heart of history.hpp's checker.
//
// The algorithm of Wing and Gong ("Testing and verifying concurrent objects", 1993) in the form
// that Lowe calls just-in-time linearization ("Testing for linearizability", 2017), with his
// memoisation: it goes through beginnings and ends in the order of time and keeps all ways that it
// may have gone so far, a way being the name's state and which of the operations under way have
// taken effect. Only when an operation ends must it have taken effect: then every way in which it
// has not is continued by the operations under way in every order, until it has; each (state, taken
// effect) is followed once. (At the end of what was cut short both ways go on.) Where no way is
// left, no order explains the answer. At an instant at which nothing is under way the ways are just
// states: the history falls into pieces there, and a piece is as hard as the operations that
// overlap are many, not as it is long. What only looks and finds the answer right is let take
// effect at once: whatever is possible later remains possible. The search is exact; where there are
// more than kMostWays it is given up, and says so.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "torture/history.hpp"

namespace torture {

class NameSearch {
 public:
  static constexpr std::size_t kMostWays = 100'000;
  using Pids = std::map<std::uint32_t, std::uint32_t>;

  NameSearch(const std::vector<NameState>& may_be, const Pids& pids);

  enum class Verdict : std::uint8_t { right, wrong, undecided };
  // Of all operations of the name since it was one of `may_be`; each has an end, which for those
  // that were cut short is their process's.
  [[nodiscard]] Verdict judge(const std::vector<Operation>& operations);

  // What the name may be after them. After `right` alone.
  [[nodiscard]] std::vector<NameState> may_be() const;
  // After `wrong`: the answer that cannot be explained, and what was beside it and before.
  [[nodiscard]] const std::string& explanation() const noexcept { return explanation_; }
  [[nodiscard]] std::uint64_t most_ways() const noexcept { return most_ways_; }
  [[nodiscard]] std::uint64_t overlapping() const noexcept { return overlapping_; }

 private:
  struct Way {
    NameState state;
    std::uint64_t taken = 0;  // which of those under way have taken effect, a bit each
    friend auto operator<=>(const Way&, const Way&) = default;
  };

  [[nodiscard]] static bool only_looks(const Operation& operation);
  // What it makes of the name, if its answer is right for that state.
  [[nodiscard]] std::optional<NameState> after(const Way& way, const Operation& operation) const;
  [[nodiscard]] bool is_dead(const Way& way, std::uint32_t process) const;
  void let_look(Way& way) const;

  [[nodiscard]] bool begin(const Operation& operation);
  [[nodiscard]] Verdict end(const Operation& operation);
  [[nodiscard]] Verdict let_take_effect(std::size_t place, bool must);
  void forget(std::size_t place);
  void explain(const Operation& operation, const std::vector<Way>& before);

  const Pids& pids_;
  std::vector<Way> ways_;
  std::array<const Operation*, 64> under_way_{};
  std::size_t places_ = 0;  // all that are in use lie below
  std::vector<const Operation*> ended_;
  std::string explanation_;
  std::uint64_t most_ways_ = 1;
  std::uint64_t overlapping_ = 0;
};

}  // namespace torture
