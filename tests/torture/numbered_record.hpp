// Records that show whether they are whole: every part of one, and the length of every part,
// follows from its name, its number and its writer's pid, and the endpoint says number and pid.
// What is pieced together from two writes, or belongs to another name or owner, does not add up.
#pragma once

#include <cstdint>
#include <string>

#include "shmreg/registry.hpp"
#include "shmreg/service.hpp"

namespace torture {

// Which sizes the numbers of one torture lead to.
enum class Sizes : std::uint8_t {
  small,   // 128 bytes to 1 KiB
  varied,  // mostly small, now and then up to 40 KiB
  least,   // all alike, of the smallest size class where the name is short
  alike,   // all alike, and larger than that
};

[[nodiscard]] shmreg::ServiceSpec numbered_spec(const std::string& full_name, std::uint64_t number,
                                                Sizes sizes = Sizes::varied);

struct Verdict {
  std::string complaint;  // empty: it is whole
  std::uint64_t number = 0;
};
// Of a service that a lookup of `full_name` gave; with an empty one, that a list gave.
[[nodiscard]] Verdict judge(const shmreg::Service& found, const std::string& full_name,
                            Sizes sizes = Sizes::varied);

}  // namespace torture
