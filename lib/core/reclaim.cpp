#include "core/reclaim.hpp"

#include "core/partition_work.hpp"

namespace shmreg::core {
namespace {

bool left_something(const layout::OwnerList& list, const layout::EntryLife& ended) noexcept {
  return list.head.load(std::memory_order_acquire) != 0 &&
         list.generation.load(std::memory_order_relaxed) == ended.generation;
}

// Far from each other for entries that are next to each other: a golden section of the circle on.
std::uint32_t first_partition_of(std::uint32_t entry, std::uint32_t partitions) noexcept {
  return static_cast<std::uint32_t>(std::uint64_t{entry * 0x9e37'79b9U} * partitions >> 32);
}

// Of one partition; busy where its lock is taken and not to be waited for.
Result<std::uint64_t> reclaim_from(const Writer& writer, std::uint32_t partition,
                                   const layout::EntryLife& ended, PartitionLock::Wait wait) {
  const layout::OwnerList& list = writer.segment->owner_list(ended.entry, partition);
  if (!left_something(list, ended)) return 0;
  PartitionLock lock(writer);
  if (Status locked = lock.acquire(partition, wait); !locked) return locked;
  // Another may have been quicker.
  if (!left_something(list, ended)) return 0;
  PartitionWork work(writer, lock);
  const DirtySection dirty(lock.partition());
  return work.drain_list(ended.entry);
}

}  // namespace

Result<std::uint64_t> reclaim_earlier_lives(const Writer& writer) {
  std::uint64_t reclaimed = 0;
  for (std::uint32_t p = 0; p < writer.segment->geometry().partitions; ++p) {
    const layout::OwnerList& list = writer.segment->owner_list(writer.life.entry, p);
    if (list.head.load(std::memory_order_acquire) == 0 ||
        list.generation.load(std::memory_order_relaxed) == writer.life.generation) {
      continue;
    }
    PartitionLock lock(writer);
    // Not waited for: what stays is not found, and goes when this entry first uses the list.
    if (Status locked = lock.acquire(p, PartitionLock::Wait::no); !locked) continue;
    reclaimed += PartitionWork(writer, lock).adopt_list(writer.life);
  }
  return reclaimed;
}

Result<std::uint64_t> reclaim(const Writer& writer, const layout::EntryLife& ended) {
  // All keepers beside it come at the same moment. Each begins elsewhere and passes by what another
  // is at: they share the work, and none waits for what will be done without it.
  const std::uint32_t partitions = writer.segment->geometry().partitions;
  const std::uint32_t first = first_partition_of(writer.life.entry, partitions);
  std::uint64_t reclaimed = 0;
  Status outcome;
  for (const auto wait : {PartitionLock::Wait::no, PartitionLock::Wait::yes}) {
    outcome = {};
    for (std::uint32_t i = 0; i < partitions; ++i) {
      const Result<std::uint64_t> from =
          reclaim_from(writer, (first + i) % partitions, ended, wait);
      if (from) {
        reclaimed += from.value();
      } else {
        outcome = from.status();
      }
    }
    if (outcome.ok()) break;
  }
  if (!outcome) return outcome;
  // Until it is proven gone its threads may still add to its lists.
  if (proven_gone((*writer.segment), ended)) {
    writer.segment->entry(ended.entry).reclaimed.store(ended.generation, std::memory_order_release);
  }
  return reclaimed;
}

Result<std::uint64_t> collect_garbage(const Writer& writer) {
  std::uint64_t collected = 0;
  for (std::uint32_t p = 0; p < writer.segment->geometry().partitions; ++p) {
    PartitionLock lock(writer);
    if (Status locked = lock.acquire(p); !locked) return locked;
    PartitionWork work(writer, lock);
    const DirtySection dirty(lock.partition());
    collected += work.sweep();
  }
  return collected;
}

}  // namespace shmreg::core
