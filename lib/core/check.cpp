#include "core/check.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/check_partition.hpp"
#include "core/printable.hpp"
#include "core/process_table.hpp"
#include "core/segment_image.hpp"
#include "sys/process.hpp"

namespace shmreg::core {
namespace {

using layout::Run;
using layout::RunKind;

class Checker {
 public:
  Checker(const sys::SharedFile& file, std::uint64_t file_bytes)
      : image_(file), file_bytes_(file_bytes) {}

  DoctorReport run() {
    if (!check_header()) return std::move(report_);
    read_run_map();
    check_processes();
    for (std::uint32_t p = 0; p < image_.geometry.partitions; ++p) check_patiently(p);
    return std::move(report_);
  }

 private:
  void problem(std::string where, std::string what, bool repairable = false) {
    report_.problems.push_back({std::move(where), std::move(what), repairable});
  }

  bool check_header() {
    if (!image_.read(0, &image_.identity, 1)) {
      problem("header", "the file has only " + std::to_string(file_bytes_) + " bytes");
      return false;
    }
    if (Status fits = check_identity(image_.identity, file_bytes_); !fits) {
      problem("header", fits.message());
      // A truncated file still has the rest of its structures, if the header itself is sound.
      if (file_bytes_ >= image_.identity.bytes_limit || !geometry_of(image_.identity).valid())
        return false;
    }
    image_.geometry = geometry_of(image_.identity);
    // In this order: a segment that grows meanwhile claims before it hands out.
    const std::uint64_t top = image_.word(offsetof(layout::Header, heap_top));
    image_.claimed_end = image_.word(offsetof(layout::Header, claimed_end));
    if (image_.claimed_end < image_.geometry.initial_end() ||
        image_.claimed_end > image_.geometry.bytes_limit) {
      problem("header",
              "claimed_end " + std::to_string(image_.claimed_end) + " is outside of the heap");
      return false;
    }
    if (top * layout::kGranuleBytes < image_.geometry.heap_offset() ||
        top * layout::kGranuleBytes > image_.claimed_end) {
      problem("header", "heap_top " + std::to_string(top) + " is outside of what is claimed");
    }
    if (image_.word(offsetof(layout::Header, next_id)) < image_.identity.first_id) {
      problem("header", "next_id lies below the segment's first id");
    }
    if (image_.word(offsetof(layout::Header, retired)) != 0) {
      problem("header", "the segment is retired: it is being, or has been, destroyed");
    }
    return true;
  }

  // Called again where a partition looks wrong: it may have been given memory meanwhile. Whether
  // any has been given. Runs are only ever added; what is wrong with a map that did not change
  // while it was read is wrong.
  bool read_run_map() {
    constexpr int kTries = 10;
    const std::size_t before_problems = report_.problems.size();
    const std::vector<std::uint32_t> earlier = run_map_;
    for (int attempt = 0; attempt < kTries; ++attempt) {
      report_.problems.resize(before_problems);
      const std::vector<std::uint32_t> last = run_map_;
      read_run_map_once();
      if (report_.problems.size() == before_problems || run_map_ == last) break;
    }
    return run_map_ != earlier;
  }

  void read_run_map_once() {
    const std::uint64_t claimed = image_.word(offsetof(layout::Header, claimed_end));
    if (claimed >= image_.claimed_end && claimed <= image_.geometry.bytes_limit) {
      image_.claimed_end = claimed;
    }
    image_.runs.clear();
    const std::uint64_t granules = image_.claimed_end / layout::kGranuleBytes;
    run_map_.resize(granules);
    if (!image_.read(image_.geometry.run_map_offset(), run_map_.data(), run_map_.size())) {
      problem("run map", "the file ends within it");
      return;
    }
    std::uint64_t at = image_.geometry.heap_offset() / layout::kGranuleBytes;
    while (at < granules && run_map_.at(at) != 0) {
      const Run run = Run::of(run_map_.at(at));
      const std::string where = "run at granule " + std::to_string(at);
      const bool known_kind =
          run.kind == RunKind::records || run.kind == RunKind::cells || run.kind == RunKind::index;
      if (!known_kind || run.granules == 0 || at + run.granules > granules ||
          run.partition >= image_.geometry.partitions) {
        problem(where, "its description makes no sense");
        break;
      }
      image_.runs.push_back({at, run});
      for (std::uint32_t i = 1; i < run.granules; ++i) {
        if (run_map_.at(at + i) != 0) problem(where, "another run begins inside of it");
      }
      at += run.granules;
    }
    for (; at < granules; ++at) {
      if (run_map_.at(at) != 0) {
        problem("run at granule " + std::to_string(at),
                "it cannot be reached from the heap's start");
        break;
      }
    }
  }

