// The registry: attach to a segment, register services, find them.
//
//   auto registry = shmreg::Registry::attach("default");
//   auto mine = registry.register_service("production/config_server",
//                                         {.endpoint = "tcp://127.0.0.1:4000"});
//   shmreg::Service found;
//   if (registry.lookup("production/config_server", found) == shmreg::Errc::ok)
//     connect(found.endpoint());
//
// A service is written NAMESPACE/NAME; the last slash divides, no slash means namespace "default".
// Each part is 1-255 bytes of UTF-8 without control characters, compared byte for byte.
//
// Thread safety: a Registry is a shared handle; any number of threads may use one, or copies of it,
// at once. lookup, list, count, namespaces, info and processes take no lock that another process
// can hold and are not held up by writers, stopped or dead. Writing calls take one partition's lock
// and wait at most AttachOptions::lock_timeout for it. Writing calls are not for signal handlers
// (nested_call tells), and undefined in a vfork child.
//
// fork: a child owns nothing of its parent's and may use the handle: its first write attaches it as
// a process of its own; a Registration copied into the child unregisters nothing. exec: names are
// gone. A process whose last thread leaves by pthread_exit does not end while attached for writing
// (the library has a thread); unshare(CLONE_NEWUSER) fails for the same reason.
//
// File descriptors: an attached process must not close descriptors it did not open (closefrom and
// the like): the kernel drops this process's file locks with any of them. What is lost so is taken
// again within a second.
//
// A segment whose file somebody truncates is lost: every writing call fails with corrupt, and every
// lookup and list that could have missed something, until it is destroyed, created anew and
// attached again. That it is not the process's end is the work of a SIGBUS handler:
// shmreg/bus_error.hpp.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shmreg/api.h"
#include "shmreg/error.hpp"
#include "shmreg/health_check.hpp"
#include "shmreg/query.hpp"
#include "shmreg/segment.hpp"
#include "shmreg/service.hpp"
#include "shmreg/service_info.hpp"
#include "shmreg/watch.hpp"

namespace shmreg {

namespace core {
class Attachment;
}

enum class Access : std::uint8_t {
  prefer_write,  // write where the file's mode allows, else read only
  read_write,
  read_only,  // maps PROT_READ; is not seen by `regctl ps`
};

struct AttachOptions {
  Access access = Access::prefer_write;
  TrustOptions trust{};
  std::optional<CreateOptions> create{};         // create the segment where it is missing
  std::chrono::milliseconds lock_timeout{5000};  // how long a writing call waits for a lock
  // Install this process's SIGBUS handler for truncated segments, unless it is there already (see
  // shmreg/bus_error.hpp). No call but attach installs one, and no attach that has this off.
  bool handle_bus_errors = true;
};

// What a service says of itself. One record's bytes are at most 64 KiB altogether.
struct ServiceSpec {
  std::string endpoint{};  // UTF-8 without control characters; may be empty
  // Keys: 1-255 bytes of UTF-8 without control characters or '=', unique. Values: any UTF-8.
  std::vector<std::pair<std::string, std::string>> metadata{};
  std::vector<std::string> tags{};     // 1-255 bytes of UTF-8 without control characters, unique
  std::vector<std::string> depends{};  // services that this one cannot do without
  std::vector<std::string> wants{};    // services that it would like to have
};

// Whose life a registration made for somebody else is bound to.
class Owner {
 public:
  // The process `pid` of the caller's PID namespace. With `and_caller` the caller's end is its end
  // as well (what a wrapper that runs the process wants).
  [[nodiscard]] static Owner process(pid_t pid, bool and_caller = false) {
    return Owner(OwnerKind::pid, pid, {}, and_caller);
  }
  // Ends `period` after it was registered or last renewed (monotonic clock).
  [[nodiscard]] static Owner time_to_live(std::chrono::nanoseconds period) {
    return Owner(OwnerKind::ttl, 0, period, false);
  }
  [[nodiscard]] static Owner permanent() { return Owner(OwnerKind::permanent, 0, {}, false); }

  [[nodiscard]] OwnerKind kind() const noexcept { return kind_; }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] std::chrono::nanoseconds period() const noexcept { return period_; }
  [[nodiscard]] bool and_caller() const noexcept { return and_caller_; }

