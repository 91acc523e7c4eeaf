// The checker of histories, before it judges anybody.
//
// Claim: it accepts a history exactly if some order of its operations explains every answer.
// Method: right histories of each kind that a torture brings about, and the same with one wrong
// answer planted; then thousands of small random ones, half of them with an answer altered, judged
// also by an oracle that tries all orders one after the other and shares no code with the checker.
#include "torture/history.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

constexpr std::uint32_t kP = 1;  // writers
constexpr std::uint32_t kQ = 2;
constexpr std::uint32_t kR = 3;  // a reader
constexpr std::uint32_t pid_of(std::uint32_t process) { return 1000 + process; }

struct When {
  std::uint64_t began;
  std::uint64_t ended;
};

// One name's history, written down as it reads.
class Story {
 public:
  Story& registers(std::uint32_t who, When when, std::uint32_t record, std::uint64_t id) {
    return add({when.began, when.ended, Kind::registration, Outcome::done, 0, who,
                number_of(who, record), id, 0});
  }
  Story& is_refused(std::uint32_t who, When when, std::uint32_t holder, std::uint64_t id) {
    return add({when.began, when.ended, Kind::registration, Outcome::refused, 0, who,
                number_of(who, 999), id, pid_of(holder)});
  }
  Story& seizes(std::uint32_t who, When when, std::uint32_t record, std::uint64_t id) {
    return add({when.began, when.ended, Kind::seizure, Outcome::done, 0, who,
                number_of(who, record), id, 0});
  }
  Story& updates(std::uint32_t who, When when, std::uint32_t record, std::uint64_t id,
                 Outcome outcome = Outcome::done) {
    return add(
        {when.began, when.ended, Kind::update, outcome, 0, who, number_of(who, record), id, 0});
  }
  Story& unregisters(std::uint32_t who, When when, std::uint64_t id,
                     Outcome outcome = Outcome::done) {
    return add({when.began, when.ended, Kind::unregistration, outcome, 0, who, 0, id, 0});
  }
  Story& finds(std::uint32_t who, When when, std::uint32_t owner, std::uint32_t record,
               std::uint64_t id) {
    return add({when.began, when.ended, Kind::lookup, Outcome::done, 0, who,
                number_of(owner, record), id, pid_of(owner)});
  }
  Story& misses(std::uint32_t who, When when) {
    return add({when.began, when.ended, Kind::lookup, Outcome::absent, 0, who, 0, 0, 0});
  }
  Story& dies(std::uint32_t who, When when) {
    return add({when.began, when.ended, Kind::death, Outcome::cut_short, 0, who, 0, 0, 0});
  }
  Story& add(const Operation& operation) {
    operations_.push_back(operation);
    return *this;
  }

  [[nodiscard]] const std::vector<Operation>& operations() const { return operations_; }
  [[nodiscard]] Judgement judged() const {
    Checker checker({"test/name"});
    for (const std::uint32_t process : {kP, kQ, kR}) checker.introduce(process, pid_of(process));
    checker.add(operations_);
    return checker.judge();
  }
  [[nodiscard]] bool is_right() const {
    const Judgement judgement = judged();
    return judgement.wrong.empty() && judgement.undecided == 0;
  }

 private:
  std::vector<Operation> operations_;
};

// --- the oracle ----------------------------------------------------------------------------------

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

