// Being told: wait ends when it happens, watch says what happens.
//
// Neither catches a signal: SIGINT and SIGTERM end them by the kernel's default, which a shell
// shows as 130 and 143, and which works also while nobody reads what is printed. There is nothing
// to tidy up that is not tidied up after any process that ends.
#include <poll.h>
#include <signal.h>

#include <memory>

#include "output/exit_code.hpp"
#include "output/service_view.hpp"
#include "output/units.hpp"
#include "regctl/commands.hpp"
#include "regctl/context.hpp"
#include "regctl/service_options.hpp"

namespace shmreg::regctl {
namespace {

using output::Failure;
using output::Format;
using output::Json;
using output::require;

struct WaitArguments {
  std::vector<std::string> services;
  std::string condition = "registered";
  bool any = false;
  std::optional<std::chrono::nanoseconds> timeout;
};

WaitFor condition_of(const std::string& word) {
  if (word == "registered") return WaitFor::registered;
  if (word == "passing") return WaitFor::passing;
  if (word == "gone") return WaitFor::gone;
  throw Failure(output::kUsage, "--for: '" + word + "' is none of registered, passing or gone");
}

int timed_out(Context& context, const std::string& message) {
  Json error = Json::object();
  error.set("kind", "timed_out").set("message", message);
  context.answer(Json::document().set("error", std::move(error)), "");
  context.remark(message);
  return output::kTimedOut;
}

int wait(Context& context, const WaitArguments& arguments) {
  WaitOptions options;
  options.condition = condition_of(arguments.condition);
  options.any = arguments.any;
  options.timeout = arguments.timeout;
  std::vector<ServiceName> names;
  std::vector<std::string> full_names;
  for (const std::string& written : arguments.services) {
    names.emplace_back(written);
    full_names.push_back(names.back().full);
  }
  const Registry registry = context.attach();
  auto outcome = registry.wait(full_names, options);
  if (outcome.code() == Errc::timed_out) return timed_out(context, outcome.message());
  const std::vector<bool> met = require(std::move(outcome));

  Json services = Json::array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    services.push(std::move(Json::object()
                                .set("namespace", names[i].namespace_name)
                                .set("name", names[i].name)
                                .set("met", static_cast<bool>(met.at(i)))));
    if (context.style().format == Format::name && met.at(i)) {
      context.answer(Json(), names[i].full);
    }
  }
  if (context.style().format == Format::name) return output::kDone;
  Json document = Json::document();
  document.set("for", arguments.condition).set("services", std::move(services));
  context.answer(document, "");
  return output::kDone;
}

// --- watch ---------------------------------------------------------------------------------------

// How often to see whether anybody still reads, where nothing happens that would be written.
constexpr std::chrono::milliseconds kReaderPeriod{500};

// Who waits for `regctl watch | head -1` would else wait for the next event, perhaps for ever.
void require_reader() {
  struct pollfd output {
    1, 0, 0
  };
  if (::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0) {
    throw Failure(128 + SIGPIPE, "");
  }
}

// Rows come one by one, so the columns have widths that most of what there is fits into.
std::vector<output::Column> event_columns() {
  std::vector<output::Column> columns{{"AT", output::Align::left, false, 30},
                                      {"EVENT", output::Align::left, false, 12},
                                      {"CHANGE", output::Align::right, true, 8}};
  constexpr std::size_t kWidths[] = {28, 24, 7, 7, 11, 7};
  std::size_t i = 0;
  for (output::Column column : output::ServiceView::columns()) {
    if (i < std::size(kWidths)) column.least_width = kWidths[i++];
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string lost_text(const WatchEvent& event) {
  return std::to_string(event.lost) + (event.lost == 1 ? " change" : " changes");
}

std::vector<output::Cell> event_cells(const WatchEvent& event) {
  std::vector<output::Cell> cells{output::rfc3339(event.at_ns), std::string(to_string(event.kind)),
                                  event.change ? std::to_string(*event.change) : std::string()};
  if (event.kind == WatchEventKind::lost) {
    cells.emplace_back("(" + lost_text(event) + ")");
    return cells;
  }
  for (output::Cell& cell : output::ServiceView::cells(event.service)) {
    cells.push_back(std::move(cell));
  }
  return cells;
}

Json event_json(const WatchEvent& event) {
  Json json = Json::document();
  json.set("event", to_string(event.kind))
      .set("change", event.change ? Json(*event.change) : Json())
      .set("at", output::rfc3339(event.at_ns));
  if (event.kind == WatchEventKind::lost) {
    json.set("lost", event.lost);
  } else {
    json.merge(output::ServiceView::json(event.service));
  }
  return json;
}

void print_event(Context& context, const WatchEvent& event, output::Style& style) {
  if (style.quiet) return;
  if (style.is_json()) {
    context.out().line(event_json(event).text());
  } else if (style.format == Format::name) {
    if (event.kind == WatchEventKind::lost) {
      context.remark(lost_text(event) + " lost; what is there now follows");
      return;
    }
    context.answer(Json(), output::ServiceView::name(event.service));
  } else {
    output::Table table(event_columns());
    table.add(event_cells(event));
    table.print(context.out(), style);
    style.header = false;  // once
  }
  context.out().flush();
}

// "X/", "X", "N/X", or nothing; before anything is attached, as for every other name.
void check_scope(const std::string& scope) {
  if (!scope.empty()) (void)ServiceName(scope.back() == '/' ? scope + "x" : scope);
}

int watch(Context& context, const std::optional<std::string>& wanted) {
  if (wanted && wanted->empty())
    (void)ServiceName("");  // an empty name is a mistake, not all names
  const std::string scope = wanted.value_or("");
  check_scope(scope);
  Registry registry = context.attach();
  Watch events = require(registry.watch(scope));
  output::Style style = context.style();
  WatchEvent event;
  while (true) {
    if (require(events.next(event, kReaderPeriod))) {
      print_event(context, event, style);
    } else {
      require_reader();
    }
  }
}

}  // namespace

void add_watch_commands(Commands& commands) {
  auto awaited = std::make_shared<WaitArguments>();
  commands.push_back(
      Command("wait", "Wait until services are there, or are gone")
          .arguments("SERVICE", "NAMESPACE/NAME; all of them must meet the condition at once",
                     into(awaited->services))
          .value("--for", "CONDITION", "registered, passing or gone", into(awaited->condition))
          .flag("--any", "one of them is enough", awaited->any)
          .value("--timeout", "DURATION", "give up after that; else wait for ever",
                 into(awaited->timeout))
          .action([awaited](Context& context) { return wait(context, *awaited); })
          .more("Prints nothing; with -o name those that meet the condition. Exit status 124 where "
                "the time is out."));

  auto scope = std::make_shared<std::optional<std::string>>();
  commands.push_back(
      Command("watch", "Print what is there, then every change as it happens")
          .optional_argument("NAMESPACE|SERVICE",
                             "X/ is the namespace X and those below it, X or N/X a service",
                             into(*scope))
          .action([scope](Context& context) { return watch(context, *scope); })
          .more("Events: present, registered, updated, unregistered, died, expired, health, lost. "
                "Ends when it is\ninterrupted, and with exit status 3 when the segment is "
                "destroyed."));
}

}  // namespace shmreg::regctl
