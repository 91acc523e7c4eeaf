// The C interface: lookups, lists, what is known of a segment.
#include <utility>

#include "registry/c_support.hpp"

using namespace shmreg;     // NOLINT(google-build-using-namespace)
using namespace shmreg::c;  // NOLINT(google-build-using-namespace)

struct shmreg_ref {
  ServiceRef ref;
  std::string name;
};

namespace {

// Why a lookup, which says no more than a code, has found nothing.
Outcome missed(const Registry& registry, std::string_view service, Errc code,
               const shmreg_error* error) {
  // Who does not want to know why is not kept waiting for it.
  if (error == nullptr) return {static_cast<int>(code), {}};
  const Result<Service> again = registry.lookup(service);
  // It may be there by now.
  return again.code() == code ? Outcome(again.status()) : Outcome(Status(code));
}

Outcome missed(const shmreg_ref& ref, Errc code) {
  return {static_cast<int>(code), "'" + ref.name + "': " + describe(code)};
}

template <std::size_t kSize>
void give_state(std::optional<ProcessState> state, std::string_view program, std::uint32_t& to,
                char (&program_to)[kSize]) {
  to = static_cast<std::uint32_t>(SHMREG_PROCESS_UNKNOWN);
  if (state) to = static_cast<std::uint32_t>(*state);
  give_text(program, program_to);
}

}  // namespace

int shmreg_lookup(const shmreg_registry* registry, const char* service, std::size_t service_size,
                  shmreg_service* found, shmreg_buffer* buffer, shmreg_error* error) {
  return answered(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    Service one;
    const std::string_view name = view(service, service_size);
    const Errc code = registry->registry.lookup(name, one);
    if (code != Errc::ok) return missed(registry->registry, name, code, error);
    return give_service(one, found, buffer);
  });
}

int shmreg_lookup_endpoint(const shmreg_registry* registry, const char* service,
                           std::size_t service_size, char* endpoint, std::size_t capacity,
                           std::size_t* endpoint_size, shmreg_error* error) {
  return answered(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    Service one;
    const std::string_view name = view(service, service_size);
    const Errc code = registry->registry.lookup(name, one);
    if (code != Errc::ok) return missed(registry->registry, name, code, error);
    return give_endpoint(one, endpoint, capacity, endpoint_size);
  });
}

int shmreg_lookup_all(const shmreg_registry* registry, const char* service,
                      std::size_t service_size, shmreg_list** list, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || list == nullptr) return null_pointer("registry or list");
    auto all = registry->registry.lookup_all(view(service, service_size));
    if (!all) return all.status();
    *list = new shmreg_list{std::move(all).value()};
    return {};
  });
}

int shmreg_query(const shmreg_registry* registry, const shmreg_query_options* options,
                 shmreg_list** list, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || list == nullptr) return null_pointer("registry or list");
    shmreg_query_options known{};
    if (Outcome taken = take(options, known, "shmreg_query_options"); taken.code() != SHMREG_OK) {
      return taken;
    }
    Query query;
    if (known.namespace_name.data != nullptr) query.namespace_name = view(known.namespace_name);
    query.and_below = known.and_below != 0;
    if (known.match.data != nullptr) query.match = view(known.match);
    if (known.pid != 0) query.pid = known.pid;
    if (known.has_health != 0) {
      if (known.health > SHMREG_HEALTH_MAINTENANCE) return invalid("there is no such health");
      query.health = static_cast<Health>(known.health);
    }
    std::vector<std::string> where;
    for (const Outcome& taken : {take_pairs(known.metadata, known.metadata_count, query.metadata),
                                 take_texts(known.tags, known.tag_count, query.tags),
                                 take_texts(known.where, known.where_count, where)}) {
      if (taken.code() != SHMREG_OK) return taken;
    }
    for (const std::string& text : where) {
      auto condition = MetadataCondition::parse(text);
      if (!condition) return condition.status();
      query.where.push_back(std::move(condition).value());
    }
    auto found = registry->registry.query(query);
    if (!found) return found.status();
    *list = new shmreg_list{std::move(found).value()};
    return {};
  });
}

std::size_t shmreg_list_count(const shmreg_list* list) {
  return list == nullptr ? 0 : list->services.size();
}

int shmreg_list_service(const shmreg_list* list, std::size_t index, shmreg_service* service,
                        shmreg_buffer* buffer, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (list == nullptr || service == nullptr) return null_pointer("list or service");
    if (index >= list->services.size()) return invalid("the list is not so long");
    return give_service(list->services[index], service, buffer);
  });
}

void shmreg_list_free(shmreg_list* list) { dispose(list); }

int shmreg_count(const shmreg_registry* registry, const char* namespace_name,
                 std::size_t namespace_size, std::uint64_t* count, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || count == nullptr) return null_pointer("registry or count");
    std::optional<std::string_view> only;
    if (namespace_name != nullptr) only = view(namespace_name, namespace_size);
    const Result<std::uint64_t> there = registry->registry.count(only);
    if (!there) return there.status();
    *count = *there;
    return {};
  });
}

