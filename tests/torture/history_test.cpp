// The checker of histories, before it judges anybody.
//
// Claim: it accepts a history exactly if some order of its operations explains every answer.
// Method: right histories of each kind that a torture brings about, and the same with one wrong
// answer planted; then thousands of small random ones, half of them with an answer altered, judged
// also by an oracle that tries all orders one after the other and shares no code with the checker.
#include "torture/history.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <vector>

#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/invention.hpp"
#include "torture/oracle.hpp"
#include "torture/setting.hpp"
#include "torture/story.hpp"

namespace torture {
namespace {

BOOST_AUTO_TEST_SUITE(history)

BOOST_AUTO_TEST_CASE(a_right_history_is_accepted) {
  BOOST_TEST(Story().is_right());
  // One after the other.
  BOOST_TEST(Story()
                 .misses(kR, {1, 2})
                 .registers(kP, {3, 4}, 1, 10)
                 .finds(kR, {5, 6}, kP, 1, 10)
                 .is_refused(kQ, {7, 8}, kP, 10)
                 .updates(kP, {9, 10}, 2, 10)
                 .finds(kR, {11, 12}, kP, 2, 10)
                 .registers(kP, {13, 14}, 3, 11)
                 .updates(kP, {15, 16}, 4, 10, Outcome::lost)
                 .seizes(kQ, {17, 18}, 1, 14)
                 .unregisters(kP, {19, 20}, 11, Outcome::lost)
                 .finds(kR, {21, 22}, kQ, 1, 14)
                 .unregisters(kQ, {23, 24}, 14)
                 .misses(kR, {25, 26})
                 .is_right());
  // Beside an update either record may be found, beside an unregistration the name or nothing.
  for (const std::uint32_t record : {1U, 2U}) {
    BOOST_TEST(Story()
                   .registers(kP, {1, 2}, 1, 10)
                   .updates(kP, {3, 9}, 2, 10)
                   .finds(kR, {4, 5}, kP, record, 10)
                   .is_right());
  }
  BOOST_TEST(Story()
                 .registers(kP, {1, 2}, 1, 10)
                 .unregisters(kP, {3, 9}, 10)
                 .finds(kR, {4, 5}, kP, 1, 10)
                 .misses(kR, {6, 7})
                 .is_right());
}

BOOST_AUTO_TEST_CASE(what_was_cut_short_may_have_happened_or_not) {
  const auto begin = [] {
    return Story().registers(kP, {1, 2}, 1, 10).updates(kP, {3, kNotEnded}, 2, 10).dies(kP, {5, 9});
  };
  BOOST_TEST(begin().finds(kR, {6, 7}, kP, 1, 10).is_right());
  BOOST_TEST(begin().finds(kR, {6, 7}, kP, 2, 10).is_right());
  BOOST_TEST(begin().misses(kR, {6, 7}).is_right());
  BOOST_TEST(!begin().finds(kR, {6, 7}, kP, 2, 10).finds(kQ, {8, 9}, kP, 1, 10).is_right());
  // Its id is known from who found it; then it binds.
  const auto unheard = [] {
    return Story()
        .add({3, kNotEnded, Kind::registration, Outcome::done, 0, kP, number_of(kP, 1), 0, 0})
        .dies(kP, {5, 9});
  };
  BOOST_TEST(unheard().finds(kR, {6, 7}, kP, 1, 10).registers(kQ, {10, 11}, 1, 11).is_right());
  BOOST_TEST(!unheard().finds(kR, {6, 7}, kP, 1, 10).registers(kQ, {10, 11}, 1, 9).is_right());
  BOOST_TEST(!unheard().finds(kR, {6, 7}, kP, 1, 10).is_refused(kQ, {7, 8}, kP, 9).is_right());
  BOOST_TEST(!Story().registers(kP, {3, kNotEnded}, 1, 10).is_right());  // of one that lives
}

BOOST_AUTO_TEST_CASE(a_wrong_answer_is_seen) {
  // A registration that got lost.
  BOOST_TEST(!Story().registers(kP, {1, 2}, 1, 10).misses(kR, {3, 4}).is_right());
  BOOST_TEST(!Story().registers(kP, {1, 2}, 1, 10).registers(kQ, {3, 4}, 1, 11).is_right());
  // Two owners at once.
  BOOST_TEST(!Story().registers(kP, {1, 8}, 1, 10).registers(kQ, {3, 9}, 1, 11).is_right());
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .seizes(kQ, {3, 4}, 1, 11)
                  .updates(kP, {5, 6}, 2, 10)
                  .is_right());
  // A stale read: after an unregistration, an update, a registration over it.
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .unregisters(kP, {3, 4}, 10)
                  .finds(kR, {5, 6}, kP, 1, 10)
                  .is_right());
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .updates(kP, {3, 4}, 2, 10)
                  .finds(kR, {5, 6}, kP, 1, 10)
                  .is_right());
  // Two readers that saw an update in opposite orders.
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .updates(kP, {3, 20}, 2, 10)
                  .finds(kR, {4, 5}, kP, 2, 10)
                  .finds(kQ, {6, 7}, kP, 1, 10)
                  .is_right());
  // A miss between two updates.
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .updates(kP, {3, 6}, 2, 10)
                  .misses(kR, {4, 9})
                  .updates(kP, {7, 10}, 3, 10)
                  .is_right());
  // An answer pieced together from two registrations.
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .registers(kP, {3, 6}, 2, 11)
                  .finds(kR, {4, 5}, kP, 2, 10)
                  .is_right());
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .add({3, 4, Kind::lookup, Outcome::done, 0, kR, number_of(kP, 1), 10, pid_of(kQ)})
                  .is_right());
  // A number that nobody wrote.
  BOOST_TEST(!Story().registers(kP, {1, 2}, 1, 10).finds(kR, {3, 4}, kP, 7, 10).is_right());
  // Refused because of one who does not hold it, or of nobody.
  BOOST_TEST(!Story().registers(kP, {1, 2}, 1, 10).is_refused(kQ, {3, 4}, kR, 10).is_right());
  BOOST_TEST(!Story().is_refused(kQ, {3, 4}, kP, 10).is_right());
  // A failure of a process that is well.
  BOOST_TEST(!Story().add({1, 2, Kind::registration, Outcome::failed, 0, kP, 0, 0, 0}).is_right());
}

