// A segment's file read by pread: its identity, what is claimed, and which memory belongs to whom.
// For examining what cannot be trusted: nothing is mapped, every read may come back short.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/segment.hpp"
#include "sys/shared_file.hpp"

namespace shmreg::core {

struct FoundRun {
  std::uint64_t granule;
  layout::Run run;
};

// What can be said of a segment's file without mapping it: it may be anybody's.
struct SegmentSummary {
  std::uint64_t bytes_limit = 0;
  std::uint32_t processes = 0;  // entries whose mark says that they live
  // Some copy of the library in this process has an entry in it: no descriptor may be closed.
  bool own_entry = false;
  Status problem;  // why it cannot be attached; ok where it can
};
[[nodiscard]] SegmentSummary summarize(const sys::SharedFile& file, std::uint64_t file_bytes);

class SegmentImage {
 public:
  explicit SegmentImage(const sys::SharedFile& file) : file_(file) {}

  // False where the file ends before.
  template <class T>
  [[nodiscard]] bool read(std::uint64_t offset, T* into, std::size_t count) const {
    const Result<std::size_t> got = file_.read(offset, into, count * sizeof(T));
    return got.ok() && *got == count * sizeof(T);
  }
  [[nodiscard]] std::uint64_t word(std::uint64_t offset) const {
    std::uint64_t value = 0;
    return read(offset, &value, 1) ? value : 0;
  }

  layout::Identity identity{};
  layout::Geometry geometry;
  std::uint64_t claimed_end = 0;
  std::vector<FoundRun> runs;  // in order of their granules

  // The run that begins at a granule; null where none does.
  [[nodiscard]] const layout::Run* run_at(std::uint64_t granule) const;
  // The run that an offset lies in.
  [[nodiscard]] std::optional<FoundRun> run_over(std::uint64_t offset) const;

 private:
  [[nodiscard]] const FoundRun* find_run(std::uint64_t granule) const;

  const sys::SharedFile& file_;
};

}  // namespace shmreg::core
