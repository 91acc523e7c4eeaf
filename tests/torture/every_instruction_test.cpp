// Processes killed, or stopped, at every instruction of what they do.
//
// Claim: wherever in an operation its process is killed with -9, (1) readers see the state before
// the operation or after it and nothing else, the same while the process still stands there, when
// it is dead, and when the partition has been mended; (2) the next writer goes on at once, and the
// doctor finds nothing; (3) nothing is leaked, and no entry of the process table lives on. Wherever
// it is stopped instead, readers go on and see the same; let go, it comes to its end.
// Method: a victim is led through the operation by ptrace, one instruction after the other, to
// count them, and to note after which of them something had changed that others can see: a byte of
// the segment, or by a system call. Then there is a fresh victim for each point: it really dies
// there, so that the kernel's part is in it: marks, byte locks, files without a name.
// (core/repair_test.cpp looks at every state of the memory alone.)
//
//   SHMREG_TORTURE_EVERY=1 build/release/bin/tests/test_torture --run_test=every_instruction
//
// is the whole of it, a victim killed and one held at every instruction: some 300,000 of them, a
// matter of hours. SHMREG_TORTURE_EVERY=97 takes all points after a change and a few of the others,
// in minutes. Without it, a sample
// (stepped_operation.hpp). An operation is added by saying what the victim does and what readers
// may find (Plot in watched_partition.hpp).
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "support/child.hpp"
#include "torture/created_segment.hpp"
#include "torture/stepped_operation.hpp"
#include "torture/watched_partition.hpp"

