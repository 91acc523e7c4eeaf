// Names that stay registered, beside names that do not.
//
// Claim: a name that is registered throughout a lookup is found by it, and is in a list exactly
// once, whole, whatever happens beside it or to its own record; nothing that is found is torn, of
// another name or owner, or older than what the same reader has seen before. Method: one process
// keeps the steady names, updating them in place in sizes that vary and registering them over
// themselves. Half of them it also unregisters and registers again now and then, so that they come
// to lie behind others, where a rebuild finds them; it counts when it begins and when it is done,
// and a reader that sees the same even count before and after knows that the name was there
// throughout. The other half stays all the time. Two troublemakers register, update and unregister
// other names in the same partitions without pause; two readers with a read-only mapping look up
// (or list) and judge every record by numbered_record.hpp. Now and then one of them is held by the
// parent with SIGSTOP, and comes back in the middle of its lookup to a partition that has seen a
// thousand changes. The run is cut into phases, each with a segment of its own, so small that
// records and indices are reused all the time.
#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/neighbours.hpp"
#include "torture/numbered_record.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture {
namespace {

using shmreg::Errc;
using std::chrono::milliseconds;

struct Phase {
  std::uint32_t partitions;
  std::size_t steady_each;   // steady names a partition
  std::size_t trouble_most;  // what one troublemaker holds at most, over all partitions
};
// The troublemakers' names crowd in the same few buckets. At high tide these are full, at low tide
// they are full of tombstones, more than a quarter of the index, which is then rebuilt in its size:
// the readers meet the same two pieces of memory in turn.
constexpr std::size_t kMostSteady = 32;
constexpr std::array<Phase, 8> kPhases{{
    {1, 3, 8},     // up to 19 of 32 slots
    {1, 3, 15},    // 33 of 64
    {4, 4, 24},    // about 16 of 32, in four partitions
    {1, 2, 4},     // 10 of 16: two buckets
    {1, 31, 20},   // 71 of 128
    {2, 12, 300},  // growth
    {1, 3, 4},     // 11 of 16
    {8, 3, 50},    // about 15 of 32, in eight partitions
}};

struct Ground {
  Gate ready;  // the steady names are registered
  Gate over;   // nobody looks any more: they may go
  std::atomic<std::uint32_t> stop{0};
  std::array<Counter, kMostSteady> moves;  // odd: the steady name is on the move
  Deeds steady;
  Deeds trouble;
  Counter reads{0};    // lookups of steady names, or lists
  Counter others{0};   // lookups of other names, or other names in lists
  Counter records{0};  // judged
  Counter misses{0};
  Counter torn{0};
  Complaints complaints;
};

struct Scene {
  const OwnSegment& segment;
  const std::vector<std::string>& steady;
  const std::vector<std::string>& trouble;
  const Phase& phase;
  Ground& ground;
  [[nodiscard]] bool over() const {
    return ground.stop.load(std::memory_order_relaxed) != 0 || ground.complaints.count() > 20;
  }
};

void keep_steady(const Scene& scene, std::uint64_t seed) {
  SteadyKeeper keeper(scene.segment.writer(), scene.steady, scene.ground.steady,
                      scene.ground.complaints, seed);
  scene.ground.ready.open(1);
  Random random(seed);
  while (!scene.over()) {
    keeper.step();
    if (!random.one_in(32)) continue;
    const std::size_t mover = random.below(scene.steady.size()) | 1;
    if (mover >= scene.steady.size()) continue;
    ++scene.ground.moves.at(mover);
    keeper.move(mover);
    ++scene.ground.moves.at(mover);
  }
  scene.ground.over.await(1);
}

void make_trouble(const Scene& scene, std::uint64_t seed) {
  scene.ground.ready.await(1);
  // Both want the same names, so that they are refused now and then as well.
  Troublemaker troublemaker(scene.segment.writer(), scene.trouble, scene.phase.trouble_most,
                            scene.ground.trouble, scene.ground.complaints, seed);
  while (!scene.over()) troublemaker.step();
}

// What one reader has seen: judges what it is shown, and that no name goes back.
class Witness {
 public:
  explicit Witness(Ground& ground) : ground_(ground) {}

