#include <algorithm>
#include <bit>

#include "core/attachment.hpp"
#include "core/check.hpp"
#include "core/listing.hpp"
#include "core/segment_image.hpp"
#include "registry/names.hpp"
#include "registry/owner_process.hpp"
#include "registry/trust.hpp"
#include "shmreg/registry.hpp"
#include "shmreg/segment.hpp"
#include "sys/kernel_mark.hpp"

namespace shmreg {
namespace {

std::string checked_file_name(std::string_view segment) {
  Result<std::string> name = segment_file_name(segment);
  if (!name) throw Error(name.code(), name.message());
  return std::move(name).value();
}

[[noreturn]] void fail(Errc code, std::string_view segment, const std::string& why) {
  throw Error(code, "segment '" + printable(segment) + "': " + why);
}

layout::Geometry geometry_from(std::string_view segment, const CreateOptions& options) {
  layout::Geometry geometry;
  geometry.bytes_limit = options.max_size_bytes / layout::kGranuleBytes * layout::kGranuleBytes;
  geometry.partitions = options.partitions != 0 ? options.partitions
                                                : std::max(64U, std::bit_ceil(sys::online_cpus()));
  geometry.max_processes = options.max_processes;
  geometry.initial_slots = options.initial_slots;
  if (geometry.bytes_limit < layout::kMinLimitBytes ||
      geometry.bytes_limit > layout::kMaxLimitBytes) {
    fail(Errc::invalid_argument, segment, "its size limit must be 4M to 64G");
  }
  if (!std::has_single_bit(geometry.partitions) || geometry.partitions > layout::kMaxPartitions) {
    fail(Errc::invalid_argument, segment, "partitions must be a power of two up to 4096");
  }
  if (geometry.max_processes == 0 || geometry.max_processes > layout::kMaxProcesses) {
    fail(Errc::invalid_argument, segment, "processes must be 1 to 65534");
  }
  if (!std::has_single_bit(geometry.initial_slots) || geometry.initial_slots < 16 ||
      geometry.initial_slots > 65536) {
    fail(Errc::invalid_argument, segment, "initial slots must be a power of two, 16 to 65536");
  }
  if ((options.mode & ~0777U) != 0) {
    fail(Errc::invalid_argument, segment, "the mode must be permission bits, such as 0660");
  }
  if (!geometry.valid()) {
    fail(Errc::invalid_argument, segment,
         "so many partitions and processes need " + std::to_string(geometry.initial_end()) +
             " bytes, more than its size limit");
  }
  return geometry;
}

// Services with a live owner.
Result<std::vector<Service>> live_services(const core::Segment& segment) {
  core::PidWatch watch;
  std::vector<Service> services;
  for (std::uint32_t p = 0; p < segment.geometry().partitions; ++p) {
    const Errc outcome = core::read_partition(segment, watch, p, std::nullopt, services);
    if (outcome != Errc::ok) return Status(outcome);
  }
  return services;
}

// "'a/b' of pid 4711 (sleep)": rather one that a process owns.
std::string describe_one(const core::Segment& segment, const std::vector<Service>& services) {
  const auto owned = std::find_if(services.begin(), services.end(),
                                  [](const Service& service) { return service.pid() != 0; });
  const Service& shown = owned != services.end() ? *owned : services.front();
  return "'" + printable(shown.full_name()) + "'" + of_owner(segment, shown);
}

[[noreturn]] void fail_as_existing(std::string_view name) {
  fail(Errc::segment_exists, name,
       "it exists already; use it (create --if-missing accepts it), or destroy it first");
}

// Whether what is there is a segment, for this user.
void check_existing(std::string_view name, const std::string& file_name,
                    const TrustOptions& trust) {
  const auto attached = core::Segment::attach(file_name, false, trusted_users(trust));
  if (!attached) fail(attached.code(), name, attached.message());
}

}  // namespace

std::string_view to_string(Liveness liveness) noexcept {
  return liveness == Liveness::kernel_mark ? "kernel_mark" : "byte_lock";
}

bool create_segment(std::string_view name, const CreateOptions& options,
                    const TrustOptions& trust) {
  core::SegmentCreation creation;
  const std::string file_name = checked_file_name(name);
  creation.geometry = geometry_from(name, options);
  creation.mode = options.mode;
  if (options.group) creation.group = *options.group;
  creation.reserve = options.reserve;
  if (!sys::status_of_name(file_name).ok()) {
    const Status created = core::Segment::create(file_name, creation);
    if (created.ok()) return true;
    if (created.code() != Errc::segment_exists) fail(created.code(), name, created.message());
  }
  if (!options.if_missing) fail_as_existing(name);
  check_existing(name, file_name, trust);
  return false;
}

std::uint64_t destroy_segment(std::string_view name, bool force, const TrustOptions& trust) {
  const std::string file_name = checked_file_name(name);
  const Result<std::shared_ptr<core::Segment>> attached =
      core::Segment::attach(file_name, true, trusted_users(trust), true);
  if (!attached) {
    const bool unreadable =
        attached.code() == Errc::corrupt || attached.code() == Errc::incompatible;
    if (attached.code() == Errc::no_such_segment) {
      fail(Errc::no_such_segment, name, "there is no such segment");
    }
    if (!unreadable || !force) {
      fail(attached.code(), name,
           attached.message() + (unreadable ? "; --force removes it all the same" : ""));
    }
    if (Status gone = sys::unlink_name(file_name); !gone) fail(gone.code(), name, gone.message());
    return 0;
  }
  core::Segment& segment = *attached.value();
  const Result<bool> locked = segment.file().lock(core::kDestroyLock);
  if (!locked) fail(locked.code(), name, locked.message());
  if (!locked.value()) {
    const auto holder = segment.file().lock_state(core::kDestroyLock, true);
    const std::int32_t pid = holder.ok() ? holder->pid : 0;
    fail(Errc::segment_in_use, name,
         "process " + std::to_string(pid) + " (" +
             printable(sys::program_of(static_cast<std::uint32_t>(std::max(pid, 0)))) +
             ") holds its destroy lock; end it or try again");
  }
  const Result<std::vector<Service>> living = live_services(segment);
  const std::uint64_t services = living.ok() ? living->size() : 0;
  if (!living && !force) {
    segment.file().unlock(core::kDestroyLock);
    fail(
        living.code(), name,
        "its services cannot be read (" + living.message() + "); --force destroys it all the same");
  }
  if (services > 0 && !force) {
    segment.file().unlock(core::kDestroyLock);
    fail(Errc::segment_in_use, name,
         std::to_string(services) + (services == 1 ? " service is" : " services are") +
             " registered in it, " + describe_one(segment, *living) +
             (services == 1 ? "" : " among them") + " (regctl -s " + printable(name) +
             " list shows " + (services == 1 ? "it" : "them") +
             "); --force destroys it all the same");
  }
  // What the name leads to may have been replaced meanwhile: only the file that is locked goes.
  const auto named = sys::status_of_name(file_name);
  const auto opened = segment.file().status();
  if (named.ok() && opened.ok() && named->inode == opened->inode &&
      named->device == opened->device) {
    if (Status gone = sys::unlink_name(file_name); !gone && gone.code() != Errc::no_such_segment) {
      segment.file().unlock(core::kDestroyLock);
      fail(gone.code(), name, gone.message());
    }
  }
  // After the name: killed in between, the segment is gone all the same, and who is attached learns
  // it from the file's lost name. The other way round a name would stay that nobody can use.
  segment.header().retired.store(1, std::memory_order_seq_cst);
  segment.file().unlock(core::kDestroyLock);
  return services;
}

std::vector<SegmentInfo> segments() {
  std::vector<SegmentInfo> all;
  for (const std::string& file_name : sys::file_names(core::kFilePrefix)) {
    SegmentInfo info;
    info.name = file_name.substr(core::kFilePrefix.size());
    if (!segment_file_name(info.name).ok()) continue;
    const auto status = sys::status_of_name(file_name);
    if (!status) continue;  // gone meanwhile
    info.owner = status->owner;
    info.group = status->group;
    info.mode = status->mode & 0777;
    info.bytes_used = status->allocated_bytes;
    // By reading alone: the file may be anybody's, and change or shrink while it is looked at.
    Result<sys::SharedFile> file = sys::SharedFile::open(file_name, false);
    if (file.ok()) {
      const core::SegmentSummary summary = core::summarize(*file, status->size_bytes);
      file->keep(summary.own_entry);
      info.bytes_limit = summary.bytes_limit;
      info.processes = summary.processes;
      info.problem = summary.problem;
    } else {
      info.problem = file.status();
    }
    if (info.problem.ok() && info.owner != 0 && info.owner != sys::effective_user()) {
      info.problem = Status(Errc::untrusted_owner, "belongs to user " + sys::user_name(info.owner) +
                                                       "; --trust-owner " +
                                                       sys::user_name(info.owner) + " accepts it");
    }
    all.push_back(std::move(info));
  }
  return all;
}

DoctorReport doctor(std::string_view name, const TrustOptions& trust) {
  const std::string file_name = checked_file_name(name);
  Result<sys::SharedFile> file = sys::SharedFile::open(file_name, false);
  if (!file) {
    fail(file.code(), name,
         file.code() == Errc::no_such_segment ? "there is no such segment" : file.message());
  }
  const auto status = file->status();
  if (!status) fail(status.code(), name, status.message());
  // A process attached to it must not close any descriptor of it (see Segment).
  file->keep(core::summarize(*file, status->size_bytes).own_entry);
  const auto trusted = trusted_users(trust);
  if (status->owner != 0 && status->owner != sys::effective_user() &&
      std::find(trusted.begin(), trusted.end(), status->owner) == trusted.end()) {
    fail(Errc::untrusted_owner, name,
         "its file belongs to user " + sys::user_name(status->owner) + "; --trust-owner " +
             sys::user_name(status->owner) + " accepts it");
  }
  DoctorReport report = core::check_segment(file.value(), status->size_bytes);
  const bool marks = sys::kernel_marks_ends();
  report.guarantees.push_back(
      marks ? "owners: the kernel marks the end of a process; a lookup loads one word"
            : "owners: no robust futex lists here; a file lock tells that a process has ended, and "
              "a lookup costs a system call");
  sys::ProcessHandle self;
  report.guarantees.push_back(
      self.open(sys::own_identity()) == sys::ProcessHandle::Opened::open
          ? "owners by pid: a process descriptor tells of their end"
          : "owners by pid: no process descriptors or no /proc here; whether they live cannot be "
            "known");
  return report;
}

}  // namespace shmreg
