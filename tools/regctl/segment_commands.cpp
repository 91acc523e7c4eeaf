// Segments as an administrator sees them: create, destroy, segments, ps, info.
#include <grp.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include "output/exit_code.hpp"
#include "output/listing.hpp"
#include "output/units.hpp"
#include "regctl/commands.hpp"
#include "regctl/context.hpp"
#include "regctl/segment_view.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;
using output::Json;
using output::require;

struct CreateArguments {
  CreateOptions options;
  std::optional<std::string> group;
};

gid_t gid_of(const std::string& group) {
  std::array<char, 16384> buffer;
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr) {
    return found->gr_gid;
  }
  const auto gid = output::parse_number(group, std::numeric_limits<gid_t>::max() - 1);
  if (!gid) throw Failure(output::kUsage, "--group: there is no group '" + group + "'");
  return static_cast<gid_t>(*gid);
}

int create(Context& context, CreateArguments& arguments) {
  if (arguments.group) arguments.options.group = gid_of(*arguments.group);
  const bool created = create_segment(context.segment(), arguments.options, context.trust());
  const Json document =
      std::move(Json::document().set("segment", context.segment()).set("created", created));
  const bool names = context.style().format == output::Format::name;
  context.answer(document, names ? context.segment() : "");
  return output::kDone;
}

int destroy(Context& context, bool force) {
  const std::uint64_t services = destroy_segment(context.segment(), force, context.trust());
  const Json document =
      std::move(Json::document().set("segment", context.segment()).set("services", services));
  const bool names = context.style().format == output::Format::name;
  context.answer(document, names ? context.segment() : "");
  return output::kDone;
}

int list_segments(Context& context) {
  auto found = segments();
  std::sort(found.begin(), found.end(),
            [](const SegmentInfo& a, const SegmentInfo& b) { return a.name < b.name; });
  output::print_list<SegmentView>(context.out(), context.style(), "segments", found);
  return output::kDone;
}

int list_processes(Context& context) {
  auto found = require(context.attach().processes());
  std::sort(found.begin(), found.end(), [](const ProcessInfo& a, const ProcessInfo& b) {
    return std::tie(a.pid, a.entry) < std::tie(b.pid, b.entry);
  });
  output::print_list<ProcessView>(context.out(), context.style(), "processes", found);
  return output::kDone;
}

int info(Context& context) {
  const RegistryInfo info = require(context.attach().info());
  const std::string layout =
      std::to_string(info.layout_major) + "." + std::to_string(info.layout_minor);
  Json document = Json::document();
  document.set("segment", info.segment)
      .set("layout_version", layout)
      .set("created_at", output::rfc3339(info.created_at_ns))
      .set("changes", info.changes)
      .set("partitions", info.partitions)
      .set("services", info.services)
      .set("namespaces", info.namespaces)
      .set("processes", info.processes)
      .set("processes_limit", info.max_processes)
      .set("bytes_used", info.bytes_used)
      .set("bytes_limit", info.bytes_limit)
      .set("load_factor_max", info.load_factor_max)
      .set("liveness", to_string(info.liveness));
  const auto percent = static_cast<int>(info.load_factor_max * 100);
  context.answer(document, info.segment,
                 {{"segment", info.segment},
                  {"layout version", layout},
                  {"created", output::rfc3339(info.created_at_ns)},
                  {"changes", std::to_string(info.changes)},
                  {"partitions", std::to_string(info.partitions)},
                  {"services", std::to_string(info.services)},
                  {"namespaces", std::to_string(info.namespaces)},
                  {"processes", std::to_string(info.processes) + " of at most " +
                                    std::to_string(info.max_processes)},
                  {"size", output::human_size(info.bytes_used) + " of at most " +
                               output::human_size(info.bytes_limit)},
                  {"fullest index", std::to_string(percent) + " %"},
                  {"liveness", std::string(to_string(info.liveness))}});
  return output::kDone;
}

}  // namespace

void add_segment_commands(Commands& commands) {
  auto made = std::make_shared<CreateArguments>();
  commands.push_back(
      Command("create", "Create a segment")
          .value("--max-size", "SIZE", "limit of its growth, 4M to 64G; 1G unless told",
                 size_into(made->options.max_size_bytes))
          .value("--partitions", "N", "parts with a lock each, a power of two; by CPUs unless told",
                 positive_into(made->options.partitions))
          .value("--mode", "OCTAL", "permissions of the file; 0600 unless told",
                 mode_into(made->options.mode))
          .value("--group", "NAME", "group of the file", into(made->group))
          .value("--max-processes", "N", "attached for writing at once; 1024 unless told",
                 number_into(made->options.max_processes))
          .flag("--reserve", "claim the whole limit from memory at once", made->options.reserve)
          .flag("--if-missing", "an existing segment is a success", made->options.if_missing)
          .action([made](Context& context) { return create(context, *made); })
          .more("SIZE is a number and a unit: B, K, M, G or T (powers of 1024)."));

  auto force = std::make_shared<bool>(false);
  commands.push_back(
      Command("destroy", "Remove a segment and all its services")
          .flag("--force", "also while services of live owners are registered", *force)
          .action([force](Context& context) { return destroy(context, *force); }));

  commands.push_back(Command("segments", "List the segments of this host").action(list_segments));
  commands.push_back(Command("ps", "List the processes attached to the segment for writing")
                         .action(list_processes));
  commands.push_back(
      Command("info", "Show the segment's figures: how full, how many, since when").action(info));
}

}  // namespace shmreg::regctl
