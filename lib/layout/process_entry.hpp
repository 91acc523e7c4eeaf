// One attached process. An entry is claimed, lives, is marked, and is claimed again under the next
// generation; "entry and generation" names one life of it.
//
//      0  mark         4  the futex word: keeper's thread id, or FUTEX_OWNER_DIED once it has ended
//      4  generation   4  of the life that `mark` speaks of; the two are read and claimed as one
//      8  pid          4  as the process's own PID namespace numbers it
//     12  liveness     4  1 kernel mark, 2 byte lock: by what this life is known to go on
//     16  start_ticks  8  /proc/PID/stat field 22; 0 unknown
//     24  pid_namespace 8  inode number; 0 unknown
//     32  attached_at_ns 8  wall clock
//     40  waiting_for  4  partition + 1 whose lock a thread of it waits for, 0 none (for people)
//     44  attention    4  futex word: advanced by whoever attaches beside it, for its keeper
//     48  reclaimed    4  the last generation whose services have all been taken away
//     52  reserve     12  zero
//     64  program     32  comm, zero-padded
//     96  reserve     32  zero
//
// (tests/model/entry.pml)
//
// Written by: `mark` and `generation` by the claimer's CAS, then by the kernel; the rest by the
// claimer after its CAS and before its first registration. A record is published after that, so
// whoever reads (pid ...) before (mark, generation) and finds the record's generation alive has
// read what belongs to it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "layout/units.hpp"

namespace shmreg::layout {

struct alignas(kCacheLine) ProcessEntry {
  // Low half: the futex word (both architectures are little-endian; byte_order in the header
  // refuses others). High half: the generation.
  Word64 mark_and_generation;
  Word32 pid;
  Word32 liveness;
  Word64 start_ticks;
  Word64 pid_namespace;
  Word64 attached_at_ns;
  Word32 waiting_for;
  Word32 attention;
  Word32 reclaimed;
  std::array<std::uint32_t, 3> reserve0;
  std::array<Word64, 4> program;
  std::array<std::uint64_t, 4> reserve1;
};
static_assert(sizeof(ProcessEntry) == 128 && offsetof(ProcessEntry, pid) == 8);
static_assert(offsetof(ProcessEntry, start_ticks) == 16);
static_assert(offsetof(ProcessEntry, waiting_for) == 40 && offsetof(ProcessEntry, program) == 64);
static_assert(offsetof(ProcessEntry, attention) == 44 && offsetof(ProcessEntry, reclaimed) == 48);

// One life of an entry, as records and lock words name it.
struct EntryLife {
  std::uint32_t entry = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const EntryLife&, const EntryLife&) = default;
};

// What one load of mark_and_generation says.
struct MarkState {
  std::uint32_t mark = 0;
  std::uint32_t generation = 0;

  static MarkState of(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
  }
  [[nodiscard]] std::uint64_t word() const noexcept {
    return std::uint64_t{generation} << 32 | mark;
  }
};

// What one process has registered in one partition: the head of a list of health cells. Under the
// partition's lock; rebuilt by repair. The generation says whose list it is: a list of an earlier
// life is reclaimed by whoever wants to use it.
struct OwnerList {
  Word32 head;  // a health cell's offset / 32; 0: empty
  Word32 count;
  Word32 generation;
  Word32 reserve;
};
static_assert(sizeof(OwnerList) == 16);

}  // namespace shmreg::layout
