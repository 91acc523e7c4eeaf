// Services as text that outlives the segment: export writes it, import reads it.
//
// A line is a service, as lookup gives it. Export is list in that one form; import registers line
// by line and ends at the first that cannot be read, so that what it was given may be of any length
// and what is done is always what stands before one place.
#include <algorithm>
#include <memory>

#include "output/escape.hpp"
#include "output/exit_code.hpp"
#include "output/line_source.hpp"
#include "output/listing.hpp"
#include "output/service_line.hpp"
#include "output/service_view.hpp"
#include "output/units.hpp"
#include "regctl/commands.hpp"
#include "regctl/context.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;
using output::Format;
using output::Json;
using output::LineSource;
using output::require;
using output::ServiceLine;
using output::ServiceView;

// --- export --------------------------------------------------------------------------------------

int write_services(Context& context, const std::optional<std::string>& namespace_name) {
  const auto wanted =
      namespace_name ? std::optional<std::string_view>(*namespace_name) : std::nullopt;
  auto services = require(context.attach().list(wanted));
  std::sort(services.begin(), services.end(), output::comes_before);
  // Whoever asks for JSON here means to read it back: there is one form of it.
  output::Style style = context.style();
  if (style.format != Format::name) style.format = Format::jsonl;
  output::print_list<ServiceView>(context.out(), style, "services", services);
  return output::kDone;
}

// --- import --------------------------------------------------------------------------------------

struct ImportArguments {
  std::string file;
  bool dry_run = false;
  bool as_static = false;
  bool replace = false;
};

// Why an import ends before what it reads does.
struct Stop {
  int code = output::kDone;
  std::string kind;
  std::string message;
  std::size_t line = 0;    // 0: none is to blame
  std::size_t column = 0;  // 0: the line as a whole
};

std::string kind_of(int code) {
  switch (code) {
    case output::kUsage:
      return "bad_line";
    case output::kNoSegment:
      return "no_segment";
    case output::kNotPermitted:
      return "not_permitted";
    case output::kNoRoom:
      return "out_of_room";
    case output::kTimedOut:
      return "timed_out";
    default:
      return "failed";
  }
}

// The holder of a name, for a dry run: the library names it only where it refuses.
std::string describe_holder(const Registry& registry, const Service& holder) {
  if (holder.owner() == OwnerKind::permanent) return "a static registration";
  if (holder.owner() == OwnerKind::ttl) {
    return "a registration with a time to live of " + output::exact_duration(holder.period_ns());
  }
  const auto info = registry.service_info(holder.full_name());
  const bool known = info && info->service.id() == holder.id() && !info->program.empty();
  return "pid " + std::to_string(holder.pid()) + " (" + (known ? info->program : "?") + ")";
}

class Import {
 public:
  Import(Context& context, const ImportArguments& arguments)
      : context_(context), arguments_(arguments), source_(open(stop_, arguments.file)) {
    if (source_) registry_.emplace(context.attach(access(arguments)));
  }

  int run() {
    std::optional<Stop> stop = stop_;
    while (!stop) {
      const auto line = next(stop);
      if (!line) break;
      stop = take(*line);
    }
    answer(stop);
    if (stop) complain(stop->message);
    return stop ? stop->code : conflicts_ > 0 ? output::kConflict : output::kDone;
  }

 private:
  static Access access(const ImportArguments& arguments) {
    return arguments.dry_run ? Access::prefer_write : Access::read_write;
  }
  static std::optional<LineSource> open(std::optional<Stop>& stop, const std::string& file) {
    try {
      return std::optional<LineSource>(std::in_place, file);
    } catch (const Failure& failure) {
      stop = Stop{failure.code(), "unreadable", failure.what()};
      return std::nullopt;
    }
  }

  std::optional<LineSource::Line> next(std::optional<Stop>& stop) {
    try {
      return source_->next();
    } catch (const Failure& failure) {
      stop = Stop{failure.code(), "unreadable", failure.what()};
      return std::nullopt;
    }
  }

  std::optional<Stop> take(const LineSource::Line& line) {
    if (line.too_long) {
      return bad_line({LineSource::kLongestLine + 1, "the line is longer than 1 MiB"});
    }
    if (line.text.find_first_not_of(" \t") == std::string_view::npos) return std::nullopt;
    if (const auto bad = ServiceLine::read(line.text, service_)) return bad_line(*bad);
    const bool may_stay =
        service_.owner == OwnerKind::permanent || service_.owner == OwnerKind::ttl;
    if (!may_stay && !arguments_.as_static) {
      ++skipped_;
      context_.remark(place() + ": '" + service_.full_name + "' belonged to " +
                      (service_.owner == OwnerKind::remote
                           ? "another host"
                           : "a process (pid " + std::to_string(service_.pid) + ")") +
                      " and is skipped; --as static takes it all the same");
      return std::nullopt;
    }
    const Status status = arguments_.dry_run ? foresee() : register_service();
    if (status.code() == Errc::already_registered) {
      ++conflicts_;
      complain(place() + ": " + status.message());
      return std::nullopt;
    }
    if (!status) return stop_at(output::exit_code(status.code()), 0, status.message());
    ++registered_;
    if (context_.style().format == Format::name && !context_.style().quiet) {
      context_.out().line(output::escape(service_.full_name));
    }
    return std::nullopt;
  }