BOOST_AUTO_TEST_CASE(a_dead_owner_is_not_found_once_its_death_is_known) {
  const auto begin = [] { return Story().registers(kP, {1, 2}, 1, 10).dies(kP, {5, 9}); };
  BOOST_TEST(begin().finds(kR, {8, 12}, kP, 1, 10).is_right());
  BOOST_TEST(!begin().finds(kR, {10, 12}, kP, 1, 10).is_right());
  BOOST_TEST(!begin().is_refused(kQ, {10, 12}, kP, 10).is_right());
  // Known also from who missed it, or took it.
  BOOST_TEST(!begin().misses(kR, {5, 6}).finds(kR, {7, 8}, kP, 1, 10).is_right());
  BOOST_TEST(begin().registers(kQ, {6, 7}, 1, 11).finds(kR, {8, 10}, kQ, 1, 11).is_right());
  BOOST_TEST(!begin().registers(kQ, {3, 4}, 1, 11).is_right());
  // What it does with its last instructions has no effect, and may fail.
  BOOST_TEST(begin().misses(kR, {5, 6}).registers(kP, {7, 8}, 2, 11).is_right());
  BOOST_TEST(!begin()
                  .misses(kR, {5, 6})
                  .registers(kP, {7, 8}, 2, 11)
                  .finds(kR, {7, 9}, kP, 2, 11)
                  .is_right());
  BOOST_TEST(begin().updates(kP, {6, 7}, 2, 10, Outcome::lost).is_right());
  BOOST_TEST(!begin().updates(kP, {3, 4}, 2, 10, Outcome::lost).is_right());
}

BOOST_AUTO_TEST_CASE(ids_ascend) {
  BOOST_TEST(!Story()
                  .registers(kP, {1, 2}, 1, 10)
                  .unregisters(kP, {3, 4}, 10)
                  .registers(kQ, {5, 6}, 1, 9)
                  .is_right());
  BOOST_TEST(!Story().registers(kP, {1, 2}, 1, 10).registers(kP, {3, 4}, 2, 10).is_right());
  // Over two names: only of those that do not overlap.
  for (const std::uint64_t ended : {2U, 6U}) {
    Checker checker({"test/a", "test/b"});
    checker.add({1, ended, Kind::registration, Outcome::done, 0, kP, number_of(kP, 1), 10, 0});
    checker.add({4, 9, Kind::registration, Outcome::done, 1, kQ, number_of(kQ, 1), 9, 0});
    BOOST_TEST(checker.judge().wrong.size() == (ended == 2 ? 1U : 0U));
  }
}

