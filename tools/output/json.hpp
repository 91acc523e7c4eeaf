// A JSON value under construction, and its text.
//
// A thin face of Boost.JSON, whose headers are included by json.cpp alone. What goes in may be any
// bytes: keys and strings are made valid UTF-8 on the way. What comes out is one line of plain JSON
// that is also safe on a terminal: DEL and C1 controls are written as \u00NN.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace boost::json {
class value;
}

namespace shmreg::output {

inline constexpr std::int64_t kSchema = 1;
// Beyond it, readers that take numbers for doubles lose digits.
inline constexpr std::int64_t kLargestInteger = (std::int64_t{1} << 53) - 1;

class Json {
 public:
  Json();                                                   // null
  Json(std::string_view text);                              // NOLINT(google-explicit-constructor)
  Json(const std::string& text);                            // NOLINT(google-explicit-constructor)
  Json(const char* text) : Json(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Json(double number);                                      // NOLINT(google-explicit-constructor)
  // One template, so that no integer type and no pointer slides into bool.
  template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
  Json(T number) : Json(of_integral(number)) {}  // NOLINT(google-explicit-constructor)

  Json(Json&& other) noexcept;
  Json& operator=(Json&& other) noexcept;
  Json(const Json&) = delete;
  Json& operator=(const Json&) = delete;
  ~Json();

  [[nodiscard]] static Json object();
  [[nodiscard]] static Json document();  // an object with "schema" at its top
  [[nodiscard]] static Json array();
  // An array of whatever a Json can be made from.
  template <class Range>
  [[nodiscard]] static Json array_of(const Range& items) {
    Json json = array();
    for (const auto& item : items) json.push(Json(item));
    return json;
  }

  Json& set(std::string_view key, Json value);  // of an object; an existing key is overwritten
  Json& push(Json value);                       // to an array
  // Takes over the members of another object, after those already there.
  Json& merge(Json other);

  [[nodiscard]] std::string text() const;

 private:
  template <class T>
  [[nodiscard]] static Json of_integral(T number) {
    if constexpr (std::is_same_v<T, bool>) {
      return of_bool(number);
    } else if constexpr (std::is_signed_v<T>) {
      return of_signed(number);
    } else {
      return of_unsigned(number);
    }
  }
  [[nodiscard]] static Json of_bool(bool value);
  [[nodiscard]] static Json of_signed(std::int64_t value);
  [[nodiscard]] static Json of_unsigned(std::uint64_t value);

  std::unique_ptr<boost::json::value> value_;
};

}  // namespace shmreg::output
