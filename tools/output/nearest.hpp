// The name that was probably meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shmreg::output {

// The candidate with the fewest changed letters, where that is at most a third of the word;
// the first of equals. Nothing where none is near.
[[nodiscard]] std::optional<std::string> nearest(std::string_view wanted,
                                                 const std::vector<std::string>& candidates);

}  // namespace shmreg::output
