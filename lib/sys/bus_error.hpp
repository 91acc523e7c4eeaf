// SIGBUS out of a segment: what the kernel raises when somebody truncates a file and somebody else
// touches what was mapped of it. A program that links a library for looking up names must not die
// of that. So one handler a process acts for faults within watched ranges, and for no other: it
// puts zero pages where the memory was, says of the range that it is broken, and returns; the load
// or store is made again and finds zeros. Whoever reads them asks the range before concluding
// anything.
//
// Always holds:
// - a range is said to be broken before a zero of the handler's can be read in it;
// - what the handler reads is found without locks, is never freed, and is there in a forked child;
// - a fault that is not ours goes to whoever was there before, as if we were not.
//
// Used by Mapping, and through the public face by hosts that have a handler of their own.
#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>

namespace shmreg::sys {

// A range of addresses that the handler acts for, as long as this lives. It must end before the
// range is unmapped.
class WatchedRange {
 public:
  WatchedRange() noexcept = default;
  // Page-aligned. Zero pages are writable where the range is.
  WatchedRange(const void* begin, std::uint64_t bytes, bool writable);
  WatchedRange(WatchedRange&& other) noexcept;
  WatchedRange& operator=(WatchedRange&& other) noexcept;
  WatchedRange(const WatchedRange&) = delete;
  WatchedRange& operator=(const WatchedRange&) = delete;
  ~WatchedRange();

  // Whether memory of it is known to be gone. Ask after reading: a load that found a zero page's
  // zero is followed by true here, in whichever thread the fault was.
  [[nodiscard]] bool broken() const noexcept;
  // For who has learnt it otherwise (the file's length). Stays.
  void set_broken() const noexcept;

  struct Place;  // of the handler's list

 private:
  Place* place_ = nullptr;
};

// Makes it this process's SIGBUS handler, in front of the one that is there. Once: a handler that
// the program installs later stays, and may lead here itself. But where SIGBUS has been given back
// to the kernel since (SIG_DFL or SIG_IGN), it is installed anew.
void install_bus_error_handler() noexcept;

// What the handler does for a fault of ours; false, and nothing done, where it is none.
// Async-signal-safe.
[[nodiscard]] bool handle_bus_error(const siginfo_t* info) noexcept;

}  // namespace shmreg::sys
