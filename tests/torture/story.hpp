// One name's history, written down as it reads: of two writers and a reader.
#pragma once

#include <cstdint>
#include <vector>

#include "torture/history.hpp"

namespace torture {

inline constexpr std::uint32_t kP = 1;  // writers
inline constexpr std::uint32_t kQ = 2;
inline constexpr std::uint32_t kR = 3;  // a reader
inline constexpr std::uint32_t pid_of(std::uint32_t process) { return 1000 + process; }

struct When {
  std::uint64_t began;
  std::uint64_t ended;
};

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

}  // namespace torture
