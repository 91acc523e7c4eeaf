// How segments and attached processes look, in rows and in JSON.
#pragma once

#include <string>
#include <vector>

#include "output/json.hpp"
#include "output/table.hpp"
#include "shmreg/registry.hpp"

namespace shmreg::regctl {

struct SegmentView {
  [[nodiscard]] static std::vector<output::Column> columns();
  [[nodiscard]] static std::vector<output::Cell> cells(const SegmentInfo& segment);
  [[nodiscard]] static output::Json json(const SegmentInfo& segment);
  [[nodiscard]] static std::string name(const SegmentInfo& segment);
};

struct ProcessView {
  [[nodiscard]] static std::vector<output::Column> columns();
  [[nodiscard]] static std::vector<output::Cell> cells(const ProcessInfo& process);
  [[nodiscard]] static output::Json json(const ProcessInfo& process);
  [[nodiscard]] static std::string name(const ProcessInfo& process);
};

}  // namespace shmreg::regctl
