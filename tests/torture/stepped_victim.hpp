// A process that is led through something one instruction at a time, and then killed where it
// stands, or let go.
//
// It prepares itself and stops; from there on it goes where its tracer (ptrace) leads it, to the
// end of its act, where it stops again. The instructions that count are those of one of its two
// threads: of the one that calls the library, or of the library's keeper (core/keeper.hpp), which
// the other one may start or end meanwhile. The one that does not count runs as it likes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "torture/crew.hpp"

namespace torture {

enum class Whose : std::uint8_t { callers, keepers };

class SteppedVictim {
 public:
  // Returns when it has prepared itself and stopped. Throws where it could not.
  SteppedVictim(const std::function<void()>& prepare, const std::function<void()>& act,
                Whose whose);
  SteppedVictim(const SteppedVictim&) = delete;
  SteppedVictim& operator=(const SteppedVictim&) = delete;
  ~SteppedVictim();

  // To the first instruction of its act that counts.
  void begin();
  // One instruction further; false where the act has ended.
  [[nodiscard]] bool step();
  // At full speed to the `visit`th time that it comes to `place`; false where the act has ended, or
  // no breakpoint can be set there (then it has not moved).
  [[nodiscard]] bool run_to(std::uintptr_t place, std::uint64_t visit);
  // Whether run_to() is of any use on this machine.
  [[nodiscard]] static bool can_run_to() noexcept;
  // To the end of its act.
  void finish();
  [[nodiscard]] bool has_ended() const noexcept { return ended_; }

  // The address of the instruction that is next; 0 where that thread does not stand still.
  [[nodiscard]] std::uintptr_t place() const;
  // Whether that one is a system call.
  [[nodiscard]] bool is_before_system_call() const;

  // With -9, and until nothing of it is left.
  void kill();

 private:
  struct Breakpoint {
    std::uintptr_t place = 0;  // 0: none was ever set
    long original = 0;
    long trap = 0;
    bool is_set = false;
  };

  // Until the thread that counts has stopped after `request`; false where the act ended instead.
  [[nodiscard]] bool go(int request);
  void meet_keeper();
  void other_stopped(int status);
  void bury_keeper();

  Member process_;
  Whose whose_;
  pid_t caller_;
  pid_t keeper_ = 0;  // 0: there is none yet, or none any more
  pid_t counted_ = 0;
  bool counted_runs_ = false;  // with a request of ours not yet answered
  bool ended_ = false;
  Breakpoint breakpoint_;
};

}  // namespace torture
