// Where victims are led through an operation, and what is seen of it from outside: before anybody
// is killed, after a death, and after the next writer. What there is a complaint about is returned;
// "" where all is well.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "torture/course.hpp"
#include "torture/stepped_victim.hpp"

namespace torture {

class Scene {
 public:
  Scene() = default;
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  virtual ~Scene() = default;

  // The next one, at the first instruction of its act.
  [[nodiscard]] virtual std::unique_ptr<SteppedVictim> victim() = 0;
  // Looked at after every instruction of the counting victim.
  [[nodiscard]] virtual Seen look() = 0;

  // The victim stands in the middle of its act, or has come to its end.
  [[nodiscard]] virtual std::string while_it_stands(bool at_the_end) = 0;
  // It is dead, and nobody has mended anything: readers see what they saw while it stood.
  [[nodiscard]] virtual std::string after_its_death() = 0;
  // The next writer goes on and mends, readers still see the same, the doctor finds nothing. Then
  // everything is put back for the next victim.
  [[nodiscard]] virtual std::string after_the_next_writer() = 0;

  // What is taken up once that is done, by two measures; neither may grow from victim to victim.
  using Room = std::array<std::uint64_t, 2>;
  [[nodiscard]] virtual Room room() = 0;
};

}  // namespace torture
