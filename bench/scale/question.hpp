// A question of scale: what it is called, who asks it, and what it answers with.
//
// Each is asked on a segment of its own that is gone afterwards, of processes that are really there
// (crew.hpp). It states figures and asserts none of them: a machine that others work on as well
// would fail it. A wrong answer of the registry is another matter: WrongAnswer ends the program.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string_view>

#include "figures.hpp"

namespace shmreg::scale {

struct Options {
  std::size_t services = 1'000'000;  // the others in the table
  double seconds = 0;                // of rounds, a question; 0: as many rounds as it has
};

struct Question {
  std::string_view name;
  void (*ask)(const Options& options, Report& report);
};
[[nodiscard]] std::span<const Question> questions() noexcept;

void import_beside_lookups(const Options& options, Report& report);
void cycles(const Options& options, Report& report);
void owner_ends(const Options& options, Report& report);
void unregister_own(const Options& options, Report& report);
void small_namespace(const Options& options, Report& report);
void waiters(const Options& options, Report& report);

class WrongAnswer : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
// What must hold of every answer, whatever it costs.
inline void require(bool holds, const char* what) {
  if (!holds) throw WrongAnswer(what);
}

// Rounds until there are enough of them, or the time is up; never fewer than `least`.
class Rounds {
 public:
  Rounds(const Options& options, unsigned most, unsigned least = 3)
      : seconds_(options.seconds), most_(most), least_(least) {}
  // Before each round.
  [[nodiscard]] bool more() {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - began_;
    if (done_ >= most_ || (seconds_ > 0 && done_ >= least_ && spent.count() >= seconds_))
      return false;
    ++done_;
    return true;
  }
  // Of the round under way; from 1.
  [[nodiscard]] unsigned round() const noexcept { return done_; }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  double seconds_;
  unsigned most_;
  unsigned least_;
  unsigned done_ = 0;
};

}  // namespace shmreg::scale