BOOST_AUTO_TEST_CASE(a_judgement_begins_where_the_one_before_it_ended) {
  Checker checker({"test/name"});
  checker.add(Story().registers(kP, {1, 2}, 1, 10).operations());
  BOOST_TEST(checker.judge().wrong.empty());
  checker.add(Story().finds(kR, {3, 4}, kP, 1, 10).dies(kP, {5, 6}).operations());
  BOOST_TEST(checker.judge().wrong.empty());
  checker.add(Story().misses(kR, {7, 8}).operations());
  BOOST_TEST(checker.judge().wrong.empty());
  checker.add(Story().finds(kR, {9, 10}, kP, 1, 10).operations());
  const Judgement last = checker.judge();
  BOOST_REQUIRE(last.wrong.size() == 1U);
  BOOST_TEST(last.wrong.front().find("nothing explains") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(it_judges_as_if_it_had_tried_every_order) {
  Random random = dice("it_judges_as_if_it_had_tried_every_order");
  std::uint64_t right = 0;
  std::uint64_t wrong = 0;
  const std::uint64_t last = rounds(20'000);
  for (std::uint64_t i = 0; i < last; ++i) {
    std::vector<Operation> operations = Invention(random).story();
    const bool as_it_was = random.one_in(2);
    if (!as_it_was) alter(operations, random);
    Story story;
    for (const Operation& operation : operations) story.add(operation);
    for (Operation& operation : operations) {
      if (operation.ended == kNotEnded) operation.outcome = Outcome::cut_short;
    }
    Oracle oracle{operations};
    const bool expected = oracle.explains();
    const Judgement judgement = story.judged();
    std::string text;
    for (const Operation& operation : operations) text += "\n  " + to_string(operation);
    BOOST_REQUIRE_MESSAGE(!as_it_was || expected, "the oracle rejects what happened:" << text);
    BOOST_REQUIRE_MESSAGE(judgement.undecided == 0, "undecided:" << text);
    for (const std::string& explanation : judgement.wrong) text += "\n" + explanation;
    BOOST_REQUIRE_MESSAGE(judgement.wrong.empty() == expected,
                          (expected ? "rejected, though right:" : "accepted, though wrong:")
                              << text);
    (expected ? right : wrong) += 1;
  }
  say("history: of " + grouped(last) + " small random ones " + grouped(right) + " right and " +
      grouped(wrong) + " wrong, each judged as by trying every order");
  BOOST_TEST(right > last / 4);
  BOOST_TEST(wrong > last / 20);
}

BOOST_AUTO_TEST_CASE(many_at_once_are_decided) {
  // Twelve updates under way from the first beginning to the last end, found in turn.
  Story story;
  story.registers(kP, {1, 2}, 1, 10);
  for (std::uint32_t i = 0; i < 10; ++i) {
    story.updates(kP, {10 + i, 1000 + i}, 100 + i, 10);
    story.finds(kR, {100 + 2 * i, 101 + 2 * i}, kP, 100 + i, 10);
  }
  const Judgement judgement = story.judged();
  BOOST_TEST(judgement.wrong.empty());
  BOOST_TEST(judgement.undecided == 0U);
  // More than can be followed is never taken for right.
  Story too_much;
  too_much.registers(kP, {1, 2}, 1, 10);
  for (std::uint32_t i = 0; i < 30; ++i) too_much.updates(kP, {10 + i, 1000 + i}, 100 + i, 10);
  too_much.misses(kR, {500, 501});
  BOOST_TEST(too_much.judged().undecided == 1U);
}

BOOST_AUTO_TEST_CASE(a_log_outlives_its_writer) {
  const CommonGround<Log> log;
  const CommonGround<Counter> clock;
  log->begin(7);
  const Member writer = start([&] {
    Recorder recorder(*log, *clock);
    recorder.begin(Kind::registration, 3, number_of(7, 1));
    recorder.end(Outcome::done, number_of(7, 1), 11);
    recorder.begin(Kind::update, 3, number_of(7, 2), 11);
    for (;;) pass(std::chrono::seconds(1));
  });
  while (log->operations().size() < 2) {
  }
  BOOST_TEST(was_alive_when_killed(writer));
  const std::vector<Operation> operations = log->operations();
  BOOST_REQUIRE(operations.size() == 2U);
  BOOST_TEST(to_string(operations[0]) == "1-2 by 7: register done, number 7/1, id 11");
  BOOST_TEST(to_string(operations[1]) == "3-0 by 7: update cut short, number 7/2, id 11");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
