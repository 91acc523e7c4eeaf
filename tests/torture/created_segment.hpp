// A segment that victims are led to create, under a name that nobody has: there is none of that
// name, or a whole one, and nothing else is left of what they did.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "torture/own_shm.hpp"
#include "torture/scene.hpp"

namespace torture {

class CreatedSegment : public Scene {
 public:
  CreatedSegment();
  ~CreatedSegment() override;

  // Whether memory is counted and every file of /dev/shm: in one that nobody else uses.
  [[nodiscard]] bool counts_all() const { return shm_.is_own(); }

  [[nodiscard]] std::unique_ptr<SteppedVictim> victim() override;
  // What a creator writes, nobody else can see before it has a name: system calls alone count.
  [[nodiscard]] Seen look() override { return {}; }
  [[nodiscard]] std::string while_it_stands(bool at_the_end) override;
  [[nodiscard]] std::string after_its_death() override;
  [[nodiscard]] std::string after_the_next_writer() override;
  [[nodiscard]] Room room() override;

 private:
  // Whether there is one; with complaints of one that is not whole.
  [[nodiscard]] bool is_there(std::string& complaint) const;
  // Files of /dev/shm, where it is this process's own; else only those of a name like ours.
  [[nodiscard]] std::vector<std::string> files() const;

  OwnShm shm_;
  std::string name_;
  bool seen_ = false;
};

}  // namespace torture
