#include "regctl/segment_view.hpp"

#include <grp.h>
#include <pwd.h>

#include <array>

#include "output/units.hpp"

namespace shmreg::regctl {
namespace {

using output::Align;
using output::Cell;
using output::Column;
using output::Json;
using output::Tone;

// A user or group of another container has a number and no name.
std::string user_name(uid_t uid) {
  std::array<char, 16384> buffer;
  struct passwd entry {};
  struct passwd* found = nullptr;
  const bool known = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0;
  return known && found != nullptr ? found->pw_name : std::to_string(uid);
}

std::string group_name(gid_t gid) {
  std::array<char, 16384> buffer;
  struct group entry {};
  struct group* found = nullptr;
  const bool known = ::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) == 0;
  return known && found != nullptr ? found->gr_name : std::to_string(gid);
}

// A limit of 0 says that the header was not readable, nor then whoever is attached.
bool has_header(const SegmentInfo& segment) { return segment.bytes_limit != 0; }

Tone tone_of(ProcessState state) noexcept {
  return state == ProcessState::running ? Tone::plain : Tone::warning;
}

}  // namespace

std::vector<Column> SegmentView::columns() {
  return {{"SEGMENT"},
          {"OWNER"},
          {"GROUP"},
          {"MODE"},
          {"USED", Align::right},
          {"LIMIT", Align::right},
          {"PROCESSES", Align::right},
          {"PROBLEM"}};
}

std::vector<Cell> SegmentView::cells(const SegmentInfo& segment) {
  const bool header = has_header(segment);
  return {segment.name,
          user_name(segment.owner),
          group_name(segment.group),
          output::octal_mode(segment.mode),
          output::human_size(segment.bytes_used),
          header ? output::human_size(segment.bytes_limit) : std::string(),
          header ? std::to_string(segment.processes) : std::string(),
          {segment.problem.message(), Tone::bad}};
}

Json SegmentView::json(const SegmentInfo& segment) {
  const bool header = has_header(segment);
  Json json = Json::object();
  json.set("name", segment.name)
      .set("path", "/dev/shm/shmreg." + segment.name)
      .set("owner", user_name(segment.owner))
      .set("uid", segment.owner)
      .set("group", group_name(segment.group))
      .set("gid", segment.group)
      .set("mode", output::octal_mode(segment.mode))
      .set("bytes_used", segment.bytes_used)
      .set("bytes_limit", header ? Json(segment.bytes_limit) : Json())
      .set("processes", header ? Json(segment.processes) : Json())
      .set("problem", segment.problem.ok() ? Json() : Json(segment.problem.message()));
  return json;
}

std::string SegmentView::name(const SegmentInfo& segment) { return segment.name; }

std::vector<Column> ProcessView::columns() {
  return {{"PID", Align::right},
          {"PROGRAM"},
          {"STATE"},
          {"SERVICES", Align::right},
          {"ATTACHED"},
          {"WAITING FOR"},
          {"PID NAMESPACE", Align::right, true},
          {"LIVENESS", Align::left, true},
          {"ENTRY", Align::right, true}};
}

std::vector<Cell> ProcessView::cells(const ProcessInfo& process) {
  return {std::to_string(process.pid),
          process.program,
          {std::string(to_string(process.state)), tone_of(process.state)},
          std::to_string(process.services),
          output::rfc3339(process.attached_at_ns),
          process.waiting_for.value_or(""),
          process.pid_namespace == 0 ? std::string() : std::to_string(process.pid_namespace),
          std::string(to_string(process.liveness)),
          std::to_string(process.entry)};
}

Json ProcessView::json(const ProcessInfo& process) {
  Json json = Json::object();
  json.set("pid", process.pid)
      .set("pid_namespace", process.pid_namespace == 0 ? Json() : Json(process.pid_namespace))
      .set("program", process.program)
      .set("state", to_string(process.state))
      .set("services", process.services)
      .set("waiting_for", process.waiting_for ? Json(*process.waiting_for) : Json())
      .set("attached_at", output::rfc3339(process.attached_at_ns))
      .set("liveness", to_string(process.liveness))
      .set("entry", process.entry);
  return json;
}

std::string ProcessView::name(const ProcessInfo& process) { return std::to_string(process.pid); }

}  // namespace shmreg::regctl
