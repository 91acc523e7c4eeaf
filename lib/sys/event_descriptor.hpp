// A descriptor that poll(2) sees as readable once it has been raised: eventfd(2).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "shmreg/error.hpp"

namespace shmreg::sys {

class EventDescriptor {
 public:
  EventDescriptor() noexcept = default;
  EventDescriptor(const EventDescriptor&) = delete;
  EventDescriptor& operator=(const EventDescriptor&) = delete;
  ~EventDescriptor();

  // no_space where this process, or the system, may open no more.
  [[nodiscard]] Status open();
  [[nodiscard]] int number() const noexcept { return descriptor_; }

  void raise() const noexcept;  // async-signal-safe
  void clear() const noexcept;

  enum class Wait : std::uint8_t { raised, timed_out, interrupted };
  // interrupted: by a signal handler.
  [[nodiscard]] Wait wait(std::optional<std::chrono::nanoseconds> timeout) const noexcept;

 private:
  int descriptor_ = -1;
};

}  // namespace shmreg::sys