int shmreg_namespaces(const shmreg_registry* registry, const shmreg_namespace** rows,
                      std::size_t* count, shmreg_buffer* buffer, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || rows == nullptr || count == nullptr) {
      return null_pointer("registry, rows or count");
    }
    const auto all = registry->registry.namespaces();
    if (!all) return all.status();
    Packer packer(buffer);
    auto* const array = packer.array<shmreg_namespace>(all->size());
    for (std::size_t i = 0; i < all->size(); ++i) {
      const shmreg_namespace row{packer.text((*all)[i].name), (*all)[i].services};
      if (array != nullptr) array[i] = row;
    }
    *count = all->size();
    Outcome packed = packer.finish();
    if (packed.code() == SHMREG_OK) *rows = array;
    return packed;
  });
}

int shmreg_service_info(const shmreg_registry* registry, const char* service,
                        std::size_t service_size, shmreg_owner_info* owner, shmreg_service* found,
                        shmreg_buffer* buffer, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || owner == nullptr) return null_pointer("registry or owner");
    const auto info = registry->registry.service_info(view(service, service_size));
    if (!info) return info.status();
    if (Outcome given = give_service(info->service, found, buffer); given.code() != SHMREG_OK) {
      return given;
    }
    shmreg_owner_info full{};
    give_state(info->state, info->program, full.state, full.program);
    full.process_age_ns = info->process_age_ns.value_or(0);
    return give(full, owner, "shmreg_owner_info");
  });
}

int shmreg_last_known(const shmreg_registry* registry, const char* service,
                      std::size_t service_size, shmreg_last_known_info* last, shmreg_service* was,
                      shmreg_buffer* buffer, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || last == nullptr) return null_pointer("registry or last");
    const auto known = registry->registry.last_known(view(service, service_size));
    if (!known) return known.status();
    if (!known->has_value()) {
      return {SHMREG_NOT_FOUND, "nothing is known of an earlier registration of the name"};
    }
    const LastKnown& ended = **known;
    if (Outcome given = give_service(ended.service, was, buffer); given.code() != SHMREG_OK) {
      return given;
    }
    shmreg_last_known_info full{};
    full.end = static_cast<std::uint32_t>(ended.end);
    full.at_ns = ended.at_ns;
    give_text(ended.program, full.program);
    return give(full, last, "shmreg_last_known_info");
  });
}

int shmreg_info(const shmreg_registry* registry, shmreg_registry_info* info, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || info == nullptr) return null_pointer("registry or info");
    const auto known = registry->registry.info();
    if (!known) return known.status();
    shmreg_registry_info full{};
    full.layout_major = known->layout_major;
    full.layout_minor = known->layout_minor;
    full.created_at_ns = known->created_at_ns;
    full.changes = known->changes;
    full.partitions = known->partitions;
    full.processes = known->processes;
    full.max_processes = known->max_processes;
    full.by_kernel_mark = known->liveness == Liveness::kernel_mark ? 1 : 0;
    full.services = known->services;
    full.namespaces = known->namespaces;
    full.bytes_used = known->bytes_used;
    full.bytes_limit = known->bytes_limit;
    full.load_factor_max = known->load_factor_max;
    give_text(known->segment, full.segment);
    return give(full, info, "shmreg_registry_info");
  });
}

int shmreg_processes(const shmreg_registry* registry, shmreg_process* rows, std::size_t row_size,
                     std::size_t capacity, std::size_t* count, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr) return null_pointer("registry");
    const auto processes = registry->registry.processes();
    if (!processes) return processes.status();
    std::vector<shmreg_process> all;
    for (const ProcessInfo& each : *processes) {
      shmreg_process row{};
      row.pid_namespace = each.pid_namespace;
      row.services = each.services;
      row.attached_at_ns = each.attached_at_ns;
      row.entry = each.entry;
      row.pid = each.pid;
      row.by_kernel_mark = each.liveness == Liveness::kernel_mark ? 1 : 0;
      give_state(each.state, each.program, row.state, row.program);
      give_text(each.waiting_for.value_or(""), row.waiting_for);
      all.push_back(row);
    }
    return give_rows(all, rows, row_size, capacity, count);
  });
}

// --- a name that is asked for often --------------------------------------------------------------

int shmreg_ref_open(const shmreg_registry* registry, const char* service, std::size_t service_size,
                    shmreg_ref** ref, shmreg_error* error) {
  return guarded(error, [&]() -> Outcome {
    if (registry == nullptr || ref == nullptr) return null_pointer("registry or ref");
    Result<std::string> name = full_name(view(service, service_size));
    if (!name) return name.status();
    ServiceRef made(registry->registry, *name);
    *ref = new shmreg_ref{std::move(made), std::move(name).value()};
    return {};
  });
}

int shmreg_ref_service(shmreg_ref* ref, shmreg_service* found, shmreg_buffer* buffer,
                       shmreg_error* error) {
  return answered(error, [&]() -> Outcome {
    if (ref == nullptr) return null_pointer("ref");
    if (const Errc code = ref->ref.refresh(); code != Errc::ok) return missed(*ref, code);
    return give_service(ref->ref.service(), found, buffer);
  });
}

int shmreg_ref_endpoint(shmreg_ref* ref, char* endpoint, std::size_t capacity,
                        std::size_t* endpoint_size, shmreg_error* error) {
  return answered(error, [&]() -> Outcome {
    if (ref == nullptr) return null_pointer("ref");
    if (const Errc code = ref->ref.refresh(); code != Errc::ok) return missed(*ref, code);
    return give_endpoint(ref->ref.service(), endpoint, capacity, endpoint_size);
  });
}

void shmreg_ref_free(shmreg_ref* ref) { dispose(ref); }
