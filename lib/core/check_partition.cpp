#include "core/check_partition.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/check_sharing.hpp"
#include "core/index.hpp"
#include "core/record_image.hpp"

namespace shmreg::core {
namespace {

using layout::Run;
using layout::RunKind;

// Plain pictures of shared structures, as pread delivers them: the same bytes without the atomics.
struct CellImage {
  std::uint64_t id;
  std::uint64_t deadline_ns;
  std::uint32_t next;
  std::uint32_t prev;
  std::uint32_t location;
  std::uint32_t health;
};
static_assert(sizeof(CellImage) == sizeof(layout::HealthCell));
struct ListImage {
  std::uint32_t head;
  std::uint32_t count;
  std::uint32_t generation;
  std::uint32_t reserve;
};
static_assert(sizeof(ListImage) == sizeof(layout::OwnerList));

struct ChangeWords {
  std::uint64_t head;
  std::uint64_t id;
  std::uint64_t at_ns;
  std::uint64_t records;
};
static_assert(sizeof(ChangeWords) == sizeof(layout::Change));

class PartitionCheck {
 public:
  PartitionCheck(const SegmentImage& image, std::vector<Problem>& problems)
      : image_(image), problems_(problems), sharing_(image) {}

  // Returns the number of services in it.
  std::uint64_t examine(std::uint32_t p, const PartitionPicture& picture) {
    const std::string where = "partition " + std::to_string(p);
    const auto index =
        layout::IndexDescriptor::of(picture.at(offsetof(layout::Partition, descriptor)));
    const Run* run = image_.run_at(index.first_granule);
    if (run == nullptr || run->kind != RunKind::index || run->partition != p ||
        run->size_class + layout::kMinLog2Slots != index.log2_slots ||
        index.slots() * 8 > run->granules * layout::kGranuleBytes) {
      problem(where, "its index descriptor does not lead to an index of its own");
      return 0;
    }
    std::vector<std::uint64_t> slots(index.slots());
    if (!image_.read(index.first_granule * layout::kGranuleBytes, slots.data(), slots.size())) {
      problem(where, "the file ends within its index");
      return 0;
    }
    std::uint64_t services = 0;
    std::uint64_t tombstones = 0;
    std::unordered_map<std::uint32_t, Seen> cells;  // by cell
    std::unordered_set<std::uint32_t> locations;
    std::unordered_set<std::string> keys;
    const std::uint64_t max_stamp =
        picture.at(offsetof(layout::Partition, stamp_counter)) * image_.geometry.partitions + p;
    for (std::uint64_t i = 0; i < slots.size(); ++i) {
      const std::uint64_t slot = slots.at(i);
      const std::uint32_t location = layout::location_of_slot(slot);
      if (location == 0) {
        tombstones += slot != layout::kEmptySlot ? 1 : 0;
        continue;
      }
      ++services;
      const std::string at = where + ", slot " + std::to_string(i);
      if (!locations.insert(location).second) {
        problem(at, "another slot leads to the same record", true);
        continue;
      }
      check_record(p, at, i, slots, index, location, max_stamp, cells, keys);
    }
    if (services != picture.at32(offsetof(layout::Partition, services))) {
      problem(where,
              "counts " + std::to_string(picture.at32(offsetof(layout::Partition, services))) +
                  " services, has " + std::to_string(services),
              true);
    }
    if (tombstones != picture.at32(offsetof(layout::Partition, tombstones))) {
      problem(where, "counts its tombstones wrong", true);
    }
    if (picture.at32(offsetof(layout::Partition, dirty)) != 0 && !picture.locked()) {
      problem(where, "a writer died in the middle of a change; the next one repairs it", true);
    }
    check_owner_lists(p, where, cells);
    const auto held = check_change_log(p, where, picture, locations);
    check_free_lists(p, where, picture, index, locations, held, cells);
    sharing_.report(problems_);
    return services - sharing_.anchors();
  }

 private:
  void problem(std::string where, std::string what, bool repairable = false) {
    problems_.push_back({std::move(where), std::move(what), repairable});
  }

  struct Seen {
    std::uint64_t id = 0;
    layout::EntryLife life;
    bool listed = false;
    bool has_life = false;
    std::uint32_t location = 0;
  };

