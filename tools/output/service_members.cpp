#include "output/service_members.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <limits>
#include <utility>

namespace shmreg::output {
namespace {

enum Type : unsigned {
  kString = 1,
  kInteger = 2,
  kFraction = 4,
  kBoolean = 8,
  kNull = 16,
  kArray = 32,
  kObject = 64,
};

struct KnownKey {
  std::string_view name;
  unsigned types;
  std::string_view wanted;  // for messages
};

constexpr std::string_view kStringWanted = "a string";
constexpr std::string_view kStringsWanted = "an array of strings";
constexpr std::string_view kIntegerWanted = "an integer";

constexpr std::array<KnownKey, ServiceMembers::kKeys> kKnownKeys{{
    {"schema", kInteger, kIntegerWanted},
    {"namespace", kString, kStringWanted},
    {"name", kString, kStringWanted},
    {"id", kInteger, kIntegerWanted},
    {"shared", kBoolean, "a boolean"},
    {"pid", kInteger | kNull, "an integer or null"},
    {"endpoint", kString, kStringWanted},
    {"metadata", kObject, "an object of strings"},
    {"tags", kArray, kStringsWanted},
    {"depends", kArray, kStringsWanted},
    {"wants", kArray, kStringsWanted},
    {"health", kString, kStringWanted},
    {"effective_health", kString, kStringWanted},
    {"cause", kArray | kNull, "an array or null"},
    {"owner", kString, kStringWanted},
    {"ttl_us", kInteger, kIntegerWanted},
    {"alive", kBoolean | kNull, "a boolean or null"},
    {"node", kString, kStringWanted},
    {"registered_at", kString, kStringWanted},
    {"uptime_ms", kInteger, kIntegerWanted},
}};

ServiceMembers::Key key_of(std::string_view name) noexcept {
  const auto* known = std::find_if(kKnownKeys.begin(), kKnownKeys.end(),
                                   [&](const KnownKey& key) { return key.name == name; });
  return static_cast<ServiceMembers::Key>(known - kKnownKeys.begin());
}

// What Boost.JSON's parser calls. Every bracket, key and value is a token and counted as one.
class Handler {
 public:
  static constexpr auto max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr auto max_array_size = max_object_size;
  static constexpr auto max_key_size = max_object_size;
  static constexpr auto max_string_size = max_object_size;
  using Error = boost::json::error_code;
  using View = boost::json::string_view;
  using Members = ServiceMembers;

  explicit Handler(Members& members) : members_(members) {}

  [[nodiscard]] bool refused() const noexcept { return !why_.empty(); }
  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  [[nodiscard]] std::size_t refused_token() const noexcept { return tokens_; }

  bool on_document_begin(Error& /*error*/) { return true; }
  bool on_document_end(Error& /*error*/) { return true; }
  bool on_object_begin(Error& error) { return begin(kObject, error); }
  bool on_object_end(std::size_t /*members*/, Error& /*error*/) { return end(); }
  bool on_array_begin(Error& error) { return begin(kArray, error); }
  bool on_array_end(std::size_t /*items*/, Error& /*error*/) { return end(); }
  bool on_key_part(View part, std::size_t /*so_far*/, Error& /*error*/) { return append(part); }
  bool on_key(View part, std::size_t /*total*/, Error& error);
  bool on_string_part(View part, std::size_t /*so_far*/, Error& /*error*/) { return append(part); }
  bool on_string(View part, std::size_t /*total*/, Error& error);
  bool on_number_part(View /*part*/, Error& /*error*/) { return true; }
  bool on_int64(std::int64_t integer, View /*text*/, Error& error) {
    return number(kInteger, integer, error);
  }
  // Only of numbers that no int64 holds: larger than any that is asked for.
  bool on_uint64(std::uint64_t /*integer*/, View /*text*/, Error& error) {
    return number(kInteger, std::numeric_limits<std::int64_t>::max(), error);
  }
  bool on_double(double /*value*/, View /*text*/, Error& error) { return value(kFraction, error); }
  bool on_bool(bool yes, Error& error) { return number(kBoolean, yes ? 1 : 0, error); }
  bool on_null(Error& error) { return value(kNull, error); }
  bool on_comment_part(View /*part*/, Error& /*error*/) { return true; }
  bool on_comment(View /*part*/, Error& /*error*/) { return true; }