// --- random stories ------------------------------------------------------------------------------

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
void alter(std::vector<Operation>& story, Random& random) {
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

BOOST_AUTO_TEST_SUITE(history)

BOOST_AUTO_TEST_CASE(a_right_history_is_accepted) {
  BOOST_TEST(Story().is_right());
  // One after the other.
  BOOST_TEST(Story()
                 .misses(kR, {1, 2})
                 .registers(kP, {3, 4}, 1, 10)
                 .finds(kR, {5, 6}, kP, 1, 10)
                 .is_refused(kQ, {7, 8}, kP, 10)
                 .updates(kP, {9, 10}, 2, 10)
                 .finds(kR, {11, 12}, kP, 2, 10)
                 .registers(kP, {13, 14}, 3, 11)
                 .updates(kP, {15, 16}, 4, 10, Outcome::lost)
                 .seizes(kQ, {17, 18}, 1, 14)
                 .unregisters(kP, {19, 20}, 11, Outcome::lost)
                 .finds(kR, {21, 22}, kQ, 1, 14)
                 .unregisters(kQ, {23, 24}, 14)
                 .misses(kR, {25, 26})
                 .is_right());
  // Beside an update either record may be found, beside an unregistration the name or nothing.
  for (const std::uint32_t record : {1U, 2U}) {
    BOOST_TEST(Story()
                   .registers(kP, {1, 2}, 1, 10)
                   .updates(kP, {3, 9}, 2, 10)
                   .finds(kR, {4, 5}, kP, record, 10)
                   .is_right());
  }
  BOOST_TEST(Story()
                 .registers(kP, {1, 2}, 1, 10)
                 .unregisters(kP, {3, 9}, 10)
                 .finds(kR, {4, 5}, kP, 1, 10)
                 .misses(kR, {6, 7})
                 .is_right());
}

BOOST_AUTO_TEST_CASE(what_was_cut_short_may_have_happened_or_not) {
  const auto begin = [] {
    return Story().registers(kP, {1, 2}, 1, 10).updates(kP, {3, kNotEnded}, 2, 10).dies(kP, {5, 9});
  };
  BOOST_TEST(begin().finds(kR, {6, 7}, kP, 1, 10).is_right());
  BOOST_TEST(begin().finds(kR, {6, 7}, kP, 2, 10).is_right());
  BOOST_TEST(begin().misses(kR, {6, 7}).is_right());
  BOOST_TEST(!begin().finds(kR, {6, 7}, kP, 2, 10).finds(kQ, {8, 9}, kP, 1, 10).is_right());
  // Its id is known from who found it; then it binds.
  const auto unheard = [] {
    return Story()
        .add({3, kNotEnded, Kind::registration, Outcome::done, 0, kP, number_of(kP, 1), 0, 0})
        .dies(kP, {5, 9});
  };
  BOOST_TEST(unheard().finds(kR, {6, 7}, kP, 1, 10).registers(kQ, {10, 11}, 1, 11).is_right());
  BOOST_TEST(!unheard().finds(kR, {6, 7}, kP, 1, 10).registers(kQ, {10, 11}, 1, 9).is_right());
  BOOST_TEST(!unheard().finds(kR, {6, 7}, kP, 1, 10).is_refused(kQ, {7, 8}, kP, 9).is_right());
  BOOST_TEST(!Story().registers(kP, {3, kNotEnded}, 1, 10).is_right());  // of one that lives
}

BOOST_AUTO_TEST_CASE(a_wrong_answer_is_seen) {
  // A registration that got lost.
  BOOST_TEST(!Story().registers(kP, {1, 2}, 1, 10).misses(kR, {3, 4}).is_right());
  BOOST_TEST(!Story().registers(kP, {1, 2}, 1, 10).registers(kQ, {3, 4}, 1, 11).is_right());
  // Two owners at once.
  BOOST_TEST(!Story().registers(kP, {1, 8}, 1, 10).registers(kQ, {3, 9}, 1, 11).is_right());
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .seizes(kQ, {3, 4}, 1, 11)
                  .updates(kP, {5, 6}, 2, 10)
                  .is_right());
  // A stale read: after an unregistration, an update, a registration over it.
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .unregisters(kP, {3, 4}, 10)
                  .finds(kR, {5, 6}, kP, 1, 10)
                  .is_right());
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .updates(kP, {3, 4}, 2, 10)
                  .finds(kR, {5, 6}, kP, 1, 10)
                  .is_right());
  // Two readers that saw an update in opposite orders.
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .updates(kP, {3, 20}, 2, 10)
                  .finds(kR, {4, 5}, kP, 2, 10)
                  .finds(kQ, {6, 7}, kP, 1, 10)
                  .is_right());
  // A miss between two updates.
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .updates(kP, {3, 6}, 2, 10)
                  .misses(kR, {4, 9})
                  .updates(kP, {7, 10}, 3, 10)
                  .is_right());
  // An answer pieced together from two registrations.
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .registers(kP, {3, 6}, 2, 11)
                  .finds(kR, {4, 5}, kP, 2, 10)
                  .is_right());
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .add({3, 4, Kind::lookup, Outcome::done, 0, kR, number_of(kP, 1), 10, pid_of(kQ)})
                  .is_right());
  // A number that nobody wrote.
  BOOST_TEST(!Story().registers(kP, {1, 2}, 1, 10).finds(kR, {3, 4}, kP, 7, 10).is_right());
  // Refused because of one who does not hold it, or of nobody.
  BOOST_TEST(!Story().registers(kP, {1, 2}, 1, 10).is_refused(kQ, {3, 4}, kR, 10).is_right());
  BOOST_TEST(!Story().is_refused(kQ, {3, 4}, kP, 10).is_right());
  // A failure of a process that is well.
  BOOST_TEST(!Story().add({1, 2, Kind::registration, Outcome::failed, 0, kP, 0, 0, 0}).is_right());
}

