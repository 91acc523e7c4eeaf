// What a segment is and who is attached to it, for people and dashboards.
#include <algorithm>

#include "core/attachment.hpp"
#include "core/process_table.hpp"
#include "shmreg/registry.hpp"
#include "sys/kernel_mark.hpp"
#include "sys/process.hpp"

namespace shmreg {

Result<RegistryInfo> Registry::info() const {
  const core::Segment& segment = attachment_->segment();
  RegistryInfo info;
  info.segment = segment.file_name().substr(core::kFilePrefix.size());
  info.layout_major = segment.identity().layout_major;
  info.layout_minor = segment.identity().layout_minor;
  info.created_at_ns = segment.identity().created_at_ns;
  info.partitions = segment.geometry().partitions;
  info.max_processes = segment.geometry().max_processes;
  info.bytes_limit = segment.geometry().bytes_limit;
  const Result<sys::FileStatus> status = segment.file().status();
  if (!status) return status.status();
  info.bytes_used = status.value().allocated_bytes;
  for (std::uint32_t p = 0; p < info.partitions; ++p) {
    const layout::Partition& partition = segment.partition(p);
    info.changes += partition.change_counter.load(std::memory_order_acquire);
    const auto index =
        layout::IndexDescriptor::of(partition.descriptor.load(std::memory_order_acquire));
    const double used = static_cast<double>(partition.services.load(std::memory_order_relaxed)) +
                        static_cast<double>(partition.tombstones.load(std::memory_order_relaxed));
    if (segment.slots(index) != nullptr) {
      info.load_factor_max =
          std::max(info.load_factor_max, used / static_cast<double>(index.slots()));
    }
  }
  const Result<std::vector<NamespaceCount>> spaces = namespaces();
  if (!spaces) return spaces.status();
  info.namespaces = spaces->size();
  for (const NamespaceCount& space : *spaces) info.services += space.services;
  info.processes = core::count_processes(segment);
  info.liveness = sys::kernel_marks_ends() ? Liveness::kernel_mark : Liveness::byte_lock;
  if (Status whole = segment.check_whole(); !whole) return whole;
  return info;
}

Result<std::vector<ProcessInfo>> Registry::processes() const {
  const core::Segment& segment = attachment_->segment();
  const std::uint64_t own_namespace = sys::own_identity().pid_namespace;
  std::vector<ProcessInfo> processes;
  for (std::uint32_t e = 0; e < segment.geometry().max_processes; ++e) {
    layout::ProcessEntry& entry = segment.entry(e);
    const auto state =
        layout::MarkState::of(entry.mark_and_generation.load(std::memory_order_acquire));
    const layout::EntryLife life{e, state.generation};
    if (state.generation == 0 || core::proven_gone(segment, life)) continue;
    const auto identity = core::identity_of_entry(segment, life);
    if (!identity) continue;
    ProcessInfo info;
    info.entry = e;
    info.pid = identity->process.pid;
    info.pid_namespace = identity->process.pid_namespace;
    info.program = identity->program;
    info.attached_at_ns =
        static_cast<std::int64_t>(entry.attached_at_ns.load(std::memory_order_relaxed));
    info.liveness = entry.liveness.load(std::memory_order_relaxed) == core::kByteLock
                        ? Liveness::byte_lock
                        : Liveness::kernel_mark;
    for (std::uint32_t p = 0; p < segment.geometry().partitions; ++p) {
      const layout::OwnerList& list = segment.owner_list(e, p);
      if (list.generation.load(std::memory_order_relaxed) == life.generation) {
        info.services += list.count.load(std::memory_order_relaxed);
      }
    }
    if (info.pid_namespace == own_namespace && own_namespace != 0) {
      const sys::RunState run = sys::run_state_of(info.pid);
      if (run == sys::RunState::stopped) info.state = ProcessState::stopped;
      if (run == sys::RunState::dumping_core) info.state = ProcessState::dumping_core;
    }
    if (!core::entry_lives(segment, life)) info.state = ProcessState::dying;
    const std::uint32_t waiting = entry.waiting_for.load(std::memory_order_relaxed);
    if (waiting != 0 && waiting <= segment.geometry().partitions) {
      const std::uint64_t lock =
          segment.partition(waiting - 1).lock.load(std::memory_order_acquire);
      const auto holder = layout::LockHolder::of(lock);
      info.waiting_for = "partition " + std::to_string(waiting - 1);
      if (lock != 0) {
        *info.waiting_for +=
            ", locked by " + core::describe_entry(segment, {holder.entry, holder.generation});
      }
    }
    processes.push_back(std::move(info));
  }
  if (Status whole = segment.check_whole(); !whole) return whole;
  return processes;
}

std::string_view to_string(ProcessState state) noexcept {
  switch (state) {
    case ProcessState::running:
      return "running";
    case ProcessState::stopped:
      return "stopped";
    case ProcessState::dumping_core:
      return "dumping_core";
    case ProcessState::dying:
      break;
  }
  return "dying";
}

}  // namespace shmreg