  void check_record(std::uint32_t p, const std::string& at, std::uint64_t slot_index,
                    const std::vector<std::uint64_t>& slots, const layout::IndexDescriptor& index,
                    std::uint32_t location, std::uint64_t max_stamp,
                    std::unordered_map<std::uint32_t, Seen>& cells,
                    std::unordered_set<std::string>& keys) {
    const std::uint64_t slot = slots.at(slot_index);
    std::vector<unsigned char> bytes;
    const Status sound = read_record(p, location, bytes);
    if (!sound) {
      problem(at, sound.message(), true);
      return;
    }
    const auto view = RecordView::of(bytes);
    if (!view) {
      problem(at, "its record's lengths contradict each other", true);
      return;
    }
    const layout::RecordHeader& header = view->header();
    const std::uint64_t place = place_of(*view, image_.identity.hash_seed);
    const unsigned shift = 63 - static_cast<unsigned>(__builtin_ctz(image_.geometry.partitions));
    if ((place >> 1 >> shift) != p || layout::slot_hash(place) != layout::hash_of_slot(slot) ||
        layout::tag_of_slot(slot) !=
            namespace_tag(view->namespace_name(), image_.identity.hash_seed)) {
      problem(at, "its record's name belongs to another slot", true);
    }
    if (header.stamp == 0) problem(at, "its record is retired", true);
    if (header.stamp > max_stamp || header.stamp % image_.geometry.partitions != p) {
      problem(at, "its record has a stamp that this partition never gave");
    }
    if (header.id < image_.identity.first_id)
      problem(at, "its record has an id of another segment");
    if (header.owner_kind < 1 || header.owner_kind > 5) problem(at, "its owner's kind is unknown");
    std::string key(view->key());
    sharing_.note(at, *view);
    if (header.ordinal != 0) key += '\0' + std::to_string(header.ordinal);
    if (!keys.insert(std::move(key)).second) problem(at, "the same name stands twice", true);
    AttributeReader reader(view->attributes());
    while (reader.next()) {
    }
    if (!reader.complete()) problem(at, "its record's attributes end in the middle of one");
    if (!reachable(place, slot_index, slots, index)) {
      problem(at, "a probe for its name ends before it gets here");
    }
    check_cell(p, at, header, *view, location, cells);
  }

  // Whether a probe from the key's home comes to the slot before it meets an empty one.
  static bool reachable(std::uint64_t place, std::uint64_t slot_index,
                        const std::vector<std::uint64_t>& slots,
                        const layout::IndexDescriptor& index) {
    const std::uint64_t buckets = slots.size() / layout::kBucketSlots;
    const std::uint64_t target = slot_index / layout::kBucketSlots;
    std::uint64_t bucket = home_bucket(place, index.log2_slots);
    for (std::uint64_t probe = 0; probe < buckets; ++probe) {
      if (bucket == target) return true;
      const auto begin = slots.begin() + static_cast<std::ptrdiff_t>(bucket * layout::kBucketSlots);
      if (std::find(begin, begin + layout::kBucketSlots, layout::kEmptySlot) !=
          begin + layout::kBucketSlots) {
        return false;
      }
      bucket = (bucket + 1) & (buckets - 1);
    }
    return false;
  }

  [[nodiscard]] Status read_record(std::uint32_t p, std::uint32_t location,
                                   std::vector<unsigned char>& bytes) {
    const std::uint64_t offset = std::uint64_t{location} * layout::kUnitBytes;
    const auto found = image_.run_over(offset);
    if (!found || found->run.kind != RunKind::records || found->run.partition != p) {
      return {Errc::corrupt, "it leads to memory that holds no records of this partition"};
    }
    const std::uint64_t stride = found->run.size_class < layout::kSizeClasses.size()
                                     ? layout::kSizeClasses.at(found->run.size_class).record_bytes
                                     : 0;
    const std::uint64_t begin = found->granule * layout::kGranuleBytes;
    if (stride == 0 || (offset - begin) % stride != 0 ||
        offset - begin + stride > found->run.granules * layout::kGranuleBytes) {
      return {Errc::corrupt, "it leads between two records"};
    }
    bytes.resize(stride);
    if (!image_.read(offset, bytes.data(), bytes.size()))
      return {Errc::corrupt, "its record is cut off"};
    layout::RecordHeader header{};
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.size_class != found->run.size_class || header.bytes() > stride) {
      return {Errc::corrupt, "its record is larger than the place it lies in"};
    }
    return {};
  }

