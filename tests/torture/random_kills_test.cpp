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
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/liveness.hpp"
#include "torture/common_ground.hpp"
#include "torture/contenders.hpp"
#include "torture/crew.hpp"
#include "torture/history.hpp"
#include "torture/neighbours.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using namespace contest;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr std::uint32_t kPartitions = 2;
constexpr std::size_t kNamesEach = 12;       // more than a bucket holds
constexpr std::uint64_t kBetweenHolds = 10;  // kills
constexpr std::uint64_t kSettled = 100;      // kills after which nothing may grow

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
