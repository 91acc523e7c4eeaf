#include "torture/created_segment.hpp"

#include <sys/statvfs.h>

#include "shmreg/registry.hpp"
#include "support/scratch_segment.hpp"
#include "sys/shared_file.hpp"

namespace torture {
namespace {

shmreg::CreateOptions small() {
  return {.max_size_bytes = std::uint64_t{4} << 20,
          .partitions = 1,
          .max_processes = 2,
          .initial_slots = 16};
}

}  // namespace

CreatedSegment::CreatedSegment() : name_(shmreg::test::unique_name()) {}

CreatedSegment::~CreatedSegment() { (void)shmreg::sys::unlink_name("shmreg." + name_); }

std::unique_ptr<SteppedVictim> CreatedSegment::victim() {
  auto victim = std::make_unique<SteppedVictim>(
      [] {}, [this] { (void)shmreg::create_segment(name_, small()); }, Whose::callers);
  victim->begin();
  return victim;
}

bool CreatedSegment::is_there(std::string& complaint) const {
  const std::vector<std::string> there = files();
  if (there.empty()) return false;
  if (there != std::vector<std::string>{"shmreg." + name_}) {
    complaint += "\n  other files than the segment's in /dev/shm:";
    for (const std::string& file : there) complaint += " " + file;
    return false;
  }
  try {
    shmreg::AttachOptions options;
    options.access = shmreg::Access::read_only;
    const auto registry = shmreg::Registry::attach(name_, options);
    const auto listed = registry.list();
    if (!listed || !listed->empty()) complaint += "\n  a new segment is not empty";
    for (const auto& problem : shmreg::doctor(name_).problems) {
      complaint += "\n  " + problem.where + ": " + problem.what;
    }
  } catch (const shmreg::Error& error) {
    complaint += std::string("\n  ") + error.what();
  }
  return true;
}

std::vector<std::string> CreatedSegment::files() const {
  auto names = shmreg::sys::file_names(shm_.is_own() ? "" : "shmreg." + name_);
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  return names;
}

std::string CreatedSegment::while_it_stands(bool at_the_end) {
  std::string complaint;
  seen_ = is_there(complaint);
  if (at_the_end && !seen_) complaint += "\n  it was created, and is not there";
  return complaint;
}

std::string CreatedSegment::after_its_death() {
  std::string complaint;
  if (is_there(complaint) != seen_) complaint += "\n  it came or went with its creator's death";
  return complaint;
}

std::string CreatedSegment::after_the_next_writer() {
  std::string complaint;
  try {
    if (seen_) shmreg::destroy_segment(name_);
    if (!shmreg::create_segment(name_, small())) complaint += "\n  it could not be created";
    if (!is_there(complaint)) complaint += "\n  it was created, and is not there";
    shmreg::destroy_segment(name_);
    if (is_there(complaint)) complaint += "\n  it was destroyed, and is there";
  } catch (const shmreg::Error& error) {
    complaint += std::string("\n  ") + error.what();
  }
  return complaint;
}

// The file system's: what a dead creator's file without a name has taken up is free again.
Scene::Room CreatedSegment::room() {
  if (!shm_.is_own()) return {};
  struct statvfs fs {};
  if (::statvfs("/dev/shm", &fs) != 0) return {};
  return {fs.f_blocks - fs.f_bfree, fs.f_files - fs.f_ffree};
}

}  // namespace torture
