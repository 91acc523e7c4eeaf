// Writers killed without pause, in the midst of others who go on, and every answer judged.
//
// Claim: whoever is killed at whatever instant, every answer that anybody gets is right: some order
// of the operations explains it (history.hpp). Before anybody has come by the doctor finds what the
// dead left half done, and that it is repairable; once a writer has been in every partition it
// finds nothing. Nothing is leaked: at the end no more bytes are used than after the first hundred
// kills.
// Method: eight writers register, seize, update and unregister the same few names, in two
// partitions and all with the same home bucket; four readers, whose mapping is read-only, look them
// up and list them. Each writes down in shared memory what it is about to do and what came of it.
// The parent kills one writer after the other at random instants, as likely as not in the middle of
// a change, or while it is still attaching, and puts another in its place at once; the doctor comes
// right after each. After every tenth all stand still: a fresh writer goes through the partitions,
// the doctor must find nothing, all names are looked up once more, and what was written down is
// judged.
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/liveness.hpp"
#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/history.hpp"
#include "torture/neighbours.hpp"
#include "torture/numbered_record.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using shmreg::Errc;
using shmreg::Registration;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr std::uint32_t kPartitions = 2;
constexpr std::size_t kNamesEach = 12;  // more than a bucket holds
constexpr std::size_t kWriters = 8;
constexpr std::size_t kReaders = 4;
constexpr std::size_t kCrew = kWriters + kReaders;
constexpr std::uint64_t kBetweenHolds = 10;  // kills
constexpr std::uint64_t kSettled = 100;      // kills after which nothing may grow
constexpr Sizes kSizes = Sizes::small;

struct Place {
  Log log;
  Gate standing;  // at the hold of that number
};

struct Ground {
  Counter clock{0};
  Gate hold;  // counts: stand still
  Gate go;    // counts: go on
  std::atomic<std::uint32_t> stop{0};
  std::array<Place, kCrew> crew;
  Log parents;
  Counter paused{0};  // logs that were full before the next hold
  Complaints complaints;
};

struct Scene {
  const OwnSegment& segment;
  const std::vector<std::string>& names;
  Ground& ground;
};

// Who one of the crew is.
struct Part {
  std::size_t place;
  std::uint32_t process;
  std::uint32_t holds_seen;
  std::uint64_t seed;
};

// Works until told to stop or killed, and stands still when asked to.
template <class Worker>
void work(const Scene& scene, const Part& part, Worker& worker) {
  Ground& ground = scene.ground;
  for (std::uint32_t seen = part.holds_seen; ground.stop.load() == 0;) {
    const bool full = !worker.has_room();
    if (!full && ground.hold.value() <= seen) {
      worker.step();
      continue;
    }
    if (full && ground.hold.value() <= seen) ++ground.paused;
    ground.hold.await(++seen);
    ground.crew.at(part.place).standing.open(seen);
    ground.go.await(seen);
  }
}

// "... already registered by pid 4711 (test_torture), ... (id 17)"
struct Named {
  std::uint32_t pid = 0;
  std::uint64_t id = 0;
};
Named named_in(const std::string& message) {
  const auto number_after = [&](std::string_view before) -> std::uint64_t {
    const std::size_t at = message.rfind(before);
    return at == std::string::npos ? 0 : std::strtoull(&message[at + before.size()], nullptr, 10);
  };
  return {static_cast<std::uint32_t>(number_after("registered by pid ")), number_after("(id ")};
}

// Looks a name up, and writes down what it was told.
void look_up(const shmreg::Registry& registry, const Scene& scene, Recorder& recorder,
             std::uint32_t name, shmreg::Service& found) {
  recorder.begin(Kind::lookup, name);
  const Errc outcome = registry.lookup(scene.names[name], found);
  if (outcome != Errc::ok) {
    recorder.end(outcome == Errc::not_found ? Outcome::absent : Outcome::failed, 0, 0);
    return;
  }
  // The end first: what it takes to judge the bytes is no part of the lookup.
  const std::uint64_t ended = recorder.tick();
  const Verdict verdict = judge(found, scene.names[name], kSizes);
  if (!verdict.complaint.empty()) scene.ground.complaints.add(verdict.complaint);
  recorder.end_at(ended, Outcome::done, verdict.number, found.id(), found.pid());
}