 private:
  Owner(OwnerKind kind, pid_t pid, std::chrono::nanoseconds period, bool and_caller)
      : kind_(kind), and_caller_(and_caller), pid_(pid), period_(period) {}

  OwnerKind kind_;
  bool and_caller_;
  pid_t pid_;
  std::chrono::nanoseconds period_;
};

class Registry;
struct Termination;

// Holds a registration of this process and unregisters it when destroyed, or when another one is
// moved into it. Destroying it in a forked child, or after the name was lost, does nothing.
class SHMREG_API Registration {
 public:
  Registration() noexcept;
  Registration(Registration&& other) noexcept;
  Registration& operator=(Registration&& other) noexcept;
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration();

  [[nodiscard]] explicit operator bool() const noexcept { return attachment_ != nullptr; }
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }  // a fencing token
  [[nodiscard]] const std::string& full_name() const noexcept { return full_name_; }

  // Replaces endpoint, metadata, tags and dependencies wholly; id and uptime stay.
  // registration_lost where the name is no longer this registration's.
  Status update(const ServiceSpec& spec);
  // Whether the name is still this registration's: it may have been replaced, unregistered by
  // force, or lost with the segment. Costs a lookup (of a shared name, of all its instances).
  [[nodiscard]] bool holds() const;
  // For poll(2): readable once holds() is false, but not for one's own unregister(). From the first
  // call on a thread of the library waits for that. Owned by the registration. no_space;
  // registration_lost in a forked child, and where there is none.
  [[nodiscard]] Result<int> loss_descriptor();
  // True if it was still registered under this id.
  Result<bool> unregister();
  // Leaves the service registered for as long as this process lives.
  void release() noexcept;

 private:
  friend class Registry;
  struct LossNotice;
  Registration(std::shared_ptr<core::Attachment> attachment, std::string full_name,
               std::uint64_t id);
  void forget_notice() noexcept;
  [[nodiscard]] bool is_ours() const noexcept;

  std::shared_ptr<core::Attachment> attachment_;
  std::string full_name_;
  std::uint64_t id_ = 0;
  std::uint32_t epoch_ = 0;  // of the process that registered
  std::unique_ptr<LossNotice> notice_;
};

struct RegisterOptions {
  // What stands at the name goes, whoever's it is.
  bool replace = false;
  // One instance of the name beside others that are shared, each a registration with an id of its
  // own; an owner that is a process has one instance of a name. At most 65535 of a name.
  bool shared = false;
};

// One of many: see Registry::register_services.
struct NamedSpec {
  std::string service{};
  ServiceSpec spec{};
  RegisterOptions options{};
};

struct UnregisterOptions {
  // Only if this is a present registration; without it all instances of a shared name, or none.
  std::optional<std::uint64_t> id{};
  bool force = false;  // also what another live process registered for itself
};

struct NamespaceCount {
  std::string name;
  std::uint64_t services = 0;
};

struct RegistryInfo {
  std::string segment;
  std::uint32_t layout_major = 0;
  std::uint32_t layout_minor = 0;
  std::int64_t created_at_ns = 0;  // since 1970-01-01 UTC
  std::uint64_t changes = 0;       // how often the table changed
  std::uint32_t partitions = 0;
  std::uint64_t services = 0;
  std::uint64_t namespaces = 0;
  std::uint32_t processes = 0;
  std::uint32_t max_processes = 0;
  std::uint64_t bytes_used = 0;  // claimed from the file system
  std::uint64_t bytes_limit = 0;
  double load_factor_max = 0;                 // fullest index: occupied and deleted slots over all
  Liveness liveness = Liveness::kernel_mark;  // what this kernel and sandbox give
};

// One attached process. Its state is as seen from here: of a process in another PID namespace only
// running and dying can be told apart.
struct ProcessInfo {
  std::uint32_t entry = 0;          // its place in the process table
  std::uint32_t pid = 0;            // as its own PID namespace numbers it
  std::uint64_t pid_namespace = 0;  // the namespace's inode number; 0 where /proc was missing
  std::string program;
  ProcessState state = ProcessState::running;
  Liveness liveness = Liveness::kernel_mark;
  std::uint64_t services = 0;
  std::optional<std::string> waiting_for;  // "partition 3, locked by 4711 (config_server)"
  std::int64_t attached_at_ns = 0;
};

