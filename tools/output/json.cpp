#include "output/json.hpp"

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

#include "output/escape.hpp"

namespace shmreg::output {
namespace {

void append_string(std::string& out, std::string_view text) {
  // Boost.JSON escapes C0, quotes and backslashes, and lets DEL and C1 pass.
  const std::string plain = boost::json::serialize(boost::json::string_view(text));
  std::string_view rest = plain;
  while (!rest.empty()) {
    const CodePoint point = first_code_point(rest);
    if (is_control(point.value)) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(point.value));
      out += escaped.data();
    } else {
      out += rest.substr(0, point.bytes);
    }
    rest.remove_prefix(point.bytes);
  }
}

void append_value(std::string& out, const boost::json::value& value) {
  if (const auto* object = value.if_object()) {
    out += '{';
    const char* separator = "";
    for (const auto& member : *object) {
      out += separator;
      append_string(out, member.key());
      out += ':';
      append_value(out, member.value());
      separator = ",";
    }
    out += '}';
  } else if (const auto* array = value.if_array()) {
    out += '[';
    const char* separator = "";
    for (const auto& item : *array) {
      out += separator;
      append_value(out, item);
      separator = ",";
    }
    out += ']';
  } else if (const auto* text = value.if_string()) {
    append_string(out, std::string_view(text->data(), text->size()));
  } else if (const auto* number = value.if_double()) {
    // Boost writes 0.5 as 5E-1. JSON has neither infinity nor NaN.
    std::array<char, 64> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *number).ptr;
    out += std::isfinite(*number) ? std::string(digits.data(), end) : "null";
  } else {
    out += boost::json::serialize(value);
  }
}

}  // namespace

Json::Json() : value_(std::make_unique<boost::json::value>()) {}
Json::Json(std::string_view text)
    : value_(std::make_unique<boost::json::value>(boost::json::string(valid_utf8(text)))) {}
Json::Json(const std::string& text) : Json(std::string_view(text)) {}
Json::Json(double number) : value_(std::make_unique<boost::json::value>(number)) {}
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json Json::of_bool(bool value) {
  Json json;
  *json.value_ = value;
  return json;
}

Json Json::of_signed(std::int64_t value) {
  Json json;
  *json.value_ = value;
  return json;
}

Json Json::of_unsigned(std::uint64_t value) {
  Json json;
  *json.value_ = value;
  return json;
}

Json Json::object() {
  Json json;
  json.value_->emplace_object();
  return json;
}

Json Json::document() {
  Json json = object();
  json.set("schema", kSchema);
  return json;
}

Json Json::array() {
  Json json;
  json.value_->emplace_array();
  return json;
}

Json& Json::set(std::string_view key, Json value) {
  value_->as_object().insert_or_assign(valid_utf8(key), std::move(*value.value_));
  return *this;
}

Json& Json::push(Json value) {
  value_->as_array().push_back(std::move(*value.value_));
  return *this;
}

Json& Json::merge(Json other) {
  for (auto& member : other.value_->as_object()) {
    value_->as_object().insert_or_assign(member.key(), std::move(member.value()));
  }
  return *this;
}

std::string Json::text() const {
  std::string out;
  append_value(out, *value_);
  return out;
}

}  // namespace shmreg::output