  Status register_service() {
    const bool has_ttl = service_.owner == OwnerKind::ttl && !arguments_.as_static;
    const Owner owner = has_ttl ? Owner::time_to_live(service_.ttl) : Owner::permanent();
    // What stood at the name goes with its first line; the instances that follow stand beside it.
    const bool follows = service_.shared && service_.full_name == last_shared_;
    last_shared_ = service_.shared ? service_.full_name : std::string();
    const RegisterOptions options{arguments_.replace && !follows, service_.shared};
    return registry_->register_for(owner, service_.full_name, service_.spec, options).status();
  }

  // What register_service would say, as far as it can be known: not whether there is room.
  Status foresee() {
    if (arguments_.replace) return {};
    const Errc code = registry_->lookup(service_.full_name, holder_);
    if (code == Errc::not_found) return {};
    if (code != Errc::ok) return registry_->lookup(service_.full_name).status();
    if (service_.shared && holder_.shared()) return {};
    return {Errc::already_registered, "'" + service_.full_name + "' is already registered by " +
                                          describe_holder(*registry_, holder_) + ", " +
                                          output::human_duration(holder_.uptime_ns()) +
                                          " ago (id " + std::to_string(holder_.id()) +
                                          "); unregister or --replace it"};
  }

  [[nodiscard]] std::string place() const {
    return source_->name() + ", line " + std::to_string(source_->number());
  }
  [[nodiscard]] Stop bad_line(const output::BadLine& bad) const {
    return stop_at(output::kUsage, bad.column, bad.why);
  }
  [[nodiscard]] Stop stop_at(int code, std::size_t column, const std::string& why) const {
    const std::string where = column == 0 ? "" : ", column " + std::to_string(column);
    const std::string rest = arguments_.dry_run ? "" : "; the lines before it are done";
    return {code, kind_of(code), place() + where + ": " + why + rest, source_->number(), column};
  }

  void answer(const std::optional<Stop>& stop) {
    Json document = Json::document();
    document.set("dry_run", arguments_.dry_run)
        .set("registered", registered_)
        .set("skipped", skipped_)
        .set("conflicts", conflicts_);
    if (stop) {
      const auto or_null = [](std::size_t number) { return number == 0 ? Json() : Json(number); };
      document.set("error", std::move(Json::object()
                                          .set("kind", stop->kind)
                                          .set("line", or_null(stop->line))
                                          .set("column", or_null(stop->column))
                                          .set("message", stop->message)));
    }
    const std::string would = arguments_.dry_run ? "would be " : "";
    const std::string plain = would + "registered " + std::to_string(registered_) + ", skipped " +
                              std::to_string(skipped_) + ", conflicts " +
                              std::to_string(conflicts_);
    context_.answer(document, context_.style().format == Format::name ? "" : plain);
  }

  Context& context_;
  const ImportArguments& arguments_;
  std::optional<Stop> stop_;  // where there is nothing to be read
  std::optional<LineSource> source_;
  std::optional<Registry> registry_;
  ServiceLine service_;
  Service holder_;
  std::string last_shared_;  // the name that the line before shares, if it does
  std::uint64_t registered_ = 0;
  std::uint64_t skipped_ = 0;
  std::uint64_t conflicts_ = 0;
};

Setter as_into(bool& as_static) {
  return [&as_static](const std::string& word) -> Status {
    as_static = word == "static";
    if (as_static) return {};
    return {Errc::invalid_argument, "'" + word + "' is not static, which is all there is"};
  };
}

}  // namespace

void add_transfer_commands(Commands& commands) {
  auto wanted = std::make_shared<std::optional<std::string>>();
  commands.push_back(
      Command("export", "Write the live services of one namespace, or of all, for import")
          .optional_argument("NAMESPACE", "that one alone, not those below it", into(*wanted))
          .action([wanted](Context& context) { return write_services(context, *wanted); })
          .more("A line of JSON for each, as list -o jsonl writes it, sorted by name; with -o name "
                "the names\nalone, with any other FORMAT the lines all the same."));

  auto read = std::make_shared<ImportArguments>();
  commands.push_back(
      Command("import", "Register the services that export wrote")
          .argument("FILE", "what export wrote; - is standard input", into(read->file))
          .flag("--dry-run", "change nothing, say what would happen", read->dry_run)
          .value("--as", "static", "register every line for good, whatever its owner was",
                 as_into(read->as_static))
          .flag("--replace", "replace present registrations, whoever holds them", read->replace)
          .action([read](Context& context) { return Import(context, *read).run(); })
          .more("What was static stays so, the time of a ttl begins anew; what belonged to a "
                "process is skipped\nunless --as static. Ends at a bad line with status 2, those "
                "before it done. A name that is\ntaken is told, the rest goes on, and the status "
                "is 5."));
}

}  // namespace shmreg::regctl
