// An attached segment: its file, its address range, and bounds-checked ways to everything in it.
//
// Always holds: the geometry is this process's own copy, checked at attach; whatever pointer is
// handed out lies within memory that is claimed and open, whatever the bytes in the segment say.
// Memory beyond this process's own watermark is opened at first touch (one system call).
//
// The file may be truncated by whoever may write it. What has gone then reads as zeros, which would
// be taken for "nothing here"; so whoever has found nothing, or has written, asks whole() before
// saying so. Who has found something small need not ask: a record of the smallest class lies in one
// page, and zeros are never found. (What that leaves is the one record that a new end within its
// page cuts through: found, with zeros for the rest.)
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "layout/change.hpp"
#include "layout/geometry.hpp"
#include "layout/header.hpp"
#include "layout/partition.hpp"
#include "layout/process_entry.hpp"
#include "layout/record.hpp"
#include "shmreg/error.hpp"
#include "sys/mapping.hpp"
#include "sys/shared_file.hpp"

namespace shmreg::core {

inline constexpr std::string_view kFilePrefix = "shmreg.";
// Keys of the file's byte locks: below 65536 the process entries; then these.
inline constexpr std::uint64_t kDestroyLock = 1 << 20;

// What a file's first bytes must be for it to be attached. Also names what differs.
[[nodiscard]] Status check_identity(const layout::Identity& identity, std::uint64_t file_bytes);
[[nodiscard]] layout::Geometry geometry_of(const layout::Identity& identity);

struct SegmentCreation {
  layout::Geometry geometry;
  std::uint32_t mode = 0600;
  std::optional<std::uint32_t> group;
  bool reserve = false;
};

class Segment {
 public:
  // Complete under its name, or not at all.
  [[nodiscard]] static Status create(const std::string& file_name, const SegmentCreation& creation);

  // Opens, checks and maps. `trusted` owners besides root and oneself. segment_retired where it is
  // being destroyed, unless `retired_too`.
  [[nodiscard]] static Result<std::shared_ptr<Segment>> attach(
      const std::string& file_name, bool writable, const std::vector<std::uint32_t>& trusted,
      bool retired_too = false);

  Segment(sys::SharedFile file, sys::Mapping mapping, const layout::Identity& identity,
          std::string file_name, bool writable);

  // Closes the file's descriptor only where no copy of this library in this process has an entry in
  // the segment: closing any descriptor of it would drop that one's byte lock.
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  [[nodiscard]] const layout::Geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] const layout::Identity& identity() const noexcept { return identity_; }
  [[nodiscard]] const std::string& file_name() const noexcept { return file_name_; }
  [[nodiscard]] const sys::SharedFile& file() const noexcept { return file_; }
  [[nodiscard]] sys::SharedFile& file() noexcept { return file_; }
  [[nodiscard]] bool writable() const noexcept { return writable_; }
  [[nodiscard]] std::uint64_t hash_seed() const noexcept { return identity_.hash_seed; }
  // The partition that a key's hash belongs to: its top bits.
  [[nodiscard]] std::uint32_t partition_of(std::uint64_t hash) const noexcept {
    return static_cast<std::uint32_t>(hash >> 1 >> partition_shift_);
  }

  // The fixed parts: always claimed, always open. Callers keep the index below the geometry's.
  [[nodiscard]] layout::Header& header() const noexcept { return *at<layout::Header>(0); }
  [[nodiscard]] layout::Partition& partition(std::uint32_t index) const noexcept {
    return partitions_[index];
  }
  [[nodiscard]] layout::ProcessEntry& entry(std::uint32_t index) const noexcept {
    return entries_[index];
  }
  [[nodiscard]] layout::OwnerList& owner_list(std::uint32_t entry,
                                              std::uint32_t partition) const noexcept {
    return at<layout::OwnerList>(
        geometry_.owner_lists_offset())[std::uint64_t{entry} * geometry_.partitions + partition];
  }
  // The change log's entry for a partition's change of that count.
  [[nodiscard]] layout::Change& change(std::uint32_t partition,
                                       std::uint64_t count) const noexcept {
    return at<layout::Change>(
        geometry_.change_logs_offset())[partition * layout::kChangeLogEntries +
                                        count % layout::kChangeLogEntries];
  }
  // What those sleep on who wait for a key of that hash.
  [[nodiscard]] layout::WaitWord& wait_word(std::uint64_t hash) const noexcept {
    return at<layout::WaitWord>(geometry_.wait_words_offset())[(hash >> 20) % layout::kWaitWords];
  }

