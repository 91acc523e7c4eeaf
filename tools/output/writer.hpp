// Standard output, and how it is to look.
//
// Data is collected in one buffer and written in large pieces. A reader that has gone (`| head`) is
// no error and ends the program silently; a full disk is one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace shmreg::output {

enum class Format { table, wide, json, jsonl, name };
[[nodiscard]] std::optional<Format> format_from_string(std::string_view text) noexcept;
inline constexpr std::string_view kFormats = "table, wide, json, jsonl or name";

enum class Color { automatic, always, never };
[[nodiscard]] std::optional<Color> color_from_string(std::string_view text) noexcept;
inline constexpr std::string_view kColors = "auto, always or never";

struct Style {
  Format format = Format::table;
  Color color = Color::automatic;
  bool header = true;
  bool quiet = false;

  [[nodiscard]] bool is_json() const noexcept {
    return format == Format::json || format == Format::jsonl;
  }
};

class Writer {
 public:
  explicit Writer(int descriptor = 1) noexcept : descriptor_(descriptor) {}

  // Failure where it cannot be written, one with an empty message where nobody reads any more.
  void write(std::string_view text);
  void line(std::string_view text);
  void flush();

  // Whether to colour: only on a terminal, never where NO_COLOR is set to something.
  [[nodiscard]] bool colored(Color wish) const noexcept;

 private:
  int descriptor_;
  std::string buffer_;
};

}  // namespace shmreg::output
