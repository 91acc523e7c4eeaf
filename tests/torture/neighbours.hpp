// Who lives in the partitions of a torture: a keeper of names that stay registered throughout, and
// troublemakers who register, update and unregister others in the same partitions without pause.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "shmreg/registry.hpp"
#include "torture/common_ground.hpp"
#include "torture/numbered_record.hpp"
#include "torture/setting.hpp"

namespace torture {

// Counted by all of one kind.
struct Deeds {
  Counter registered{0};
  Counter replaced{0};
  Counter updated{0};
  Counter unregistered{0};
  [[nodiscard]] std::uint64_t all() const {
    return registered.load() + replaced.load() + updated.load() + unregistered.load();
  }
};

// Keeps `names` registered: all of them from the constructor's end on. Each step updates one in
// place, in another size as likely as not, or registers it anew over itself.
class SteadyKeeper {
 public:
  SteadyKeeper(shmreg::Registry registry, const std::vector<std::string>& names, Deeds& deeds,
               Complaints& complaints, std::uint64_t seed, Sizes sizes = Sizes::varied);
  void step();
  // One update of each.
  void touch_all();
  // Unregisters one and registers it again, which gives it another place in the index.
  void move(std::size_t i);

 private:
  void update(std::size_t i);

  shmreg::Registry registry_;
  const std::vector<std::string>& names_;
  std::vector<shmreg::Registration> held_;
  Deeds& deeds_;
  Complaints& complaints_;
  Random random_;
  Sizes sizes_;
  std::uint64_t number_ = 0;
};

// Holds up to `most` of `names` at once. How many goes up and down, often all the way, so that
// deletions meet full buckets and what they leave is swept up by a rebuild; now and then it updates
// one instead.
class Troublemaker {
 public:
  Troublemaker(shmreg::Registry registry, const std::vector<std::string>& names, std::size_t most,
               Deeds& deeds, Complaints& complaints, std::uint64_t seed,
               Sizes sizes = Sizes::varied);
  void step();

 private:
  void turn_the_tide();
  void take();
  void give(std::size_t i);

  shmreg::Registry registry_;
  const std::vector<std::string>& names_;
  std::size_t most_;
  std::vector<shmreg::Registration> held_;
  Deeds& deeds_;
  Complaints& complaints_;
  Random random_;
  Sizes sizes_;
  std::uint64_t number_ = 0;
  std::size_t tide_ = 0;  // how many it is about to hold
};

// Holds all of `names` in every size that Sizes::small leads to, and lets them go: from there on,
// all memory that there could be a use for has been claimed. False where that cannot be done.
[[nodiscard]] bool hold_everything(shmreg::Registry registry,
                                   const std::vector<std::string>& names);

}  // namespace torture
