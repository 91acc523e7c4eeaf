// The C interface: segments, attaching, registering.
#include <utility>

#include "registry/c_support.hpp"
#include "shmreg/bus_error.hpp"

using namespace shmreg;     // NOLINT(google-build-using-namespace)
using namespace shmreg::c;  // NOLINT(google-build-using-namespace)

struct shmreg_report {
  DoctorReport report;
};

namespace {

// The lock time-out as AttachOptions has it: whole milliseconds, not less than asked for.
std::chrono::milliseconds lock_timeout(std::int64_t ns) {
  if (ns < 0) return std::chrono::milliseconds(0);
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::nanoseconds(ns));
}

}  // namespace

const char* shmreg_version() { return version(); }

std::uint32_t shmreg_version_number() {
  return SHMREG_VERSION_MAJOR * 1'000'000U + SHMREG_VERSION_MINOR * 1'000U + SHMREG_VERSION_PATCH;
}

const char* shmreg_describe(int code) {
  if (code == SHMREG_BUFFER_TOO_SMALL) return "the buffer is too small for the answer";
  if (code == SHMREG_OUT_OF_MEMORY) return "this process has no more memory";
  return describe(static_cast<Errc>(code));
}

int shmreg_handle_sigbus(const void* siginfo) {
  return handle_sigbus(static_cast<const siginfo_t*>(siginfo)) ? 1 : 0;
}

// --- segments ------------------------------------------------------------------------------------

int shmreg_create_segment(const char* segment, std::size_t segment_size,
                          const shmreg_create_options* options, int* created, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    CreateOptions known;
    if (Outcome taken = take_create_options(options, known); taken.code() != SHMREG_OK) {
      return taken;
    }
    const bool made = create_segment(view(segment, segment_size), known);
    if (created != nullptr) *created = made ? 1 : 0;
    return {};
  });
}

int shmreg_destroy_segment(const char* segment, std::size_t segment_size, int force,
                           const shmreg_trust_options* trust, std::uint64_t* services,
                           shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    TrustOptions known;
    if (Outcome taken = take_trust(trust, known); taken.code() != SHMREG_OK) return taken;
    const std::uint64_t were = destroy_segment(view(segment, segment_size), force != 0, known);
    if (services != nullptr) *services = were;
    return {};
  });
}

int shmreg_segments(shmreg_segment* rows, std::size_t row_size, std::size_t capacity,
                    std::size_t* count, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    std::vector<shmreg_segment> all;
    for (const SegmentInfo& each : segments()) {
      shmreg_segment row{};
      row.bytes_used = each.bytes_used;
      row.bytes_limit = each.bytes_limit;
      row.owner = each.owner;
      row.group = each.group;
      row.mode = each.mode;
      row.processes = each.processes;
      row.problem = static_cast<std::int32_t>(each.problem.code());
      give_text(each.name, row.name);
      all.push_back(row);
    }
    return give_rows(all, rows, row_size, capacity, count);
  });
}

int shmreg_doctor(const char* segment, std::size_t segment_size, const shmreg_trust_options* trust,
                  shmreg_report** report, std::size_t* problems, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (report == nullptr) return null_pointer("report");
    TrustOptions known;
    if (Outcome taken = take_trust(trust, known); taken.code() != SHMREG_OK) return taken;
    auto* const made = new shmreg_report{doctor(view(segment, segment_size), known)};
    if (problems != nullptr) *problems = made->report.problems.size();
    *report = made;
    return {};
  });
}

int shmreg_report_problem(const shmreg_report* report, std::size_t index, shmreg_problem* problem,
                          shmreg_buffer* buffer, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (report == nullptr || problem == nullptr) return null_pointer("report or problem");
    if (index >= report->report.problems.size()) return invalid("there are not so many problems");
    const Problem& found = report->report.problems[index];
    Packer packer(buffer);
    shmreg_problem full{};
    full.repairable = found.repairable ? 1 : 0;
    full.where = packer.text(found.where);
    full.what = packer.text(found.what);
    if (Outcome packed = packer.finish(); packed.code() != SHMREG_OK) return packed;
    return give(full, problem, "shmreg_problem");
  });
}

void shmreg_report_free(shmreg_report* report) { dispose(report); }

// --- attaching -----------------------------------------------------------------------------------