// A list is a lookup of each name, at some instant while it was made.
void list_all(const shmreg::Registry& registry, const Scene& scene, Recorder& recorder) {
  Operation lookup;
  lookup.began = recorder.tick();
  const auto listed = registry.list();
  lookup.ended = recorder.tick();
  if (!listed) {
    scene.ground.complaints.add("list: " + listed.message());
    return;
  }
  std::vector<Operation> answers(scene.names.size(), lookup);
  for (std::uint32_t name = 0; name < answers.size(); ++name) {
    answers[name].name = name;
    answers[name].outcome = Outcome::absent;
  }
  for (const shmreg::Service& service : *listed) {
    const auto at = std::find(scene.names.begin(), scene.names.end(), service.full_name());
    if (at == scene.names.end()) {
      scene.ground.complaints.add("listed: " + std::string(service.full_name()));
      continue;
    }
    Operation& answer = answers[static_cast<std::size_t>(at - scene.names.begin())];
    const Verdict verdict = judge(service, *at, kSizes);
    if (!verdict.complaint.empty()) scene.ground.complaints.add("in a list: " + verdict.complaint);
    if (answer.outcome == Outcome::done) scene.ground.complaints.add("listed twice: " + *at);
    answer.outcome = Outcome::done;
    answer.number = verdict.number;
    answer.id = service.id();
    answer.pid = service.pid();
  }
  for (const Operation& answer : answers) recorder.note(answer);
}

class Contender {
 public:
  Contender(const Scene& scene, const Part& part)
      : scene_(scene),
        registry_(scene.segment.writer()),
        recorder_(scene.ground.crew.at(part.place).log, scene.ground.clock),
        held_(scene.names.size()),
        process_(part.process),
        random_(part.seed) {}

  [[nodiscard]] bool has_room() const { return recorder_.has_room_for(4); }

  // About three of five names are held at any time. All take breath at the same time: partitions
  // that are never left alone are too busy for the doctor.
  void step() {
    const std::chrono::nanoseconds phase(now_ns() % kBreath.count());
    if (phase > kWork) pass(kBreath - phase);
    if (random_.one_in(32)) pass(random_.microseconds_below(500));
    const auto name = static_cast<std::uint32_t>(random_.below(held_.size()));
    if (random_.one_in(8)) {
      look_up(registry_, scene_, recorder_, name, found_);
    } else if (!held_[name]) {
      if (random_.one_in(4)) take(name, random_.one_in(32));
    } else if (random_.one_in(4)) {
      give(name, held_[name]);
    } else if (random_.one_in(6)) {
      take(name, random_.one_in(4));
    } else {
      update(name, held_[name]);
    }
  }

 private:
  static constexpr std::chrono::nanoseconds kBreath = std::chrono::milliseconds(8);
  static constexpr std::chrono::nanoseconds kWork = std::chrono::milliseconds(6);

  void take(std::uint32_t name, bool seize) {
    const std::uint64_t number = number_of(process_, ++count_);
    const shmreg::ServiceSpec spec = numbered_spec(scene_.names[name], number, kSizes);
    recorder_.begin(seize ? Kind::seizure : Kind::registration, name, number);
    auto got = registry_.register_service(scene_.names[name], spec, {.replace = seize});
    if (got) {
      recorder_.end(Outcome::done, number, got->id());
      // What it replaced has lost the name: it can change nothing any more.
      Registration older = std::exchange(held_[name], std::move(got).value());
      if (!older) return;
      if (random_.one_in(2)) update(name, older);
      if (older) give(name, older);
    } else if (got.code() == Errc::already_registered) {
      const Named named = named_in(got.message());
      recorder_.end(Outcome::refused, number, named.id, named.pid);
    } else {
      fail(number, 0, got.message());
    }
  }

  void update(std::uint32_t name, Registration& mine) {
    const std::uint64_t number = number_of(process_, ++count_);
    const shmreg::ServiceSpec spec = numbered_spec(scene_.names[name], number, kSizes);
    recorder_.begin(Kind::update, name, number, mine.id());
    const shmreg::Status done = mine.update(spec);
    if (done) {
      recorder_.end(Outcome::done, number, mine.id());
    } else if (done.code() == Errc::registration_lost) {
      recorder_.end(Outcome::lost, number, mine.id());
      give(name, mine);
    } else {
      fail(number, mine.id(), done.message());
    }
  }

