// What can go wrong, and how it is told.
//
// One enumeration for the whole library. Attach and set-up throw `Error`; every other operation
// returns a `Status` or a `Result` and does not throw for anything that another process, the file
// system or the caller's data may cause (running out of this process's own heap still throws
// std::bad_alloc). A message is one line: what failed, who is in the way, what to do next. Text in
// it that came from the segment has its control characters escaped.
#pragma once

#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "shmreg/api.h"

namespace shmreg {

enum class Errc {
  ok = 0,
  not_found,           // no such service, or its owner is dead
  already_registered,  // a live owner has the name; the message names it
  not_owner,           // the service belongs to another process
  invalid_name,        // namespace, service, segment or attribute name breaks a rule
  invalid_argument,    // a value out of range, too long, or not UTF-8
  owner_not_alive,     // the process that is to own the service does not exist
  registration_lost,   // this process had been marked dead, or the handle has lost its name
  no_such_segment,     // nothing of that name in /dev/shm
  segment_exists,      // create: the name is taken
  segment_in_use,      // destroy: services with a live owner are registered
  segment_retired,     // the segment was destroyed, or lost its name, while attached
  incompatible,        // not a segment, of another layout version, or another kernel's ABI
  corrupt,             // bytes in the segment contradict each other, or its file was truncated
  permission_denied,   // file mode, or a client without write permission asked to write
  untrusted_owner,     // the file belongs to a user that was not trusted
  segment_full,        // the segment's own limit
  process_table_full,  // every entry of the process table is taken
  no_space,            // the file system, or a resource limit of this process
  timed_out,           // what was waited for did not come in time; of a lock, names its holder
  cancelled,           // a wait was given up, as its caller asked
  interrupted,         // a wait was ended by a signal handler, as its caller wanted
  busy,                // the record kept changing while it was read; try again
  nested_call,         // a writing call from a signal handler that interrupted another one
  unsupported,         // this kernel or sandbox lacks something required
  system_error,        // an errno without a meaning of its own; the message has it
};

[[nodiscard]] SHMREG_API const std::error_category& error_category() noexcept;
[[nodiscard]] SHMREG_API std::error_code make_error_code(Errc code) noexcept;

// The fixed sentence for a code, for when nothing more is known. Static storage.
[[nodiscard]] SHMREG_API const char* describe(Errc code) noexcept;

// Thrown by attach, create_segment, destroy_segment and doctor, and by Result::value() where there
// is none. what() is the one-line message.
class SHMREG_API Error : public std::system_error {
 public:
  Error(Errc code, const std::string& message)
      : std::system_error(make_error_code(code)), code_(code), message_(message) {}
  [[nodiscard]] Errc errc() const noexcept { return code_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  Errc code_;
  std::string message_;
};

// The outcome of an operation that has no value. A message is present whenever !ok().
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  Status(Errc code, std::string message) : code_(code), message_(std::move(message)) {}
  explicit Status(Errc code) : Status(code, code == Errc::ok ? std::string() : describe(code)) {}

  [[nodiscard]] bool ok() const noexcept { return code_ == Errc::ok; }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

 private:
  Errc code_ = Errc::ok;
  std::string message_;
};

// A value, or the Status that says why there is none. value() on a failure throws Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Status status)                          // NOLINT(google-explicit-constructor)
      : status_(status.ok() ? Status(Errc::system_error) : std::move(status)) {}
  Result(Errc code, std::string message) : status_(code, std::move(message)) {}

  [[nodiscard]] bool ok() const noexcept { return status_.ok(); }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] Errc code() const noexcept { return status_.code(); }
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  [[nodiscard]] const std::string& message() const noexcept { return status_.message(); }

  [[nodiscard]] T& value() & {
    require();
    return value_;
  }
  [[nodiscard]] const T& value() const& {
    require();
    return value_;
  }
  // By value: `for (auto& each : registry.list().value())` goes over what lives as long as the
  // loop.
  [[nodiscard]] T value() && {
    require();
    return std::move(value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  void require() const {
    if (!status_.ok()) throw Error(status_.code(), status_.message());
  }

  T value_{};
  Status status_;
};

}  // namespace shmreg

template <>
struct std::is_error_code_enum<shmreg::Errc> : std::true_type {};
