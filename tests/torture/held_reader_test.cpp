// A reader held at every instruction of a lookup.
//
// Claim: whatever happens to a name's record, slot and index while a reader stands between two
// instructions of its lookup, the lookup finds the name, which is registered throughout, and finds
// it whole.
// Method: the parent traces the reader (ptrace) and lets it take N steps into a lookup; N goes
// through the whole length of it. There the reader stands, while a writer does from beginning to
// end what a reader might miss: the record's memory passes to another name; it passes to another
// and back again, under the same slot; the name is registered anew over itself; the index is built
// anew, twice, so that it lies in the same memory as before, with the name in another bucket. Then
// the reader goes on. What happens by chance once in minutes beside churn (steady_names_test.cpp)
// happens here every time.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "core/index.hpp"
#include "core/lookup.hpp"
#include "support/insides.hpp"
#include "support/sanitizers.hpp"
#include "support/skipped.hpp"
#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/neighbours.hpp"
#include "torture/numbered_record.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"
#include "torture/stepped_operation.hpp"

namespace torture {
namespace {

using shmreg::Errc;
using std::chrono::seconds;

struct Ground {
  Gate asked;  // counts the writer's orders
  Gate done;
  std::atomic<std::uint32_t> order{0};
  Counter number{0};    // of the name's last record
  Counter returned{0};  // lookups
  Counter outcome{0};   // of the last one: an Errc
  Counter found{0};     // and the number found
  Complaints complaints;
};

struct Scene {
  const OwnSegment& segment;
  const std::vector<std::string>& names;  // all of one home bucket; the first one is looked for
  Sizes sizes;
  Ground& ground;
};

// --- the writer ----------------------------------------------------------------------------------

enum Order : std::uint32_t {
  kBehind,  // the name behind eight others, in the bucket after its home
  kAtHome,  // the name alone, in its home bucket: what the straight way of a lookup is for
  kPassOn,  // its record's memory to another name
  kPassOnAndBack,
  kReplace,
  kBuildOnce,
  kBuildTwice,
  kWrite,
  kEnd,
};

class Writer {
 public:
  explicit Writer(const Scene& scene)
      : scene_(scene),
        registry_(scene.segment.writer()),
        insides_(scene.segment),
        held_(scene.names.size()) {
    for (std::size_t i = 0; i <= kOthers; ++i) take(i);
  }

  void obey(std::uint32_t order) {
    if (order == kBehind) put_behind();
    if (order == kAtHome) build_anew();
    if (order == kPassOn || order == kPassOnAndBack) {
      write(0);  // frees the memory of the record that it replaces ...
      write(1);  // ... which the next one written gets
      if (order == kPassOnAndBack) {
        write(0);
        write(2);
        write(0);
      }
    }
    if (order == kReplace) take(0);
    if (order == kWrite) write(0);
    if (order == kBuildOnce) build_anew();
    if (order == kBuildTwice) {
      build_anew();
      build_anew();
    }
  }

 private:
  static constexpr std::size_t kOthers = 8;

  shmreg::ServiceSpec next(std::size_t i) {
    if (i == 0) ++number_;
    return numbered_spec(scene_.names[i], number_, scene_.sizes);
  }
  void publish_number() { scene_.ground.number.store(number_); }
  void take(std::size_t i) {
    held_[i] = registry_.register_service(scene_.names[i], next(i)).value();
    publish_number();
    shmreg::test::forget_changes(insides_);
  }
  void write(std::size_t i) {
    if (!held_[i]) return take(i);
    if (const auto done = held_[i].update(next(i)); !done) {
      scene_.ground.complaints.add("update of " + scene_.names[i] + ": " + done.message());
    }
    publish_number();
    shmreg::test::forget_changes(insides_);
  }
  void give(std::size_t i) {
    if (held_[i] && !held_[i].unregister().ok()) scene_.ground.complaints.add("cannot unregister");
    held_[i] = {};
    shmreg::test::forget_changes(insides_);
  }
  // Leaves the name alone in the index, in its home bucket: the others leave a bucket full of
  // tombstones, which the next registration sweeps up.
  void build_anew() {
    for (std::size_t i = 1; i <= kOthers; ++i) take(i);
    for (std::size_t i = 1; i < held_.size(); ++i) give(i);
    take(held_.size() - 1);
    give(held_.size() - 1);
  }
  void put_behind() {
    build_anew();
    give(0);
    for (std::size_t i = 1; i <= kOthers; ++i) take(i);
    take(0);
  }

