#include "shmreg/query.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <compare>

#include "registry/names.hpp"
#include "sys/glob.hpp"

namespace shmreg {
namespace {

using Relation = MetadataCondition::Relation;

constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// --- comparing -----------------------------------------------------------------------------------

std::optional<double> number_in(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  // It takes "inf", "nan" and "nan(1)" as well, which are words.
  if (error != std::errc() || stop != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

// 0 where it is no version.
std::ptrdiff_t parts_of_version(std::string_view text) {
  const bool version = !text.empty() && text.front() != '.' && text.back() != '.' &&
                       text.find_first_not_of("0123456789.") == std::string_view::npos &&
                       text.find("..") == std::string_view::npos;
  return version ? std::count(text.begin(), text.end(), '.') + 1 : 0;
}

// Digits of any length, as numbers.
std::weak_ordering compare_digits(std::string_view a, std::string_view b) {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a <=> b;
}

// "1.2" and "1.2.0" are the same.
std::weak_ordering compare_versions(std::string_view a, std::string_view b) {
  const auto take = [](std::string_view& rest) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    rest.remove_prefix(std::min(dot + 1, rest.size()));
    return part;
  };
  while (!a.empty() || !b.empty()) {
    const auto order = compare_digits(take(a), take(b));
    if (std::is_neq(order)) return order;
  }
  return std::weak_ordering::equivalent;
}

std::weak_ordering compare_values(std::string_view a, std::string_view b) {
  const std::ptrdiff_t parts_a = parts_of_version(a);
  const std::ptrdiff_t parts_b = parts_of_version(b);
  if (parts_a > 0 && parts_b > 0 && std::max(parts_a, parts_b) > 2) return compare_versions(a, b);
  const auto number_a = number_in(a);
  const auto number_b = number_in(b);
  if (!number_a || !number_b) return a <=> b;
  // Integers beyond what a double tells apart.
  if (*number_a == *number_b && parts_a == 1 && parts_b == 1) return compare_digits(a, b);
  return *number_a < *number_b   ? std::weak_ordering::less
         : *number_a > *number_b ? std::weak_ordering::greater
                                 : std::weak_ordering::equivalent;
}

// --- reading -------------------------------------------------------------------------------------

struct Sign {
  std::string_view text;
  Relation relation;
};
// Of two that begin at the same place the first that fits.
constexpr std::array<Sign, 9> kSigns{{{"==", Relation::equal},
                                      {"!=", Relation::not_equal},
                                      {"<=", Relation::at_most},
                                      {">=", Relation::at_least},
                                      {"=", Relation::equal},
                                      {"<", Relation::less},
                                      {">", Relation::greater},
                                      {" not in ", Relation::none_of},
                                      {" in ", Relation::one_of}}};

Status no_condition(std::string_view text) {
  return {Errc::invalid_argument,
          "'" + printable(text) +
              "' is no condition: a key, one of = != < <= > >= and a value; or KEY in A,B or KEY "
              "not in A,B"};
}

bool is_below(std::string_view name, std::string_view top) {
  return name.size() > top.size() && name[top.size()] == '/' && name.starts_with(top);
}

}  // namespace

Result<MetadataCondition> MetadataCondition::parse(std::string_view text) {
  const Sign* found = nullptr;
  std::size_t at = std::string_view::npos;
  for (const Sign& sign : kSigns) {
    const std::size_t place = text.find(sign.text);
    if (place < at) {
      at = place;
      found = &sign;
    }
  }
  if (found == nullptr) return no_condition(text);
  MetadataCondition condition;
  condition.key = trimmed(text.substr(0, at));
  condition.relation = found->relation;
  std::string_view rest = text.substr(at + found->text.size());
  if (condition.key.empty()) return no_condition(text);
  if (found->relation == Relation::one_of || found->relation == Relation::none_of) {
    for (bool more = true; more;) {
      const std::size_t comma = rest.find(',');
      const std::string_view value = trimmed(rest.substr(0, comma));
      if (value.empty()) return no_condition(text);
      condition.values.emplace_back(value);
      more = comma != std::string_view::npos;
      if (more) rest.remove_prefix(comma + 1);
    }
    return condition;
  }
  // "a=>3" and "a=!b" are slips, and not values.
  rest = trimmed(rest);
  if (!rest.empty() && std::string_view("<>=").find(rest.front()) != std::string_view::npos) {
    return no_condition(text);
  }
  condition.values.emplace_back(rest);
  return condition;
}

bool MetadataCondition::holds(const Service& service) const {
  const auto present = service.metadata(key);
  if (!present) return false;
  const auto is_present = [&](const std::string& value) {
    return std::is_eq(compare_values(*present, value));
  };
  const bool any = std::any_of(values.begin(), values.end(), is_present);
  if (relation == Relation::one_of || relation == Relation::equal) return any;
  if (relation == Relation::none_of || relation == Relation::not_equal) return !any;
  if (values.empty()) return false;
  const auto order = compare_values(*present, values.front());
  switch (relation) {
    case Relation::less:
      return std::is_lt(order);
    case Relation::at_most:
      return std::is_lteq(order);
    case Relation::greater:
      return std::is_gt(order);
    default:
      return std::is_gteq(order);
  }
}

Status Query::check() const {
  if (namespace_name) {
    if (Status checked = check_namespace(*namespace_name); !checked) return checked;
  }
  if (and_below && !namespace_name) {
    return {Errc::invalid_argument, "a query below a namespace names one"};
  }
  if (match && (match->empty() || match->find('\0') != std::string::npos)) {
    return {Errc::invalid_argument, "a pattern is not empty, and holds no NUL byte"};
  }
  if (pid && *pid == 0) return {Errc::invalid_argument, "pid 0 is no process's"};
  for (const auto& [key, value] : metadata) {
    if (Status checked = check_text(key, "metadata key"); !checked) return checked;
  }
  for (const std::string& tag : tags) {
    if (Status checked = check_text(tag, "tag"); !checked) return checked;
  }
  for (const MetadataCondition& condition : where) {
    if (Status checked = check_text(condition.key, "metadata key"); !checked) return checked;
    const bool list =
        condition.relation == Relation::one_of || condition.relation == Relation::none_of;
    if (condition.values.empty() || (!list && condition.values.size() > 1)) {
      return {Errc::invalid_argument, "the condition on '" + printable(condition.key) + "' has " +
                                          (condition.values.empty() ? "no value" : "many values")};
    }
  }
  return {};
}

bool Query::matches(const Service& service) const {
  if (namespace_name && service.namespace_name() != *namespace_name &&
      !(and_below && is_below(service.namespace_name(), *namespace_name))) {
    return false;
  }
  if (health && service.health() != *health) return false;
  if (pid && service.pid() != *pid) return false;
  if (match) {
    const bool whole = match->find('/') != std::string::npos;
    if (!sys::matches_glob(std::string(whole ? service.full_name() : service.name()), *match)) {
      return false;
    }
  }
  for (const auto& [key, value] : metadata) {
    const auto present = service.metadata(key);
    if (!present || *present != value) return false;
  }
  if (!tags.empty()) {
    const auto present = service.tags();
    const bool all = std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) {
      return std::find(present.begin(), present.end(), tag) != present.end();
    });
    if (!all) return false;
  }
  return std::all_of(where.begin(), where.end(),
                     [&](const MetadataCondition& condition) { return condition.holds(service); });
}

}  // namespace shmreg