  void check_processes() {
    std::vector<std::uint64_t> entries(image_.geometry.max_processes *
                                       sizeof(layout::ProcessEntry) / 8);
    if (!image_.read(image_.geometry.processes_offset(), entries.data(), entries.size())) {
      problem("process table", "the file ends within it");
      return;
    }
    for (std::uint32_t e = 0; e < image_.geometry.max_processes; ++e) {
      const std::uint64_t* entry = entries.data() + e * (sizeof(layout::ProcessEntry) / 8);
      const auto state = layout::MarkState::of(entry[0]);
      const auto liveness = static_cast<std::uint32_t>(entry[1] >> 32);
      if (!is_free(state) && state.generation != 0 && liveness > 2) {
        problem("process entry " + std::to_string(e), "its kind of liveness is unknown");
      }
      if (state.generation == 0 && state.mark != 0) {
        problem("process entry " + std::to_string(e), "marked, but never claimed");
      }
    }
  }

  void check_patiently(std::uint32_t p) {
    constexpr int kTries = 50;
    const std::size_t before_problems = report_.problems.size();
    for (int attempt = 0;; ++attempt) {
      PartitionPicture before;
      PartitionPicture after;
      report_.problems.resize(before_problems);
      if (!before.take(image_, p)) {
        problem("partition " + std::to_string(p), "the file ends within it");
        return;
      }
      const std::uint64_t services = check_partition(image_, p, before, report_.problems);
      bool quiet = after.take(image_, p) && before.words == after.words;
      if (quiet && report_.problems.size() > before_problems) {
        const std::vector<Problem> found(
            report_.problems.begin() + static_cast<std::ptrdiff_t>(before_problems),
            report_.problems.end());
        report_.problems.resize(before_problems);
        const bool grown = read_run_map();
        if (report_.problems.size() > before_problems) return;
        // Judged by a map that it has outgrown.
        quiet = !grown;
        if (quiet) report_.problems.insert(report_.problems.end(), found.begin(), found.end());
      }
      if (quiet && !before.locked()) {
        report_.services += services;
        return;
      }
      // Its holder may only be waiting for a processor.
      if (quiet) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (attempt == kTries) {
        // Held all the while without a change: by a dead writer, or by a living one that is stopped
        // or does not get to run.
        if (quiet && !holder_lives(before)) {
          if (report_.problems.size() > before_problems) {
            report_.problems.resize(before_problems);
            problem("partition " + std::to_string(p),
                    "a writer died in the middle of a change; the next one repairs it", true);
          }
          report_.services += services;
        } else {
          report_.problems.resize(before_problems);
          if (const auto holder = stopped_holder(before); quiet && holder) {
            problem("partition " + std::to_string(p),
                    "it could not be examined: " + *holder +
                        " is stopped in the middle of a change; continue or end that process");
          } else {
            ++report_.partitions_busy;
          }
        }
        return;
      }
    }
  }

  // By its mark: the life that the lock word names has not ended.
  [[nodiscard]] bool holder_lives(const PartitionPicture& picture) const {
    const auto holder = layout::LockHolder::of(picture.at(offsetof(layout::Partition, lock)));
    if (holder.entry >= image_.geometry.max_processes) return false;
    const auto state = layout::MarkState::of(image_.word(
        image_.geometry.processes_offset() + holder.entry * sizeof(layout::ProcessEntry)));
    return state.generation == holder.generation && !is_free(state);
  }

  // The holder of the partition's lock, where it is seen to be stopped: "pid 4711 (config_server)".
  [[nodiscard]] std::optional<std::string> stopped_holder(const PartitionPicture& picture) const {
    const auto holder = layout::LockHolder::of(picture.at(offsetof(layout::Partition, lock)));
    if (holder.entry >= image_.geometry.max_processes) return std::nullopt;
    const std::uint64_t entry =
        image_.geometry.processes_offset() + holder.entry * sizeof(layout::ProcessEntry);
    const auto pid =
        static_cast<std::uint32_t>(image_.word(entry + offsetof(layout::ProcessEntry, pid)));
    if (image_.word(entry + offsetof(layout::ProcessEntry, pid_namespace)) !=
            sys::own_identity().pid_namespace ||
        sys::run_state_of(pid) != sys::RunState::stopped) {
      return std::nullopt;
    }
    return "pid " + std::to_string(pid) + " (" + printable(sys::program_of(pid)) + ")";
  }

  SegmentImage image_;
  std::uint64_t file_bytes_;
  std::vector<std::uint32_t> run_map_;  // as last read
  DoctorReport report_;
};

}  // namespace

DoctorReport check_segment(const sys::SharedFile& file, std::uint64_t file_bytes) {
  return Checker(file, file_bytes).run();
}

}  // namespace shmreg::core
