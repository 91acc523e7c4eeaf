#include "core/segment.hpp"

#include <xxhash.h>

#include <bit>
#include <cstring>
#include <random>
#include <utility>

#include "core/process_table.hpp"
#include "sys/clock.hpp"
#include "sys/errno.hpp"
#include "sys/process.hpp"

namespace shmreg::core {
namespace {

using layout::Geometry;
using layout::Identity;

std::uint64_t checksum_of(const Identity& identity) {
  return XXH3_64bits(&identity, layout::kChecksummedBytes);
}

std::uint64_t random_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

Identity make_identity(const Geometry& geometry) {
  Identity identity{};
  identity.magic = layout::kMagic;
  identity.layout_major = layout::kLayoutMajor;
  identity.layout_minor = layout::kLayoutMinor;
  identity.byte_order = layout::kByteOrder;
  identity.header_bytes = sizeof(layout::Header);
  identity.process_entry_bytes = sizeof(layout::ProcessEntry);
  identity.owner_list_bytes = sizeof(layout::OwnerList);
  identity.partition_bytes = sizeof(layout::Partition);
  identity.record_header_bytes = layout::kRecordHeaderBytes;
  identity.health_cell_bytes = sizeof(layout::HealthCell);
  identity.granule_bytes = layout::kGranuleBytes;
  identity.change_bytes = sizeof(layout::Change);
  identity.hash_seed = random_seed();
  identity.bytes_limit = geometry.bytes_limit;
  identity.partitions = geometry.partitions;
  identity.max_processes = geometry.max_processes;
  identity.created_at_ns = sys::wall_clock_ns();
  // Ascending across re-creations; below 2^53 until the year 2255.
  identity.first_id = static_cast<std::uint64_t>(identity.created_at_ns / 1000);
  identity.initial_slots = geometry.initial_slots;
  identity.processes_offset = geometry.processes_offset();
  identity.owner_lists_offset = geometry.owner_lists_offset();
  identity.partitions_offset = geometry.partitions_offset();
  identity.run_map_offset = geometry.run_map_offset();
  identity.heap_offset = geometry.heap_offset();
  identity.wait_words_offset = geometry.wait_words_offset();
  identity.change_logs_offset = geometry.change_logs_offset();
  identity.checksum = checksum_of(identity);
  return identity;
}

Status check_kernel() {
  if (sys::kernel_at_least(5, 4)) return {};
  return {Errc::unsupported,
          "this kernel is " + sys::kernel_release() + "; shmreg needs Linux 5.4 or newer"};
}

// Claims and opens a part of a file that nobody else knows yet.
Status claim_and_open(const sys::SharedFile& file, const sys::Mapping& mapping,
                      std::uint64_t offset, std::uint64_t bytes) {
  if (Status claimed = file.claim(offset, bytes); !claimed) return claimed;
  return mapping.open(offset, bytes);
}

}  // namespace

Geometry geometry_of(const Identity& identity) {
  return {identity.bytes_limit, identity.partitions, identity.max_processes,
          identity.initial_slots};
}

Status check_identity(const Identity& identity, std::uint64_t file_bytes) {
  if (identity.magic != layout::kMagic) {
    return {Errc::incompatible, "the file is not a shmreg segment (its first bytes say so)"};
  }
  if (identity.byte_order != layout::kByteOrder) {
    return {Errc::incompatible, "the segment was made on a machine of another byte order"};
  }
  if (identity.layout_major != layout::kLayoutMajor) {
    return {Errc::incompatible,
            "the segment has layout version " + std::to_string(identity.layout_major) + "." +
                std::to_string(identity.layout_minor) + ", this library reads version " +
                std::to_string(layout::kLayoutMajor) +
                "; use the tools it was made with, or destroy and create it anew"};
  }
  if (identity.checksum != checksum_of(identity)) {
    return {Errc::corrupt, "the segment's header is damaged (its checksum does not fit)"};
  }
  const Identity expected = [&] {
    Identity same = identity;
    const Identity ours = make_identity(geometry_of(identity));
    same.header_bytes = ours.header_bytes;
    same.process_entry_bytes = ours.process_entry_bytes;
    same.owner_list_bytes = ours.owner_list_bytes;
    same.partition_bytes = ours.partition_bytes;
    same.record_header_bytes = ours.record_header_bytes;
    same.health_cell_bytes = ours.health_cell_bytes;
    same.granule_bytes = ours.granule_bytes;
    same.change_bytes = ours.change_bytes;
    same.processes_offset = ours.processes_offset;
    same.owner_lists_offset = ours.owner_lists_offset;
    same.partitions_offset = ours.partitions_offset;
    same.run_map_offset = ours.run_map_offset;
    same.heap_offset = ours.heap_offset;
    same.wait_words_offset = ours.wait_words_offset;
    same.change_logs_offset = ours.change_logs_offset;
    return same;
  }();
  if (!geometry_of(identity).valid() || std::memcmp(&expected, &identity, sizeof identity) != 0) {
    return {Errc::incompatible, "the segment's structures have other sizes than this library's"};
  }
  if (file_bytes < identity.bytes_limit) {
    return {Errc::corrupt, "the segment's file has been truncated to " +
                               std::to_string(file_bytes) + " of " +
                               std::to_string(identity.bytes_limit) + " bytes"};
  }
  return {};
}

Status Segment::create(const std::string& file_name, const SegmentCreation& creation) {
  if (Status kernel = check_kernel(); !kernel) return kernel;
  const Geometry& geometry = creation.geometry;
  Result<sys::SharedFile> created = sys::SharedFile::create_unnamed(creation.mode, creation.group);
  if (!created) return created.status();
  const sys::SharedFile& file = created.value();
  if (Status sized = file.set_size(geometry.bytes_limit); !sized) return sized;
  Result<sys::Mapping> mapped = sys::Mapping::reserve(file, geometry.bytes_limit, true);
  if (!mapped) return mapped.status();
  const sys::Mapping& mapping = mapped.value();

  const std::uint64_t heap_end = geometry.initial_end();
  const std::uint64_t map_offset = geometry.run_map_offset();
  if (creation.reserve) {
    if (Status all = claim_and_open(file, mapping, 0, geometry.bytes_limit); !all) return all;
  } else {
    const std::uint64_t map_end = geometry.run_map_end(heap_end);
    if (Status head = claim_and_open(file, mapping, 0, map_end); !head) return head;
    const std::uint64_t heap = geometry.heap_offset();
    if (Status body = claim_and_open(file, mapping, heap, heap_end - heap); !body) return body;
  }

  // Fresh tmpfs pages are zero: only what is not zero is written.
  auto* header = reinterpret_cast<layout::Header*>(mapping.data());
  const Identity identity = make_identity(geometry);
  std::memcpy(mapping.data(), &identity, sizeof identity);
  header->claimed_end.store(creation.reserve ? geometry.bytes_limit : heap_end);
  header->next_id.store(identity.first_id);
  auto* partitions =
      reinterpret_cast<layout::Partition*>(mapping.data() + geometry.partitions_offset());
  auto* run_map = reinterpret_cast<layout::Word32*>(mapping.data() + map_offset);
  std::uint64_t granule = geometry.heap_offset() / layout::kGranuleBytes;
  for (std::uint32_t p = 0; p < geometry.partitions; ++p) {
    const auto log2_slots = static_cast<std::uint32_t>(std::countr_zero(geometry.initial_slots));
    const layout::Run run{layout::RunKind::index, log2_slots - layout::kMinLog2Slots, p,
                          geometry.initial_run_granules()};
    run_map[granule].store(run.word());
    partitions[p].descriptor.store(layout::IndexDescriptor{granule, log2_slots}.word());
    granule += run.granules;
  }
  header->heap_top.store(granule);
  return file.publish(file_name);
}

Result<std::shared_ptr<Segment>> Segment::attach(const std::string& file_name, bool writable,
                                                 const std::vector<std::uint32_t>& trusted,
                                                 bool retired_too) {
  if (Status kernel = check_kernel(); !kernel) return kernel;
  Result<sys::SharedFile> opened = sys::SharedFile::open(file_name, writable);
  if (!opened) return opened.status();
  sys::SharedFile& file = opened.value();
  const Result<sys::FileStatus> status = file.status();
  if (!status) return status.status();
  const std::uint32_t owner = status.value().owner;
  bool trust = owner == 0 || owner == sys::effective_user();
  for (const std::uint32_t user : trusted) trust = trust || user == owner;
  if (!trust) {
    return Status(Errc::untrusted_owner, "the segment's file belongs to user " +
                                             sys::user_name(owner) +
                                             ", who is neither root nor you; --trust-owner " +
                                             sys::user_name(owner) + " accepts it");
  }
  Identity identity{};
  const Result<std::size_t> got = file.read(0, &identity, sizeof identity);
  if (!got) return got.status();
  if (got.value() < sizeof identity) {
    return Status(Errc::incompatible, "the file is not a shmreg segment (it has " +
                                          std::to_string(got.value()) + " bytes)");
  }
  if (Status fits = check_identity(identity, status.value().size_bytes); !fits) return fits;
  if (writable && identity.layout_minor > layout::kLayoutMinor) {
    return Status(Errc::permission_denied,
                  "the segment has layout version " + std::to_string(identity.layout_major) + "." +
                      std::to_string(identity.layout_minor) +
                      ", newer than this library's: it may be read, not written");
  }
  Result<sys::Mapping> mapped = sys::Mapping::reserve(file, identity.bytes_limit, writable);
  if (!mapped) return mapped.status();

  // From here on the destructor decides whether it may be closed.
  file.keep();
  auto segment = std::make_shared<Segment>(std::move(file), std::move(mapped).value(), identity,
                                           file_name, writable);
  const Geometry& geometry = segment->geometry();
  const std::uint64_t head_end = geometry.run_map_end(geometry.heap_offset());
  if (Status head = segment->mapping_.open(0, head_end); !head) return head;
  const std::uint64_t claimed = segment->header().claimed_end.load(std::memory_order_acquire);
  if (claimed < geometry.initial_end() || claimed > geometry.bytes_limit ||
      !segment->open_up_to(claimed)) {
    if (!segment->whole()) return truncated();
    return Status(Errc::corrupt, "the segment's header claims more or less than there can be");
  }
  if (segment->retired() && !retired_too) {
    return Status(Errc::segment_retired,
                  "it is being destroyed; if that does not end, 'regctl destroy' finishes it");
  }
  return segment;
}

Segment::Segment(sys::SharedFile file, sys::Mapping mapping, const Identity& identity,
                 std::string file_name, bool writable)
    : file_(std::move(file)),
      mapping_(std::move(mapping)),
      identity_(identity),
      geometry_(geometry_of(identity)),
      heap_offset_(geometry_.heap_offset()),
      partitions_(at<layout::Partition>(geometry_.partitions_offset())),
      entries_(at<layout::ProcessEntry>(geometry_.processes_offset())),
      partition_shift_(63 - static_cast<unsigned>(std::countr_zero(geometry_.partitions))),
      file_name_(std::move(file_name)),
      writable_(writable),
      open_end_(geometry_.heap_offset()) {}

Segment::~Segment() {
  if (!has_own_entry(*this, sys::own_identity())) file_.keep(false);
}

bool Segment::open_up_to(std::uint64_t end) const noexcept {
  const std::uint64_t claimed = header().claimed_end.load(std::memory_order_acquire);
  if (end > claimed || claimed > geometry_.bytes_limit) return false;
  const std::uint64_t before = open_end();
  // The run map first: who sees the heap open may ask what a granule is used for.
  const std::uint64_t map_begin = geometry_.run_map_end(before);
  const std::uint64_t map_end = geometry_.run_map_end(claimed);
  if (map_end > map_begin && !mapping_.open(map_begin, map_end - map_begin)) return false;
  if (claimed > before && !mapping_.open(before, claimed - before)) return false;
  std::uint64_t seen = before;
  while (seen < claimed &&
         !open_end_.compare_exchange_weak(seen, claimed, std::memory_order_acq_rel)) {
  }
  return true;
}

Status Segment::truncated() {
  return {Errc::corrupt,
          "the segment's file has been truncated while attached; destroy it and create it anew"};
}

Status Segment::check_whole() const {
  const Result<sys::FileStatus> status = file_.status();
  // Of our file, not of one that has got the descriptor's number meanwhile.
  if (status.ok() && status.value().size_bytes < geometry_.bytes_limit && file_.intact()) {
    mapping_.set_broken();
  }
  return whole() ? Status() : truncated();
}

layout::Word32* Segment::run_word(std::uint64_t granule) const noexcept {
  if ((granule + 1) * layout::kGranuleBytes > open_end() &&
      !open_up_to((granule + 1) * layout::kGranuleBytes)) {
    return nullptr;
  }
  return at<layout::Word32>(geometry_.run_map_offset()) + granule;
}

}  // namespace shmreg::core