int shmreg_attach(const char* segment, std::size_t segment_size,
                  const shmreg_attach_options* options, shmreg_registry** registry,
                  shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    shmreg_attach_options known{};
    if (Outcome taken = take(options, known, "shmreg_attach_options"); taken.code() != SHMREG_OK) {
      return taken;
    }
    if (known.access > SHMREG_READ_ONLY) return invalid("there is no such access");
    AttachOptions attach;
    attach.access = static_cast<Access>(known.access);
    attach.handle_bus_errors = known.no_sigbus_handler == 0;
    if (known.lock_timeout_ns != 0) attach.lock_timeout = lock_timeout(known.lock_timeout_ns);
    if (Outcome taken = take_trust(known.trust, attach.trust); taken.code() != SHMREG_OK) {
      return taken;
    }
    if (known.create != nullptr) {
      if (Outcome taken = take_create_options(known.create, attach.create.emplace());
          taken.code() != SHMREG_OK) {
        return taken;
      }
    }
    *registry = new shmreg_registry{Registry::attach(view(segment, segment_size), attach)};
    return {};
  });
}

void shmreg_detach(shmreg_registry* registry) { dispose(registry); }

int shmreg_writable(const shmreg_registry* registry) {
  return registry != nullptr && registry->registry.writable() ? 1 : 0;
}

// --- registering ---------------------------------------------------------------------------------

namespace {

Outcome register_one(shmreg_registry& registry, std::string_view service, const shmreg_spec* spec,
                     const shmreg_register_options* options, shmreg_registration** registration) {
  ServiceSpec known;
  RegisterOptions how;
  if (Outcome taken = take_spec(spec, known); taken.code() != SHMREG_OK) return taken;
  if (Outcome taken = take_register_options(options, how); taken.code() != SHMREG_OK) return taken;
  // Before anything is registered: there is no room for it to fail afterwards.
  auto handle = std::make_unique<shmreg_registration>();
  Result<Registration> made = registry.registry.register_service(service, known, how);
  if (!made) return made.status();
  handle->registration = std::move(made).value();
  *registration = handle.release();
  return {};
}

}  // namespace

int shmreg_register(shmreg_registry* registry, const char* service, std::size_t service_size,
                    const shmreg_spec* spec, const shmreg_register_options* options,
                    shmreg_registration** registration, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || registration == nullptr) {
      return null_pointer("registry or registration");
    }
    return register_one(*registry, view(service, service_size), spec, options, registration);
  });
}

std::uint64_t shmreg_registration_id(const shmreg_registration* registration) {
  return registration == nullptr ? 0 : registration->registration.id();
}

int shmreg_registration_holds(const shmreg_registration* registration) {
  int holds = 0;
  (void)guarded(nullptr, [&]() -> Outcome {
    holds = registration != nullptr && registration->registration.holds() ? 1 : 0;
    return {};
  });
  return holds;
}

int shmreg_registration_loss_descriptor(shmreg_registration* registration, int* descriptor,
                                        shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registration == nullptr || descriptor == nullptr) {
      return null_pointer("registration or descriptor");
    }
    const Result<int> made = registration->registration.loss_descriptor();
    if (!made) return made.status();
    *descriptor = *made;
    return {};
  });
}

int shmreg_registration_update(shmreg_registration* registration, const shmreg_spec* spec,
                               shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registration == nullptr) return null_pointer("registration");
    ServiceSpec known;
    if (Outcome taken = take_spec(spec, known); taken.code() != SHMREG_OK) return taken;
    return registration->registration.update(known);
  });
}

int shmreg_registration_unregister(shmreg_registration* registration, int* removed,
                                   shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registration == nullptr) return null_pointer("registration");
    const Result<bool> was = registration->registration.unregister();
    if (!was) return was.status();
    if (removed != nullptr) *removed = *was ? 1 : 0;
    return {};
  });
}

void shmreg_registration_release(shmreg_registration* registration) {
  if (registration == nullptr) return;
  const sys::NoCancellation no_cancellation;
  registration->registration.release();
  delete registration;
}

void shmreg_registration_free(shmreg_registration* registration) { dispose(registration); }

int shmreg_register_many(shmreg_registry* registry, shmreg_bulk_item* items, std::size_t item_size,
                         std::size_t count, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    if (items == nullptr && count != 0) return null_pointer("items");
    if (item_size != sizeof(shmreg_bulk_item)) {
      return invalid("item_size is " + std::to_string(item_size) +
                     ": it is to be sizeof(shmreg_bulk_item)");
    }
    Outcome first;
    for (std::size_t i = 0; i < count; ++i) {
      shmreg_bulk_item& item = items[i];
      item.registration = nullptr;
      Outcome outcome;
      shmreg_error failure{};
      failure.size = sizeof failure;
      item.code = guarded(&failure, [&]() -> Outcome {
        return register_one(*registry, view(item.service), item.spec, item.options,
                            &item.registration);
      });
      if (item.code != SHMREG_OK && first.code() == SHMREG_OK) {
        first = Outcome(item.code, failure.message);
      }
    }
    return first;
  });
}