  const Scene& scene_;
  shmreg::Registry registry_;
  shmreg::test::Insides insides_;
  std::vector<shmreg::Registration> held_;
  std::uint64_t number_ = 0;
};

void serve(const Scene& scene) {
  Ground& ground = scene.ground;
  Writer writer(scene);
  for (std::uint32_t seen = 0;;) {
    ground.done.open(seen);
    ground.asked.await(++seen);
    const std::uint32_t order = ground.order.load();
    if (order == kEnd) return;
    writer.obey(order);
  }
}

// --- the reader ----------------------------------------------------------------------------------

void look_up_traced(const Scene& scene) {
  Ground& ground = scene.ground;
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) throw std::runtime_error("no ptrace");
  const auto segment = scene.segment.insides();
  shmreg::core::PidWatch watch;
  shmreg::Service found;
  const std::string& name = scene.names.front();
  for (;;) {
    ::raise(SIGSTOP);
    const Errc outcome = shmreg::core::lookup(*segment, watch, name, found);
    ++ground.returned;
    ground.outcome.store(static_cast<std::uint64_t>(outcome));
    if (outcome != Errc::ok) continue;
    const Verdict verdict = judge(found, name, scene.sizes);
    if (!verdict.complaint.empty()) ground.complaints.add(verdict.complaint);
    ground.found.store(verdict.number);
  }
}

// --- the parent ----------------------------------------------------------------------------------

// Where the name stands: in which bucket, 0 its home, of which index, and where its record is.
struct Place {
  std::uint64_t bucket = 0;
  std::uint32_t location = 0;
  std::uint64_t descriptor = 0;
  std::uint64_t rebuilds = 0;
};

Place place_of(const shmreg::core::Segment& segment, const std::string& name) {
  auto& partition = segment.partition(0);
  const shmreg::core::WriterIndex index(segment, partition);
  const auto hashed = shmreg::core::hashed(name, segment.hash_seed());
  shmreg::core::RecordCopy copy;
  const auto found = index.find(hashed, copy);
  BOOST_REQUIRE(found.slot != nullptr);
  const std::uint64_t buckets = index.slot_count() / shmreg::layout::kBucketSlots;
  const auto at = static_cast<std::uint64_t>(found.slot - index.slots());
  const std::uint64_t home = shmreg::core::home_bucket(hashed.hash, index.descriptor().log2_slots);
  return {(at / shmreg::layout::kBucketSlots - home) & (buckets - 1), found.location,
          partition.descriptor.load(), partition.rebuilds.load()};
}

class Tracer {
 public:
  explicit Tracer(pid_t pid) : pid_(pid) {}
  // To the reader's next SIGSTOP of its own.
  [[nodiscard]] bool go_on() {
    return ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr) == 0 && stopped();
  }
  [[nodiscard]] bool step() {
    return ::ptrace(PTRACE_SINGLESTEP, pid_, nullptr, nullptr) == 0 && stopped();
  }
  [[nodiscard]] bool attach() {
    return ::ptrace(PTRACE_ATTACH, pid_, nullptr, nullptr) == 0 && stopped();
  }
  [[nodiscard]] bool detach() { return ::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr) == 0; }
  [[nodiscard]] bool stopped() {
    int status = 0;
    return ::waitpid(pid_, &status, __WALL) == pid_ && WIFSTOPPED(status);
  }

 private:
  pid_t pid_;
};

struct Sum {
  std::uint64_t holds = 0;
  std::uint64_t longest = 0;  // steps of a lookup
};

struct Happening {
  Order order;
  const char* what;
};
constexpr std::array<Happening, 4> kHappenings{{
    {kPassOn, "its record's memory passes to another name"},
    {kPassOnAndBack, "its record's memory passes to another name and back"},
    {kReplace, "it is registered anew over itself"},
    {kBuildTwice, "the index is built anew twice"},
}};

