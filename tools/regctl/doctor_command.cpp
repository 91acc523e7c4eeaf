// doctor: is this segment as it must be, and what may be relied on here?
#include "output/exit_code.hpp"
#include "output/json.hpp"
#include "regctl/commands.hpp"
#include "regctl/context.hpp"
#include "shmreg/segment.hpp"

namespace shmreg::regctl {
namespace {

using output::Json;

Json to_json(const std::string& segment, const DoctorReport& report) {
  Json problems = Json::array();
  for (const Problem& problem : report.problems) {
    problems.push(std::move(Json::object()
                                .set("where", problem.where)
                                .set("what", problem.what)
                                .set("repairable", problem.repairable)));
  }
  Json document = Json::document();
  document.set("segment", segment)
      .set("services", report.services)
      .set("partitions_busy", report.partitions_busy)
      .set("problems", std::move(problems))
      .set("guarantees", Json::array_of(report.guarantees));
  return document;
}

void print_text(Context& context, const DoctorReport& report) {
  // Each line goes out escaped by itself: the text is partly the segment's.
  const auto say = [&context](const std::string& text) { context.answer(Json(), text); };
  for (const Problem& problem : report.problems) {
    say("problem: " + problem.where + ": " + problem.what +
        (problem.repairable ? " (repairable)" : ""));
  }
  if (context.style().format == output::Format::name) return;
  if (report.partitions_busy != 0) {
    say("busy: " + std::to_string(report.partitions_busy) +
        " partitions changed too fast to be examined; run it again");
  }
  for (const std::string& guarantee : report.guarantees) say("guarantee: " + guarantee);
  say(context.segment() + ": " + std::to_string(report.services) + " services, " +
      (report.problems.empty() ? "no problem"
                               : std::to_string(report.problems.size()) + " problem" +
                                     (report.problems.size() == 1 ? "" : "s")));
}

int examine(Context& context) {
  const DoctorReport report = doctor(context.segment(), context.trust());
  if (context.style().is_json()) {
    context.answer(to_json(context.segment(), report), "");
  } else {
    print_text(context, report);
  }
  return report.problems.empty() ? output::kDone : output::kNo;
}

}  // namespace

void add_doctor_command(Commands& commands) {
  commands.push_back(
      Command("doctor", "Check every structure of the segment, and what this kernel guarantees")
          .action(examine)
          .more("Reads only. Exit status 1 where there is a problem, for any file however corrupt; "
                "3 only\nwhere there is no such file."));
}

}  // namespace shmreg::regctl
