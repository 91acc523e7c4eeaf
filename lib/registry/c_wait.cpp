// The C interface: watching, waiting, checking, ending.
#include <utility>

#include "registry/c_support.hpp"
#include "shmreg/termination.hpp"

using namespace shmreg;     // NOLINT(google-build-using-namespace)
using namespace shmreg::c;  // NOLINT(google-build-using-namespace)

struct shmreg_watch {
  Watch watch;
};

struct shmreg_pending_wait {
  PendingWait wait;
};

namespace {

std::optional<std::chrono::nanoseconds> timeout_of(std::int64_t ns) {
  if (ns < 0) return std::nullopt;
  return std::chrono::nanoseconds(ns);
}

Outcome take_wait_options(const shmreg_wait_options* given, WaitOptions& options) {
  shmreg_wait_options known{};
  if (Outcome taken = take(given, known, "shmreg_wait_options"); taken.code() != SHMREG_OK) {
    return taken;
  }
  if (known.condition > SHMREG_WAIT_GONE) return invalid("there is no such condition");
  options.condition = static_cast<WaitFor>(known.condition);
  options.any = known.any != 0;
  if (known.timeout_ns != 0) options.timeout = timeout_of(known.timeout_ns);
  options.return_on_signal = known.return_on_signal != 0;
  return {};
}

Outcome give_met(const Result<std::vector<bool>>& outcome, std::uint8_t* met) {
  if (!outcome) return outcome.status();
  for (std::size_t i = 0; met != nullptr && i < outcome->size(); ++i)
    met[i] = (*outcome)[i] ? 1 : 0;
  return {};
}

}  // namespace

int shmreg_watch_open(shmreg_registry* registry, const char* scope, std::size_t scope_size,
                      const shmreg_watch_options* options, shmreg_watch** watch,
                      shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || watch == nullptr) return null_pointer("registry or watch");
    shmreg_watch_options known{};
    if (Outcome taken = take(options, known, "shmreg_watch_options"); taken.code() != SHMREG_OK) {
      return taken;
    }
    auto handle = std::make_unique<shmreg_watch>();
    auto made = registry->registry.watch(view(scope, scope_size),
                                         {.return_on_signal = known.return_on_signal != 0});
    if (!made) return made.status();
    handle->watch = std::move(made).value();
    *watch = handle.release();
    return {};
  });
}

int shmreg_watch_next(shmreg_watch* watch, std::int64_t timeout_ns, shmreg_event* event,
                      shmreg_service* service, shmreg_buffer* buffer, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (watch == nullptr || event == nullptr) return null_pointer("watch or event");
    WatchEvent told;
    const Result<bool> any = watch->watch.next(told, timeout_of(timeout_ns));
    if (!any) return any.status();
    if (!*any) return {SHMREG_TIMED_OUT, "nothing has happened in that time"};
    const bool has_service = told.service.has_value();
    shmreg_event full{};
    full.kind = static_cast<std::uint32_t>(told.kind);
    full.has_change = told.change ? 1 : 0;
    full.change = told.change.value_or(0);
    full.at_ns = told.at_ns;
    full.lost = told.lost;
    full.has_service = has_service ? 1 : 0;
    Outcome given;
    if (has_service) given = give_service(told.service, service, buffer);
    if (given.code() == SHMREG_OK) given = give(full, event, "shmreg_event");
    // Told again, once there is room for it.
    if (given.code() != SHMREG_OK) watch->watch.unread(std::move(told));
    return given;
  });
}

int shmreg_watch_descriptor(shmreg_watch* watch, int* descriptor, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (watch == nullptr || descriptor == nullptr) return null_pointer("watch or descriptor");
    const Result<int> made = watch->watch.descriptor();
    if (!made) return made.status();
    *descriptor = *made;
    return {};
  });
}

void shmreg_watch_cancel(shmreg_watch* watch) {
  const sys::NoCancellation no_cancellation;
  if (watch != nullptr) watch->watch.cancel();
}

void shmreg_watch_free(shmreg_watch* watch) { dispose(watch); }

int shmreg_wait(const shmreg_registry* registry, const shmreg_text* services, std::size_t count,
                const shmreg_wait_options* options, std::uint8_t* met, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    WaitOptions known;
    std::vector<std::string> names;
    for (const Outcome& taken :
         {take_wait_options(options, known), take_texts(services, count, names)}) {
      if (taken.code() != SHMREG_OK) return taken;
    }
    return give_met(registry->registry.wait(names, known), met);
  });
}