// The reader's next lookup, from where it stands to the end.
std::uint64_t number_found(Tracer& tracer, const Ground& ground, const std::string& where) {
  BOOST_REQUIRE(tracer.go_on());
  const auto outcome = static_cast<Errc>(ground.outcome.load());
  BOOST_REQUIRE_MESSAGE(outcome == Errc::ok, where << shmreg::describe(outcome));
  BOOST_REQUIRE_MESSAGE(ground.complaints.count() == 0, where << ground.complaints.text());
  return ground.found.load();
}

void hold_at_every_instruction(Order stage, Sizes sizes, std::uint64_t holds_each, Random& random,
                               Sum& sum) {
  const OwnSegment segment({.partitions = 1, .max_processes = 8, .initial_slots = 16});
  const auto insides = segment.insides();
  const auto names = names_in_every_partition(*insides, "h/", 10, Crowd::all);
  const CommonGround<Ground> ground;
  const Scene scene{segment, names, sizes, *ground};
  const Member writer = start([&] { serve(scene); });
  std::uint32_t orders = 0;
  const auto order = [&](Order what) {
    ground->order.store(what);
    ground->asked.open(++orders);
    BOOST_REQUIRE_MESSAGE(ground->done.await(orders, seconds(60)),
                          "the writer does not answer" << ground->complaints.text());
  };
  order(stage);
  const Member reader = start([&] { look_up_traced(scene); });
  Tracer tracer(reader->pid());
  BOOST_REQUIRE(tracer.stopped());

  for (const Happening& happening : kHappenings) {
    // How long a lookup is, from where the reader stands.
    order(stage);
    std::uint64_t length = 0;
    for (const std::uint64_t before = ground->returned.load(); ground->returned.load() == before;) {
      BOOST_REQUIRE(tracer.step());
      ++length;
    }
    BOOST_REQUIRE(tracer.go_on());
    sum.longest = std::max(sum.longest, length);

    const std::uint64_t holds = std::min(holds_each, length);
    for (std::uint64_t hold = 0; hold < holds; ++hold) {
      const std::uint64_t from = hold * length / holds;
      const std::uint64_t steps = from + random.below((hold + 1) * length / holds - from);
      order(stage);
      const Place before = place_of(*insides, names.front());
      const std::uint64_t first = ground->number.load();
      for (std::uint64_t step = 0; step < steps; ++step) BOOST_REQUIRE(tracer.step());
      order(happening.order);
      const Place after = place_of(*insides, names.front());
      const std::string where = "held after " + std::to_string(steps) + " of " +
                                std::to_string(length) + " steps, while " + happening.what + ": ";
      const std::uint64_t found = number_found(tracer, *ground, where);
      BOOST_REQUIRE_MESSAGE(found >= first && found <= ground->number.load(),
                            where << "found number " << found << " instead of " << first << " to "
                                  << ground->number.load());
      // The stage was set as it was meant to be.
      BOOST_REQUIRE(before.bucket == (stage == kAtHome ? 0U : 1U));
      if (happening.order == kBuildTwice) {
        BOOST_REQUIRE(after.bucket == 0U);
        BOOST_REQUIRE(after.descriptor == before.descriptor);
        BOOST_REQUIRE(after.rebuilds == before.rebuilds + 2);
      }
      ++sum.holds;
    }
  }
  order(stage);
  ground->order.store(kEnd);
  ground->asked.open(++orders);
  BOOST_TEST(ended_well(writer));
}

