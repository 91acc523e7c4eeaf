#include "torture/own_segment.hpp"

#include <utility>

#include "core/index.hpp"

namespace torture {

shmreg::Registry OwnSegment::writer(std::chrono::milliseconds lock_timeout) const {
  shmreg::AttachOptions options;
  options.access = shmreg::Access::read_write;
  options.lock_timeout = lock_timeout;
  return shmreg::Registry::attach(name(), options);
}

std::shared_ptr<shmreg::core::Segment> OwnSegment::insides(bool writable) const {
  return shmreg::core::Segment::attach(file_name(), writable, {}).value();
}

std::string OwnSegment::problems() const {
  const shmreg::DoctorReport report = shmreg::doctor(name());
  std::string text;
  for (const shmreg::Problem& problem : report.problems) {
    text += "\n  " + problem.where + ": " + problem.what;
    text += problem.repairable ? " (repairable)" : "";
  }
  if (report.partitions_busy != 0) {
    text += "\n  " + std::to_string(report.partitions_busy) + " partitions too busy to be examined";
  }
  return text;
}

std::string OwnSegment::damage() const {
  std::string text;
  for (const shmreg::Problem& problem : shmreg::doctor(name()).problems) {
    if (!problem.repairable) text += "\n  " + problem.where + ": " + problem.what;
  }
  return text;
}

std::uint64_t OwnSegment::rebuilds() const {
  const auto segment = insides();
  std::uint64_t rebuilds = 0;
  for (std::uint32_t p = 0; p < segment->geometry().partitions; ++p) {
    rebuilds += segment->partition(p).rebuilds.load(std::memory_order_acquire);
  }
  return rebuilds;
}

std::vector<std::string> names_in_every_partition(const shmreg::core::Segment& segment,
                                                  const std::string& prefix, std::size_t each,
                                                  Crowd crowd) {
  constexpr std::uint64_t kCrowdedBucket = 5;
  std::vector<std::size_t> have(segment.geometry().partitions);
  std::vector<std::string> names;
  for (std::uint64_t n = 0; names.size() < each * have.size(); ++n) {
    std::string name = prefix + std::to_string(n);
    const std::uint64_t hash = shmreg::core::hash_key(name, segment.hash_seed());
    std::size_t& there = have.at(segment.partition_of(hash));
    const bool to_crowd = crowd == Crowd::all || there % 2 == 0;
    if (there == each || (to_crowd && hash % 64 != kCrowdedBucket)) continue;
    ++there;
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace torture
