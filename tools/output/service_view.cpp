#include "output/service_view.hpp"

#include <sys/utsname.h>

#include <algorithm>

#include "output/units.hpp"

namespace shmreg::output {
namespace {

Tone tone_of(Health health) noexcept {
  switch (health) {
    case Health::passing:
      return Tone::good;
    case Health::warning:
    case Health::maintenance:
    case Health::starting:
      return Tone::warning;
    case Health::critical:
      return Tone::bad;
    case Health::unknown:
      break;
  }
  return Tone::plain;
}

Json alive_json(Alive alive) {
  if (alive == Alive::unknown) return {};
  return alive == Alive::yes;
}

std::string alive_text(Alive alive) {
  if (alive == Alive::unknown) return "?";
  return alive == Alive::yes ? "yes" : "no";
}

// Rounded up, so that a short one does not become none. In nanoseconds, a hundred days would be
// beyond what JSON holds.
std::uint64_t ttl_us(const Service& service) {
  const std::uint64_t period_ns = service.period_ns();
  return std::min(period_ns / 1000 + (period_ns % 1000 != 0 ? 1 : 0),
                  static_cast<std::uint64_t>(kLargestInteger));
}

std::string joined(const std::vector<std::string_view>& parts) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += ",";
    text += part;
  }
  return text;
}

std::string metadata_text(const Service& service) {
  std::string text;
  for (const auto& [key, value] : service.metadata()) {
    if (!text.empty()) text += " ";
    text.append(key).append("=").append(value);
  }
  return text;
}

}  // namespace

std::vector<Column> ServiceView::columns() {
  return {{"SERVICE"},
          {"ENDPOINT"},
          {"PID", Align::right},
          {"OWNER"},
          {"HEALTH"},
          {"UPTIME", Align::right},
          {"ALIVE", Align::left, true},
          {"ID", Align::right, true},
          {"REGISTERED", Align::left, true},
          {"TAGS", Align::left, true},
          {"DEPENDS", Align::left, true},
          {"WANTS", Align::left, true},
          {"METADATA", Align::left, true}};
}

std::vector<Cell> ServiceView::cells(const Service& service) {
  return {std::string(service.full_name()),
          std::string(service.endpoint()),
          service.pid() == 0 ? std::string() : std::to_string(service.pid()),
          std::string(to_string(service.owner())),
          {std::string(to_string(service.health())), tone_of(service.health())},
          human_duration(service.uptime_ns()),
          alive_text(service.alive()),
          std::to_string(service.id()),
          rfc3339(service.registered_at_ns()),
          joined(service.tags()),
          joined(service.depends()),
          joined(service.wants()),
          metadata_text(service)};
}

Json ServiceView::json(const Service& service) {
  Json metadata = Json::object();
  for (const auto& [key, value] : service.metadata()) metadata.set(key, value);
  Json json = Json::object();
  json.set("namespace", service.namespace_name())
      .set("name", service.name())
      .set("id", service.id())
      .set("shared", service.shared())
      .set("pid", service.pid() == 0 ? Json() : Json(service.pid()))
      .set("endpoint", service.endpoint())
      .set("metadata", std::move(metadata))
      .set("tags", Json::array_of(service.tags()))
      .set("depends", Json::array_of(service.depends()))
      .set("wants", Json::array_of(service.wants()))
      .set("health", to_string(service.health()))
      // Nothing is inherited from dependencies yet.
      .set("effective_health", to_string(service.health()))
      .set("cause", Json())
      .set("owner", to_string(service.owner()));
  if (service.owner() == OwnerKind::ttl) json.set("ttl_us", ttl_us(service));
  json.set("alive", alive_json(service.alive()))
      .set("node", node_name())
      .set("registered_at", rfc3339(service.registered_at_ns()))
      .set("uptime_ms", service.uptime_ns() / 1'000'000);
  return json;
}

std::string ServiceView::name(const Service& service) { return std::string(service.full_name()); }

bool comes_before(const Service& a, const Service& b) {
  const int order = a.full_name().compare(b.full_name());
  return order != 0 ? order < 0 : a.id() < b.id();
}

bool is_healthy(const Service& service) {
  if (service.health() == Health::passing) return true;
  return service.health() == Health::unknown && !service.metadata("check.kind");
}

const std::string& node_name() {
  static const std::string name = [] {
    struct utsname host {};
    return ::uname(&host) == 0 ? std::string(host.nodename) : std::string();
  }();
  return name;
}

}  // namespace shmreg::output