 private:
  [[nodiscard]] bool holds_strings() const noexcept {
    return key_ == Members::kMetadata || key_ == Members::kTags || key_ == Members::kDepends ||
           key_ == Members::kWants;
  }
  bool append(View part) {
    text_.append(part.data(), part.size());
    return true;
  }
  // The token at hand is what is wrong.
  bool refuse(std::string why, Error& error) {
    why_ = std::move(why);
    error = boost::json::error::syntax;  // any will do; why_ is what is told
    return false;
  }
  bool expect(Type type, Error& error);
  bool value(Type type, Error& error) {
    if (!expect(type, error)) return false;
    ++tokens_;
    return true;
  }
  bool number(Type type, std::int64_t integer, Error& error);
  bool begin(Type type, Error& error) {
    if (!value(type, error)) return false;
    ++depth_;
    return true;
  }
  bool end() {
    ++tokens_;
    --depth_;
    return true;
  }

  Members& members_;
  std::size_t tokens_ = 0;             // before the one at hand
  std::size_t depth_ = 0;              // of brackets around it
  Members::Key key_ = Members::kKeys;  // of the line's own object
  std::string member_;                 // key within metadata
  std::string text_;                   // of the string at hand
  std::string why_;
};

// Whether a value of this type may stand here.
bool Handler::expect(Type type, Error& error) {
  if (depth_ == 0) return type == kObject || refuse("this is no JSON object", error);
  if (key_ == Members::kKeys) return true;
  const KnownKey& known = kKnownKeys.at(key_);
  const bool is_fine = depth_ == 1 ? (known.types & type) != 0
                                   : !holds_strings() || (depth_ == 2 && type == kString);
  if (!is_fine) {
    return refuse("'" + std::string(known.name) + "' is to be " + std::string(known.wanted), error);
  }
  if (depth_ == 1) members_.tokens.at(key_) = tokens_;
  return true;
}

bool Handler::on_key(View part, std::size_t /*total*/, Error& error) {
  append(part);
  if (depth_ == 1) {
    key_ = key_of(text_);
    if (key_ != Members::kKeys && members_.has(key_)) {
      return refuse("key '" + text_ + "' is given twice", error);
    }
  } else if (depth_ == 2 && key_ == Members::kMetadata) {
    member_.swap(text_);
  }
  text_.clear();
  ++tokens_;
  return true;
}

bool Handler::on_string(View part, std::size_t /*total*/, Error& error) {
  append(part);
  if (!value(kString, error)) return false;
  if (depth_ == 1 && key_ != Members::kKeys) {
    members_.strings.at(key_).swap(text_);
  } else if (depth_ == 2 && key_ == Members::kMetadata) {
    members_.spec.metadata.emplace_back(std::move(member_), std::move(text_));
  } else if (depth_ == 2 && key_ == Members::kTags) {
    members_.spec.tags.push_back(std::move(text_));
  } else if (depth_ == 2 && key_ == Members::kDepends) {
    members_.spec.depends.push_back(std::move(text_));
  } else if (depth_ == 2 && key_ == Members::kWants) {
    members_.spec.wants.push_back(std::move(text_));
  }
  text_.clear();
  return true;
}

bool Handler::number(Type type, std::int64_t integer, Error& error) {
  if (!value(type, error)) return false;
  if (depth_ == 1 && key_ != Members::kKeys) members_.integers.at(key_) = integer;
  return true;
}

}  // namespace

std::optional<BadLine> ServiceMembers::read(std::string_view text, ServiceMembers& members) {
  boost::json::basic_parser<Handler> parser(boost::json::parse_options(), members);
  boost::json::error_code error;
  const std::size_t done = parser.write_some(false, text.data(), text.size(), error);
  const Handler& handler = parser.handler();
  if (handler.refused()) return BadLine{column_of(text, handler.refused_token()), handler.why()};
  if (error) return BadLine{done + 1, error.message()};
  if (done < text.size()) return BadLine{done + 1, "something follows the object"};
  return std::nullopt;
}

std::string_view name_of(ServiceMembers::Key key) noexcept { return kKnownKeys.at(key).name; }

// The parser tells what it found, not where. This is asked only where a line is refused.
std::size_t column_of(std::string_view text, std::size_t token) noexcept {
  std::size_t at = 0;
  while (true) {
    at = text.find_first_not_of(" \t\r\n:,", at);
    if (at == std::string_view::npos) return text.size() + 1;
    if (token-- == 0) return at + 1;
    if (text[at] == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\') ++at;
      }
      ++at;
    } else if (std::string_view("{}[]").find(text[at]) != std::string_view::npos) {
      ++at;
    } else {
      at = std::min(text.find_first_of(" \t\r\n:,{}[]\"", at), text.size());
    }
  }
}

}  // namespace shmreg::output
