// The way through an operation, instruction by instruction, as one victim went it: how long it is,
// after which instructions something had changed that others can see, and how to lead later victims
// to any point of it.
//
// Leading a victim to its Nth instruction one by one costs N stops, and doing so for every N their
// square. So it runs at full speed to a breakpoint on the way, at an instruction that it comes to
// not too often before, and takes single steps only from there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "torture/stepped_victim.hpp"

namespace torture {

// What was seen of the shared memory after an instruction.
struct Seen {
  bool changed = false;    // since it was last looked at
  bool half_done = false;  // a change is under way: a partition is dirty
};

class Course {
 public:
  // Leads `victim`, which has begun, to its end, and looks after every instruction.
  Course(SteppedVictim& victim, const std::function<Seen()>& look);

  // In instructions. Points are counted from 0, before the first one, to length().
  [[nodiscard]] std::size_t length() const noexcept { return points_.size() - 1; }
  // Those after which the memory had changed, or a system call had been made.
  [[nodiscard]] const std::vector<std::size_t>& changes() const noexcept { return changes_; }
  // Those of them at which a death leaves a change half done.
  [[nodiscard]] const std::vector<std::size_t>& half_done() const noexcept { return half_done_; }
  [[nodiscard]] std::uintptr_t place(std::size_t point) const { return points_.at(point).place; }

  // False where the victim, which has begun, came to the end instead.
  [[nodiscard]] bool lead(SteppedVictim& victim, std::size_t point) const;

 private:
  struct Point {
    std::uintptr_t place = 0;
    std::uint64_t visit = 0;  // how often the victim had come there, with this time
    std::size_t from = 0;     // where single steps to here begin; 0: at the start
    std::uint64_t stops = 0;  // that it takes to get here
  };

  std::vector<Point> points_;
  std::vector<std::size_t> changes_;
  std::vector<std::size_t> half_done_;
};

}  // namespace torture
