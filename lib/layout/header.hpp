// The first page of a segment: what it is, how large everything in it is, and the few words that
// all partitions share.
//
//      0  magic                      8  "SHMREG\r\n"
//      8  layout_major, _minor     2+2  another major: refused; a higher minor: readable
//     12  byte_order                 4  0x01020304 as the creator writes it
//     16  sizes of shared structures     8 x 4, see below
//     48  hash_seed                  8  of XXH3 over "namespace/name"
//     56  bytes_limit                8  the file's size; nothing lies beyond
//     64  partitions, max_processes  4+4
//     72  created_at_ns              8  wall clock
//     80  first_id                   8  creation time in microseconds
//     88  initial_slots, reserve     4+4
//     96  offsets                7 x 8  of processes, owner lists, partitions, run map, heap,
//                                       wait words, change logs
//    152  reserve                   32  zero
//    184  checksum                   8  XXH3, seed 0, of bytes 0..183
//    --- what lies above never changes once the segment has a name ---
//    256  retired                    8  not 0: destroyed; a line of its own, every writer reads it
//    320  claimed_end                8  the heap below this offset is claimed
//    384  heap_top                   8  the next granule to hand out; a hint that anyone advances
//    448  next_id                    8  one fetch_add a registration
//    512  .. 4095                       zero
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "layout/units.hpp"

namespace shmreg::layout {

inline constexpr std::array<char, 8> kMagic{'S', 'H', 'M', 'R', 'E', 'G', '\r', '\n'};
inline constexpr std::uint16_t kLayoutMajor = 1;
inline constexpr std::uint16_t kLayoutMinor = 0;
inline constexpr std::uint32_t kByteOrder = 0x01020304;
inline constexpr std::size_t kHeaderBytes = 4096;
inline constexpr std::size_t kChecksummedBytes = 184;

// What never changes. A plain copy of it is taken at attach; the shared one is not read again.
struct Identity {
  std::array<char, 8> magic;
  std::uint16_t layout_major;
  std::uint16_t layout_minor;
  std::uint32_t byte_order;
  std::uint32_t header_bytes;
  std::uint32_t process_entry_bytes;
  std::uint32_t owner_list_bytes;
  std::uint32_t partition_bytes;
  std::uint32_t record_header_bytes;
  std::uint32_t health_cell_bytes;
  std::uint32_t granule_bytes;
  std::uint32_t change_bytes;
  std::uint64_t hash_seed;
  std::uint64_t bytes_limit;
  std::uint32_t partitions;
  std::uint32_t max_processes;
  std::int64_t created_at_ns;
  std::uint64_t first_id;
  std::uint32_t initial_slots;
  std::uint32_t reserve32;
  std::uint64_t processes_offset;
  std::uint64_t owner_lists_offset;
  std::uint64_t partitions_offset;
  std::uint64_t run_map_offset;
  std::uint64_t heap_offset;
  std::uint64_t wait_words_offset;
  std::uint64_t change_logs_offset;
  std::array<std::uint64_t, 4> reserve;
  std::uint64_t checksum;
};
static_assert(std::is_trivially_copyable_v<Identity> && sizeof(Identity) == 192);
static_assert(offsetof(Identity, hash_seed) == 48 && offsetof(Identity, created_at_ns) == 72);
static_assert(offsetof(Identity, processes_offset) == 96 && offsetof(Identity, reserve) == 152);
static_assert(offsetof(Identity, checksum) == kChecksummedBytes);

struct Header {
  Identity identity;
  std::array<unsigned char, 64> pad0;
  // Written once, by whoever destroys the segment. A stale 0 costs one more write into a segment
  // that nobody will find again.
  alignas(kCacheLine) Word64 retired;
  // Advanced by CAS, after the bytes were claimed. A stale value costs a claim that is repeated.
  alignas(kCacheLine) Word64 claimed_end;
  // A hint: the run map says what is taken. A stale value is caught by the CAS on the run map.
  alignas(kCacheLine) Word64 heap_top;
  alignas(kCacheLine) Word64 next_id;
  alignas(kCacheLine) std::array<unsigned char, kHeaderBytes - 512> pad1;
};
static_assert(sizeof(Header) == kHeaderBytes);
static_assert(offsetof(Header, retired) == 256 && offsetof(Header, claimed_end) == 320);
static_assert(offsetof(Header, heap_top) == 384 && offsetof(Header, next_id) == 448);

}  // namespace shmreg::layout
