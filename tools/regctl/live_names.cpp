#include "regctl/live_names.hpp"

#include <filesystem>
#include <fstream>
#include <map>

#include "output/units.hpp"

namespace shmreg::regctl {
namespace {

// Beyond these a press of TAB would be felt: reading names takes about 4 us a service.
constexpr std::uint64_t kServicesToWalk = 300'000;  // for the namespaces of all
constexpr std::uint64_t kServicesToList = 50'000;

std::string description_of(const Service& service) {
  if (!service.endpoint().empty()) return std::string(service.endpoint());
  if (service.pid() != 0) return "pid " + std::to_string(service.pid());
  return std::string(to_string(service.owner()));
}

std::string count_of(std::uint64_t services) {
  return std::to_string(services) + (services == 1 ? " service" : " services");
}

std::vector<NamespaceCount> namespaces_of(const Registry& registry) {
  const auto info = registry.info();
  if (!info || info->services > kServicesToWalk) return {};
  auto found = registry.namespaces();
  return found ? std::move(found).value() : std::vector<NamespaceCount>();
}

std::vector<Service> services_of(const Registry& registry, std::optional<std::string_view> name) {
  const auto count = registry.count(name);
  if (!count || *count > kServicesToList) return {};
  auto found = registry.list(name);
  return found ? std::move(found).value() : std::vector<Service>();
}

// Services by the next part of their namespace's name, up to the slash.
std::map<std::string, std::uint64_t> next_parts(const Registry& registry, std::string_view typed) {
  std::map<std::string, std::uint64_t> parts;
  for (const NamespaceCount& each : namespaces_of(registry)) {
    const std::string path = each.name + "/";
    if (path.compare(0, typed.size(), typed) != 0) continue;
    const auto slash = path.find('/', typed.size());
    if (slash != std::string::npos) parts[path.substr(0, slash + 1)] += each.services;
  }
  return parts;
}

}  // namespace

void offer_services(const Registry& registry, std::string_view typed, const Offer& offer) {
  for (const auto& [part, services] : next_parts(registry, typed)) {
    if (!offer(part, count_of(services))) return;
  }
  const auto slash = typed.rfind('/');
  const bool bare = slash == std::string_view::npos;
  const std::string_view name = bare ? std::string_view("default") : typed.substr(0, slash);
  if (name.empty()) return;
  for (const Service& service : services_of(registry, name)) {
    const std::string value(bare ? service.name() : service.full_name());
    if (!offer(value, description_of(service))) return;
  }
}

void offer_namespaces(const Registry& registry, bool above, const Offer& offer) {
  std::map<std::string, std::uint64_t> found;
  for (const NamespaceCount& each : namespaces_of(registry)) {
    found[each.name] += each.services;
    if (!above) continue;
    for (auto slash = each.name.rfind('/'); slash != std::string::npos && slash != 0;
         slash = each.name.rfind('/', slash - 1)) {
      found[each.name.substr(0, slash)] += each.services;
    }
  }
  for (const auto& [name, services] : found) {
    if (!offer(name, count_of(services))) return;
  }
}

void offer_owners(const Registry& registry, const Offer& offer) {
  for (const Service& service : services_of(registry, std::nullopt)) {
    if (service.pid() == 0) continue;
    if (!offer(std::to_string(service.pid()), std::string(service.full_name()))) return;
  }
}

void offer_processes(const Offer& offer) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string pid = entry.path().filename();
    if (!output::parse_pid(pid)) continue;
    std::string program;
    std::getline(std::ifstream(entry.path() / "comm"), program);
    if (!offer(pid, program)) return;
  }
}

void offer_segments(const Offer& offer) {
  for (const SegmentInfo& segment : segments()) {
    const std::string what = segment.problem.ok() ? output::human_size(segment.bytes_used) + " used"
                                                  : segment.problem.message();
    if (!offer(segment.name, what)) return;
  }
}

}  // namespace shmreg::regctl