// A writer held between writing a record and publishing it, while a reader goes on that had begun
// in an index which is no longer in use, and whose slot leads to where the new record lies.
void hold_reader_and_writer(Order stage, Sizes sizes, std::uint64_t holds_each, Random& random,
                            Sum& sum) {
  const OwnSegment segment({.partitions = 1, .max_processes = 8, .initial_slots = 16});
  const auto insides = segment.insides();
  const auto names = names_in_every_partition(*insides, "h/", 10, Crowd::all);
  const CommonGround<Ground> ground;
  const Scene scene{segment, names, sizes, *ground};
  const Member writer = start([&] { serve(scene); });
  std::uint32_t orders = 0;
  const auto begin = [&](Order what) {
    ground->order.store(what);
    ground->asked.open(++orders);
  };
  const auto end = [&] {
    BOOST_REQUIRE_MESSAGE(ground->done.await(orders, seconds(60)),
                          "the writer does not answer" << ground->complaints.text());
  };
  const auto order = [&](Order what) {
    begin(what);
    end();
  };
  order(stage);
  const Member reader = start([&] { look_up_traced(scene); });
  Tracer tracer(reader->pid());
  BOOST_REQUIRE(tracer.stopped());
  Tracer writer_tracer(writer->pid());
  std::uint64_t length = 0;
  for (const std::uint64_t before = ground->returned.load(); ground->returned.load() == before;) {
    BOOST_REQUIRE(tracer.step());
    ++length;
  }
  BOOST_REQUIRE(tracer.go_on());

  const std::uint64_t holds = std::min(holds_each, length);
  for (std::uint64_t hold = 0; hold < holds; ++hold) {
    const std::uint64_t from = hold * length / holds;
    const std::uint64_t steps = from + random.below((hold + 1) * length / holds - from);
    order(stage);
    const Place old = place_of(*insides, names.front());
    for (std::uint64_t step = 0; step < steps; ++step) BOOST_REQUIRE(tracer.step());
    order(kBuildOnce);
    order(kWrite);  // the record that the old index leads to is free, and next to be used
    const Place now = place_of(*insides, names.front());
    BOOST_REQUIRE(now.descriptor != old.descriptor);
    const auto& stamp = *insides->record(old.location, shmreg::layout::kRecordHeaderBytes);
    BOOST_REQUIRE(stamp.load() == 0U);
    BOOST_REQUIRE(writer_tracer.attach());
    begin(kWrite);
    while (stamp.load() == 0) BOOST_REQUIRE(writer_tracer.step());
    BOOST_REQUIRE(place_of(*insides, names.front()).location == now.location);
    const std::string where = "held after " + std::to_string(steps) + " of " +
                              std::to_string(length) + " steps, a record not yet published: ";
    const std::uint64_t first = number_found(tracer, *ground, where);
    const std::uint64_t second = number_found(tracer, *ground, where);
    BOOST_TEST(place_of(*insides, names.front()).location == now.location);
    BOOST_REQUIRE_MESSAGE(first <= ground->number.load() && second == ground->number.load(),
                          where << "found number " << first << ", then " << second
                                << "; the last one published is " << ground->number.load());
    BOOST_REQUIRE(writer_tracer.detach());
    end();
    ++sum.holds;
  }
  order(stage);
  begin(kEnd);
  BOOST_TEST(ended_well(writer));
}

// ThreadSanitizer sees the threads of one process; here each is another process.
bool can_hold() {
  if (!shmreg::test::kUnderTsan) return can_trace();
  shmreg::test::skipped("ThreadSanitizer does not see what two processes do to each other");
  return false;
}

BOOST_AUTO_TEST_SUITE(held_readers)

BOOST_AUTO_TEST_CASE(a_reader_held_at_any_instruction_finds_what_is_registered) {
  if (!can_hold()) return;
  Random random = dice("a_reader_held_at_any_instruction_finds_what_is_registered");
  // Instrumented, it is ten times the instructions, and the same loads between them.
  const std::uint64_t holds_each = shmreg::test::kSanitized ? 3 : rounds(40);
  Sum sum;
  for (const Order stage : {kBehind, kAtHome}) {
    hold_at_every_instruction(stage, Sizes::least, holds_each, random, sum);
    hold_at_every_instruction(stage, Sizes::alike, holds_each, random, sum);
  }
  say("held readers: " + grouped(sum.holds) + " lookups held in the middle, of up to " +
      grouped(sum.longest) +
      " instructions, while the name's record, slot or index was replaced; "
      "all found it, whole");
}

BOOST_AUTO_TEST_CASE(a_record_is_not_found_before_it_is_published) {
  if (!can_hold()) return;
  Random random = dice("a_record_is_not_found_before_it_is_published");
  // The writer is led as well, through instrumented code for seconds each time.
  const std::uint64_t holds_each = shmreg::test::kSanitized ? 1 : rounds(40);
  Sum sum;
  for (const Order stage : {kBehind, kAtHome}) {
    hold_reader_and_writer(stage, Sizes::least, holds_each, random, sum);
    hold_reader_and_writer(stage, Sizes::alike, holds_each, random, sum);
  }
  say("held readers: " + grouped(sum.holds) +
      " lookups held in the middle, until the index was another and a new record stood, not yet "
      "published, where the old index leads; none found it");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
