// A table for people: a header, columns two spaces apart, nothing cut.
//
// Cells are escaped here, so that no caller can forget it. An empty cell reads "-" for column-wise
// tools such as awk; a cell with spaces (a name may hold them) stays as it is: programs read JSON.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "output/writer.hpp"

namespace shmreg::output {

enum class Tone { plain, good, warning, bad };

struct Cell {
  Cell(std::string content, Tone shade = Tone::plain)  // NOLINT(google-explicit-constructor)
      : text(std::move(content)), tone(shade) {}
  std::string text;
  Tone tone;
};

enum class Align { left, right };

struct Column {
  std::string title;
  Align align = Align::left;
  bool wide_only = false;
  std::size_t least_width = 0;  // for rows that are printed before the others are known
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as columns, those of wide-only columns included.
  void add(std::vector<Cell> cells);
  void print(Writer& writer, const Style& style) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace shmreg::output