namespace torture {
namespace {

using shmreg::Owner;

// --- what victims do -----------------------------------------------------------------------------

// Attaches, and claims an entry: a first write does, also one that finds nothing.
void claim(Hands& hands) {
  hands.registry = hands.attach();
  CHILD_CHECK(hands.registry->unregister("a/nothing").ok());
}

void register_for_good(Hands& hands, const shmreg::ServiceSpec& spec) {
  CHILD_CHECK(
      hands.registry->register_for(Owner::permanent(), hands.subject, spec, {.replace = true})
          .ok());
}

void register_own(Hands& hands, const std::string& name, const shmreg::ServiceSpec& spec) {
  auto mine = hands.registry->register_service(name, spec);
  CHILD_CHECK(mine.ok());
  hands.held.push_back(std::move(mine).value());
}

void claim_and_register_for_good(Hands& hands) {
  claim(hands);
  register_for_good(hands, hands.old_spec);
}

void claim_and_register_own(Hands& hands) {
  claim(hands);
  register_own(hands, hands.subject, hands.old_spec);
}

void torment(const Plot& plot) {
  if (!can_step()) return;
  Random random = dice("every instruction: " + plot.what);
  torment({.what = plot.what,
           .scene = [&] { return std::make_unique<WatchedPartition>(plot); },
           .anew = plot.anew},
          random);
}

BOOST_AUTO_TEST_SUITE(every_instruction)

BOOST_AUTO_TEST_CASE(a_registration_has_happened_or_has_not) {
  torment({.what = "register",
           .prepare = claim,
           .act = [](Hands& hands) { register_for_good(hands, hands.new_spec); },
           .before = kNone,
           .after = kNew});
}

BOOST_AUTO_TEST_CASE(a_registration_for_oneself_goes_with_its_process) {
  torment({.what = "register for oneself",
           .prepare = claim,
           .act = [](Hands& hands) { register_own(hands, hands.subject, hands.new_spec); },
           .before = kNone,
           .after = kNew,
           .dies_with_victim = true});
}

BOOST_AUTO_TEST_CASE(a_replacement_leaves_the_old_or_the_new) {
  torment({.what = "replace",
           .prepare = claim_and_register_for_good,
           .act = [](Hands& hands) { register_for_good(hands, hands.new_spec); },
           .before = kOld,
           .after = kNew});
}

BOOST_AUTO_TEST_CASE(an_unregistration_has_happened_or_has_not) {
  torment(
      {.what = "unregister",
       .prepare = claim_and_register_for_good,
       .act = [](Hands& hands) { CHILD_CHECK(hands.registry->unregister(hands.subject).value()); },
       .before = kOld,
       .after = kNone});
}

BOOST_AUTO_TEST_CASE(an_unregistration_of_ones_own_has_happened_or_has_not) {
  torment({.what = "unregister one's own",
           .prepare = claim_and_register_own,
           .act = [](Hands& hands) { CHILD_CHECK(hands.held.front().unregister().value()); },
           .before = kOld,
           .after = kNone,
           .dies_with_victim = true});
}

BOOST_AUTO_TEST_CASE(an_update_leaves_the_old_or_the_new) {
  torment({.what = "update",
           .prepare = claim_and_register_own,
           .act = [](Hands& hands) { CHILD_CHECK(hands.held.front().update(hands.new_spec).ok()); },
           .before = kOld,
           .after = kNew,
           .dies_with_victim = true});
}

BOOST_AUTO_TEST_CASE(a_first_instance_of_a_shared_name_is_there_or_is_not) {
  torment({.what = "register, shared",
           .prepare = claim,
           .act =
               [](Hands& hands) {
                 CHILD_CHECK(hands.registry
                                 ->register_for(Owner::permanent(), hands.subject, hands.new_spec,
                                                {.shared = true})
                                 .ok());
               },
           .before = kNone,
           .after = kNew});
}

BOOST_AUTO_TEST_CASE(a_last_instance_of_a_shared_name_is_there_or_is_not) {
  torment(
      {.what = "unregister, shared",
       .prepare =
           [](Hands& hands) {
             claim(hands);
             CHILD_CHECK(hands.registry
                             ->register_for(Owner::permanent(), hands.subject, hands.old_spec,
                                            {.shared = true})
                             .ok());
           },
       .act = [](Hands& hands) { CHILD_CHECK(hands.registry->unregister(hands.subject).value()); },
       .before = kOld,
       .after = kNone});
}

BOOST_AUTO_TEST_CASE(what_becomes_shared_is_the_old_or_the_new) {
  torment({.what = "replace, by a shared one",
           .prepare = claim_and_register_for_good,
           .act =
               [](Hands& hands) {
                 CHILD_CHECK(hands.registry
                                 ->register_for(Owner::permanent(), hands.subject, hands.new_spec,
                                                {.replace = true, .shared = true})
                                 .ok());
               },
           .before = kOld,
           .after = kNew});
}

BOOST_AUTO_TEST_CASE(a_first_health_leaves_what_it_is_of) {
  torment({.what = "health",
           .prepare = claim_and_register_for_good,
           .act =
               [](Hands& hands) {
                 CHILD_CHECK(
                     hands.registry->set_health(hands.subject, shmreg::Health::passing).ok());
               },
           .before = kOld,
           .after = kOld});
}

BOOST_AUTO_TEST_CASE(a_renewal_leaves_what_it_renews) {
  torment({.what = "renew",
           .prepare =
               [](Hands& hands) {
                 claim(hands);
                 hands.id = hands.registry
                                ->register_for(Owner::time_to_live(std::chrono::hours(1)),
                                               hands.subject, hands.old_spec)
                                .value();
               },
           .act =
               [](Hands& hands) {
                 CHILD_CHECK(hands.registry->renew(hands.subject, hands.id).value());
               },
           .before = kOld,
           .after = kOld});
}

BOOST_AUTO_TEST_CASE(a_registration_that_doubles_the_index_loses_nothing) {
  // Twelve fill three quarters of sixteen slots: the next one makes a larger index.
  torment({.what = "double the index from 16 to 32 slots",
           .prepare = claim,
           .act = [](Hands& hands) { register_for_good(hands, hands.new_spec); },
           .before = kNone,
           .after = kNew,
           .slots = 16,
           .bystanders = 12,
           .anew = true});
}

// --- the process table ---------------------------------------------------------------------------

void attach_and_register(Hands& hands) {
  hands.registry = hands.attach();
  register_own(hands, hands.subject, hands.new_spec);
}

BOOST_AUTO_TEST_CASE(an_attach_leaves_no_living_entry) {
  for (const Whose whose : {Whose::callers, Whose::keepers}) {
    torment({.what = whose == Whose::callers ? "attach" : "attach, in the keeper's thread",
             .prepare = [](Hands&) {},
             .act = attach_and_register,
             .whose = whose,
             .before = kNone,
             .after = kNew,
             .dies_with_victim = true,
             .claimed_again = true});
  }
}

BOOST_AUTO_TEST_CASE(a_detach_leaves_no_living_entry) {
  for (const Whose whose : {Whose::callers, Whose::keepers}) {
    torment({.what = whose == Whose::callers ? "detach" : "detach, in the keeper's thread",
             .prepare = claim,
             .act = [](Hands& hands) { hands.registry.reset(); },
             .whose = whose,
             .claimed_again = true});
  }
}

BOOST_AUTO_TEST_CASE(a_reclaim_of_what_an_earlier_life_left_is_begun_again) {
  // The entry's earlier life leaves a record, and the partition to be swept.
  const auto earlier_life = [](WatchedPartition& partition) {
    const auto dead = partition.victim_of(
        [](Hands& hands) {
          claim(hands);
          register_own(hands, hands.other, {});
        },
        [](Hands&) {});
    dead->kill();
  };
  torment({.what = "reclaim what an earlier life left",
           .prepare = [](Hands& hands) { hands.registry = hands.attach(); },
           .act = [](Hands& hands) { register_own(hands, hands.subject, hands.new_spec); },
           .before = kNone,
           .after = kNew,
           .dies_with_victim = true,
           .meanwhile = earlier_life});
}

// --- after another death -------------------------------------------------------------------------

// One who dies, always at the same point, in the middle of replacing what it registered itself.
class EarlierVictim {
 public:
  explicit EarlierVictim(std::uint64_t dice) : dice_(dice) {}