  void check_cell(std::uint32_t p, const std::string& at, const layout::RecordHeader& header,
                  const RecordView& view, std::uint32_t location,
                  std::unordered_map<std::uint32_t, Seen>& cells) {
    const auto run = image_.run_over(header.cell * layout::kCellBytes);
    CellImage cell{};
    if (!run || run->run.kind != RunKind::cells || run->run.partition != p ||
        !image_.read(header.cell * layout::kCellBytes, &cell, 1)) {
      problem(at, "its record's health cell is none", true);
      return;
    }
    if (cell.id != header.id) problem(at, "its health cell is another registration's", true);
    if (cell.location != location) problem(at, "its health cell leads to another record", true);
    if (cell.health > 5) problem(at, "its health is unknown");
    Seen seen{header.id, {}, false, false, location};
    if (const auto life = view.owner_life()) {
      seen.life = *life;
      seen.has_life = true;
      if (life->entry >= image_.geometry.max_processes) {
        problem(at, "its owner is no process entry");
        seen.has_life = false;
      }
    }
    if (!cells.emplace(header.cell, seen).second) {
      problem(at, "another record has the same health cell", true);
    }
  }

  void check_owner_lists(std::uint32_t p, const std::string& where,
                         std::unordered_map<std::uint32_t, Seen>& cells) {
    for (std::uint32_t e = 0; e < image_.geometry.max_processes; ++e) {
      ListImage list{};
      const std::uint64_t offset =
          image_.geometry.owner_lists_offset() +
          (std::uint64_t{e} * image_.geometry.partitions + p) * sizeof(ListImage);
      if (!image_.read(offset, &list, 1)) {
        problem(where, "the file ends within the owner lists");
        return;
      }
      if (list.head == 0 && list.count == 0) continue;
      const std::string of = where + ", list of process entry " + std::to_string(e);
      std::uint32_t count = 0;
      std::uint32_t prev = 0;
      for (std::uint32_t at = list.head; at != 0; ++count) {
        const auto seen = cells.find(at);
        CellImage cell{};
        if (seen == cells.end() || seen->second.listed ||
            !image_.read(at * layout::kCellBytes, &cell, 1)) {
          problem(of, "leads to what is no registration of this partition, or twice to one", true);
          break;
        }
        seen->second.listed = true;
        if (cell.prev != prev) problem(of, "its links contradict each other", true);
        if (!seen->second.has_life || seen->second.life.entry != e ||
            seen->second.life.generation != list.generation) {
          problem(of, "holds another owner's registration", true);
        }
        prev = at;
        at = cell.next;
      }
      if (count != list.count) problem(of, "counts wrong", true);
    }
    for (const auto& [cell, seen] : cells) {
      if (seen.has_life && !seen.listed) {
        problem(where, "registration " + std::to_string(seen.id) + " is on no owner's list", true);
      }
    }
  }

  // Returns the records that the change log keeps.
  std::unordered_set<std::uint32_t> check_change_log(
      std::uint32_t p, const std::string& where, const PartitionPicture& picture,
      const std::unordered_set<std::uint32_t>& locations) {
    std::unordered_set<std::uint32_t> held;
    std::vector<ChangeWords> log(layout::kChangeLogEntries);
    const std::uint64_t last = picture.at(offsetof(layout::Partition, change_counter));
    const std::uint64_t tail = picture.at(offsetof(layout::Partition, change_tail));
    const std::string name = where + ", change log";
    if (!image_.read(image_.geometry.change_logs_offset() + p * log.size() * sizeof(ChangeWords),
                     log.data(), log.size())) {
      problem(name, "the file ends within it");
      return held;
    }
    if (tail > last || last - tail > log.size()) {
      problem(name,
              "its tail " + std::to_string(tail) + " does not fit its last entry " +
                  std::to_string(last),
              true);
      return held;
    }
    std::uint64_t bytes = 0;
    for (std::uint64_t count = tail + 1; count <= last; ++count) {
      const ChangeWords& change = log.at(count % log.size());
      const auto head = layout::ChangeHead::of(change.head);
      const std::string at = name + ", entry " + std::to_string(count);
      if (head.count != count || head.kind > layout::kLastChangeKind) {
        problem(at, "it is another's", true);
        continue;
      }
      if (head.pending && !picture.locked()) problem(at, "it was begun and not settled", true);
      const std::uint32_t retired = layout::ChangedRecords::of(change.records).retired;
      if (retired == 0) continue;
      std::vector<unsigned char> record;
      std::uint64_t stamp = 0;
      if (const Status sound = read_record(p, retired, record); !sound) {
        problem(at, sound.message(), true);
        continue;
      }
      std::memcpy(&stamp, record.data(), sizeof stamp);
      if (stamp != 0) problem(at, "the record that it keeps is not retired", true);
      if (locations.contains(retired)) problem(at, "it keeps a record that is in use", true);
      if (!held.insert(retired).second) problem(at, "another entry keeps the same record", true);
      bytes += record.size();
    }
    if (bytes != picture.at32(offsetof(layout::Partition, held_bytes))) {
      problem(name, "counts the bytes that it keeps wrong", true);
    }
    return held;
  }

