// Repair after a death anywhere in the middle of an operation.
//
// Claim: whatever store of an operation was a writer's last, (1) readers see the state before or
// after the operation and nothing else, (2) nothing that the operation is not about changes, and
// (3) the next writer finds or makes the partition sound, with nothing leaked. The same holds for a
// repair that is itself cut short.
// Method: a child performs the operation under ptrace, one instruction at a time; every state of
// the segment that differs from the one before it is kept. Then the child is killed, and each state
// is put into a segment of its own: first looked at by a reader, then, with the writer marked as
// dead, examined and written by this process.
#include "core/repair.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <set>
#include <string>

#include "core/stepped_states.hpp"
#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/sanitizers.hpp"
#include "support/skipped.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

constexpr int kBystanders = 12;

std::string bystander(int i) { return "by/stander" + std::to_string(i); }

// As the kernel leaves the entries of dead processes.
void mark_everybody_dead(Bytes& bytes, const layout::Geometry& geometry) {
  for (std::uint32_t e = 0; e < geometry.max_processes; ++e) {
    const std::size_t at = geometry.processes_offset() + e * sizeof(layout::ProcessEntry);
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    auto state = layout::MarkState::of(word);
    if (state.generation == 0) continue;
    state.mark = sys::kOwnerDied | sys::kWakeOnDeath;
    word = state.word();
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
}

// What a reader may see of the service that the operation is about: endpoints; "-" for none.
using Answers = std::set<std::string>;

std::string answer_of(const Registry& registry, const std::string& name) {
  Service found;
  const Errc outcome = registry.lookup(name, found);
  if (outcome == Errc::not_found) return "-";
  return outcome == Errc::ok ? std::string(found.endpoint()) : describe(outcome);
}

struct Case {
  std::string what;
  CreateOptions options = one_partition();
  Operation prepare = [](const Insides&) {};
  Operation operation;
  std::string name = "a/subject";
  Answers allowed;
};

Registry attach(const std::string& segment, Access access) {
  AttachOptions options;
  options.access = access;
  return Registry::attach(segment, options);
}

// `state` put into a segment of its own, looked at, and written by this process.
void examine(const Case& wanted, Bytes state, const layout::Geometry& geometry, std::uint64_t limit,
             std::size_t number) {
  BOOST_TEST_CONTEXT(wanted.what << ", state " << number) {
    {
      const ScratchSegment as_it_was(state, limit);
      const auto reader = attach(as_it_was.name(), Access::read_only);
      const std::string answer = answer_of(reader, wanted.name);
      BOOST_TEST(wanted.allowed.count(answer) == 1U, "a reader saw '" << answer << "'");
      const auto listed = reader.list();
      BOOST_TEST_REQUIRE(listed.ok(), listed.message());
      const bool subject = answer != "-";
      int bystanders = 0;
      for (const Service& service : *listed) {
        bystanders += service.namespace_name() == "by" ? 1 : 0;
      }
      BOOST_TEST(bystanders == kBystanders);
      (void)subject;
      (void)doctor(as_it_was.name());  // whatever it says of this
    }
    mark_everybody_dead(state, geometry);
    const ScratchSegment after_death(state, limit);
    auto registry = attach(after_death.name(), Access::read_write);
    const auto fresh = registry.register_service("fresh/one", {.endpoint = "fresh"});
    BOOST_TEST_REQUIRE(fresh.ok(), fresh.message());
    for (int i = 0; i < kBystanders; ++i) {
      BOOST_TEST(answer_of(registry, bystander(i)) == "stays");
    }
    const auto report = doctor(after_death.name());
    for (const Problem& problem : report.problems) {
      BOOST_ERROR(problem.where << ": " << problem.what);
    }
    // The name can be had, and given up, whoever held it.
    const auto mine =
        registry.register_service(wanted.name, {.endpoint = "mine"}, {.replace = true});
    BOOST_TEST(mine.ok(), mine.message());
    BOOST_TEST(answer_of(registry, wanted.name) == "mine");
    BOOST_TEST(registry.unregister(wanted.name).value());
    BOOST_TEST(doctor(after_death.name()).problems.empty());
  }
}

void check_every_state(const Case& wanted) {
  if (kUnderTsan) return skipped("one thread, in which ThreadSanitizer has nothing to find");
  const ScratchSegment scratch(wanted.options);
  const States states(
      scratch,
      [&](const Insides& insides) {
        for (int i = 0; i < kBystanders; ++i) {
          CHILD_CHECK(insides.add(bystander(i), "stays").ok());
        }
        wanted.prepare(insides);
      },
      wanted.operation);
  if (!states.complete()) return skipped("may not trace a child");
  const layout::Geometry geometry{wanted.options.max_size_bytes, wanted.options.partitions,
                                  wanted.options.max_processes, wanted.options.initial_slots};
  // An operation that is seen in fewer states than these was not seen at all. (With a stride, or
  // cut short, some of these pass unseen.)
  if (!kSanitized) BOOST_TEST(states.all().size() > 3U);
  std::size_t number = 0;
  for (const Bytes& state : states.all()) {
    examine(wanted, state, geometry, wanted.options.max_size_bytes, number++);
  }
  BOOST_TEST_MESSAGE(wanted.what << ": " << states.all().size() << " states");
}

const std::string kSmall = "small";
const std::string kLarge(3'000, 'L');

Status update(const Insides& insides, std::string_view name, std::string_view endpoint) {
  return core::ServiceTable(insides.writer)
      .update(insides.hashed(name), std::nullopt, {endpoint, {}});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(repair)

BOOST_AUTO_TEST_CASE(a_registration_cut_short_anywhere_has_happened_or_has_not) {
  check_every_state({.what = "register",
                     .operation = [](const Insides& i) { (void)i.add("a/subject", "new").ok(); },
                     .allowed = {"-", "new"}});
}

BOOST_AUTO_TEST_CASE(a_registration_of_its_own_cut_short_anywhere_has_happened_or_has_not) {
  check_every_state(
      {.what = "register for oneself",
       .prepare = [](const Insides& i) { CHILD_CHECK(i.add("a/other", "o", true).ok()); },
       .operation = [](const Insides& i) { (void)i.add("a/subject", "new", true).ok(); },
       .allowed = {"-", "new"}});
}

BOOST_AUTO_TEST_CASE(a_replacement_cut_short_anywhere_leaves_the_old_or_the_new) {
  check_every_state(
      {.what = "own name again",
       .prepare = [](const Insides& i) { CHILD_CHECK(i.add("a/subject", "old", true).ok()); },
       .operation = [](const Insides& i) { (void)i.add("a/subject", "new", true).ok(); },
       .allowed = {"old", "new"}});
}

BOOST_AUTO_TEST_CASE(an_update_cut_short_anywhere_leaves_the_old_or_the_new) {
  check_every_state(
      {.what = "update",
       .prepare = [](const Insides& i) { CHILD_CHECK(i.add("a/subject", "old", true).ok()); },
       .operation = [](const Insides& i) { (void)update(i, "a/subject", "new").ok(); },
       .allowed = {"old", "new"}});
}

BOOST_AUTO_TEST_CASE(an_update_into_a_run_of_its_own_cut_short_leaves_the_old_or_the_new) {
  check_every_state(
      {.what = "update to a larger record",
       .prepare = [](const Insides& i) { CHILD_CHECK(i.add("a/subject", "old", true).ok()); },
       .operation = [](const Insides& i) { (void)update(i, "a/subject", kLarge).ok(); },
       .allowed = {"old", kLarge}});
}

BOOST_AUTO_TEST_CASE(an_unregistration_cut_short_anywhere_has_happened_or_has_not) {
  check_every_state({.what = "unregister",
                     .prepare =
                         [](const Insides& i) {
                           CHILD_CHECK(i.add("a/one", "o", true).ok());
                           CHILD_CHECK(i.add("a/subject", "old", true).ok());
                           CHILD_CHECK(i.add("a/two", "o", true).ok());
                         },
                     .operation = [](const Insides& i) { (void)i.remove("a/subject").ok(); },
                     .allowed = {"old", "-"}});
}

BOOST_AUTO_TEST_CASE(a_registration_that_rebuilds_the_index_cut_short_loses_nothing) {
  // Twelve bystanders fill three quarters of sixteen slots: the next one makes a larger index.
  check_every_state({.what = "register and rebuild",
                     .operation = [](const Insides& i) { (void)i.add("a/subject", "new").ok(); },
                     .allowed = {"-", "new"}});
  // The same, into the memory of an index that was in use before.
  check_every_state({.what = "register and rebuild into used memory",
                     .prepare =
                         [](const Insides& i) {
                           for (int n = 0; n < 60; ++n)
                             CHILD_CHECK(i.add("t/" + std::to_string(n)).ok());
                           for (int n = 0; n < 60; ++n)
                             CHILD_CHECK(i.remove("t/" + std::to_string(n)).value());
                           // Until the next registration clears tombstones.
                           core::WriterIndex index(i.segment(), i.segment().partition(0));
                           for (int n = 0; !index.wants_rebuild() && n < 2'000; ++n) {
                             CHILD_CHECK(i.add("u/" + std::to_string(n)).ok());
                             CHILD_CHECK(i.remove("u/" + std::to_string(n)).value());
                           }
                         },
                     .operation = [](const Insides& i) { (void)i.add("a/subject", "new").ok(); },
                     .allowed = {"-", "new"}});
}

BOOST_AUTO_TEST_CASE(a_renewal_cut_short_anywhere_leaves_a_deadline) {
  check_every_state(
      {.what = "renew",
       .prepare =
           [](const Insides& i) {
             core::Registering request;
             request.name = i.hashed("a/subject");
             request.kind = OwnerKind::ttl;
             request.period_ns = 3'600'000'000'000;
             std::vector<unsigned char> period;
             core::append_attribute(period, layout::AttributeKind::period, {},
                                    core::bytes_of(request.period_ns));
             request.content = {"ttl", period};
             CHILD_CHECK(core::Registrar(i.writer).add(request).ok());
           },
       .operation =
           [](const Insides& i) {
             Service found;
             (void)i.lookup("a/subject", found);
             (void)core::ServiceTable(i.writer).renew(i.hashed("a/subject"), found.id()).ok();
           },
       .allowed = {"ttl"}});
}

BOOST_AUTO_TEST_CASE(a_takeover_of_a_dead_owners_name_cut_short_gives_nobody_the_dead_one) {
  check_every_state(
      {.what = "take a dead owner's name",
       .prepare =
           [](const Insides& i) {
             // Somebody else's, in an entry that nobody holds any more.
             core::Registering request;
             request.name = i.hashed("a/subject");
             request.life = layout::EntryLife{3, 0};
             request.content.endpoint = "dead";
             CHILD_CHECK(core::Registrar(i.writer).add(request).ok());
           },
       .operation = [](const Insides& i) { (void)i.add("a/subject", "new", true).ok(); },
       .allowed = {"-", "new"}});
}

BOOST_AUTO_TEST_CASE(a_repair_cut_short_anywhere_is_begun_again) {
  check_every_state({.what = "repair",
                     .prepare =
                         [](const Insides& i) {
                           for (int n = 0; n < 3; ++n) {
                             CHILD_CHECK(i.add("a/own" + std::to_string(n), "o", true).ok());
                           }
                           CHILD_CHECK(i.add("a/subject", "old", true).ok());
                           CHILD_CHECK(i.add("a/removed", "x", true).ok());
                           // As a writer leaves it that died right after the stamp of what it
                           // unregistered, with its lists in the middle of a change.
                           core::RecordCopy copy;
                           const core::WriterIndex index(i.segment(), i.segment().partition(0));
                           CHILD_CHECK(index.find(i.hashed("a/removed"), copy).slot != nullptr);
                           copy.words()[layout::kStampWord].store(0);
                           i.segment().partition(0).free_cells.store(0);
                           i.segment().partition(0).free_records.at(0).store(0);
                           i.segment().partition(0).services.store(77);
                           leave_dirty(i);
                         },
                     .operation =
                         [](const Insides& i) {
                           core::PartitionLock lock(i.writer);
                           (void)lock.acquire(0).ok();
                         },
                     .allowed = {"old"}});
}

BOOST_AUTO_TEST_SUITE_END()
