// Whether a service works: a function of the caller's is run against it, in a thread of its own,
// for as long as the caller is ready to wait.
//
//   auto checked = registry.health_check("production/db", [](const shmreg::Service& db) {
//     return ping(db.endpoint());  // true: healthy; a string or Status says what is wrong
//   }, std::chrono::seconds(1));
//   if (!checked.healthy()) log(checked.message);
//
// A function that has not returned when the time is out goes on in its thread until it returns;
// what it returns then is nobody's. What it refers to must therefore outlive it: capture by value.
// At most kMostRunning of them run in a process at once; beyond, a check is `timed_out` at once.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "shmreg/api.h"
#include "shmreg/error.hpp"
#include "shmreg/service.hpp"

namespace shmreg {

// What a check function says.
class Verdict {
 public:
  Verdict(std::same_as<bool> auto healthy)  // NOLINT(google-explicit-constructor)
      : healthy_(healthy), value_(healthy ? "true" : "false") {}
  Verdict(const Status& status)  // NOLINT(google-explicit-constructor)
      : healthy_(status.ok()), value_(status.ok() ? "ok" : status.message()) {}
  Verdict(std::string what_is_wrong)  // NOLINT(google-explicit-constructor)
      : Verdict(false, std::move(what_is_wrong)) {}
  Verdict(const char* what_is_wrong)  // NOLINT(google-explicit-constructor)
      : Verdict(false, what_is_wrong) {}
  [[nodiscard]] static Verdict ok(std::string value = "ok") { return {true, std::move(value)}; }
  [[nodiscard]] static Verdict failed(std::string value) { return {false, std::move(value)}; }

  [[nodiscard]] bool healthy() const noexcept { return healthy_; }
  [[nodiscard]] const std::string& value() const noexcept { return value_; }

 private:
  Verdict(bool healthy, std::string value) : healthy_(healthy), value_(std::move(value)) {}
  bool healthy_;
  std::string value_;
};

using HealthCheckFunction = std::function<Verdict(const Service&)>;

enum class HealthCheckOutcome : std::uint8_t {
  healthy,       // the function said so; without one, the owner is alive
  not_found,     // nobody has the name, nor is known to have died with it
  process_dead,  // its owner has ended, before or while the function ran
  failed,        // the function said so: `value` is what it said
  threw,         // `value` is the exception's what()
  timed_out,     // it has not returned in time
  unreadable,    // the registry could not be asked: `message` says why
};
[[nodiscard]] SHMREG_API std::string_view to_string(HealthCheckOutcome outcome) noexcept;

struct HealthCheck {
  static constexpr std::size_t kMostRunning = 256;

  HealthCheckOutcome outcome = HealthCheckOutcome::not_found;
  std::string value;    // of healthy, failed and threw
  std::string message;  // one line, for people
  Service service;      // what was checked; empty where there was nothing to check
  std::chrono::nanoseconds duration{};

  [[nodiscard]] bool healthy() const noexcept { return outcome == HealthCheckOutcome::healthy; }
};

}  // namespace shmreg
