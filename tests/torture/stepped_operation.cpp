#include "torture/stepped_operation.hpp"

#include <dlfcn.h>
#include <sys/ptrace.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/skipped.hpp"
#include "sys/kernel_mark.hpp"

namespace torture {
namespace {

using Points = std::vector<std::size_t>;

constexpr std::uint64_t kShort = 10;  // points of either kind in the short form
constexpr std::size_t kSettling = 4;  // victims after which nothing may grow

// Not a divisor of the length of any loop.
std::size_t prime_from(std::size_t number) {
  const auto is_prime = [](std::size_t n) {
    for (std::size_t d = 2; d * d <= n; ++d) {
      if (n % d == 0) return false;
    }
    return n > 1;
  };
  while (!is_prime(number)) ++number;
  return number;
}

// About `wanted` of them, evenly, from a random start.
Points sample(const Points& from, std::size_t wanted, Random& random) {
  if (from.size() <= wanted) return from;
  const std::size_t stride = prime_from(from.size() / wanted);
  Points some;
  for (std::size_t i = random.below(stride); i < from.size(); i += stride) {
    some.push_back(from.at(i));
  }
  return some;
}

struct Choice {
  Points points;
  bool both = true;         // killed and held at each, else by turns
  std::size_t changes = 0;  // of these, so many are after a change
};

Choice choose(const Course& course, Random& random) {
  Points others;
  for (std::size_t point = 0; point <= course.length(); ++point) {
    const auto& changes = course.changes();
    if (!std::binary_search(changes.begin(), changes.end(), point)) others.push_back(point);
  }
  const char* every = std::getenv("SHMREG_TORTURE_EVERY");
  const std::uint64_t distance = every != nullptr ? std::strtoull(every, nullptr, 10) : 0;
  Choice choice;
  if (distance != 0) {
    choice.points = course.changes();
    for (std::size_t i = distance == 1 ? 0 : random.below(distance); i < others.size();
         i += distance) {
      choice.points.push_back(others.at(i));
    }
    choice.changes = course.changes().size();
  } else {
    choice.both = false;
    choice.points = sample(course.changes(), rounds(kShort), random);
    choice.changes = choice.points.size();
    const Points some = sample(others, rounds(kShort), random);
    choice.points.insert(choice.points.end(), some.begin(), some.end());
  }
  std::sort(choice.points.begin(), choice.points.end());
  return choice;
}

// For addr2line: "test_torture+0x1a2b3c".
std::string place_name(std::uintptr_t place) {
  Dl_info info{};
  if (place == 0) return "the end";
  if (::dladdr(reinterpret_cast<void*>(place), &info) == 0) return "an unknown place";
  char offset[32];
  std::snprintf(offset, sizeof offset, "+0x%zx",
                place - reinterpret_cast<std::uintptr_t>(info.dli_fbase));
  return std::string(info.dli_fname) + offset;
}

enum class Fate : bool { killed, held };

class Torment {
 public:
  Torment(const SteppedOperation& operation, Random& random)
      : operation_(operation), random_(random) {}

  void run() {
    scene_ = operation_.scene();
    auto counting = scene_->victim();
    const Course course(*counting, [&] { return scene_->look(); });
    require(operation_.what + ", led to its end: ", scene_->while_it_stands(true));
    finish(operation_.what + ", killed at its end: ", *counting);
    const Choice choice = choose(course, random_);
    for (std::size_t i = 0; i < choice.points.size(); ++i) {
      if (choice.both || i % 2 == 0) torment(course, choice.points.at(i), Fate::killed);
      if (choice.both || i % 2 != 0) torment(course, choice.points.at(i), Fate::held);
    }
    say("every instruction: " + operation_.what + ": " + grouped(course.length()) +
        " instructions, " + grouped(course.changes().size()) +
        " after which something had changed; victims at " + grouped(choice.points.size()) + ", " +
        grouped(choice.changes) + " of them after a change: " + grouped(killed_) + " killed, " +
        grouped(held_) + " held and let go on");
    // Else they were led elsewhere than they were meant to.
    BOOST_TEST(exact_ * 2 >= killed_ + held_,
               exact_ << " of " << killed_ + held_ << " victims stood where the first one had");
  }

 private:
  void require(const std::string& where, const std::string& complaint) {
    BOOST_REQUIRE_MESSAGE(complaint.empty(), where << complaint);
  }

  void torment(const Course& course, std::size_t point, Fate fate) {
    if (operation_.anew) scene_ = operation_.scene();
    const auto victim = scene_->victim();
    const bool led = course.lead(*victim, point);
    const std::uintptr_t place = victim->place();
    exact_ += place == course.place(point) || (!led && point == course.length()) ? 1 : 0;
    const std::string where = operation_.what + (fate == Fate::killed ? ", killed" : ", held") +
                              " after " + grouped(point) + " of " + grouped(course.length()) +
                              " instructions, at " + place_name(led ? place : 0) + ": ";
    require(where + "while it stands there:", scene_->while_it_stands(!led));
    if (fate == Fate::held) {
      victim->finish();
      require(where + "when it had gone on to its end:", scene_->while_it_stands(true));
    }
    finish(where, *victim);
    ++(fate == Fate::held ? held_ : killed_);
  }

  void finish(const std::string& where, SteppedVictim& victim) {
    victim.kill();
    require(where + "after its death:", scene_->after_its_death());
    require(where + "after the next writer:", scene_->after_the_next_writer());
    const Scene::Room room = scene_->room();
    const bool settling = victims_++ < kSettling;
    for (std::size_t i = 0; i < room.size(); ++i) {
      if (settling) most_.at(i) = std::max(most_.at(i), room.at(i));
      BOOST_REQUIRE_MESSAGE(room.at(i) <= most_.at(i),
                            where << "more is taken up than after the first victims: " << room.at(i)
                                  << " instead of " << most_.at(i));
    }
  }

  const SteppedOperation& operation_;
  Random& random_;
  std::unique_ptr<Scene> scene_;
  Scene::Room most_{};
  std::size_t victims_ = 0;
  std::size_t killed_ = 0;
  std::size_t held_ = 0;
  std::size_t exact_ = 0;
};

}  // namespace

bool can_trace() {
  const bool may =
      shmreg::test::a_child_may([] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0; });
  if (!may) shmreg::test::skipped("no ptrace here");
  return may;
}

bool can_step() {
  if (shmreg::test::kSanitized) {
    shmreg::test::skipped("instrumented code is many times as many instructions, few of them ours");
    return false;
  }
  if (!can_trace()) return false;
  // Found out once a process, in a thread of its own: not by every victim anew.
  (void)shmreg::sys::kernel_marks_ends();
  return true;
}

void torment(const SteppedOperation& operation, Random& random) {
  Torment(operation, random).run();
}

}  // namespace torture
