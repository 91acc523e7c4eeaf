// A contender: something that can hold services under names, and the loops that are timed.
//
// The harness calls a contender once a batch through `Contender`; the loop over the batch is in
// `Batched`, compiled anew for each contender with its `find` and `visit` inlined, so that no
// indirect call lies between one operation and the next, and the loop is the same for all.
// Every answer is used: it is kept in memory as a whole, and its digest is added up and compared
// with what the workload says it must be. Whether all of it is right is asked once, after filling.
//
// To add one: derive from Batched in a file contender_NAME.cpp, with
//   using Found             what a lookup copies its answer into; reused from lookup to lookup
//   fill(workload)          registers all that are present; throws where it cannot
//   find(key, found)        copies the value out; false where there is none
//   endpoint(found)         the endpoint within that copy
//   visit(key, value)       registers a name that is not there, then unregisters it
//   bytes()                 memory that the services take after fill
// then name it in contenders.cpp and in the menu at the head of main.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "workload.hpp"

namespace shmreg::bench {

class Contender {
 public:
  Contender() = default;
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;
  virtual ~Contender() = default;

  // Registers all that are present, once. Throws std::exception where that is not possible.
  virtual void fill(const Workload& workload) = 0;
  // Whether each is found with the endpoint that belongs to it. Not timed.
  [[nodiscard]] virtual bool has_all(std::span<const Key> keys) = 0;
  // Looks up each; the sum of the digests of what was found.
  virtual std::uint64_t look_up(std::span<const Key> keys) = 0;
  // Looks up keys.size() times, where the name to ask for next depends on the answer. The number of
  // keys is a power of two. Stops at a miss, with a wrong sum.
  virtual std::uint64_t look_up_dependent(std::span<const Key> keys) = 0;
  // Registers and unregisters each in turn; how many of them worked.
  virtual std::uint64_t register_unregister(std::span<const Key> keys) = 0;
  // Memory that the services take: what was asked of the heap, or claimed in the shared file.
  [[nodiscard]] virtual std::uint64_t bytes() const = 0;
};

// Which name is asked for next after step `step` gave `digest`: one of the 512 that follow, so that
// fetching the name itself costs next to nothing. `mask` is the number of keys less one.
[[nodiscard]] inline std::size_t next_index(std::uint64_t digest, std::size_t step,
                                            std::size_t mask) noexcept {
  return (step + static_cast<std::size_t>((digest * 0x9E37'79B9'7F4A'7C15ULL) >> 55)) & mask;
}

// The compiler must assume that all of `value` is read here.
template <class T>
inline void keep(const T& value) {
  asm volatile("" : : "m"(value));
}

template <class Derived>
class Batched : public Contender {
 public:
  [[nodiscard]] bool has_all(std::span<const Key> keys) final {
    Derived& self = static_cast<Derived&>(*this);
    typename Derived::Found found;
    for (const Key& key : keys) {
      if (!self.find(key, found) || Derived::endpoint(found) != value_of(key).view()) return false;
    }
    return true;
  }

  std::uint64_t look_up(std::span<const Key> keys) final {
    Derived& self = static_cast<Derived&>(*this);
    typename Derived::Found found;
    std::uint64_t sum = 0;
    for (const Key& key : keys) {
      if (self.find(key, found)) {
        keep(found);
        sum += digest(Derived::endpoint(found));
      }
    }
    return sum;
  }

  std::uint64_t look_up_dependent(std::span<const Key> keys) final {
    Derived& self = static_cast<Derived&>(*this);
    typename Derived::Found found;
    const std::size_t mask = keys.size() - 1;
    std::uint64_t sum = 0;
    std::size_t index = 0;
    for (std::size_t step = 0; step < keys.size(); ++step) {
      if (!self.find(keys[index], found)) break;
      keep(found);
      const std::uint64_t answer = digest(Derived::endpoint(found));
      sum += answer;
      index = next_index(answer, step, mask);
    }
    return sum;
  }

  std::uint64_t register_unregister(std::span<const Key> keys) final {
    Derived& self = static_cast<Derived&>(*this);
    const Value value = value_of(keys.front());
    std::uint64_t done = 0;
    for (const Key& key : keys) done += self.visit(key, value) ? 1U : 0U;
    return done;
  }
};

struct ContenderEntry {
  std::string_view name;
  // Null where it was not built in.
  std::unique_ptr<Contender> (*make)();
  std::string_view if_absent;  // why it was not
};

// All of them in the order they are printed; the first is the one that ratios are to.
[[nodiscard]] std::span<const ContenderEntry> contenders() noexcept;

// Bytes in use on this process's heap.
[[nodiscard]] std::uint64_t heap_bytes() noexcept;

}  // namespace shmreg::bench