// A service that was looked up once and is asked for often: while nothing has changed, asking costs
// two loads of memory (is its record in place, does its owner live); else it is looked up anew. So
// it is, each time, where more than that is to be asked: of owners other than a process, of those
// that are known by a byte lock, and of services whose health has been set.
// Not for two threads at once.
class SHMREG_API ServiceRef {
 public:
  ServiceRef(const Registry& registry, std::string_view service);
  ServiceRef(ServiceRef&&) noexcept;
  ServiceRef& operator=(ServiceRef&&) noexcept;
  ServiceRef(const ServiceRef&) = delete;
  ServiceRef& operator=(const ServiceRef&) = delete;
  ~ServiceRef();

  // As Registry::lookup: ok, and service() is what it is now.
  [[nodiscard]] Errc refresh();
  [[nodiscard]] const Service& service() const noexcept { return service_; }

 private:
  std::shared_ptr<core::Attachment> attachment_;
  std::string full_name_;
  Service service_;
  const std::atomic<std::uint64_t>* record_ = nullptr;  // its stamp; null: to be looked up
  const std::atomic<std::uint64_t>* owner_ = nullptr;   // mark and generation
  std::uint64_t stamp_ = 0;
  std::uint64_t owner_word_ = 0;
};

class SHMREG_API Registry {
 public:
  // Throws Error: no_such_segment, incompatible, corrupt, permission_denied, untrusted_owner,
  // no_space (address space), unsupported. Claims a process entry only at the first write.
  [[nodiscard]] static Registry attach(std::string_view segment = kDefaultSegment,
                                       const AttachOptions& options = {});

  // Registers for this process: found until it is unregistered or this process ends. This
  // process's own name again is replaced: one entry, a new id, the older handle has lost it.
  // already_registered where a live owner has it, unless both are shared; a dead owner's is taken.
  // A shared name that is replaced by one that is not is unregistered first.
  Result<Registration> register_service(std::string_view service, const ServiceSpec& spec = {},
                                        const RegisterOptions& options = {});
  // Registers for `owner`; returns the registration id. owner_not_alive where its pid is nobody's,
  // or a thread's.
  // The same pid's own name again is replaced, as above.
  Result<std::uint64_t> register_for(const Owner& owner, std::string_view service,
                                     const ServiceSpec& spec = {},
                                     const RegisterOptions& options = {});
  // Many at once: an answer for each, in order; one that is refused undoes nothing of the others.
  [[nodiscard]] std::vector<Result<Registration>> register_services(
      std::span<const NamedSpec> services);
  [[nodiscard]] std::vector<Result<std::uint64_t>> register_services_for(
      const Owner& owner, std::span<const NamedSpec> services);
  // True if it was there (and had the id asked for) and is gone. not_owner where another live
  // process registered it for itself, unless forced.
  Result<bool> unregister(std::string_view service, const UnregisterOptions& options = {});
  // Replaces the record of a service, or of its instance, that this process owns; id and uptime
  // stay.
  Status update(std::string_view service, const ServiceSpec& spec);
  // Begins a time-to-live anew. False if it has expired, is gone, or the id is another's.
  // invalid_argument where it has none.
  Result<bool> renew(std::string_view service, std::uint64_t id);

  // One live service; of a shared name the best instance by health (passing, then those that nobody
  // checks), each thread going round among equals from a random start. ok, not_found, invalid_name,
  // busy, corrupt or segment_retired. Takes no lock, makes no system call (but: owner kind pid,
  // owners known by byte lock, first touch of newly claimed memory). Allocates only for records
  // over Service::kInlineBytes, and for names without a namespace.
  [[nodiscard]] Errc lookup(std::string_view service, Service& found) const;
  // The same, with a message that says what was looked for.
  [[nodiscard]] Result<Service> lookup(std::string_view service) const;

  // Every live registration of the name: its instances, or the one. not_found where there is none.
  [[nodiscard]] Result<std::vector<Service>> lookup_all(std::string_view service) const;

