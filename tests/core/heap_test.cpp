// Runs of granules: handed out once each, whoever dies or races in between.
#include "core/heap.hpp"

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "core/run_walk.hpp"
#include "support/insides.hpp"

using namespace shmreg;
using namespace shmreg::test;
using layout::Run;
using layout::RunKind;

namespace {

struct Fixture {
  ScratchSegment scratch{one_partition()};
  Insides insides{scratch};
  const core::Segment& segment = insides.segment();

  [[nodiscard]] Result<std::uint64_t> take(std::uint32_t granules) const {
    return core::take_run(segment, Run{RunKind::records, 3, 0, granules});
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(heap, Fixture)

BOOST_AUTO_TEST_CASE(runs_follow_each_other_and_are_described_in_the_run_map) {
  const std::uint64_t first = take(3).value();
  const std::uint64_t second = take(1).value();
  BOOST_TEST(second == first + 3);
  BOOST_TEST(segment.header().heap_top.load() == second + 1);
  const Run run = Run::of(segment.run_word(first)->load());
  BOOST_TEST(run.granules == 3U);
  BOOST_TEST((run.kind == RunKind::records));
  BOOST_TEST(segment.run_word(first + 1)->load() == 0U);
  // What was handed out can be touched, to its last word.
  segment.words(first * 4096, 3 * 4096)[3 * 512 - 1].store(1);
}

BOOST_AUTO_TEST_CASE(a_run_whose_taker_died_before_it_advanced_the_top_is_passed_over) {
  const std::uint64_t taken = take(5).value();
  segment.header().heap_top.store(taken);
  BOOST_TEST(take(2).value() == taken + 5);
  BOOST_TEST(segment.header().heap_top.load() == taken + 7);
}

BOOST_AUTO_TEST_CASE(room_that_was_claimed_but_not_counted_is_claimed_again) {
  const std::uint64_t counted = segment.header().claimed_end.load();
  BOOST_TEST_REQUIRE(segment.file().claim(counted, 1 << 20).ok());
  while (segment.header().claimed_end.load() == counted) BOOST_TEST_REQUIRE(take(64).ok());
  BOOST_TEST(segment.header().claimed_end.load() == counted + (1 << 20));
}

// Claim: no granule is handed out twice. Method: four threads take runs of various lengths at once;
// what they got must not overlap. They meet at the top, where one advances it for another, in a few
// of a hundred segments only: hence so many.
BOOST_AUTO_TEST_CASE(racers_get_runs_that_do_not_overlap) {
  for (int round = 0; round < 200; ++round) {
    const Fixture fresh;
    std::vector<std::vector<std::pair<std::uint64_t, std::uint32_t>>> taken(4);
    std::atomic<std::size_t> ready{0};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < taken.size(); ++t) {
      threads.emplace_back([&, t] {
        for (++ready; ready < taken.size();) std::this_thread::yield();
        for (std::uint32_t i = 0; i < 100; ++i) {
          const std::uint32_t granules = 1 + (i + static_cast<std::uint32_t>(t)) % 5;
          const auto run = fresh.take(granules);
          if (run.ok()) taken[t].emplace_back(run.value(), granules);
        }
      });
    }
    for (auto& thread : threads) thread.join();
    std::vector<std::pair<std::uint64_t, std::uint32_t>> all;
    for (const auto& some : taken) all.insert(all.end(), some.begin(), some.end());
    std::sort(all.begin(), all.end());
    BOOST_TEST_REQUIRE(all.size() == 400U);
    for (std::size_t i = 1; i < all.size(); ++i) {
      BOOST_TEST_REQUIRE(all[i].first >= all[i - 1].first + all[i - 1].second);
    }
    std::size_t mapped = 0;
    core::for_each_run(fresh.segment, [&](std::uint64_t, const Run&) { ++mapped; });
    BOOST_TEST_REQUIRE(mapped == 401U);  // and the index
  }
}

BOOST_AUTO_TEST_CASE(a_heap_at_its_limit_says_full_and_stays_as_it_is) {
  Errc outcome = Errc::ok;
  while (outcome == Errc::ok) outcome = take(200).code();
  BOOST_TEST((outcome == Errc::segment_full));
  BOOST_TEST(segment.header().claimed_end.load() <= segment.geometry().bytes_limit);
  const std::uint64_t top = segment.header().heap_top.load();
  BOOST_TEST((take(200).code() == Errc::segment_full));
  BOOST_TEST(segment.header().heap_top.load() == top);
  // A smaller one may still fit, to the last granule.
  while (take(1).ok()) {
  }
  BOOST_TEST(segment.header().heap_top.load() == segment.geometry().granules_limit());
}

BOOST_AUTO_TEST_CASE(a_top_that_lies_outside_is_damage_and_no_crash) {
  const std::uint64_t sound = segment.header().heap_top.load();
  for (const std::uint64_t top :
       {std::uint64_t{0}, std::uint64_t{1}, segment.geometry().granules_limit() + 1,
        std::uint64_t{1} << 52, ~std::uint64_t{0}}) {
    segment.header().heap_top.store(top);
    BOOST_TEST((take(1).code() == Errc::corrupt));
  }
  segment.header().heap_top.store(sound);
  BOOST_TEST(take(1).ok());
}

BOOST_AUTO_TEST_CASE(a_run_map_that_leads_nowhere_is_damage_and_no_endless_loop) {
  BOOST_TEST_REQUIRE(take(1).ok());  // claims room beyond itself
  const std::uint64_t top = segment.header().heap_top.load();
  BOOST_TEST_REQUIRE(segment.run_word(top) != nullptr);
  segment.run_word(top)->store(1U << 29);  // a run without length
  BOOST_TEST((take(1).code() == Errc::corrupt));
  segment.run_word(top)->store(~0U);
  const auto result = take(1);
  BOOST_TEST(
      (result.ok() || result.code() == Errc::corrupt || result.code() == Errc::segment_full));
}

BOOST_AUTO_TEST_CASE(a_watermark_that_lies_is_damage_and_no_crash) {
  const std::uint64_t sound = segment.header().claimed_end.load();
  for (const std::uint64_t end : {std::uint64_t{0}, std::uint64_t{4096}, ~std::uint64_t{0}}) {
    segment.header().claimed_end.store(end);
    for (int i = 0; i < 300; ++i) (void)take(10).ok();
  }
  segment.header().claimed_end.store(sound);
}

BOOST_AUTO_TEST_SUITE_END()