  void give(std::uint32_t name, Registration& mine) {
    const std::uint64_t id = mine.id();
    recorder_.begin(Kind::unregistration, name, 0, id);
    const auto gone = mine.unregister();
    if (gone) {
      recorder_.end(gone.value() ? Outcome::done : Outcome::lost, 0, id);
    } else {
      fail(0, id, gone.message());
    }
  }

  // Only who is about to die may fail, which the checker sees to.
  void fail(std::uint64_t number, std::uint64_t id, const std::string& why) {
    recorder_.end(Outcome::failed, number, id);
    std::printf("in a writer: %s\n", why.c_str());
  }

  const Scene& scene_;
  shmreg::Registry registry_;
  Recorder recorder_;
  std::vector<Registration> held_;
  std::uint32_t process_;
  std::uint32_t count_ = 0;
  Random random_;
  shmreg::Service found_;
};

class Onlooker {
 public:
  Onlooker(const Scene& scene, const Part& part)
      : scene_(scene),
        registry_(scene.segment.reader()),
        recorder_(scene.ground.crew.at(part.place).log, scene.ground.clock),
        random_(part.seed) {}

  [[nodiscard]] bool has_room() const {
    return recorder_.has_room_for(kLookups + scene_.names.size());
  }

  // Most of the time should be the writers'.
  void step() {
    const auto one = static_cast<std::uint32_t>(random_.below(scene_.names.size()));
    const bool same = random_.one_in(4);
    for (std::size_t i = 0; i < kLookups; ++i) {
      const auto name = same ? one : static_cast<std::uint32_t>(random_.below(scene_.names.size()));
      look_up(registry_, scene_, recorder_, name, found_);
    }
    if (random_.one_in(8)) list_all(registry_, scene_, recorder_);
    pass(random_.microseconds_below(4000));
  }

 private:
  static constexpr std::size_t kLookups = 16;

  const Scene& scene_;
  shmreg::Registry registry_;
  Recorder recorder_;
  Random random_;
  shmreg::Service found_;
};

// Goes through every partition, and ends in peace.
void touch_all(const Scene& scene, const std::vector<std::string>& touched) {
  auto registry = scene.segment.writer();
  for (const std::string& name : touched) {
    if (!registry.register_service(name, {.endpoint = "touched"})) {
      scene.ground.complaints.add("cannot register " + name);
    }
  }
}

// The parent's side: who lives, who dies, and what they left.
class Torment {
 public:
  Torment(const Scene& scene, const std::vector<std::string>& touched, Random& random)
      : scene_(scene),
        ground_(scene.ground),
        touched_(touched),
        random_(random),
        registry_(scene.segment.reader()),
        insides_(scene.segment.insides()),
        recorder_(ground_.parents, ground_.clock),
        checker_(scene.names) {
    ground_.parents.begin(++processes_);
    for (std::size_t place = 0; place < kCrew; ++place) populate(place);
  }

  void kill_one() {
    std::size_t place = random_.below(kWriters);
    if (random_.one_in(4)) {
      // The one who came last, as like as not while it still attaches.
      place = youngest_;
      pass(random_.microseconds_below(1500));
    } else {
      pass(random_.microseconds_below(2000));
    }
    // As like as not whoever is in the middle of a change; somewhere in the middle of it.
    if (random_.one_in(2)) {
      const auto p = static_cast<std::uint32_t>(random_.below(kPartitions));
      await_any(insides_->partition(p).dirty);
      place = holder_of(p).value_or(place);
      pass(std::chrono::nanoseconds(random_.below(4000)));
    }
    const Log& log = ground_.crew.at(place).log;
    const std::uint64_t began = recorder_.tick();
    BOOST_REQUIRE_MESSAGE(was_alive_when_killed(crew_.at(place)),
                          "a writer ended by itself" << ground_.complaints.text());
    checker_.add_death(log.process(), began, recorder_.tick());
    for (std::uint32_t p = 0; p < kPartitions; ++p) {
      const auto holder = shmreg::layout::LockHolder::of(insides_->partition(p).lock.load());
      const bool is_dead = !shmreg::core::entry_lives(*insides_, {holder.entry, holder.generation});
      left_locked_ += holder.generation != 0 && is_dead ? 1 : 0;
    }
    const std::vector<Operation> last_words = log.operations();
    never_began_ += last_words.empty() ? 1 : 0;
    checker_.add(last_words);
    populate(place);
    youngest_ = place;
    ask_the_doctor();
  }