  void judge_steady(const shmreg::Service& found, const std::string& name) {
    const Verdict verdict = judge_any(found, name);
    if (!verdict.complaint.empty()) return;
    std::uint64_t& seen = seen_[name];
    if (verdict.number < seen) {
      ++ground_.torn;
      ground_.complaints.add(name + " went back from number " + std::to_string(seen) + " to " +
                             std::to_string(verdict.number));
    }
    seen = verdict.number;
  }
  Verdict judge_any(const shmreg::Service& found, const std::string& name) {
    const Verdict verdict = judge(found, name);
    ++ground_.records;
    if (!verdict.complaint.empty()) {
      ++ground_.torn;
      ground_.complaints.add(verdict.complaint);
    }
    return verdict;
  }

 private:
  Ground& ground_;
  std::unordered_map<std::string, std::uint64_t> seen_;
};

void look_up(const Scene& scene, std::uint64_t seed) {
  Random random(seed);
  Ground& ground = scene.ground;
  ground.ready.await(1);
  const auto registry = scene.segment.reader();
  Witness witness(ground);
  shmreg::Service found;
  while (!scene.over()) {
    for (int i = 0; i < 15; ++i) {
      const std::size_t which = random.below(scene.steady.size());
      const std::string& name = scene.steady[which];
      const std::uint64_t moves = ground.moves.at(which).load();
      const Errc outcome = registry.lookup(name, found);
      const bool was_there = moves % 2 == 0 && ground.moves.at(which).load() == moves;
      ground.reads += was_there ? 1 : 0;
      if (outcome == Errc::ok) {
        witness.judge_steady(found, name);
      } else if (was_there || outcome != Errc::not_found) {
        ++ground.misses;
        ground.complaints.add("lookup of " + name +
                              ", registered throughout: " + shmreg::describe(outcome));
      }
    }
    const std::string& other = scene.trouble[random.below(scene.trouble.size())];
    const Errc outcome = registry.lookup(other, found);
    ++ground.others;
    if (outcome == Errc::ok) {
      witness.judge_any(found, other);
    } else if (outcome != Errc::not_found) {
      ground.complaints.add("lookup of " + other + ": " + shmreg::describe(outcome));
    }
  }
}

void list(const Scene& scene, std::uint64_t seed) {
  Random random(seed);
  Ground& ground = scene.ground;
  ground.ready.await(1);
  const auto registry = scene.segment.reader();
  Witness witness(ground);
  while (!scene.over()) {
    const bool all = random.one_in(2);
    std::array<std::uint64_t, kMostSteady> moves{};
    for (std::size_t i = 0; i < scene.steady.size(); ++i) moves.at(i) = ground.moves.at(i).load();
    const auto listed = all ? registry.list() : registry.list("steady");
    for (std::size_t i = 0; i < scene.steady.size(); ++i) {
      if (ground.moves.at(i).load() != moves.at(i)) moves.at(i) = 1;  // as if on the move
    }
    ++ground.reads;
    if (!listed) {
      ++ground.misses;
      ground.complaints.add("list: " + listed.message());
      continue;
    }
    std::unordered_map<std::string, int> times;
    for (const shmreg::Service& service : listed.value()) {
      const std::string name(service.full_name());
      ++times[name];
      if (service.namespace_name() == "steady") {
        witness.judge_steady(service, name);
      } else {
        ++ground.others;
        witness.judge_any(service, name);
        if (!all) ground.complaints.add(name + " in a list of namespace steady");
      }
    }
    for (std::size_t i = 0; i < scene.steady.size(); ++i) {
      const std::string& name = scene.steady[i];
      if (moves.at(i) % 2 != 0) continue;
      const auto found = times.find(name);
      const int count = found == times.end() ? 0 : found->second;
      if (count == 1) continue;
      ++ground.misses;
      ground.complaints.add(name + ", registered throughout, is listed " + std::to_string(count) +
                            " times");
    }
    for (const auto& entry : times) {
      if (entry.second > 1) {
        ground.complaints.add(entry.first + " is listed " + std::to_string(entry.second) +
                              " times");
      }
    }
  }
}

struct Sum {
  std::uint64_t reads = 0;
  std::uint64_t others = 0;
  std::uint64_t records = 0;
  std::uint64_t steady_changes = 0;
  std::uint64_t trouble_changes = 0;
  std::uint64_t rebuilds = 0;
};

using Reader = void (*)(const Scene&, std::uint64_t);

Sum run_phases(Random& random, milliseconds whole, Reader reader) {
  Sum sum;
  // As many phases as there are kinds, or more, of three seconds at most.
  const auto count = std::max<std::int64_t>(kPhases.size(), whole / milliseconds(3000));
  for (std::int64_t number = 0; number < count; ++number) {
    const Phase& phase = kPhases.at(static_cast<std::size_t>(number) % kPhases.size());
    const OwnSegment segment({.max_size_bytes = 256 << 20,
                              .partitions = phase.partitions,
                              .max_processes = 16,
                              .initial_slots = 16});
    const auto steady = names_in_every_partition(*segment.insides(), "steady/s", phase.steady_each);
    const auto trouble = names_in_every_partition(
        *segment.insides(), "trouble/t", 4 * phase.trouble_most / phase.partitions, Crowd::all);
    const CommonGround<Ground> ground;
    const Scene scene{segment, steady, trouble, phase, *ground};
    const auto cast = [&](void (*role)(const Scene&, std::uint64_t)) {
      const std::uint64_t seed = random.next();
      return start([&scene, role, seed] { role(scene, seed); });
    };
    const Member keeper = cast(keep_steady);
    std::vector<Member> others;
    others.push_back(cast(make_trouble));
    others.push_back(cast(make_trouble));
    others.push_back(cast(reader));
    others.push_back(cast(reader));
    const auto end = std::chrono::steady_clock::now() + whole / count;
    while (std::chrono::steady_clock::now() < end && ground->complaints.count() == 0) {
      const Member& late = others.at(2 + random.below(2));
      late->signal(SIGSTOP);
      pass(random.microseconds_below(random.one_in(2) ? 20'000 : 1500));
      late->resume();
      pass(random.microseconds_below(1000));
    }
    ground->stop.store(1);
    bool all_well = true;
    for (const Member& other : others) all_well = ended_well(other) && all_well;
    ground->over.open(1);
    all_well = ended_well(keeper) && all_well;
    BOOST_REQUIRE_MESSAGE(ground->complaints.count() == 0 && all_well,
                          "phase " << number << " (" << phase.partitions << " partitions, "
                                   << steady.size() << " steady names): " << ground->misses.load()
                                   << " misses, " << ground->torn.load() << " torn of "
                                   << ground->reads.load() << " reads"
                                   << ground->complaints.text());
    BOOST_TEST(segment.problems() == "");
    sum.reads += ground->reads.load();
    sum.others += ground->others.load();
    sum.records += ground->records.load();
    sum.steady_changes += ground->steady.all();
    sum.trouble_changes += ground->trouble.all();
    sum.rebuilds += segment.rebuilds();
  }
  // Without these it would have been a walk in the park.
  BOOST_TEST(sum.reads > 0U);
  BOOST_TEST(sum.steady_changes > 0U);
  BOOST_TEST(sum.trouble_changes > 0U);
  BOOST_TEST(sum.rebuilds > 0U);
  return sum;
}

std::string changes(const Sum& sum) {
  return grouped(sum.steady_changes) + " changes of steady names and " +
         grouped(sum.trouble_changes) + " of others, " + grouped(sum.rebuilds) +
         " indices built anew";
}

BOOST_AUTO_TEST_SUITE(steady_names)

BOOST_AUTO_TEST_CASE(names_that_stay_registered_are_always_found) {
  Random random = dice("names_that_stay_registered_are_always_found");
  const milliseconds whole = duration(milliseconds(6000));
  const Sum sum = run_phases(random, whole, look_up);
  say("steady names: " + grouped(sum.reads) + " lookups in " +
      std::to_string(whole.count() / 1000) + " s, not one miss; " + grouped(sum.others) +
      " lookups of others; " + grouped(sum.records) + " records judged, not one torn; beside " +
      changes(sum));
}

BOOST_AUTO_TEST_CASE(a_list_beside_churn_holds_what_stayed_exactly_once) {
  Random random = dice("a_list_beside_churn_holds_what_stayed_exactly_once");
  const milliseconds whole = duration(milliseconds(6000));
  const Sum sum = run_phases(random, whole, list);
  say("lists: " + grouped(sum.reads) + " lists in " + std::to_string(whole.count() / 1000) +
      " s, each with every steady name exactly once; " + grouped(sum.records) +
      " records judged, not one torn, " + grouped(sum.others) + " of them of others; beside " +
      changes(sum));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
