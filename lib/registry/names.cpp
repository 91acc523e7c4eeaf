#include "registry/names.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "core/printable.hpp"
#include "core/record_image.hpp"
#include "core/segment.hpp"
#include "layout/record.hpp"

namespace shmreg {

using core::has_control;
using core::is_utf8;

namespace {

std::string quoted(std::string_view text) { return "'" + printable(text.substr(0, 80)) + "'"; }

template <class Names>
Status check_unique(const Names& names, std::string_view what) {
  std::set<std::string_view> seen;
  for (const auto& name : names) {
    if (!seen.insert(name).second) {
      return {Errc::invalid_argument, std::string(what) + " " + quoted(name) + " is given twice"};
    }
  }
  return {};
}

}  // namespace

Result<std::string> segment_file_name(std::string_view segment) {
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (segment.empty() || segment.size() > 64 || segment.front() == '.' ||
      !std::all_of(segment.begin(), segment.end(), allowed)) {
    return Status(Errc::invalid_name,
                  "segment name " + quoted(segment) +
                      " is not 1-64 of A-Z a-z 0-9 . _ - without a leading dot");
  }
  return std::string(core::kFilePrefix) + std::string(segment);
}

Status check_text(std::string_view text, std::string_view what, bool allow_slash) {
  const auto bad = [&](const char* why) {
    return Status(Errc::invalid_name, std::string(what) + " " + quoted(text) + " " + why);
  };
  if (text.empty()) return bad("is empty");
  if (text.size() > layout::kMaxNameBytes) return bad("is longer than 255 bytes");
  if (!is_utf8(text)) return bad("is not UTF-8");
  if (has_control(text)) return bad("holds a control character");
  if (!allow_slash && text.find('/') != std::string_view::npos) return bad("holds a slash");
  return {};
}

Status check_namespace(std::string_view name) {
  if (Status text = check_text(name, "namespace"); !text) return text;
  if (name.front() == '/' || name.back() == '/' || name.find("//") != std::string_view::npos) {
    return {Errc::invalid_name, "namespace " + quoted(name) + " has an empty part"};
  }
  return {};
}

Status check_service(std::string_view service) {
  if (service.empty()) return {Errc::invalid_name, "the service name is empty"};
  const std::size_t slash = service.rfind('/');
  if (slash == std::string_view::npos) return check_text(service, "service name");
  if (slash + 1 == service.size()) {
    return {Errc::invalid_name, "service " + quoted(service) + " ends in a slash"};
  }
  if (Status checked = check_namespace(service.substr(0, slash)); !checked) return checked;
  return check_text(service.substr(slash + 1), "service name");
}

Result<std::string> full_name(std::string_view service) {
  if (Status checked = check_service(service); !checked) return checked;
  const bool has_namespace = service.find('/') != std::string_view::npos;
  return has_namespace ? std::string(service) : "default/" + std::string(service);
}

Status encode_spec(const ServiceSpec& spec, std::string_view key,
                   std::vector<unsigned char>& attributes) {
  using layout::AttributeKind;
  if (spec.endpoint.size() > layout::kMaxRecordBytes || !is_utf8(spec.endpoint) ||
      has_control(spec.endpoint)) {
    return {Errc::invalid_argument,
            "endpoint " + quoted(spec.endpoint) + " is not UTF-8 without control characters"};
  }
  std::set<std::string_view> keys;
  for (const auto& [name, value] : spec.metadata) {
    if (Status checked = check_text(name, "metadata key"); !checked) return checked;
    if (name.find('=') != std::string::npos) {
      return {Errc::invalid_name, "metadata key " + quoted(name) + " holds '='"};
    }
    if (!keys.insert(name).second) {
      return {Errc::invalid_argument, "metadata key " + quoted(name) + " is given twice"};
    }
    if (value.size() > layout::kMaxRecordBytes - layout::kRecordHeaderBytes) {
      return {Errc::invalid_argument,
              "the value of metadata key " + quoted(name) + " is longer than a record's 64 KiB"};
    }
    if (!is_utf8(value)) {
      return {Errc::invalid_argument,
              "the value of metadata key " + quoted(name) + " is not UTF-8"};
    }
    core::append_attribute(attributes, AttributeKind::metadata, name, value);
  }
  if (Status unique = check_unique(spec.tags, "tag"); !unique) return unique;
  for (const std::string& tag : spec.tags) {
    if (Status checked = check_text(tag, "tag"); !checked) return checked;
    core::append_attribute(attributes, AttributeKind::tag, {}, tag);
  }
  const auto append_services = [&](const std::vector<std::string>& services, AttributeKind kind,
                                   std::string_view what) -> Status {
    std::vector<std::string> names;
    for (const std::string& service : services) {
      Result<std::string> name = full_name(service);
      if (!name) return name.status();
      names.push_back(std::move(name).value());
    }
    if (Status unique = check_unique(names, what); !unique) return unique;
    for (const std::string& name : names) core::append_attribute(attributes, kind, {}, name);
    return {};
  };
  if (Status s = append_services(spec.depends, AttributeKind::depends, "dependency"); !s) return s;
  if (Status s = append_services(spec.wants, AttributeKind::wants, "wanted service"); !s) return s;

  constexpr std::size_t kOwnerAttributes =
      sizeof(layout::AttributeHead) + sizeof(layout::ProcessAttribute) + layout::kMaxProgramBytes;
  const std::size_t bytes = layout::kRecordHeaderBytes + key.size() + spec.endpoint.size() +
                            attributes.size() + kOwnerAttributes;
  if (bytes > layout::kMaxRecordBytes) {
    return {Errc::invalid_argument, "what " + quoted(key) + " says of itself takes " +
                                        std::to_string(bytes) + " bytes; a record holds " +
                                        std::to_string(layout::kMaxRecordBytes)};
  }
  return {};
}

Status check_spec(std::string_view service, const ServiceSpec& spec) {
  const Result<std::string> key = full_name(service);
  if (!key) return key.status();
  std::vector<unsigned char> attributes;
  return encode_spec(spec, *key, attributes);
}

}  // namespace shmreg
