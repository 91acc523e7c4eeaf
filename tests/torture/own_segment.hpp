// A segment of a test's own, with ways to see what became of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/segment.hpp"
#include "shmreg/registry.hpp"
#include "support/scratch_segment.hpp"

namespace torture {

class OwnSegment : public shmreg::test::ScratchSegment {
 public:
  explicit OwnSegment(const shmreg::CreateOptions& options) : ScratchSegment(options) {}

  // A writer's first write starts a thread: never in the process that is to fork others.
  [[nodiscard]] shmreg::Registry writer(
      std::chrono::milliseconds lock_timeout = std::chrono::seconds(20)) const;

  // Its insides, to see that a torture did happen: without an entry in the process table.
  [[nodiscard]] std::shared_ptr<shmreg::core::Segment> insides(bool writable = false) const;
  // What the doctor finds, a line each; "" where all is well.
  [[nodiscard]] std::string problems() const;
  // Of that, what no writer would repair.
  [[nodiscard]] std::string damage() const;
  // How often any partition's index has been built anew.
  [[nodiscard]] std::uint64_t rebuilds() const;
};

// `each` names "PREFIX<n>" a partition. Every second one of them, or with `crowd` every one, has
// the same home bucket as the others of its partition, in any index of up to 512 slots: the buckets
// from there on are full when the others are all but empty.
enum class Crowd : bool { half, all };
[[nodiscard]] std::vector<std::string> names_in_every_partition(
    const shmreg::core::Segment& segment, const std::string& prefix, std::size_t each,
    Crowd crowd = Crowd::half);

}  // namespace torture
