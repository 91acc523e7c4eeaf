#include "shmreg/registry.hpp"

#include <algorithm>

#include "core/attachment.hpp"
#include "core/instances.hpp"
#include "core/lookup.hpp"
#include "core/reclaim.hpp"
#include "core/registrar.hpp"
#include "core/service_table.hpp"
#include "registry/names.hpp"
#include "registry/reading.hpp"
#include "registry/trust.hpp"
#include "sys/process.hpp"

namespace shmreg {
namespace {

using core::Attachment;
using core::ServiceTable;
using core::Writer;

[[noreturn]] void throw_attach_error(std::string_view segment, const Status& status) {
  const std::string quoted = "'" + printable(segment) + "'";
  if (status.code() == Errc::no_such_segment) {
    throw Error(status.code(), "no segment " + quoted + ": create it with 'regctl -s " +
                                   printable(segment) + " create', or name another");
  }
  throw Error(status.code(), "cannot attach to segment " + quoted + ": " + status.message());
}

struct Prepared {
  std::string key;
  std::vector<unsigned char> attributes;
};

Result<Prepared> prepare(std::string_view service, const ServiceSpec& spec) {
  Prepared prepared;
  Result<std::string> key = full_name(service);
  if (!key) return key.status();
  prepared.key = std::move(key).value();
  if (Status encoded = encode_spec(spec, prepared.key, prepared.attributes); !encoded) {
    return encoded;
  }
  return prepared;
}

}  // namespace

Registry::Registry(std::shared_ptr<Attachment> attachment) : attachment_(std::move(attachment)) {}

Registry Registry::attach(std::string_view segment, const AttachOptions& options) {
  core::AttachRequest request;
  Result<std::string> file_name = segment_file_name(segment);
  if (!file_name) throw Error(file_name.code(), file_name.message());
  request.file_name = std::move(file_name).value();
  request.write = options.access != Access::read_only;
  request.may_read_only = options.access == Access::prefer_write;
  request.trusted = trusted_users(options.trust);
  request.handle_bus_errors = options.handle_bus_errors;
  // Up to a day: the clock's nanoseconds do not overflow.
  request.lock_timeout = std::clamp<std::chrono::milliseconds>(
      options.lock_timeout, std::chrono::milliseconds(0), std::chrono::hours(24));
  Result<std::shared_ptr<Attachment>> attached = Attachment::attach(request);
  if (!attached && attached.code() == Errc::no_such_segment && options.create) {
    CreateOptions create = *options.create;
    create.if_missing = true;
    create_segment(segment, create, options.trust);
    attached = Attachment::attach(request);
  }
  if (!attached) throw_attach_error(segment, attached.status());
  return Registry(std::move(attached).value());
}

bool Registry::writable() const noexcept { return attachment_->segment().writable(); }

Result<Registration> Registry::register_service(std::string_view service, const ServiceSpec& spec,
                                                const RegisterOptions& options) {
  const Result<Prepared> prepared = prepare(service, spec);
  if (!prepared) return prepared.status();
  Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  core::Registering request;
  request.name = core::hashed(prepared->key, writer.segment->hash_seed());
  request.kind = OwnerKind::process;
  request.life = writer.life;
  request.process = writer.self;
  request.content = {spec.endpoint, prepared->attributes};
  request.replace = options.replace;
  request.shared = options.shared;
  const Result<std::uint64_t> id = writer.segment->if_whole(core::Registrar(writer).add(request));
  if (!id) return id.status();
  return Registration(attachment_, prepared->key, id.value());
}

Result<std::uint64_t> Registry::register_for(const Owner& owner, std::string_view service,
                                             const ServiceSpec& spec,
                                             const RegisterOptions& options) {
  Result<Prepared> prepared = prepare(service, spec);
  if (!prepared) return prepared.status();
  core::Registering request;
  request.kind = owner.kind();
  if (owner.kind() == OwnerKind::pid) {
    if (owner.pid() <= 0) {
      return Status(Errc::invalid_argument,
                    "owner pid " + std::to_string(owner.pid()) + " is not a process's");
    }
    const auto pid = static_cast<std::uint32_t>(owner.pid());
    // Nobody can be told when one thread of another process ends.
    if (const auto process = sys::process_of_thread(pid); process && *process != pid) {
      return Status(Errc::owner_not_alive, std::to_string(pid) + " is a thread of process " +
                                               std::to_string(*process) + "; name the process");
    }
    request.process = sys::identity_of(pid);
    if (!request.process) {
      return Status(Errc::owner_not_alive, "there is no process " + std::to_string(owner.pid()) +
                                               " to own '" + printable(prepared->key) +
                                               "'; name one that runs, or register it with a "
                                               "time to live or statically");
    }
    if (!request.process->complete()) {
      return Status(Errc::unsupported,
                    "process " + std::to_string(owner.pid()) +
                        " cannot own a service: without a /proc of this PID namespace nobody could "
                        "tell it from a later process of that number");
    }
    const layout::ProcessAttribute attribute{
        request.process->pid, static_cast<std::uint32_t>(request.process->pid_namespace),
        request.process->start_ticks};
    std::string value(core::bytes_of(attribute));
    value += sys::program_of(pid).substr(0, layout::kMaxProgramBytes);
    core::append_attribute(prepared->attributes, layout::AttributeKind::process, {}, value);
  } else if (owner.kind() == OwnerKind::ttl) {
    const auto period = owner.period().count();
    if (period <= 0) return Status(Errc::invalid_argument, "a time to live is above 0");
    request.period_ns = static_cast<std::uint64_t>(period);
    core::append_attribute(prepared->attributes, layout::AttributeKind::period, {},
                           core::bytes_of(request.period_ns));
  }
  Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  if (owner.and_caller()) {
    request.life = writer.life;
    attachment_->pin();  // the caller's end is the process's, not that of its last handle
  }
  request.name = core::hashed(prepared->key, writer.segment->hash_seed());
  request.content = {spec.endpoint, prepared->attributes};
  request.replace = options.replace;
  request.shared = options.shared;
  return writer.segment->if_whole(core::Registrar(writer).add(request));
}

std::vector<Result<Registration>> Registry::register_services(std::span<const NamedSpec> services) {
  std::vector<Result<Registration>> answers;
  answers.reserve(services.size());
  for (const NamedSpec& each : services) {
    answers.push_back(register_service(each.service, each.spec, each.options));
  }
  return answers;
}

std::vector<Result<std::uint64_t>> Registry::register_services_for(
    const Owner& owner, std::span<const NamedSpec> services) {
  std::vector<Result<std::uint64_t>> answers;
  answers.reserve(services.size());
  for (const NamedSpec& each : services) {
    answers.push_back(register_for(owner, each.service, each.spec, each.options));
  }
  return answers;
}

Result<std::uint64_t> Registry::cleanup(std::string_view namespace_name) {
  Query all;
  all.namespace_name = namespace_name;
  all.and_below = true;
  const auto services = query(all);
  if (!services) return services.status();
  // By their ids: each instance of a shared name is one, and what comes meanwhile is not meant.
  std::uint64_t removed = 0;
  for (const Service& service : *services) {
    const auto was_there = unregister(service.full_name(), {.id = service.id(), .force = true});
    if (!was_there) return was_there.status();
    if (*was_there) ++removed;
  }
  return removed;
}

Result<bool> Registry::unregister(std::string_view service, const UnregisterOptions& options) {
  const Result<std::string> key = full_name(service);
  if (!key) return key.status();
  Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  return writer.segment->if_whole(ServiceTable(writer).remove(
      core::hashed(*key, writer.segment->hash_seed()), options.id, options.force));
}

Status Registry::update(std::string_view service, const ServiceSpec& spec) {
  const Result<Prepared> prepared = prepare(service, spec);
  if (!prepared) return prepared.status();
  Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  return writer.segment->if_whole(
      ServiceTable(writer).update(core::hashed(prepared->key, writer.segment->hash_seed()),
                                  std::nullopt, {spec.endpoint, prepared->attributes}));
}

Result<bool> Registry::renew(std::string_view service, std::uint64_t id) {
  const Result<std::string> key = full_name(service);
  if (!key) return key.status();
  Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  return writer.segment->if_whole(
      ServiceTable(writer).renew(core::hashed(*key, writer.segment->hash_seed()), id));
}

namespace {

// What is stored has been checked, so what is found needs no check; only a miss is looked at more
// closely. Out of the way of those that hit.
[[gnu::noinline]] Errc lookup_missed(Attachment& attachment, std::string_view service,
                                     Service& found) {
  if (const Status checked = check_service(service); !checked) return checked.code();
  if (service.find('/') != std::string_view::npos) return Errc::not_found;
  return core::lookup(attachment.segment(), attachment.watch(), "default/" + std::string(service),
                      found);
}

}  // namespace

Errc Registry::lookup(std::string_view service, Service& found) const {
  const Errc outcome = core::lookup(attachment_->segment(), attachment_->watch(), service, found);
  if (outcome != Errc::not_found) [[likely]] {
    return outcome;
  }
  return lookup_missed(*attachment_, service, found);
}

Result<Service> Registry::lookup(std::string_view service) const {
  Service found;
  const Errc outcome = lookup(service, found);
  if (outcome == Errc::ok) return found;
  const Result<std::string> key = full_name(service);
  if (!key) return key.status();
  if (outcome == Errc::not_found) {
    return Status(outcome, "no service '" + printable(*key) + "' is registered");
  }
  return reading_failed(attachment_->segment(), outcome);
}

Result<std::vector<Service>> Registry::lookup_all(std::string_view service) const {
  const Result<std::string> key = full_name(service);
  if (!key) return key.status();
  std::vector<Service> services;
  const core::Segment& segment = attachment_->segment();
  const Errc outcome = core::lookup_all(segment, attachment_->watch(), *key, services);
  if (outcome == Errc::not_found) {
    return Status(outcome, "no service '" + printable(*key) + "' is registered");
  }
  if (outcome != Errc::ok) return reading_failed(segment, outcome);
  if (Status whole = segment.check_whole(); !whole) return whole;
  return services;
}

Status Registry::set_health(std::string_view service, Health health,
                            std::optional<std::uint64_t> id) {
  const Result<std::string> key = full_name(service);
  if (!key) return key.status();
  Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  return writer.segment->if_whole(
      ServiceTable(writer).set_health(core::hashed(*key, writer.segment->hash_seed()), id, health));
}

Result<std::uint64_t> Registry::collect_garbage() {
  Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  return writer.segment->if_whole(core::collect_garbage(writer));
}

Result<std::uint32_t> Registry::repair() {
  Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  std::uint32_t repaired = 0;
  for (std::uint32_t p = 0; p < writer.segment->geometry().partitions; ++p) {
    core::PartitionLock lock(writer);
    if (Status locked = lock.acquire(p); !locked) return locked;
    if (lock.repaired()) ++repaired;
  }
  return writer.segment->if_whole(Result<std::uint32_t>(repaired));
}

const char* version() noexcept { return SHMREG_VERSION; }

}  // namespace shmreg