  void die(WatchedPartition& partition) {
    if (!course_) {
      const auto counting = start_in(partition);
      course_.emplace(*counting, [&] { return partition.look(); });
      counting->kill();
    }
    const auto victim = start_in(partition);
    const auto& half_done = course_->half_done();
    BOOST_REQUIRE(course_->lead(*victim, half_done.at(dice_ % half_done.size())));
    BOOST_REQUIRE(partition.look().half_done);
    victim->kill();
  }

 private:
  static std::unique_ptr<SteppedVictim> start_in(WatchedPartition& partition) {
    auto victim = partition.victim_of(
        [](Hands& hands) {
          claim(hands);
          register_own(hands, hands.other, {});
        },
        [](Hands& hands) { register_own(hands, hands.other, {}); });
    victim->begin();
    return victim;
  }

  std::uint64_t dice_;
  std::optional<Course> course_;
};

BOOST_AUTO_TEST_CASE(a_repair_is_begun_again) {
  if (!can_step()) return;
  Random random = dice("every instruction: repair");
  const bool whole = std::getenv("SHMREG_TORTURE_EVERY") != nullptr;
  for (int death = 0; death < (whole ? 2 : 1); ++death) {
    const auto earlier = std::make_shared<EarlierVictim>(random.next());
    const Plot plot{.what = "repair",
                    .prepare = claim,
                    .act = [](Hands& hands) { register_for_good(hands, hands.new_spec); },
                    .before = kNone,
                    .after = kNew,
                    .entries = 3,
                    .meanwhile = [&](WatchedPartition& partition) { earlier->die(partition); }};
    torment({.what = plot.what, .scene = [&] { return std::make_unique<WatchedPartition>(plot); }},
            random);
  }
}

BOOST_AUTO_TEST_CASE(a_creation_leaves_a_whole_segment_or_none) {
  if (!can_step()) return;
  Random random = dice("every instruction: create");
  torment({.what = "create", .scene = [] { return std::make_unique<CreatedSegment>(); }}, random);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace torture
