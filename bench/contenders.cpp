#include <malloc.h>

#include <array>

#include "contender.hpp"

namespace shmreg::bench {

std::unique_ptr<Contender> make_flat();
std::unique_ptr<Contender> make_shmreg();
std::unique_ptr<Contender> make_flat_string_rwlock();
std::unique_ptr<Contender> make_boost_managed();
std::unique_ptr<Contender> make_boost_tuned();
std::unique_ptr<Contender> make_lmdb();

std::span<const ContenderEntry> contenders() noexcept {
  static constexpr std::array<ContenderEntry, 6> kContenders{{
      {"flat", make_flat, ""},
      {"shmreg", make_shmreg, ""},
      {"flat_string_rwlock", make_flat_string_rwlock, ""},
      {"boost_managed", make_boost_managed, ""},
      {"boost_tuned", make_boost_tuned, ""},
      {"lmdb", make_lmdb, "liblmdb was not installed when this was built"},
  }};
  return kContenders;
}

std::uint64_t heap_bytes() noexcept {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

}  // namespace shmreg::bench
