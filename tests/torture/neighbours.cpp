#include "torture/neighbours.hpp"

#include <utility>

namespace torture {

using shmreg::Errc;

SteadyKeeper::SteadyKeeper(shmreg::Registry registry, const std::vector<std::string>& names,
                           Deeds& deeds, Complaints& complaints, std::uint64_t seed, Sizes sizes)
    : registry_(std::move(registry)),
      names_(names),
      held_(names.size()),
      deeds_(deeds),
      complaints_(complaints),
      random_(seed),
      sizes_(sizes) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    held_[i] =
        registry_.register_service(names_[i], numbered_spec(names_[i], ++number_, sizes_)).value();
  }
}

void SteadyKeeper::update(std::size_t i) {
  const auto done = held_[i].update(numbered_spec(names_[i], ++number_, sizes_));
  if (!done) complaints_.add("update of " + names_[i] + ": " + done.message());
  ++deeds_.updated;
}

void SteadyKeeper::step() {
  const std::size_t i = random_.below(names_.size());
  if (random_.below(4) != 0) {
    update(i);
    return;
  }
  auto again = registry_.register_service(names_[i], numbered_spec(names_[i], ++number_, sizes_));
  if (!again) {
    complaints_.add("registering " + names_[i] + " again: " + again.message());
    return;
  }
  // The older handle, which this destroys, unregisters nothing any more.
  held_[i] = std::move(again).value();
  ++deeds_.replaced;
}

void SteadyKeeper::touch_all() {
  for (std::size_t i = 0; i < names_.size(); ++i) update(i);
}

void SteadyKeeper::move(std::size_t i) {
  const auto gone = held_[i].unregister();
  if (!gone.ok() || !gone.value()) complaints_.add("unregistering " + names_[i] + ": not there");
  auto again = registry_.register_service(names_[i], numbered_spec(names_[i], ++number_, sizes_));
  if (!again) {
    complaints_.add("registering " + names_[i] + ": " + again.message());
    return;
  }
  held_[i] = std::move(again).value();
}

Troublemaker::Troublemaker(shmreg::Registry registry, const std::vector<std::string>& names,
                           std::size_t most, Deeds& deeds, Complaints& complaints,
                           std::uint64_t seed, Sizes sizes)
    : registry_(std::move(registry)),
      names_(names),
      most_(most),
      deeds_(deeds),
      complaints_(complaints),
      random_(seed),
      sizes_(sizes) {}

void Troublemaker::turn_the_tide() {
  const std::uint64_t way = random_.below(4);
  tide_ = way == 0 ? 0 : way == 1 ? most_ : random_.below(most_ + 1);
}

void Troublemaker::step() {
  if (!held_.empty() && random_.one_in(8)) {
    shmreg::Registration& mine = held_[random_.below(held_.size())];
    const auto done = mine.update(numbered_spec(mine.full_name(), ++number_, sizes_));
    if (!done) complaints_.add("update of " + mine.full_name() + ": " + done.message());
    ++deeds_.updated;
    return;
  }
  if (held_.size() == tide_) turn_the_tide();
  if (held_.size() < tide_) {
    take();
  } else if (!held_.empty()) {
    give(random_.below(held_.size()));
  }
}

void Troublemaker::take() {
  const std::string& name = names_[random_.below(names_.size())];
  for (const shmreg::Registration& mine : held_) {
    if (mine.full_name() == name) return;
  }
  auto got = registry_.register_service(name, numbered_spec(name, ++number_, sizes_));
  if (got) {
    held_.push_back(std::move(got).value());
    ++deeds_.registered;
  } else if (got.code() != Errc::already_registered) {
    complaints_.add("registering " + name + ": " + got.message());
  }
}

void Troublemaker::give(std::size_t i) {
  const std::string name = held_[i].full_name();
  const auto gone = held_[i].unregister();
  if (!gone.ok() || !gone.value()) {
    complaints_.add("unregistering " + name + ": " +
                    (gone.ok() ? "it was not there" : gone.message()));
  }
  std::swap(held_[i], held_.back());
  held_.pop_back();
  ++deeds_.unregistered;
}

bool hold_everything(shmreg::Registry registry, const std::vector<std::string>& names) {
  std::vector<shmreg::Registration> held;
  for (const std::string& name : names) held.push_back(registry.register_service(name).value());
  for (const std::uint32_t bytes : {0U, 60U, 120U, 180U, 240U, 300U, 360U, 480U, 620U, 850U}) {
    for (shmreg::Registration& mine : held) {
      if (!mine.update({.endpoint = std::string(bytes, 'x')})) return false;
    }
  }
  return true;
}

}  // namespace torture
