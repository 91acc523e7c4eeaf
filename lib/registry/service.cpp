#include "shmreg/service.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/record_image.hpp"
#include "core/service_access.hpp"
#include "layout/record.hpp"
#include "sys/clock.hpp"

namespace shmreg {
namespace {

using core::AttributeReader;
using core::RecordView;
using layout::AttributeKind;

std::optional<RecordView> view_of(const Service& service) noexcept {
  return RecordView::of(core::ServiceAccess::image(service));
}

constexpr std::array<std::string_view, 6> kHealthNames{"unknown", "starting", "passing",
                                                       "warning", "critical", "maintenance"};

std::vector<std::string_view> values_of(const Service& service, AttributeKind kind) {
  std::vector<std::string_view> values;
  const auto view = view_of(service);
  if (!view) return values;
  AttributeReader reader(view->attributes());
  while (const auto attribute = reader.next()) {
    if (attribute->kind == kind) values.push_back(attribute->value);
  }
  return values;
}

}  // namespace

std::string_view to_string(OwnerKind kind) noexcept {
  switch (kind) {
    case OwnerKind::process:
      return "process";
    case OwnerKind::pid:
      return "pid";
    case OwnerKind::ttl:
      return "ttl";
    case OwnerKind::permanent:
      return "static";
    case OwnerKind::remote:
      return "remote";
  }
  return "unknown";
}

std::string_view to_string(Health health) noexcept {
  const auto index = static_cast<std::size_t>(health);
  return index < kHealthNames.size() ? kHealthNames.at(index) : kHealthNames.front();
}

std::optional<Health> health_from_string(std::string_view text) noexcept {
  const auto* found = std::find(kHealthNames.begin(), kHealthNames.end(), text);
  if (found == kHealthNames.end()) return std::nullopt;
  return static_cast<Health>(found - kHealthNames.begin());
}

// Only the bytes in use are copied: the rest of inline_ was never written.
Service::Service(const Service& other)
    : size_(other.size_),
      pid_(other.pid_),
      alive_(other.alive_),
      health_(other.health_),
      heap_(other.heap_) {
  if (heap_.empty()) std::memcpy(inline_.data(), other.inline_.data(), size_);
}

Service& Service::operator=(const Service& other) {
  if (this != &other) *this = Service(other);
  return *this;
}

Service::Service(Service&& other) noexcept
    : size_(std::exchange(other.size_, 0)),
      pid_(other.pid_),
      alive_(other.alive_),
      health_(other.health_),
      heap_(std::move(other.heap_)) {
  other.heap_.clear();
  if (heap_.empty()) std::memcpy(inline_.data(), other.inline_.data(), size_);
}

Service& Service::operator=(Service&& other) noexcept {
  if (this == &other) return *this;
  size_ = std::exchange(other.size_, 0);
  pid_ = other.pid_;
  alive_ = other.alive_;
  health_ = other.health_;
  heap_ = std::move(other.heap_);
  other.heap_.clear();
  if (heap_.empty()) std::memcpy(inline_.data(), other.inline_.data(), size_);
  return *this;
}

std::string_view Service::full_name() const noexcept {
  const auto view = view_of(*this);
  return view ? view->key() : std::string_view();
}

std::string_view Service::namespace_name() const noexcept {
  const auto view = view_of(*this);
  return view ? view->namespace_name() : std::string_view();
}

std::string_view Service::name() const noexcept {
  const auto view = view_of(*this);
  return view ? view->key().substr(view->header().namespace_bytes + 1) : std::string_view();
}

std::uint64_t Service::id() const noexcept {
  const auto view = view_of(*this);
  return view ? view->header().id : 0;
}

bool Service::shared() const noexcept {
  const auto view = view_of(*this);
  return view && view->header().ordinal != 0;
}

std::string_view Service::endpoint() const noexcept {
  if (size_ == 0) return {};
  // Its lengths were held against its size when it was filled: this one is asked for every time.
  const std::uint64_t* words = core::ServiceAccess::words(*this);
  const std::size_t at =
      layout::kRecordHeaderBytes + layout::key_bytes_of(words[layout::kKindWord]);
  return {reinterpret_cast<const char*>(words) + at,
          layout::endpoint_bytes_of(words[layout::kLengthsWord])};
}

OwnerKind Service::owner() const noexcept {
  const auto view = view_of(*this);
  return view ? static_cast<OwnerKind>(view->header().owner_kind) : OwnerKind::process;
}

std::int64_t Service::registered_at_ns() const noexcept {
  const auto view = view_of(*this);
  return view ? view->header().registered_at_ns : 0;
}

std::uint64_t Service::uptime_ns() const noexcept {
  const auto view = view_of(*this);
  const std::uint64_t now = sys::monotonic_clock_ns();
  return view && view->header().registered_mono_ns <= now ? now - view->header().registered_mono_ns
                                                          : 0;
}

std::uint64_t Service::period_ns() const noexcept {
  const auto view = view_of(*this);
  return view ? view->period_ns() : 0;
}

std::uint64_t Service::change() const noexcept {
  const auto view = view_of(*this);
  return view ? view->header().change : 0;
}

std::vector<std::pair<std::string_view, std::string_view>> Service::metadata() const {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  const auto view = view_of(*this);
  if (!view) return pairs;
  AttributeReader reader(view->attributes());
  while (const auto attribute = reader.next()) {
    if (attribute->kind == AttributeKind::metadata) {
      pairs.emplace_back(attribute->key, attribute->value);
    }
  }
  return pairs;
}

std::optional<std::string_view> Service::metadata(std::string_view key) const noexcept {
  const auto view = view_of(*this);
  if (!view) return std::nullopt;
  AttributeReader reader(view->attributes());
  while (const auto attribute = reader.next()) {
    if (attribute->kind == AttributeKind::metadata && attribute->key == key) {
      return attribute->value;
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> Service::tags() const { return values_of(*this, AttributeKind::tag); }
std::vector<std::string_view> Service::depends() const {
  return values_of(*this, AttributeKind::depends);
}
std::vector<std::string_view> Service::wants() const {
  return values_of(*this, AttributeKind::wants);
}

}  // namespace shmreg