int shmreg_register_for(shmreg_registry* registry, const shmreg_owner* owner, const char* service,
                        std::size_t service_size, const shmreg_spec* spec,
                        const shmreg_register_options* options, std::uint64_t* id,
                        shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || owner == nullptr) return null_pointer("registry or owner");
    shmreg_owner known{};
    ServiceSpec what;
    RegisterOptions how;
    for (const Outcome& taken : {take(owner, known, "shmreg_owner"), take_spec(spec, what),
                                 take_register_options(options, how)}) {
      if (taken.code() != SHMREG_OK) return taken;
    }
    constexpr std::uint64_t kLongest = std::numeric_limits<std::int64_t>::max();
    Owner whose = Owner::permanent();
    switch (known.kind) {
      case SHMREG_OWNER_PID:
        if (known.pid > static_cast<std::uint32_t>(std::numeric_limits<pid_t>::max())) {
          return invalid("a pid is not so large");
        }
        whose = Owner::process(static_cast<pid_t>(known.pid), known.and_caller != 0);
        break;
      case SHMREG_OWNER_TTL:
        whose = Owner::time_to_live(std::chrono::nanoseconds(
            static_cast<std::int64_t>(std::min(known.period_ns, kLongest))));
        break;
      case SHMREG_OWNER_STATIC:
        break;
      default:
        return invalid("an owner is a pid, a ttl or static");
    }
    const Result<std::uint64_t> made =
        registry->registry.register_for(whose, view(service, service_size), what, how);
    if (!made) return made.status();
    if (id != nullptr) *id = *made;
    return {};
  });
}

int shmreg_unregister(shmreg_registry* registry, const char* service, std::size_t service_size,
                      const shmreg_unregister_options* options, int* removed, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    shmreg_unregister_options known{};
    if (Outcome taken = take(options, known, "shmreg_unregister_options");
        taken.code() != SHMREG_OK) {
      return taken;
    }
    UnregisterOptions how;
    if (known.id != 0) how.id = known.id;
    how.force = known.force != 0;
    const Result<bool> was = registry->registry.unregister(view(service, service_size), how);
    if (!was) return was.status();
    if (removed != nullptr) *removed = *was ? 1 : 0;
    return {};
  });
}

int shmreg_update(shmreg_registry* registry, const char* service, std::size_t service_size,
                  const shmreg_spec* spec, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    ServiceSpec known;
    if (Outcome taken = take_spec(spec, known); taken.code() != SHMREG_OK) return taken;
    return registry->registry.update(view(service, service_size), known);
  });
}

int shmreg_renew(shmreg_registry* registry, const char* service, std::size_t service_size,
                 std::uint64_t id, int* renewed, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    const Result<bool> was = registry->registry.renew(view(service, service_size), id);
    if (!was) return was.status();
    if (renewed != nullptr) *renewed = *was ? 1 : 0;
    return {};
  });
}

int shmreg_set_health(shmreg_registry* registry, const char* service, std::size_t service_size,
                      std::uint32_t health, std::uint64_t id, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    if (health > SHMREG_HEALTH_MAINTENANCE) return invalid("there is no such health");
    std::optional<std::uint64_t> whose;
    if (id != 0) whose = id;
    return registry->registry.set_health(view(service, service_size), static_cast<Health>(health),
                                         whose);
  });
}

int shmreg_cleanup(shmreg_registry* registry, const char* namespace_name,
                   std::size_t namespace_size, std::uint64_t* removed, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    const Result<std::uint64_t> were =
        registry->registry.cleanup(view(namespace_name, namespace_size));
    if (!were) return were.status();
    if (removed != nullptr) *removed = *were;
    return {};
  });
}

int shmreg_collect_garbage(shmreg_registry* registry, std::uint64_t* removed, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    const Result<std::uint64_t> were = registry->registry.collect_garbage();
    if (!were) return were.status();
    if (removed != nullptr) *removed = *were;
    return {};
  });
}

int shmreg_repair(shmreg_registry* registry, std::uint32_t* repaired, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    const Result<std::uint32_t> were = registry->registry.repair();
    if (!were) return were.status();
    if (repaired != nullptr) *repaired = *were;
    return {};
  });
}

int shmreg_full_name(const char* service, std::size_t service_size, shmreg_text* full,
                     shmreg_buffer* buffer, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (full == nullptr) return null_pointer("full_name");
    const Result<std::string> name = full_name(view(service, service_size));
    if (!name) return name.status();
    Packer packer(buffer);
    const shmreg_text text = packer.text(*name);
    Outcome packed = packer.finish();
    if (packed.code() == SHMREG_OK) *full = text;
    return packed;
  });
}

int shmreg_check_spec(const char* service, std::size_t service_size, const shmreg_spec* spec,
                      shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    ServiceSpec known;
    if (Outcome taken = take_spec(spec, known); taken.code() != SHMREG_OK) return taken;
    return check_spec(view(service, service_size), known);
  });
}
