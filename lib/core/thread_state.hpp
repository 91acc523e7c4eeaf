// What the library knows of the calling thread: its ordinal within the process, which lock words
// carry beside the entry, and the partition lock it holds.
//
// A thread holds at most one lock, for the length of one operation. Finding one held at the start
// of another operation means one of two things: a signal handler interrupted the operation (an
// error: nested_call), or the operation was left by longjmp and its frame is gone: the lock is
// released, its `dirty` word still set, so that whoever takes it next repairs. They are told apart
// by the stack, which grows downwards: from a handler the held operation's frame lies further up.
// A frame that lies below the caller's has been left. (A call from deeper down after a longjmp
// looks like a handler's: it gets the error, and the next one from further up mends it.) At a
// thread's end whatever it still holds is released before its ordinal is used again.
#pragma once

#include <cstdint>
#include <memory>

#include "core/segment.hpp"

namespace shmreg::core {

class ThreadState {
 public:
  // The calling thread's; a forked child's thread begins anew. Given up at the thread's end, after
  // its thread_local objects; a destructor that runs later still, and uses the registry, gets
  // another one for the rest of its life.
  [[nodiscard]] static ThreadState& current();

  ThreadState();
  ThreadState(const ThreadState&) = delete;
  ThreadState& operator=(const ThreadState&) = delete;
  ~ThreadState();

  // Below 65536, from 1; unique among the living threads of the process. 0: there are no more.
  [[nodiscard]] std::uint32_t ordinal() const noexcept { return ordinal_; }

  // Whether an operation may begin in `frame`; false where one is under way beneath it. Releases
  // what an abandoned one left.
  [[nodiscard]] bool enter(const std::shared_ptr<Segment>& segment, const void* frame) noexcept;
  void leave() noexcept {
    frame_ = nullptr;
    segment_.reset();
  }

  // Noted before the lock is tried for, and until after it was released: what is given back later
  // is only what the lock word then says is this thread's.
  void hold(layout::Partition* partition, std::uint64_t word) noexcept {
    word_ = word;
    held_ = partition;
  }
  void forget() noexcept { held_ = nullptr; }

 private:
  void begin_anew();
  void release_held() noexcept;

  std::uint32_t epoch_ = 0;
  std::uint32_t ordinal_ = 0;
  const void* frame_ = nullptr;
  layout::Partition* held_ = nullptr;
  std::uint64_t word_ = 0;            // by which held_'s lock names this thread
  std::shared_ptr<Segment> segment_;  // while an operation is under way: keeps held_ mapped
};

}  // namespace shmreg::core