BOOST_AUTO_TEST_CASE(a_dead_owner_is_not_found_once_its_death_is_known) {
  const auto begin = [] { return Story().registers(kP, {1, 2}, 1, 10).dies(kP, {5, 9}); };
  BOOST_TEST(begin().finds(kR, {8, 12}, kP, 1, 10).is_right());
  BOOST_TEST(!begin().finds(kR, {10, 12}, kP, 1, 10).is_right());
  BOOST_TEST(!begin().is_refused(kQ, {10, 12}, kP, 10).is_right());
  // Known also from who missed it, or took it.
  BOOST_TEST(!begin().misses(kR, {5, 6}).finds(kR, {7, 8}, kP, 1, 10).is_right());
  BOOST_TEST(begin().registers(kQ, {6, 7}, 1, 11).finds(kR, {8, 10}, kQ, 1, 11).is_right());
  BOOST_TEST(!begin().registers(kQ, {3, 4}, 1, 11).is_right());
  // What it does with its last instructions has no effect, and may fail.
  BOOST_TEST(begin().misses(kR, {5, 6}).registers(kP, {7, 8}, 2, 11).is_right());
  BOOST_TEST(!begin()
                  .misses(kR, {5, 6})
                  .registers(kP, {7, 8}, 2, 11)
                  .finds(kR, {7, 9}, kP, 2, 11)
                  .is_right());
  BOOST_TEST(begin().updates(kP, {6, 7}, 2, 10, Outcome::lost).is_right());
  BOOST_TEST(!begin().updates(kP, {3, 4}, 2, 10, Outcome::lost).is_right());
}

BOOST_AUTO_TEST_CASE(ids_ascend) {
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .unregisters(kP, {3, 4}, 10)
                  .registers(kQ, {5, 6}, 1, 9)
                  .is_right());
  BOOST_TEST(!Story().registers(kP, {1, 2}, 1, 10).registers(kP, {3, 4}, 2, 10).is_right());
  // Over two names: only of those that do not overlap.
  for (const std::uint64_t ended : {2U, 6U}) {
    Checker checker({"test/a", "test/b"});
    checker.add({1, ended, Kind::registration, Outcome::done, 0, kP, number_of(kP, 1), 10, 0});
    checker.add({4, 9, Kind::registration, Outcome::done, 1, kQ, number_of(kQ, 1), 9, 0});
    BOOST_TEST(checker.judge().wrong.size() == (ended == 2 ? 1U : 0U));
  }
}

