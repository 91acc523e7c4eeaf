// What a program tells the shell that started it.
//
// Scripts branch on these numbers, so they are fixed (regctl(1), EXIT STATUS). The one place where
// the library's errors become exit codes, and the exception that carries one to main().
#pragma once

#include <stdexcept>
#include <string>

#include "shmreg/error.hpp"

namespace shmreg::output {

enum ExitCode : int {
  kDone = 0,       // done; the answer is yes; a plain list, even an empty one
  kNo = 1,         // the answer is no
  kUsage = 2,      // unknown option or command, malformed name, duration or size
  kNoSegment = 3,  // no such segment, or one that cannot be read
  kNotPermitted = 4,
  kConflict = 5,      // somebody or something that lives is in the way
  kNoRoom = 6,        // the segment, the process table, the file system
  kOwnFault = 70,     // a bug of the program (EX_SOFTWARE)
  kSystemError = 71,  // the operating system refused something unforeseen (EX_OSERR)
  kTimedOut = 124,
};

[[nodiscard]] ExitCode exit_code(Errc code) noexcept;

// Ends the program: main() prints the message, one line, and returns the code. An empty message
// ends it silently.
class Failure : public std::runtime_error {
 public:
  Failure(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  explicit Failure(const Status& status) : Failure(exit_code(status.code()), status.message()) {}
  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  int code_;
};

// The value, or the Failure that its Status asks for.
template <class T>
[[nodiscard]] T require(Result<T> result) {
  if (!result) throw Failure(result.status());
  return std::move(result).value();
}

}  // namespace shmreg::output
