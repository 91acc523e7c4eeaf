// A watcher beside writers that are killed.
//
// Claim: a watch tells every registration once, and its end once: by unregistering, or by its
// owner's death, with nobody there but the processes that are attached themselves; no event is
// missed and none comes twice, whatever the writers die of. Method: four writers register names for
// themselves, update some and unregister most, and write down in common memory, after each call has
// returned, the id and how it ended; the parent kills one of them with -9 at random, time and
// again, and starts another in its place. One watcher counts every event by id. A writer killed
// between the call and its note leaves at most one id that only the watcher knows. In the end every
// id that was noted has been told as registered once and as ended once, as what it was; no id that
// was not noted is told otherwise; and of ids that only the watcher knows there are no more than
// there were kills. The writers wait for a watcher that falls behind: what is lost then is
// watch_test.cpp's.
#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using shmreg::WatchEventKind;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kWriters = 4;
constexpr std::size_t kMostNotes = 400'000;
constexpr std::uint64_t kMostAhead = 100;  // changes: less than a change log holds

struct Note {
  std::atomic<std::uint64_t> id{0};
  std::atomic<bool> unregistered{false};
};

struct Ground {
  Gate watched;  // from here on every change is told
  std::atomic<std::uint32_t> stop{0};
  Counter noted{0};    // registrations
  Counter changes{0};  // of all kinds
  Counter told{0};     // events
  std::array<Note, kMostNotes> notes;
  Complaints complaints;
};

void write(const OwnSegment& segment, Ground& ground, std::uint64_t seed, std::size_t lane) {
  Random random(seed);
  auto registry = segment.writer();
  struct Held {
    shmreg::Registration registration;
    std::size_t note;
  };
  std::vector<Held> held;
  std::uint64_t count = 0;
  while (ground.stop.load() == 0) {
    if (ground.changes.load() > ground.told.load() + kMostAhead) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      continue;
    }
    if (held.size() < 8 && !random.one_in(3)) {
      const std::string name = "lane" + std::to_string(lane) + "/" + std::to_string(count++);
      auto made = registry.register_service(name, {.endpoint = name});
      if (!made) {
        // Still there: of the writer before, which is dying.
        if (made.code() != shmreg::Errc::already_registered) ground.complaints.add(made.message());
        continue;
      }
      const std::size_t note = ground.noted.fetch_add(1);
      if (note >= kMostNotes) return;
      ground.notes.at(note).id.store(made->id());
      ++ground.changes;
      held.push_back({std::move(made).value(), note});
    } else if (!held.empty()) {
      const std::size_t which = random.below(held.size());
      if (random.one_in(4)) {
        if (!held.at(which).registration.update({.endpoint = std::to_string(count++)}).ok()) {
          ground.complaints.add("an update of one's own failed");
        }
      } else {
        // Before the call: a writer killed after it must not look as if it had died with the name.
        ground.notes.at(held.at(which).note).unregistered.store(true);
        if (!held.at(which).registration.unregister().ok()) ground.complaints.add("unregister");
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
      }
      ++ground.changes;
    }
  }
  shmreg::test::stay_until_killed();
}

struct Life {
  int begun = 0;
  int ended = 0;
  WatchEventKind end{};
};

// Counts what it is told until nothing has come for so long.
class Witness {
 public:
  Witness(shmreg::Watch watch, Ground& ground) : watch_(std::move(watch)), ground_(ground) {}

  void see_until_quiet_for(std::chrono::nanoseconds quiet) {
    shmreg::WatchEvent event;
    for (;;) {
      const auto got = watch_.next(event, quiet);
      if (!got) return ground_.complaints.add("watch: " + got.message());
      if (!*got) return;
      see(event);
    }
  }
  [[nodiscard]] std::unordered_map<std::uint64_t, Life>& lives() { return lives_; }
  [[nodiscard]] std::uint64_t deaths() const { return deaths_; }

 private:
  void see(const shmreg::WatchEvent& event) {
    ++ground_.told;
    Life& life = lives_[event.service.id()];
    switch (event.kind) {
      case WatchEventKind::present:
      case WatchEventKind::registered:
        ++life.begun;
        return;
      case WatchEventKind::updated:
        if (life.begun != 1 || life.ended != 0) ground_.complaints.add("an update out of its life");
        return;
      case WatchEventKind::unregistered:
      case WatchEventKind::died:
        ++life.ended;
        life.end = event.kind;
        deaths_ += event.kind == WatchEventKind::died ? 1 : 0;
        return;
      default:
        ground_.complaints.add("an event of kind " + std::string(to_string(event.kind)));
    }
  }

