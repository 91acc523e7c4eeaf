// doctor: is this segment as it must be, and what may be relied on here? gc: what the dead left.
#include <memory>
#include <optional>

#include "output/exit_code.hpp"
#include "output/json.hpp"
#include "regctl/commands.hpp"
#include "regctl/context.hpp"
#include "shmreg/segment.hpp"

namespace shmreg::regctl {
namespace {

using output::Json;
using output::require;

// What came of --repair; a failure's message says why nothing, or not everything, was repaired.
using Repair = std::optional<Result<std::uint32_t>>;

// Before the examination, which is to see what the repair has left. A file that cannot be attached
// is examined all the same.
Repair repair(const Context& context) {
  try {
    return context.attach(Access::read_write).repair();
  } catch (const Error& error) {
    if (error.errc() == Errc::permission_denied || error.errc() == Errc::no_such_segment) throw;
    return Status(error.errc(), error.what());
  }
}

Json to_json(const std::string& segment, const DoctorReport& report, const Repair& repaired) {
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
  if (repaired) {
    document.set("repaired", *repaired ? Json(**repaired) : Json())
        .set("repair_error", *repaired ? Json() : Json(repaired->message()));
  }
  return document;
}

void print_text(Context& context, const DoctorReport& report, const Repair& repaired) {
  // Each line goes out escaped by itself: the text is partly the segment's.
  const auto say = [&context](const std::string& text) { context.answer(Json(), text); };
  if (repaired && *repaired && context.style().format != output::Format::name) {
    say("repaired: " + std::to_string(**repaired) +
        (**repaired == 1 ? " partition" : " partitions"));
  }
  for (const Problem& problem : report.problems) {
    say("problem: " + problem.where + ": " + problem.what +
        (problem.repairable ? " (repairable)" : ""));
  }
  if (context.style().format == output::Format::name) return;
  if (report.partitions_busy != 0) {
    say("busy: " + std::to_string(report.partitions_busy) +
        " partitions changed too fast, or were in the middle of a change, and could not be "
        "examined; "
        "run it again");
  }
  for (const std::string& guarantee : report.guarantees) say("guarantee: " + guarantee);
  say(context.segment() + ": " + std::to_string(report.services) +
      (report.services == 1 ? " service, " : " services, ") +
      (report.problems.empty() ? "no problem"
                               : std::to_string(report.problems.size()) + " problem" +
                                     (report.problems.size() == 1 ? "" : "s")));
}

int examine(Context& context, bool wants_repair) {
  Repair repaired;
  if (wants_repair) repaired = repair(context);
  const DoctorReport report = doctor(context.segment(), context.trust());
  if (context.style().is_json()) {
    context.answer(to_json(context.segment(), report, repaired), "");
  } else {
    print_text(context, report, repaired);
  }
  const bool failed = repaired && !*repaired;
  if (failed) complain("not repaired: " + repaired->message());
  if (!report.problems.empty()) return output::kNo;
  return failed ? output::exit_code(repaired->code()) : output::kDone;
}

int collect_garbage(Context& context) {
  const std::uint64_t reclaimed = require(context.attach(Access::read_write).collect_garbage());
  context.answer(Json::document().set("reclaimed", reclaimed), std::to_string(reclaimed));
  return output::kDone;
}

}  // namespace

void add_doctor_command(Commands& commands) {
  auto wants_repair = std::make_shared<bool>(false);
  commands.push_back(
      Command("doctor", "Check every structure of the segment, and what this kernel guarantees")
          .flag("--repair", "first mend what writers left half done", *wants_repair)
          .action([wants_repair](Context& context) { return examine(context, *wants_repair); })
          .more("Without --repair it reads only. Exit status 1 where there is a problem, for any "
                "file however\ncorrupt; 3 only where there is no such file."));
  commands.push_back(
      Command("gc", "Reclaim what the dead have left; print how many services")
          .action(collect_garbage)
          .more("No harm is done by not running it: what is left is not found, and is taken away "
                "by whoever comes\nacross it."));
}

}  // namespace shmreg::regctl