BOOST_AUTO_TEST_CASE(a_judgement_begins_where_the_one_before_it_ended) {
  Checker checker({"test/name"});
  checker.add(Story().registers(kP, {1, 2}, 1, 10).operations());
  BOOST_TEST(checker.judge().wrong.empty());
  checker.add(Story().finds(kR, {3, 4}, kP, 1, 10).dies(kP, {5, 6}).operations());
  BOOST_TEST(checker.judge().wrong.empty());
  checker.add(Story().misses(kR, {7, 8}).operations());
  BOOST_TEST(checker.judge().wrong.empty());
  checker.add(Story().finds(kR, {9, 10}, kP, 1, 10).operations());
  const Judgement last = checker.judge();
  BOOST_REQUIRE(last.wrong.size() == 1U);
  BOOST_TEST(last.wrong.front().find("nothing explains") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(it_judges_as_if_it_had_tried_every_order) {
  Random random = dice("it_judges_as_if_it_had_tried_every_order");
  std::uint64_t right = 0;
  std::uint64_t wrong = 0;
  const std::uint64_t last = rounds(20'000);
  for (std::uint64_t i = 0; i < last; ++i) {
    std::vector<Operation> operations = Invention(random).story();
    const bool as_it_was = random.one_in(2);
    if (!as_it_was) alter(operations, random);
    Story story;
    for (const Operation& operation : operations) story.add(operation);
    for (Operation& operation : operations) {
      if (operation.ended == kNotEnded) operation.outcome = Outcome::cut_short;
    }
    Oracle oracle{operations};
    const bool expected = oracle.explains();
    const Judgement judgement = story.judged();
    std::string text;
    for (const Operation& operation : operations) text += "\n  " + to_string(operation);
    BOOST_REQUIRE_MESSAGE(!as_it_was || expected, "the oracle rejects what happened:" << text);
    BOOST_REQUIRE_MESSAGE(judgement.undecided == 0, "undecided:" << text);
    for (const std::string& explanation : judgement.wrong) text += "\n" + explanation;
    BOOST_REQUIRE_MESSAGE(judgement.wrong.empty() == expected,
                          (expected ? "rejected, though right:" : "accepted, though wrong:")
                              << text);
    (expected ? right : wrong) += 1;
  }
  say("history: of " + grouped(last) + " small random ones " + grouped(right) + " right and " +
      grouped(wrong) + " wrong, each judged as by trying every order");
  BOOST_TEST(right > last / 4);
  BOOST_TEST(wrong > last / 20);
}

BOOST_AUTO_TEST_CASE(many_at_once_are_decided) {
  // Twelve updates under way from the first beginning to the last end, found in turn.
  Story story;
  story.registers(kP, {1, 2}, 1, 10);
  for (std::uint32_t i = 0; i < 10; ++i) {
    story.updates(kP, {10 + i, 1000 + i}, 100 + i, 10);
    story.finds(kR, {100 + 2 * i, 101 + 2 * i}, kP, 100 + i, 10);
  }
  const Judgement judgement = story.judged();
  BOOST_TEST(judgement.wrong.empty());
  BOOST_TEST(judgement.undecided == 0U);
  // More than can be followed is never taken for right.
  Story too_much;
  too_much.registers(kP, {1, 2}, 1, 10);
  for (std::uint32_t i = 0; i < 30; ++i) too_much.updates(kP, {10 + i, 1000 + i}, 100 + i, 10);
  too_much.misses(kR, {500, 501});
  BOOST_TEST(too_much.judged().undecided == 1U);
}

BOOST_AUTO_TEST_CASE(a_log_outlives_its_writer) {
  const CommonGround<Log> log;
  const CommonGround<Counter> clock;
  log->begin(7);
  const Member writer = start([&] {
    Recorder recorder(*log, *clock);
    recorder.begin(Kind::registration, 3, number_of(7, 1));
    recorder.end(Outcome::done, number_of(7, 1), 11);
    recorder.begin(Kind::update, 3, number_of(7, 2), 11);
    for (;;) pass(std::chrono::seconds(1));
  });
  while (log->operations().size() < 2) {
  }
  BOOST_TEST(was_alive_when_killed(writer));
  const std::vector<Operation> operations = log->operations();
  BOOST_REQUIRE(operations.size() == 2U);
  BOOST_TEST(to_string(operations[0]) == "1-2 by 7: register done, number 7/1, id 11");
  BOOST_TEST(to_string(operations[1]) == "3-0 by 7: update cut short, number 7/2, id 11");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