  // What lookup finds, and its owner as a process. not_found.
  [[nodiscard]] Result<ServiceInfo> service_info(std::string_view service) const;
  // Of a name that nobody has now: who had it last and how that ended. Nothing where the change log
  // of its partition, of 256 changes, does not reach back so far.
  [[nodiscard]] Result<std::optional<LastKnown>> last_known(std::string_view service) const;

  // Live services of one namespace, or of all, each exactly once; in no particular order.
  [[nodiscard]] Result<std::vector<Service>> list(
      std::optional<std::string_view> namespace_name = std::nullopt) const;
  // Those that meet every condition of the query, as list.
  [[nodiscard]] Result<std::vector<Service>> query(const Query& query) const;
  [[nodiscard]] Result<std::uint64_t> count(
      std::optional<std::string_view> namespace_name = std::nullopt) const;
  // Those with a live service, sorted by name.
  [[nodiscard]] Result<std::vector<NamespaceCount>> namespaces() const;

  // Says how a service is; whoever may write may. Of a shared name: one's own instance, the only
  // one, or that of the id. not_found; invalid_argument where it cannot be told whose.
  Status set_health(std::string_view service, Health health,
                    std::optional<std::uint64_t> id = std::nullopt);

  // Runs `function` against what lookup finds and says what came of it (shmreg/health_check.hpp).
  // Without a function: whether it is there and alive. Writes nothing: see set_health.
  [[nodiscard]] HealthCheck health_check(
      std::string_view service, HealthCheckFunction function = {},
      std::chrono::nanoseconds timeout = std::chrono::seconds(5)) const;

  // Events of one service ("ns/name"), of a namespace and those below it ("ns/"), or of all ("").
  // Attaches for writing where it may, so that deaths are told at once; that, and what is told,
  // begin with the first next() or descriptor().
  [[nodiscard]] Result<Watch> watch(std::string_view scope = {}, const WatchOptions& options = {});
  // Which of the services meet the condition, once enough do. timed_out, naming those that do not;
  // cancelled; interrupted; segment_retired.
  // Wakes when it happens; a client that may only read looks every 20 ms.
  [[nodiscard]] Result<std::vector<bool>> wait(std::span<const std::string> services,
                                               const WaitOptions& options = {}) const;
  // The same without waiting: the outcome comes later. no_space where no thread can be started.
  // options.cancelled must live as long as the wait.
  [[nodiscard]] Result<PendingWait> start_wait(std::vector<std::string> services,
                                               const WaitOptions& options = {}) const;

  // Unregisters everything in the namespace and those below it, whoever registered it: how many
  // registrations. Where it fails, those before are gone. (To end their owners first:
  // shmreg/termination.hpp.)
  Result<std::uint64_t> cleanup(std::string_view namespace_name);
  // Takes away what ended owners have left and nobody has come by to take: how many services. It
  // changes nothing that can be found.
  Result<std::uint64_t> collect_garbage();
  // Looks for half-done changes and mends them, as the next writer would: how many partitions.
  Result<std::uint32_t> repair();

  [[nodiscard]] Result<RegistryInfo> info() const;
  [[nodiscard]] Result<std::vector<ProcessInfo>> processes() const;

  [[nodiscard]] bool writable() const noexcept;

 private:
  friend class ServiceRef;
  friend Termination terminate_owners(const Registry& registry,
                                      const std::vector<Service>& services,
                                      std::chrono::milliseconds grace);
  explicit Registry(std::shared_ptr<core::Attachment> attachment);
  std::shared_ptr<core::Attachment> attachment_;
};

// The library's own version, "MAJOR.MINOR.PATCH". Static storage.
[[nodiscard]] SHMREG_API const char* version() noexcept;

// "namespace/name" of what a user wrote, or invalid_name with the rule that it breaks.
[[nodiscard]] SHMREG_API Result<std::string> full_name(std::string_view service);

// Whether `service` may be registered with `spec`, as far as the rules go; needs no segment. What
// every register and update says first.
[[nodiscard]] SHMREG_API Status check_spec(std::string_view service, const ServiceSpec& spec);

}  // namespace shmreg
