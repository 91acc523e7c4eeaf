// Registry::watch, wait; Watch.
#include "core/waiting.hpp"

#include <utility>

#include "core/watcher.hpp"
#include "registry/names.hpp"
#include "shmreg/registry.hpp"

namespace shmreg {

std::string_view to_string(WatchEventKind kind) noexcept {
  switch (kind) {
    case WatchEventKind::present:
      return "present";
    case WatchEventKind::registered:
      return "registered";
    case WatchEventKind::updated:
      return "updated";
    case WatchEventKind::unregistered:
      return "unregistered";
    case WatchEventKind::died:
      return "died";
    case WatchEventKind::expired:
      return "expired";
    case WatchEventKind::health:
      return "health";
    case WatchEventKind::lost:
      return "lost";
  }
  return "unknown";
}

Watch::Watch(std::unique_ptr<core::Watcher> watcher) noexcept : watcher_(std::move(watcher)) {}
Watch::Watch() noexcept = default;
Watch::Watch(Watch&&) noexcept = default;
Watch& Watch::operator=(Watch&&) noexcept = default;
Watch::~Watch() = default;

Result<bool> Watch::next(WatchEvent& event, std::optional<std::chrono::nanoseconds> timeout) {
  if (!watcher_) return Status(Errc::invalid_argument, "this watch is of nothing");
  Result<bool> outcome = watcher_->next(event, timeout);
  if (!outcome && outcome.message() == describe(outcome.code())) {
    return Status(outcome.code(), "cannot watch: " + outcome.message());
  }
  return outcome;
}

void Watch::cancel() noexcept {
  if (watcher_) watcher_->cancel();
}

Result<Watch> Registry::watch(std::string_view scope) {
  std::string checked(scope);
  if (!scope.empty() && scope.back() == '/') {
    if (Status valid = check_namespace(scope.substr(0, scope.size() - 1)); !valid) return valid;
  } else if (!scope.empty()) {
    Result<std::string> key = full_name(scope);
    if (!key) return key.status();
    checked = std::move(key).value();
  }
  return Watch(std::make_unique<core::Watcher>(attachment_, core::WatchScope(std::move(checked))));
}

Result<std::vector<bool>> Registry::wait(std::span<const std::string> services,
                                         const WaitOptions& options) const {
  std::vector<std::string> keys;
  for (const std::string& service : services) {
    Result<std::string> key = full_name(service);
    if (!key) return key.status();
    keys.push_back(std::move(key).value());
  }
  std::vector<bool> met;
  Status outcome = core::wait_for(*attachment_, keys, options, met);
  if (outcome.ok()) return met;
  if (outcome.code() != Errc::timed_out) {
    return Status(outcome.code(), "cannot wait: " + outcome.message());
  }
  std::string missing;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (met.at(i)) continue;
    if (!missing.empty()) missing += ", ";
    missing += "'" + printable(keys[i]) + "'";
  }
  constexpr std::string_view kStates[] = {" not registered", " not passing", " still registered"};
  return Status(Errc::timed_out, "timed out: " + missing +
                                     std::string(kStates[static_cast<int>(options.condition)]));
}

}  // namespace shmreg