  // All stand still; what was half done is mended; what they were told is judged.
  void hold() {
    ground_.hold.advance();
    for (std::size_t place = 0; place < kCrew; ++place) {
      BOOST_REQUIRE_MESSAGE(
          ground_.crew.at(place).standing.await(ground_.hold.value(), seconds(60)),
          "number " << place << " does not go on" << ground_.complaints.text());
    }
    const Member toucher = start([&] { touch_all(scene_, touched_); });
    BOOST_REQUIRE(ended_well(toucher));
    BOOST_REQUIRE_MESSAGE(scene_.segment.problems() == "",
                          "doctor, after a writer came by: " << scene_.segment.problems());
    shmreg::Service found;
    for (std::uint32_t name = 0; name < scene_.names.size(); ++name) {
      look_up(registry_, scene_, recorder_, name, found);
    }
    list_all(registry_, scene_, recorder_);
    for (Place& place : ground_.crew) judge_later(place.log);
    judge_later(ground_.parents);
    judge_now();
    ground_.go.advance();
  }

  void let_go() {
    ground_.stop.store(1);
    ground_.hold.advance();
    ground_.go.open(ground_.hold.value());
    for (const Member& member : crew_) BOOST_TEST(ended_well(member));
  }

  struct Heap {
    std::uint64_t bytes_used = 0;
    std::uint64_t granules = 0;
  };
  [[nodiscard]] Heap heap() const {
    return {registry_.info().value().bytes_used, insides_->header().heap_top.load()};
  }

  [[nodiscard]] const Judgement& total() const { return total_; }
  [[nodiscard]] std::string figures() const {
    return grouped(total_.operations) + " operations, " + grouped(total_.overlapping) +
           " not alone at their name, " + grouped(total_.cut_short) + " cut short; at most " +
           grouped(total_.most_ways) + " ways at once that it may have gone; " +
           grouped(never_began_) + " killed before their first operation, " +
           grouped(left_locked_) +
           " seen to leave a partition locked; right after a kill the doctor had something to "
           "say of " +
           grouped(half_done_) + ", always repairable, and found " + grouped(busy_) +
           " partitions too busy; clean after every hold; " + grouped(ground_.paused.load()) +
           " pauses for a full log";
  }

 private:
  void populate(std::size_t place) {
    const Part part{place, ++processes_, ground_.go.value(), random_.next()};
    ground_.crew.at(place).log.begin(part.process);
    Member member = start([scene = scene_, part] {
      if (part.place < kWriters) {
        Contender worker(scene, part);
        work(scene, part, worker);
        ::_exit(0);  // with what it holds
      }
      Onlooker worker(scene, part);
      work(scene, part, worker);
    });
    checker_.introduce(part.process, static_cast<std::uint32_t>(member->pid()));
    if (crew_.size() == place) {
      crew_.push_back(std::move(member));
    } else {
      crew_.at(place) = std::move(member);
    }
  }

  // The writer that has locked a partition, by what the lock and the process table say.
  [[nodiscard]] std::optional<std::size_t> holder_of(std::uint32_t p) const {
    const auto holder = shmreg::layout::LockHolder::of(insides_->partition(p).lock.load());
    if (holder.entry >= insides_->geometry().max_processes) return std::nullopt;
    const std::uint32_t pid = insides_->entry(holder.entry).pid.load();
    for (std::size_t place = 0; place < kWriters; ++place) {
      if (static_cast<std::uint32_t>(crew_.at(place)->pid()) == pid) return place;
    }
    return std::nullopt;
  }

