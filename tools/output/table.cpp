#include "output/table.hpp"

#include <algorithm>

#include "output/escape.hpp"

namespace shmreg::output {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kReset = "\x1b[0m";

std::string_view color_of(Tone tone) noexcept {
  switch (tone) {
    case Tone::good:
      return "\x1b[32m";
    case Tone::warning:
      return "\x1b[33m";
    case Tone::bad:
      return "\x1b[31m";
    case Tone::plain:
      break;
  }
  return "";
}

}  // namespace

void Table::add(std::vector<Cell> cells) {
  cells.resize(columns_.size(), Cell(""));
  for (Cell& cell : cells) cell.text = cell.text.empty() ? "-" : escape(cell.text);
  rows_.push_back(std::move(cells));
}

void Table::print(Writer& writer, const Style& style) const {
  const bool colored = writer.colored(style.color);
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!columns_[i].wide_only || style.format == Format::wide) shown.push_back(i);
  }
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const std::size_t i : shown) {
    widths[i] = columns_[i].least_width;
    if (style.header) widths[i] = std::max(widths[i], columns_[i].title.size());
    for (const auto& row : rows_) widths[i] = std::max(widths[i], display_width(row[i].text));
  }

  std::string line;
  const auto append = [&](std::size_t i, const std::string& text, std::string_view color) {
    const std::size_t padding = widths[i] - display_width(text);
    const bool right = columns_[i].align == Align::right;
    if (right) line.append(padding, ' ');
    if (colored && !color.empty()) {
      line.append(color).append(text).append(kReset);
    } else {
      line += text;
    }
    // No blanks at the end of a line.
    if (i == shown.back()) return;
    line.append(kGap + (right ? 0 : padding), ' ');
  };

  if (style.header) {
    for (const std::size_t i : shown) append(i, columns_[i].title, kBold);
    writer.line(line);
  }
  for (const auto& row : rows_) {
    line.clear();
    for (const std::size_t i : shown) append(i, row[i].text, color_of(row[i].tone));
    writer.line(line);
  }
}

}  // namespace shmreg::output