  void check_free_lists(std::uint32_t p, const std::string& where, const PartitionPicture& picture,
                        const layout::IndexDescriptor& index,
                        const std::unordered_set<std::uint32_t>& locations,
                        const std::unordered_set<std::uint32_t>& held,
                        const std::unordered_map<std::uint32_t, Seen>& cells) {
    // Everything that the partition's runs hold is either in use or on exactly one free list.
    std::uint64_t records = 0;
    std::uint64_t all_cells = 0;
    std::uint64_t indices = 0;
    for (const auto& [granule, run] : image_.runs) {
      if (run.partition != p) continue;
      if (run.kind == RunKind::records && run.size_class < layout::kSizeClasses.size()) {
        records += run.granules * layout::kGranuleBytes /
                   layout::kSizeClasses.at(run.size_class).record_bytes;
      } else if (run.kind == RunKind::cells) {
        all_cells += run.granules * layout::kGranuleBytes / layout::kCellBytes;
      } else if (run.kind == RunKind::index) {
        ++indices;
      }
    }
    std::uint64_t free_records = 0;
    std::unordered_set<std::uint32_t> seen;
    for (std::size_t c = 0; c < layout::kSizeClasses.size(); ++c) {
      std::uint32_t at = picture.at32(offsetof(layout::Partition, free_records) + 4 * c);
      while (at != 0) {
        std::array<std::uint64_t, 2> head{};
        const auto run = image_.run_over(std::uint64_t{at} * layout::kUnitBytes);
        if (!run || run->run.kind != RunKind::records || run->run.partition != p ||
            run->run.size_class != c || locations.contains(at) || held.contains(at) ||
            !seen.insert(at).second ||
            !image_.read(std::uint64_t{at} * layout::kUnitBytes, head.data(), head.size())) {
          problem(where, "a list of free records leads astray", true);
          break;
        }
        if (head[0] != 0) problem(where, "a free record still has a stamp", true);
        ++free_records;
        at = static_cast<std::uint32_t>(head[1]);
      }
    }
    if (free_records + locations.size() + held.size() != records) {
      problem(where,
              std::to_string(records) + " records, of which " + std::to_string(locations.size()) +
                  " are in use, " + std::to_string(held.size()) + " kept by the change log and " +
                  std::to_string(free_records) + " free",
              true);
    }
    std::uint64_t free_cells = 0;
    seen.clear();
    for (std::uint32_t at = picture.at32(offsetof(layout::Partition, free_cells)); at != 0;) {
      CellImage cell{};
      const auto run = image_.run_over(at * layout::kCellBytes);
      if (!run || run->run.kind != RunKind::cells || run->run.partition != p ||
          cells.contains(at) || !seen.insert(at).second ||
          !image_.read(at * layout::kCellBytes, &cell, 1)) {
        problem(where, "the list of free health cells leads astray", true);
        break;
      }
      ++free_cells;
      at = cell.next;
    }
    if (free_cells + cells.size() != all_cells) {
      problem(where, "health cells are neither in use nor free", true);
    }
    std::uint64_t free_indices = 0;
    for (std::uint32_t c = 0; c <= layout::kMaxLog2Slots - layout::kMinLog2Slots; ++c) {
      std::uint64_t at = picture.at32(offsetof(layout::Partition, free_indices) + 4 * c);
      while (at != 0 && free_indices <= indices) {
        const Run* run = image_.run_at(at);
        if (run == nullptr || run->kind != RunKind::index || run->partition != p ||
            run->size_class != c || at == index.first_granule) {
          problem(where, "a list of free indices leads astray", true);
          return;
        }
        ++free_indices;
        at = image_.word(at * layout::kGranuleBytes) >> 32;
      }
    }
    if (free_indices + 1 != indices) problem(where, "an index is neither in use nor free", true);
  }

  const SegmentImage& image_;
  std::vector<Problem>& problems_;
  SharingCheck sharing_;
};

}  // namespace

bool PartitionPicture::take(const SegmentImage& image, std::uint32_t partition) {
  return image.read(
      image.geometry.partitions_offset() + std::uint64_t{partition} * sizeof(layout::Partition),
      words.data(), words.size());
}

std::uint64_t check_partition(const SegmentImage& image, std::uint32_t partition,
                              const PartitionPicture& picture, std::vector<Problem>& problems) {
  return PartitionCheck(image, problems).examine(partition, picture);
}

}  // namespace shmreg::core
