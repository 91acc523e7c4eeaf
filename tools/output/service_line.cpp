#include "output/service_line.hpp"

#include <limits>
#include <utility>

#include "output/json.hpp"
#include "output/service_members.hpp"

namespace shmreg::output {
namespace {

using Members = ServiceMembers;

// Of text in a message: a line may hold a mebibyte of it.
constexpr std::size_t kQuotedBytes = 80;
constexpr std::int64_t kLargestPid = std::numeric_limits<std::int32_t>::max();

std::string quoted(std::string_view text) {
  return "'" + std::string(text.substr(0, kQuotedBytes)) + "'";
}

std::optional<OwnerKind> owner_from_string(std::string_view text) noexcept {
  for (const OwnerKind kind : {OwnerKind::process, OwnerKind::pid, OwnerKind::ttl,
                               OwnerKind::permanent, OwnerKind::remote}) {
    if (to_string(kind) == text) return kind;
  }
  return std::nullopt;
}

// What the line says beyond the types of its values, and where it is wrong.
class Meaning {
 public:
  Meaning(std::string_view text, const Members& members, ServiceLine& line)
      : text_(text), members_(members), line_(line) {}

  [[nodiscard]] std::optional<BadLine> take() {
    for (const auto check : {&Meaning::take_schema, &Meaning::take_name, &Meaning::take_owner,
                             &Meaning::check_rules}) {
      if (auto bad = (this->*check)()) return bad;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] const std::string& string(Members::Key key) const {
    return members_.strings.at(key);
  }
  [[nodiscard]] std::int64_t integer(Members::Key key) const { return members_.integers.at(key); }
  [[nodiscard]] BadLine bad(Members::Key key, std::string why) const {
    return {column_of(text_, members_.tokens.at(key)), std::move(why)};
  }

  std::optional<BadLine> take_schema() {
    const std::int64_t schema = integer(Members::kSchemaKey);
    if (!members_.has(Members::kSchemaKey) || schema == kSchema) return std::nullopt;
    return bad(Members::kSchemaKey,
               "schema " + std::to_string(schema) + " is another than " + std::to_string(kSchema));
  }

  std::optional<BadLine> take_name() {
    for (const Members::Key key : {Members::kNamespace, Members::kName}) {
      if (!members_.has(key)) return bad(key, "it has no " + quoted(name_of(key)));
    }
    const std::string& space = string(Members::kNamespace);
    const std::string& name = string(Members::kName);
    const auto somewhere = shmreg::full_name(space + "/x");
    if (!somewhere) return bad(Members::kNamespace, somewhere.message());
    // Joined to the namespace it would be another name in another namespace.
    if (name.find('/') != std::string::npos) {
      return bad(Members::kName, "name " + quoted(name) + " holds a slash");
    }
    line_.full_name = space + "/" + name;
    const auto full = shmreg::full_name(line_.full_name);
    if (!full) return bad(Members::kName, full.message());
    return std::nullopt;
  }

  std::optional<BadLine> take_owner() {
    const std::int64_t pid = integer(Members::kPid);
    if (pid < 0 || pid > kLargestPid) return bad(Members::kPid, std::to_string(pid) + " is no pid");
    line_.pid = static_cast<std::uint32_t>(pid);
    // As what it says of its end goes.
    line_.owner = pid != 0                      ? OwnerKind::pid
                  : members_.has(Members::kTtl) ? OwnerKind::ttl
                                                : OwnerKind::permanent;
    if (members_.has(Members::kOwner)) {
      const std::string& word = string(Members::kOwner);
      const auto kind = owner_from_string(word);
      if (!kind) return bad(Members::kOwner, "there is no owner " + quoted(word));
      line_.owner = *kind;
    }
    const std::int64_t period_us = integer(Members::kTtl);
    if (members_.has(Members::kTtl) && (period_us <= 0 || period_us > kLargestInteger)) {
      return bad(Members::kTtl, "'ttl_us' is not within 1 and 2^53 - 1");
    }
    line_.ttl = std::chrono::microseconds(period_us);
    if (line_.owner == OwnerKind::ttl && !members_.has(Members::kTtl)) {
      return bad(Members::kOwner, "it is a ttl without 'ttl_us'");
    }
    return std::nullopt;
  }

  std::optional<BadLine> check_rules() {
    const Status whole = check_spec(line_.full_name, line_.spec);
    if (whole) return std::nullopt;
    // The library names no key: the one whose value breaks a rule by itself is the one to point at.
    const ServiceSpec& spec = line_.spec;
    const std::pair<Members::Key, ServiceSpec> parts[] = {
        {Members::kEndpoint, {.endpoint = spec.endpoint}},
        {Members::kMetadata, {.metadata = spec.metadata}},
        {Members::kTags, {.tags = spec.tags}},
        {Members::kDepends, {.depends = spec.depends}},
        {Members::kWants, {.wants = spec.wants}},
    };
    for (const auto& [key, part] : parts) {
      const Status status = check_spec(line_.full_name, part);
      if (!status) return bad(key, status.message());
    }
    return BadLine{1, whole.message()};
  }

  std::string_view text_;
  const Members& members_;
  ServiceLine& line_;
};

}  // namespace

std::optional<BadLine> ServiceLine::read(std::string_view text, ServiceLine& line) {
  line = ServiceLine();
  ServiceMembers members;
  if (auto bad = ServiceMembers::read(text, members)) return bad;
  line.spec = std::move(members.spec);
  line.spec.endpoint = members.strings.at(Members::kEndpoint);
  line.shared = members.integers.at(Members::kShared) != 0;
  return Meaning(text, members, line).take();
}

}  // namespace shmreg::output