  shmreg::Watch watch_;
  Ground& ground_;
  std::unordered_map<std::uint64_t, Life> lives_;
  std::uint64_t deaths_ = 0;
};

BOOST_AUTO_TEST_SUITE(watched_changes)

BOOST_AUTO_TEST_CASE(every_change_and_every_death_is_told_once) {
  Random random = dice("every_change_and_every_death_is_told_once");
  const std::uint64_t wanted = rounds(8000);
  const OwnSegment segment({.partitions = 8, .max_processes = 64, .initial_slots = 16});
  const CommonGround<Ground> ground;
  // No fork beside a thread that holds a lock of the library's: the watcher is a process of its
  // own.
  const CommonGround<std::array<Counter, 4>> sums;
  const Member watcher = start([&] {
    auto registry = segment.writer();
    auto watch = registry.watch("");
    if (!watch) return ground->complaints.add("watch: " + watch.message());
    Witness witness(std::move(watch).value(), *ground);
    witness.see_until_quiet_for(milliseconds(0));
    ground->watched.open(1);
    while (ground->stop.load() != 2) witness.see_until_quiet_for(milliseconds(20));
    witness.see_until_quiet_for(seconds(2));
    auto& lives = witness.lives();
    const std::uint64_t noted = ground->noted.load();
    for (std::uint64_t i = 0; i < noted; ++i) {
      const Note& note = ground->notes.at(i);
      const std::uint64_t id = note.id.load();
      if (id == 0) continue;  // killed between its number and its note
      const auto found = lives.find(id);
      const Life life = found == lives.end() ? Life{} : found->second;
      const std::string which = "registration " + std::to_string(id);
      if (life.begun != 1) {
        ground->complaints.add(which + " was told " + std::to_string(life.begun) + " times");
      }
      if (life.ended != 1) {
        ground->complaints.add(which + "'s end was told " + std::to_string(life.ended) + " times");
      }
      // A note that it is about to be unregistered may be the last thing a writer did.
      if (!note.unregistered.load() && life.end != WatchEventKind::died) {
        ground->complaints.add(which + " ended otherwise than by its owner's death");
      }
      if (found != lives.end()) lives.erase(found);
    }
    for (const auto& [id, life] : lives) {
      if (life.begun != 1 || life.ended != 1) {
        ground->complaints.add("registration " + std::to_string(id) +
                               ", known to the watcher alone, "
                               "was told " +
                               std::to_string(life.begun) + " times, its end " +
                               std::to_string(life.ended));
      }
    }
    (*sums)[0].store(noted);
    (*sums)[1].store(lives.size());
    (*sums)[2].store(witness.deaths());
    (*sums)[3].store(1);
  });

  ground->watched.await(1);
  std::array<Member, kWriters> writers;
  const auto start_writer = [&](std::size_t lane) {
    writers.at(lane) =
        start([&, lane, seed = random.next()] { write(segment, *ground, seed, lane); });
  };
  for (std::size_t lane = 0; lane < kWriters; ++lane) start_writer(lane);

  std::uint64_t kills = 0;
  while (ground->changes.load() < wanted && ground->complaints.count() == 0) {
    std::this_thread::sleep_for(milliseconds(2) + random.microseconds_below(8000));
    const std::size_t lane = random.below(kWriters);
    BOOST_TEST(was_alive_when_killed(writers.at(lane)));
    ++kills;
    start_writer(lane);
  }
  ground->stop.store(1);
  for (const Member& writer : writers) BOOST_TEST(was_alive_when_killed(writer));
  kills += kWriters;
  ground->stop.store(2);
  BOOST_TEST(ended_well(watcher));
  BOOST_TEST(ground->complaints.count() == 0U, ground->complaints.text());
  BOOST_TEST((*sums)[3].load() == 1U);
  BOOST_TEST((*sums)[1].load() <= kills);
  BOOST_TEST((*sums)[2].load() > 0U);
  // What the last one left half done, and no more than that, is found and repaired.
  BOOST_TEST(segment.damage() == "");
  BOOST_TEST(segment.writer().collect_garbage().ok());
  BOOST_TEST(segment.problems() == "");
  say("watched changes: " + grouped(ground->changes.load()) + " changes, " + grouped(kills) +
      " writers killed; " + grouped((*sums)[0].load()) +
      " registrations, each told once, and its end once, " + grouped((*sums)[2].load()) +
      " of them deaths; " + grouped((*sums)[1].load()) + " known to the watcher alone");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
