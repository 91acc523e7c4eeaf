// A list of like things, in whichever format was asked for.
//
// A View says how one thing looks, and is all that a new kind of thing needs:
//   static std::vector<Column> columns();
//   static std::vector<Cell> cells(const Thing&);
//   static Json json(const Thing&);
//   static std::string name(const Thing&);
#pragma once

#include <string_view>

#include "output/escape.hpp"
#include "output/json.hpp"
#include "output/table.hpp"
#include "output/writer.hpp"

namespace shmreg::output {

// `key` names the array in JSON. Items are written one by one: a list of a million needs no tree.
template <class View, class Range>
void print_list(Writer& writer, const Style& style, std::string_view key, const Range& things) {
  if (style.quiet) return;
  switch (style.format) {
    case Format::table:
    case Format::wide: {
      Table table(View::columns());
      for (const auto& thing : things) table.add(View::cells(thing));
      table.print(writer, style);
      return;
    }
    case Format::json: {
      writer.write("{\"schema\":" + std::to_string(kSchema) + "," + Json(key).text() + ":[");
      std::string_view separator;
      for (const auto& thing : things) {
        writer.write(separator);
        writer.write(View::json(thing).text());
        separator = ",";
      }
      writer.line("]}");
      return;
    }
    case Format::jsonl:
      for (const auto& thing : things) {
        writer.line(Json::document().merge(View::json(thing)).text());
      }
      return;
    case Format::name:
      for (const auto& thing : things) writer.line(escape(View::name(thing)));
      return;
  }
}

}  // namespace shmreg::output