int shmreg_start_wait(const shmreg_registry* registry, const shmreg_text* services,
                      std::size_t count, const shmreg_wait_options* options,
                      shmreg_pending_wait** wait, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || wait == nullptr) return null_pointer("registry or wait");
    WaitOptions known;
    std::vector<std::string> names;
    for (const Outcome& taken :
         {take_wait_options(options, known), take_texts(services, count, names)}) {
      if (taken.code() != SHMREG_OK) return taken;
    }
    auto handle = std::make_unique<shmreg_pending_wait>();
    auto made = registry->registry.start_wait(std::move(names), known);
    if (!made) return made.status();
    handle->wait = std::move(made).value();
    *wait = handle.release();
    return {};
  });
}

int shmreg_pending_wait_descriptor(const shmreg_pending_wait* wait) {
  return wait == nullptr ? -1 : wait->wait.descriptor();
}

void shmreg_pending_wait_cancel(shmreg_pending_wait* wait) {
  const sys::NoCancellation no_cancellation;
  if (wait != nullptr) wait->wait.cancel();
}

int shmreg_pending_wait_outcome(const shmreg_pending_wait* wait, std::uint8_t* met,
                                shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (wait == nullptr) return null_pointer("wait");
    return give_met(wait->wait.outcome(), met);
  });
}

void shmreg_pending_wait_free(shmreg_pending_wait* wait) { dispose(wait); }

namespace {

// The caller's function, given the service as C has it.
Verdict ask(shmreg_check_function function, void* context, const Service& service) {
  std::vector<std::max_align_t> memory(SHMREG_USUAL_BUFFER / sizeof(std::max_align_t));
  shmreg_service found{};
  found.size = sizeof found;
  for (;;) {
    shmreg_buffer buffer{memory.data(), memory.size() * sizeof(std::max_align_t), 0};
    const Outcome given = give_service(service, &found, &buffer);
    if (given.code() == SHMREG_OK) break;
    memory.resize(buffer.needed / sizeof(std::max_align_t) + 1);
  }
  std::vector<char> value(4096);
  const bool healthy = function(&found, context, value.data(), value.size()) != 0;
  value.back() = '\0';
  std::string said(value.data());
  if (said.empty()) return healthy;
  return healthy ? Verdict::ok(std::move(said)) : Verdict::failed(std::move(said));
}

}  // namespace

int shmreg_health_check(const shmreg_registry* registry, const char* service,
                        std::size_t service_size, shmreg_check_function function, void* context,
                        std::int64_t timeout_ns, shmreg_check_result* result, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || result == nullptr) return null_pointer("registry or result");
    if (timeout_ns < 0) return invalid("a check has a time-out");
    if (Outcome sized = check_size(result, "shmreg_check_result"); sized.code() != SHMREG_OK) {
      return sized;
    }
    HealthCheckFunction body;
    if (function != nullptr) {
      body = [function, context](const Service& found) { return ask(function, context, found); };
    }
    constexpr std::chrono::nanoseconds kUsual = std::chrono::seconds(5);
    const HealthCheck check = registry->registry.health_check(
        view(service, service_size), std::move(body),
        timeout_ns == 0 ? kUsual : std::chrono::nanoseconds(timeout_ns));
    shmreg_check_result full{};
    full.outcome = static_cast<std::uint32_t>(check.outcome);
    full.duration_ns = static_cast<std::uint64_t>(check.duration.count());
    give_text(check.value, full.value);
    give_text(check.message, full.message);
    return give(full, result, "shmreg_check_result");
  });
}

int shmreg_terminate_owners(const shmreg_registry* registry, const shmreg_list* list,
                            std::uint64_t grace_ns, shmreg_termination* termination,
                            shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || list == nullptr || termination == nullptr) {
      return null_pointer("registry, list or termination");
    }
    // What is done can be told only once.
    if (Outcome sized = check_size(termination, "shmreg_termination"); sized.code() != SHMREG_OK) {
      return sized;
    }
    constexpr std::uint64_t kDayMs = 24 * 60 * 60 * 1000;
    const std::uint64_t grace_ms = std::min(grace_ns / 1'000'000, kDayMs);
    const Termination done =
        terminate_owners(registry->registry, list->services,
                         std::chrono::milliseconds(static_cast<std::int64_t>(grace_ms)));
    shmreg_termination full{};
    full.ended = done.ended.size();
    full.not_asked = done.not_asked.size();
    full.not_permitted = done.not_permitted ? 1 : 0;
    if (Outcome given = give(full, termination, "shmreg_termination"); given.code() != SHMREG_OK) {
      return given;
    }
    if (done.not_asked.empty()) return {};
    std::string who;
    for (const std::string& each : done.not_asked) who += (who.empty() ? "" : ", ") + each;
    return {done.not_permitted ? SHMREG_PERMISSION_DENIED : SHMREG_SYSTEM_ERROR,
            "could not be stopped: " + who};
  });
}
