// Questions with conditions: which services are of interest.
//
//   shmreg::Query query;
//   query.namespace_name = "production";
//   query.where.push_back(shmreg::MetadataCondition::parse("version>=3").value());
//   for (const shmreg::Service& service : registry.query(query).value()) ...
//
// Every condition must hold. What a condition speaks of must be there: a service without the
// metadata key is not one whose value differs.
//
// Thread safety: as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shmreg/api.h"
#include "shmreg/error.hpp"
#include "shmreg/service.hpp"

namespace shmreg {

// Compares a metadata value with what is wanted.
//
// Two values are compared as numbers where both are numbers ("3", "-0.5", "1e3"); as versions,
// part by part, where both are digits between dots and one has two dots or more ("1.10.0" comes
// after "1.9"); else byte for byte.
struct SHMREG_API MetadataCondition {
  enum class Relation : std::uint8_t {
    equal,
    not_equal,
    less,
    at_most,
    greater,
    at_least,
    one_of,
    none_of,
  };

  std::string key{};
  Relation relation = Relation::equal;
  std::vector<std::string> values{};  // one; of one_of and none_of any number

  // "version>=3", "zone in a, b", "zone not in a,b"; relations =, ==, !=, <, <=, >, >=. Blanks
  // around key, relation and values do not count. The key ends where the first relation begins:
  // one that holds such a sign can be asked for with Query::metadata only. invalid_argument.
  [[nodiscard]] static Result<MetadataCondition> parse(std::string_view text);

  [[nodiscard]] bool holds(const Service& service) const;
};

struct SHMREG_API Query {
  std::optional<std::string> namespace_name{};  // that one alone ...
  bool and_below = false;                       // ... or with those below it
  // A glob (*, ?, [a-z]; fnmatch(3) without flags) over the name, or over "namespace/name" where it
  // holds a slash; '*' matches slashes too.
  std::optional<std::string> match{};
  std::vector<std::pair<std::string, std::string>> metadata{};  // these values, byte for byte
  std::vector<std::string> tags{};                              // all of these
  std::optional<Health> health{};
  std::optional<std::uint32_t> pid{};  // of the owner, as its own PID namespace numbers it
  std::vector<MetadataCondition> where{};

  // Whether a question can be asked so: invalid_name, invalid_argument. What is malformed is an
  // error and not an empty answer.
  [[nodiscard]] Status check() const;
  [[nodiscard]] bool matches(const Service& service) const;
};

}  // namespace shmreg