  // While the others go on: what is half done may be found, what is damaged may not.
  void ask_the_doctor() {
    const shmreg::DoctorReport report = shmreg::doctor(scene_.segment.name());
    half_done_ += report.problems.empty() ? 0 : 1;
    busy_ += report.partitions_busy;
    for (const shmreg::Problem& problem : report.problems) {
      if (problem.repairable) continue;
      ground_.complaints.add("doctor, right after a kill: " + problem.where + ": " + problem.what);
    }
  }

  void judge_later(Log& log) {
    checker_.add(log.operations());
    log.begin(log.process());
  }

  void judge_now() {
    const Judgement judgement = checker_.judge();
    for (const std::string& explanation : judgement.wrong) ground_.complaints.add(explanation);
    // In full, which a complaint does not hold.
    for (const std::string& explanation : judgement.wrong) say("wrong: " + explanation);
    BOOST_REQUIRE(judgement.undecided == 0U);
    BOOST_REQUIRE_MESSAGE(ground_.complaints.count() == 0, ground_.complaints.text());
    total_.operations += judgement.operations;
    total_.cut_short += judgement.cut_short;
    total_.overlapping += judgement.overlapping;
    total_.most_ways = std::max(total_.most_ways, judgement.most_ways);
  }

  Scene scene_;
  Ground& ground_;
  const std::vector<std::string>& touched_;
  Random& random_;
  shmreg::Registry registry_;
  std::shared_ptr<shmreg::core::Segment> insides_;
  Recorder recorder_;
  Checker checker_;
  Judgement total_;
  std::vector<Member> crew_;
  std::size_t youngest_ = 0;
  std::uint32_t processes_ = 0;
  std::uint64_t never_began_ = 0;
  std::uint64_t left_locked_ = 0;
  std::uint64_t half_done_ = 0;
  std::uint64_t busy_ = 0;
};

BOOST_AUTO_TEST_SUITE(random_kills)

BOOST_AUTO_TEST_CASE(whoever_is_killed_every_answer_is_right) {
  Random random = dice("whoever_is_killed_every_answer_is_right");
  const std::uint64_t last = rounds(110);
  const std::uint64_t settled_after = std::min(kSettled, last / 2);
  const OwnSegment segment(
      {.partitions = kPartitions, .max_processes = kWriters + 4, .initial_slots = 16});
  const auto insides = segment.insides();
  const auto names = names_in_every_partition(*insides, "torn/n", kNamesEach, Crowd::all);
  const auto touched = names_in_every_partition(*insides, "touched/t", 1);
  const CommonGround<Ground> ground;
  const Scene scene{segment, names, *ground};
  const Member first = start([&] {
    if (!hold_everything(segment.writer(), names)) std::abort();
  });
  BOOST_REQUIRE(ended_well(first));

  Torment torment(scene, touched, random);
  torment.hold();
  Torment::Heap settled;
  const auto began = std::chrono::steady_clock::now();
  for (std::uint64_t kill = 1; kill <= last; ++kill) {
    torment.kill_one();
    if (kill % kBetweenHolds == 0 || kill == last || kill == settled_after) torment.hold();
    if (kill == settled_after) settled = torment.heap();
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  const Torment::Heap end = torment.heap();
  torment.let_go();

  say("random kills: " + grouped(last) + " kills in " +
      grouped(static_cast<std::uint64_t>(took.count())) + " ms, every answer right: " +
      torment.figures() + "; " + grouped(segment.rebuilds()) + " rebuilds");
  say("random kills: after " + grouped(settled_after) + " kills " + grouped(settled.bytes_used) +
      " bytes used, of them " + grouped(settled.granules * 4) +
      " KiB up to the heap's top; at the end " + grouped(end.bytes_used) + " and " +
      grouped(end.granules * 4) + " KiB");
  BOOST_TEST(end.bytes_used == settled.bytes_used);
  // What the change logs keep varies, in the size classes that it is of, up to their bound.
  constexpr std::uint64_t kKeptGranules =
      std::uint64_t{kPartitions} * shmreg::layout::kMaxHeldBytes / shmreg::layout::kGranuleBytes;
  BOOST_TEST(end.granules <= settled.granules + kKeptGranules);
  BOOST_TEST(torment.total().cut_short > 0U);
  BOOST_TEST(torment.total().overlapping > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
