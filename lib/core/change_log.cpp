#include "core/change_log.hpp"

#include <climits>

#include "core/liveness.hpp"
#include "core/record_copy.hpp"
#include "core/service_access.hpp"
#include "sys/clock.hpp"
#include "sys/futex.hpp"

namespace shmreg::core {

using layout::Change;
using layout::ChangedRecords;
using layout::ChangeHead;
using layout::ChangeKind;
using layout::kChangeLogEntries;

std::uint64_t ChangeLog::first(std::uint64_t last) const noexcept {
  const std::uint64_t tail = partition_.change_tail.load(std::memory_order_relaxed);
  const std::uint64_t oldest = last < kChangeLogEntries ? 1 : last - kChangeLogEntries + 1;
  return tail + 1 > oldest && tail <= last ? tail + 1 : oldest;
}

std::uint32_t ChangeLog::held_bytes_of(std::uint32_t location) const noexcept {
  const layout::Word64* words = segment_.record(location, layout::kRecordHeaderBytes);
  if (words == nullptr) return 0;
  const std::size_t size_class = layout::size_class_of(words[layout::kKindWord].load());
  return size_class < layout::kSizeClasses.size() ? layout::kSizeClasses.at(size_class).record_bytes
                                                  : 0;
}

std::uint64_t ChangeLog::upcoming() const noexcept {
  return (partition_.change_counter.load(std::memory_order_relaxed) + 1) *
             segment_.geometry().partitions +
         index_;
}

void ChangeLog::release(std::uint64_t count) noexcept {
  layout::Word64& records = segment_.change(index_, count).records;
  const auto now = ChangedRecords::of(records.load(std::memory_order_relaxed));
  records.store(ChangedRecords{now.record, 0}.word(), std::memory_order_release);
}

void ChangeLog::set_held_bytes(std::uint64_t bytes) noexcept {
  partition_.held_bytes.store(static_cast<std::uint32_t>(bytes), std::memory_order_release);
}

// Gives back what the entries up to `count` keep. The tail first: whoever reads such a record sees
// that before anything of the record changes.
void ChangeLog::drop_up_to(std::uint64_t count) noexcept {
  const std::uint64_t last = partition_.change_counter.load(std::memory_order_relaxed);
  for (std::uint64_t gone = first(last); gone <= count && gone <= last; ++gone) {
    partition_.change_tail.store(gone, std::memory_order_seq_cst);
    const auto records =
        ChangedRecords::of(segment_.change(index_, gone).records.load(std::memory_order_relaxed));
    if (records.retired == 0) continue;
    const std::uint32_t bytes = held_bytes_of(records.retired);
    release(gone);
    const layout::Word64* words = segment_.record(records.retired, layout::kRecordHeaderBytes);
    if (words == nullptr) continue;
    const std::uint32_t held = partition_.held_bytes.load(std::memory_order_relaxed);
    partition_.held_bytes.store(held > bytes ? held - bytes : 0, std::memory_order_relaxed);
    memory_.give_record(records.retired, layout::size_class_of(words[layout::kKindWord].load()));
  }
}

bool ChangeLog::forget() noexcept {
  const bool kept = partition_.held_bytes.load(std::memory_order_relaxed) != 0;
  if (kept) drop_up_to(partition_.change_counter.load(std::memory_order_relaxed));
  return kept;
}

void ChangeLog::begin(ChangeKind kind, std::uint64_t id, ChangedRecords records) noexcept {
  const std::uint64_t last = partition_.change_counter.load(std::memory_order_relaxed);
  const std::uint64_t count = last + 1;
  if (count > kChangeLogEntries) drop_up_to(count - kChangeLogEntries);
  if (records.retired != 0) {
    const std::uint32_t bytes = held_bytes_of(records.retired);
    while (partition_.held_bytes.load(std::memory_order_relaxed) + std::uint64_t{bytes} >
               layout::kMaxHeldBytes &&
           first(last) <= last) {
      drop_up_to(first(last));
    }
    partition_.held_bytes.store(partition_.held_bytes.load(std::memory_order_relaxed) + bytes,
                                std::memory_order_relaxed);
  }
  Change& change = segment_.change(index_, count);
  // A reader of the entry that was here knows by change_tail that it has gone.
  change.head.store(0, std::memory_order_release);
  change.id.store(id, std::memory_order_release);
  change.at_ns.store(static_cast<std::uint64_t>(sys::wall_clock_ns()), std::memory_order_release);
  change.records.store(records.word(), std::memory_order_release);
  change.head.store(ChangeHead{count, true, static_cast<std::uint8_t>(kind)}.word(),
                    std::memory_order_release);
  partition_.change_counter.store(count, std::memory_order_release);
}

void ChangeLog::drop_what_is_no_log() noexcept {
  const std::uint64_t last = partition_.change_counter.load(std::memory_order_relaxed);
  const std::uint64_t tail = partition_.change_tail.load(std::memory_order_relaxed);
  bool sound = tail <= last && last - tail <= kChangeLogEntries;
  for (std::uint64_t count = tail + 1; sound && count <= last; ++count) {
    const auto head = ChangeHead::of(segment_.change(index_, count).head.load());
    sound = head.count == count && head.kind <= layout::kLastChangeKind;
  }
  if (!sound) partition_.change_tail.store(last, std::memory_order_seq_cst);
}

void ChangeLog::settle(bool happened) noexcept {
  const std::uint64_t count = partition_.change_counter.load(std::memory_order_relaxed);
  Change& change = segment_.change(index_, count);
  ChangeHead head = ChangeHead::of(change.head.load(std::memory_order_relaxed));
  head.pending = false;
  if (!happened) {
    head = {count, false, static_cast<std::uint8_t>(ChangeKind::none)};
    release(count);
  }
  change.head.store(head.word(), std::memory_order_seq_cst);
  wake_awaiting(partition_.watch, partition_.watched);
}

// Modelled in tests/model/waiter.pml: publish, then ask whether anybody waits.
void ChangeLog::commit(std::uint64_t key_hash) noexcept {
  const std::uint64_t count = partition_.change_counter.load(std::memory_order_relaxed);
  Change& change = segment_.change(index_, count);
  change.head.store(change.head.load(std::memory_order_relaxed) & ~(std::uint64_t{1} << 7),
                    std::memory_order_seq_cst);
  wake_awaiting(partition_.watch, partition_.watched);
  layout::WaitWord& word = segment_.wait_word(key_hash);
  wake_awaiting(word.sequence, word.awaited);
}

std::optional<ChangeImage> ChangeLog::pending() const noexcept {
  const std::uint64_t count = partition_.change_counter.load(std::memory_order_relaxed);
  ChangeImage image;
  if (count == 0 || read_change(segment_, index_, count, image) != ChangeFate::pending) {
    return std::nullopt;
  }
  return image;
}

void wake_awaiting(layout::Word32& sequence, layout::Word32& awaited) noexcept {
  if (awaited.load(std::memory_order_seq_cst) == 0) [[likely]] {
    return;
  }
  // Cleared before the number moves: who sets it after this looks after this.
  awaited.store(0, std::memory_order_seq_cst);
  sequence.fetch_add(1, std::memory_order_seq_cst);
  sys::futex_wake(sequence, INT_MAX);
}

ChangeFate read_change(const Segment& segment, std::uint32_t partition_index, std::uint64_t count,
                       ChangeImage& image) noexcept {
  const layout::Partition& partition = segment.partition(partition_index);
  if (count > partition.change_counter.load(std::memory_order_acquire)) return ChangeFate::end;
  const Change& change = segment.change(partition_index, count);
  const std::uint64_t word = change.head.load(std::memory_order_acquire);
  image.id = change.id.load(std::memory_order_acquire);
  image.at_ns = static_cast<std::int64_t>(change.at_ns.load(std::memory_order_acquire));
  image.records = ChangedRecords::of(change.records.load(std::memory_order_acquire));
  const ChangeHead head = ChangeHead::of(word);
  if (partition.change_tail.load(std::memory_order_acquire) >= count) return ChangeFate::lost;
  // An entry is written anew only after change_tail has passed it.
  if (head.count != count || head.kind > layout::kLastChangeKind) return ChangeFate::corrupt;
  image.kind = static_cast<ChangeKind>(head.kind);
  image.pending = head.pending;
  image.number = count * segment.geometry().partitions + partition_index;
  return head.pending ? ChangeFate::pending : ChangeFate::read;
}

ChangeFate read_changed_record(const Segment& segment, std::uint32_t partition_index,
                               std::uint64_t count, const ChangeImage& image, Service& record) {
  const ChangeFate fate =
      read_kept_record(segment, partition_index, count, image.records.record, record);
  return fate == ChangeFate::read && record.id() != image.id ? ChangeFate::corrupt : fate;
}

ChangeFate read_kept_record(const Segment& segment, std::uint32_t partition_index,
                            std::uint64_t count, std::uint32_t location, Service& record) {
  const layout::Partition& partition = segment.partition(partition_index);
  const auto gone = [&] {
    return partition.change_tail.load(std::memory_order_acquire) >= count ? ChangeFate::lost
                                                                          : ChangeFate::corrupt;
  };
  const layout::Word64* words = segment.record(location, layout::kRecordHeaderBytes);
  if (words == nullptr) return gone();
  const std::uint64_t kind = words[layout::kKindWord].load(std::memory_order_acquire);
  const std::uint64_t lengths = words[layout::kLengthsWord].load(std::memory_order_acquire);
  const std::size_t bytes = layout::record_bytes_of(lengths, kind);
  if (bytes > layout::kMaxRecordBytes || segment.record(location, bytes) == nullptr) return gone();
  std::uint64_t* to = ServiceAccess::buffer(record, bytes);
  copy_words(to, words, (bytes + 7) / 8);
  if (partition.change_tail.load(std::memory_order_acquire) >= count) return ChangeFate::lost;
  const auto view =
      RecordView::of({reinterpret_cast<const unsigned char*>(ServiceAccess::words(record)), bytes});
  if (to[layout::kKindWord] != kind || to[layout::kLengthsWord] != lengths || !view) {
    return ChangeFate::corrupt;
  }
  const auto named = view->owner_process();
  const auto life = view->owner_life();
  std::uint32_t pid = named ? named->pid : 0;
  if (!named && life) {
    // The entry may be another process's by now.
    if (const auto identity = identity_of_entry(segment, *life)) pid = identity->process.pid;
  }
  Health health = Health::unknown;
  if (layout::cell_has_state(kind)) {
    if (const auto cell = read_cell(segment, view->header().cell, view->header().id)) {
      health = cell->health;
    }
  }
  ServiceAccess::set(record, bytes, pid, Alive::yes, health);
  return ChangeFate::read;
}

}  // namespace shmreg::core
