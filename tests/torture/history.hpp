// What a crowd of processes did to names and was answered, and whether the answers can be right.
//
// Recorder: each process writes down every operation in a log of its own, in shared memory, so that
// its last words outlive it: when it began, before the call; what came of it and when it ended,
// after. Time is one shared counter, advanced at each beginning and end: of two operations, one of
// which ended before the other began, the first has the smaller ticks, and what it did is visible
// to the second. What kill -9 cut short has a beginning and no end.
//
// Checker: a name is an object of its own, absent or held by (process, number, id). Its history is
// right if there is one order of its operations, each at an instant between its beginning and its
// end, in which every answer is the one that the name gives at that instant. What was cut short
// may have happened, up to the death's end, or not. A death is an operation too, from before the
// kill until the process is reaped, and makes the name absent where that process held it. Names are
// judged one by one: linearizability is local (Herlihy and Wing, 1990), so all of them are right
// together if each is. (That one death takes all of a process's names at the same instant is more
// than that, and is not judged.) Besides, ids ascend in the order of every name's registrations,
// and over all names wherever one registration ended before another began.
#pragma once

#include <array>
#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "torture/common_ground.hpp"

namespace torture {

enum class Kind : std::uint8_t {
  registration,    // of a free name, a dead owner's, or over one's own
  seizure,         // also over another's (`replace`)
  update,          // of one's registration `id`
  unregistration,  // of one's registration `id`
  lookup,          // or one name of a list
  death,           // of the process; of every name
};

enum class Outcome : std::uint8_t {
  cut_short,  // no answer: may have been done, or not
  done,       // lookup: found
  refused,    // registration: another holds it, who is alive
  lost,       // update, unregistration: it is no longer registered under that id
  absent,     // lookup: not found
  failed,     // otherwise; right only of a process that is dying meanwhile
};

inline constexpr std::uint64_t kNotEnded = 0;

struct Operation {
  std::uint64_t began = 0;
  std::uint64_t ended = kNotEnded;
  Kind kind = Kind::lookup;
  Outcome outcome = Outcome::cut_short;
  std::uint32_t name = 0;     // its place among the names
  std::uint32_t process = 0;  // whose operation it is: 1, 2, ... in order of birth
  std::uint64_t number = 0;   // of the record that it writes, or found
  std::uint64_t id = 0;       // given, asked for, found, or of the registration in the way
  std::uint32_t pid = 0;      // lookup: of the owner; refused: of who was named; 0: nobody
};
[[nodiscard]] std::string to_string(const Operation& operation);

// Every record's number is unique and says who wrote it.
[[nodiscard]] constexpr std::uint64_t number_of(std::uint32_t process, std::uint32_t count) {
  return std::uint64_t{process} << 32 | count;
}
[[nodiscard]] constexpr std::uint32_t writer_of(std::uint64_t number) {
  return static_cast<std::uint32_t>(number >> 32);
}

// The operations of one process, one after the other.
class Log {
 public:
  // By whoever starts the process, while nobody writes here; or to go on with an empty log.
  void begin(std::uint32_t process) noexcept;
  // Of a process that stands still, or is no more.
  [[nodiscard]] std::vector<Operation> operations() const;
  [[nodiscard]] std::uint32_t process() const noexcept { return process_.load(); }

 private:
  friend class Recorder;
  static constexpr std::size_t kEntries = 1 << 14;
  struct Entry {
    Counter began{0};
    Counter ended{0};
    Counter what{0};  // kind, outcome, name and pid
    Counter number{0};
    Counter id{0};
  };
  std::atomic<std::uint32_t> process_{0};
  std::atomic<std::uint32_t> count_{0};
  std::array<Entry, kEntries> entries_{};
};

class Recorder {
 public:
  Recorder(Log& log, Counter& clock) : log_(log), clock_(clock) {}

  // Killed from here on, it may have happened.
  void begin(Kind kind, std::uint32_t name, std::uint64_t number = 0,
             std::uint64_t id = 0) noexcept;
  void end(Outcome outcome, std::uint64_t number, std::uint64_t id,
           std::uint32_t pid = 0) noexcept {
    end_at(tick(), outcome, number, id, pid);
  }
  // Where it takes time to see what the answer was.
  void end_at(std::uint64_t tick, Outcome outcome, std::uint64_t number, std::uint64_t id,
              std::uint32_t pid = 0) noexcept;
  // A whole operation, after it has ended.
  void note(const Operation& operation) noexcept;
  [[nodiscard]] std::uint64_t tick() noexcept { return clock_.fetch_add(1) + 1; }
  [[nodiscard]] bool has_room_for(std::size_t operations) const noexcept {
    return log_.count_.load(std::memory_order_relaxed) + operations <= Log::kEntries;
  }

 private:
  void write(std::uint32_t place, const Operation& operation) noexcept;

  Log& log_;
  Counter& clock_;
  Operation now_;  // under way
};

struct Judgement {
  std::vector<std::string> wrong;  // for each name that is, what cannot be explained, and why
  std::uint64_t operations = 0;    // judged, of which:
  std::uint64_t cut_short = 0;     //   by a death
  std::uint64_t overlapping = 0;   //   not alone at their name
  std::uint64_t undecided = 0;     // names with too many ways it may have gone: never judged right
  std::uint64_t most_ways = 0;     // at once, of any name
};

// What a name is at an instant.
struct NameState {
  std::uint32_t holder = 0;  // a live process; 0: absent
  std::uint64_t number = 0;
  std::uint64_t id = 0;       // 0: its registration was cut short, and nobody was told its id
  std::uint64_t last_id = 0;  // the largest given so far
  friend auto operator<=>(const NameState&, const NameState&) = default;
};

class Checker {
 public:
  explicit Checker(std::vector<std::string> names);

  void introduce(std::uint32_t process, std::uint32_t pid) { pids_[process] = pid; }
  // In any order.
  void add(const Operation& operation) { added_.push_back(operation); }
  void add(const std::vector<Operation>& operations) {
    added_.insert(added_.end(), operations.begin(), operations.end());
  }
  void add_death(std::uint32_t process, std::uint64_t began, std::uint64_t ended);

  // Judges what was added since the last time. Nothing may be under way: what has not ended must be
  // of a process that has died. What the names may be now is where the next judgement begins.
  [[nodiscard]] Judgement judge();

 private:
  void add_deaths_that_matter(const std::vector<NameState>& may_be,
                              std::vector<Operation>& operations) const;
  void close_what_was_cut_short(Judgement& judgement);
  void learn_ids();
  void judge_ids(Judgement& judgement);

  struct Name {
    std::string text;
    std::vector<NameState> may_be{NameState{}};
    bool given_up = false;  // was wrong, or undecided: nothing more can be said of it
  };
  std::vector<Name> names_;
  std::map<std::uint32_t, std::uint32_t> pids_;
  std::vector<Operation> added_;
  std::uint64_t largest_id_ = 0;
};

}  // namespace torture
