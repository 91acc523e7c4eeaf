// How a service looks: the row that people read, and the JSON keys that programs rely on.
//
// The keys are a contract (regctl(1), JSON). regctl prints them; regmond answers HTTP with them.
#pragma once

#include <string>
#include <vector>

#include "output/json.hpp"
#include "output/table.hpp"
#include "shmreg/service.hpp"

namespace shmreg::output {

struct ServiceView {
  [[nodiscard]] static std::vector<Column> columns();
  [[nodiscard]] static std::vector<Cell> cells(const Service& service);
  [[nodiscard]] static Json json(const Service& service);
  [[nodiscard]] static std::string name(const Service& service);
};

// The order of lists: by name, byte for byte; of one name, the older first.
[[nodiscard]] bool comes_before(const Service& a, const Service& b);

// Passing; or unknown, where no check was asked for (no metadata `check.kind`) that could tell.
[[nodiscard]] bool is_healthy(const Service& service);

// This host, as uname names it.
[[nodiscard]] const std::string& node_name();

}  // namespace shmreg::output