  // The claimed parts. Null where [offset, offset + bytes) is not all claimed heap.
  [[nodiscard]] layout::Word64* words(std::uint64_t offset, std::uint64_t bytes) const noexcept {
    // `offset` may be any bytes: nothing is added to it before it is known to be small.
    if (offset < heap_offset_ || offset > geometry_.bytes_limit) return nullptr;
    const std::uint64_t end = offset + bytes;
    if (end > open_end() && !open_up_to(end)) return nullptr;
    return at<layout::Word64>(offset);
  }
  // A record's memory by its location in a slot, at least `bytes` of it.
  [[nodiscard]] layout::Word64* record(std::uint32_t location, std::uint64_t bytes) const noexcept {
    return words(std::uint64_t{location} * layout::kUnitBytes, bytes);
  }
  [[nodiscard]] layout::HealthCell* cell(std::uint32_t index) const noexcept {
    return reinterpret_cast<layout::HealthCell*>(
        words(index * layout::kCellBytes, layout::kCellBytes));
  }
  // The slots of an index, or null where the descriptor leads outside.
  [[nodiscard]] layout::Word64* slots(const layout::IndexDescriptor& index) const noexcept {
    if (index.log2_slots < layout::kMinLog2Slots || index.log2_slots > layout::kMaxLog2Slots ||
        index.first_granule > geometry_.granules_limit()) {
      return nullptr;
    }
    return words(index.first_granule * layout::kGranuleBytes, index.slots() * 8);
  }
  // The run map's word of a granule below the claimed end; null beyond.
  [[nodiscard]] layout::Word32* run_word(std::uint64_t granule) const noexcept;

  // How many indices this process has gone through before, in search of hints (index_glance.hpp).
  [[nodiscard]] std::uint32_t count_glance() const noexcept {
    return glances_.fetch_add(1, std::memory_order_relaxed);  // one more or less does not matter
  }

  // This process's view of what is claimed, as an offset; grows by itself.
  [[nodiscard]] std::uint64_t open_end() const noexcept {
    return open_end_.load(std::memory_order_acquire);
  }
  // Opens what has been claimed up to `end`; false where it has not been.
  [[nodiscard]] bool open_up_to(std::uint64_t end) const noexcept;

  // Whether all memory in use is there. Looked for, without a system call: a file is truncated from
  // its end, so the last word goes with whatever goes, but for a new end in that word's own page,
  // which check_whole() finds. Ask after reading.
  [[nodiscard]] bool whole() const noexcept {
    const std::uint64_t end = open_end();
    if (end > heap_offset_) (void)at<layout::Word64>(end - 8)->load(std::memory_order_acquire);
    return !mapping_.broken();
  }
  // The same, and the file's length besides, which tells of every truncation; two system calls.
  [[nodiscard]] Status check_whole() const;
  // What is said of a segment that is not whole.
  [[nodiscard]] static Status truncated();
  // The outcome of an operation, if the segment was whole at its end.
  template <class Outcome>
  [[nodiscard]] Outcome if_whole(Outcome outcome) const {
    return whole() ? std::move(outcome) : Outcome(truncated());
  }
  // What it means that a name was not found.
  [[nodiscard]] Errc meaning_of_a_miss() const noexcept {
    // Of a segment that was destroyed, "not found" would be true for ever and mean nothing.
    const bool was_retired = retired();
    if (!whole()) return Errc::corrupt;
    return was_retired ? Errc::segment_retired : Errc::not_found;
  }

  // True once the segment has been destroyed (its word, read afresh).
  [[nodiscard]] bool retired() const noexcept {
    return header().retired.load(std::memory_order_acquire) != 0;
  }

 private:
  template <class T>
  [[nodiscard]] T* at(std::uint64_t offset) const noexcept {
    return reinterpret_cast<T*>(mapping_.data() + offset);
  }

  sys::SharedFile file_;
  sys::Mapping mapping_;
  layout::Identity identity_;
  layout::Geometry geometry_;
  std::uint64_t heap_offset_;  // of geometry_: asked with every access
  layout::Partition* partitions_;
  layout::ProcessEntry* entries_;
  unsigned partition_shift_;
  std::string file_name_;
  bool writable_;
  mutable std::atomic<std::uint64_t> open_end_;
  mutable std::atomic<std::uint32_t> glances_{0};
};

}  // namespace shmreg::core
