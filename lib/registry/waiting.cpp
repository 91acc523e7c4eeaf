// Registry::watch, wait; Watch.
#include "core/waiting.hpp"

#include <exception>
#include <utility>

#include "core/background.hpp"
#include "core/lookup.hpp"
#include "core/watch_pump.hpp"
#include "core/watcher.hpp"
#include "registry/names.hpp"
#include "registry/owner_process.hpp"
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

// In a forked child nothing of it may be touched.
void Watch::EndPump::operator()(core::WatchPump* pump) const noexcept {
  if (pump->is_ours()) delete pump;
}

Watch::Watch(std::unique_ptr<core::Watcher> watcher, const WatchOptions& options) noexcept
    : watcher_(std::move(watcher)), options_(options) {}
Watch::Watch() noexcept = default;
Watch::Watch(Watch&&) noexcept = default;
Watch& Watch::operator=(Watch&&) noexcept = default;
Watch::~Watch() = default;

namespace {

Status not_ours() {
  return {Errc::invalid_argument,
          "this watch has a descriptor, which is the process's that forked this one: watch anew"};
}

}  // namespace

Result<bool> Watch::next(WatchEvent& event, std::optional<std::chrono::nanoseconds> timeout) {
  if (!watcher_ && !pump_) return Status(Errc::invalid_argument, "this watch is of nothing");
  if (pump_ && !pump_->is_ours()) return not_ours();
  Result<bool> outcome = pump_ ? pump_->next(event, timeout)
                               : watcher_->next(event, timeout, options_.return_on_signal);
  if (!outcome && outcome.message() == describe(outcome.code())) {
    return Status(outcome.code(), "cannot watch: " + outcome.message());
  }
  return outcome;
}

void Watch::cancel() noexcept {
  if (pump_ && pump_->is_ours()) pump_->cancel();
  if (watcher_) watcher_->cancel();
}

void Watch::unread(WatchEvent event) {
  if (watcher_) {
    watcher_->unread(std::move(event));
  } else if (pump_ && pump_->is_ours()) {
    pump_->unread(std::move(event));
  }
}

Result<int> Watch::descriptor() {
  if (!pump_) {
    if (!watcher_) return Status(Errc::invalid_argument, "this watch is of nothing");
    auto pump = std::make_unique<core::WatchPump>(std::move(watcher_), options_);
    if (Status started = pump->start(); !started) {
      watcher_ = pump->give_back();
      return started;
    }
    pump_.reset(pump.release());
  }
  if (!pump_->is_ours()) return not_ours();
  return pump_->descriptor();
}

Result<Watch> Registry::watch(std::string_view scope, const WatchOptions& options) {
  std::string checked(scope);
  if (!scope.empty() && scope.back() == '/') {
    if (Status valid = check_namespace(scope.substr(0, scope.size() - 1)); !valid) return valid;
  } else if (!scope.empty()) {
    Result<std::string> key = full_name(scope);
    if (!key) return key.status();
    checked = std::move(key).value();
  }
  return Watch(std::make_unique<core::Watcher>(attachment_, core::WatchScope(std::move(checked))),
               options);
}

namespace {

Result<std::vector<std::string>> full_names(std::span<const std::string> services) {
  std::vector<std::string> keys;
  for (const std::string& service : services) {
    Result<std::string> key = full_name(service);
    if (!key) return key.status();
    keys.push_back(std::move(key).value());
  }
  return keys;
}

// Of a name that is still registered.
std::string holder_of(core::Attachment& attachment, const std::string& key) {
  Service found;
  const core::Segment& segment = attachment.segment();
  const bool there = core::lookup(segment, attachment.watch(), key, found) == Errc::ok;
  return there ? of_owner(segment, found) : "";
}

Result<std::vector<bool>> wait_for(core::Attachment& attachment,
                                   const std::vector<std::string>& keys, const WaitOptions& options,
                                   const std::atomic<std::uint32_t>* stop = nullptr) {
  std::vector<bool> met;
  Status outcome = core::wait_for(attachment, keys, options, met, stop);
  if (outcome.ok()) return met;
  if (outcome.code() == Errc::cancelled || outcome.code() == Errc::interrupted) return outcome;
  if (outcome.code() != Errc::timed_out) {
    return Status(outcome.code(), "cannot wait: " + outcome.message());
  }
  std::string missing;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (met.at(i)) continue;
    if (!missing.empty()) missing += ", ";
    missing += "'" + printable(keys[i]) + "'";
    if (options.condition == WaitFor::gone) missing += holder_of(attachment, keys[i]);
  }
  constexpr std::string_view kStates[] = {" not registered", " not passing", " still registered"};
  return Status(Errc::timed_out, "timed out: " + missing +
                                     std::string(kStates[static_cast<int>(options.condition)]));
}

}  // namespace

Result<std::vector<bool>> Registry::wait(std::span<const std::string> services,
                                         const WaitOptions& options) const {
  const auto keys = full_names(services);
  if (!keys) return keys.status();
  return wait_for(*attachment_, *keys, options);
}

struct PendingWait::State {
  std::shared_ptr<core::Attachment> attachment;
  std::vector<std::string> keys;
  WaitOptions options;
  // Written by the thread before `over`.
  Result<std::vector<bool>> outcome{Status(Errc::cancelled)};
  std::atomic<bool> over{false};
  core::Background background;

  void run() {
    try {
      outcome = wait_for(*attachment, keys, options, &background.stop_word());
    } catch (const std::exception& error) {  // out of memory
      outcome = Status(Errc::no_space, std::string("cannot wait: ") + error.what());
    }
    over.store(true, std::memory_order_release);
    background.event().raise();
  }
};

PendingWait::PendingWait(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
PendingWait::PendingWait() noexcept = default;
PendingWait::PendingWait(PendingWait&&) noexcept = default;
PendingWait& PendingWait::operator=(PendingWait&& other) noexcept {
  if (this == &other) return *this;
  const PendingWait ended(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}

PendingWait::~PendingWait() {
  if (!state_) return;
  state_->background.stop();
  // In a forked child the thread's copy of all this may be half written.
  if (!state_->over.load(std::memory_order_acquire)) (void)state_.release();
}

int PendingWait::descriptor() const noexcept {
  return state_ ? state_->background.event().number() : -1;
}

bool PendingWait::over() const noexcept {
  return state_ && state_->over.load(std::memory_order_acquire);
}

void PendingWait::cancel() noexcept {
  if (state_) state_->background.ask_to_stop();
}

Result<std::vector<bool>> PendingWait::outcome() const {
  if (!state_) return Status(Errc::invalid_argument, "this wait is for nothing");
  while (!over()) {
    if (!state_->background.is_ours()) {
      return Status(Errc::invalid_argument, "this wait is the process's that forked this one");
    }
    (void)state_->background.event().wait(std::nullopt);
  }
  return state_->outcome;
}

Result<PendingWait> Registry::start_wait(std::vector<std::string> services,
                                         const WaitOptions& options) const {
  auto keys = full_names(services);
  if (!keys) return keys.status();
  auto state = std::make_unique<PendingWait::State>();
  state->attachment = attachment_;
  state->keys = std::move(keys).value();
  state->options = options;
  PendingWait::State* running = state.get();
  if (Status started = state->background.start([running] { running->run(); }); !started) {
    return started;
  }
  return PendingWait(std::move(state));
}

}  // namespace shmreg
