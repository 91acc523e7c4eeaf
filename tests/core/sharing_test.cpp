// What a stray write breaks of a shared name is found, and mended.
//
// Claim: of an anchor and its instances (layout/record.hpp) the examination of a segment finds
// whatever contradicts, and says that and nothing else; a writer that comes by afterwards mends it,
// and then lookups and lists find what there still is.
// Method: one thing of a sound shared name is broken, by a store into its bytes, or by the steps
// that writers take, where everything else is to stay accounted for.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/check_sharing.hpp"
#include "core/instances.hpp"
#include "core/repair.hpp"
#include "support/insides.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

using Texts = std::multiset<std::string>;
using Ordinals = std::vector<std::uint16_t>;

constexpr const char* kLonely = "an instance of a name that nobody shares";
constexpr const char* kEmpty = "a shared name without an instance";
constexpr const char* kMisplaced = "what leads to a shared name's instances lies among them";
constexpr const char* kIgnorant = "a shared name does not know of its instances' health";
constexpr const char* kTwice = "the same name stands twice";

std::string says(std::uint32_t count, std::uint32_t last, std::uint32_t has, std::uint32_t up_to) {
  return "a shared name says " + std::to_string(count) + " instances up to " +
         std::to_string(last) + ", has " + std::to_string(has) + " up to " + std::to_string(up_to);
}

struct Fixture {
  ScratchSegment scratch{one_partition()};
  Insides insides{scratch};
  Registry registry = scratch.attach();
  const core::Segment& segment = insides.segment();
  layout::Partition& partition = segment.partition(0);

  // Three instances, and two that nothing is done to.
  Fixture() {
    for (const char* endpoint : {"e1", "e2", "e3"}) share(endpoint);
    share("other", "a/other");
    BOOST_TEST_REQUIRE(insides.add("a/plain", "plain").ok());
    found_problems({});
  }

  std::uint64_t share(const std::string& endpoint, const std::string& name = "a/web") {
    return registry.register_for(Owner::permanent(), name, {.endpoint = endpoint}, {.shared = true})
        .value();
  }

  // What stands under a name: the anchor at 0, instances from 1.
  struct Standing {
    layout::Word64* slot = nullptr;
    core::RecordCopy record;
    std::uint32_t location = 0;
    [[nodiscard]] const layout::RecordHeader& header() const { return record.view().header(); }
  };
  [[nodiscard]] Standing at(std::uint16_t ordinal, std::string_view name = "a/web") const {
    Standing found;
    const auto place = core::WriterIndex(segment, partition)
                           .find(insides.hashed(name).instance(ordinal), found.record);
    BOOST_TEST_REQUIRE(place.slot != nullptr);
    found.slot = place.slot;
    found.location = place.location;
    return found;
  }
  [[nodiscard]] layout::HealthCell& cell(std::uint16_t ordinal) const {
    return *segment.cell(at(ordinal).header().cell);
  }

  // As a writer does it, who keeps every count.
  template <class Change>
  void change(Change change) const {
    core::PartitionLock lock(insides.writer);
    BOOST_TEST_REQUIRE(lock.acquire(0).ok());
    const core::DirtySection dirty(lock.partition());
    core::PartitionWork work(insides.writer, lock);
    core::WriterIndex index(segment, partition);
    change(work, index);
  }
  // What stands there goes, and tells nobody.
  void take_away(std::uint16_t ordinal) const {
    const Standing gone = at(ordinal);
    change([&](core::PartitionWork& work, core::WriterIndex& index) {
      index.clear(gone.slot);
      work.give_anchor({gone.header().cell, gone.location, gone.header().size_class});
    });
  }
  // One more record under the name of what stands there; with `first` the one that probes meet.
  void put_twice(std::string_view name, std::uint16_t ordinal, bool first) const {
    const Standing old = at(ordinal, name);
    const core::HashedName hashed = insides.hashed(name).instance(ordinal);
    change([&](core::PartitionWork& work, core::WriterIndex& index) {
      core::PartitionWork::New record;
      record.header = old.header();
      record.header.id = segment.header().next_id.fetch_add(1);
      record.name = &hashed;
      record.content.endpoint = "twice";
      const std::uint64_t state = segment.cell(old.header().cell)->deadline_ns.load();
      record.header.cell = work.add_cell(record.header.id, state, std::nullopt).value();
      const std::uint32_t location = work.compose(record).value();
      work.set_cell_location(record.header.cell, location);
      // In the bucket of the other one, before or behind it.
      layout::Word64* slot = index.slots() + (old.slot - index.slots()) / 8 * 8;
      while (layout::location_of_slot(slot->load()) != 0) ++slot;
      BOOST_TEST_REQUIRE((slot - index.slots()) / 8 == (old.slot - index.slots()) / 8);
      index.fill(slot, layout::make_slot(hashed.place, hashed.namespace_tag, location));
      if (first != (slot < old.slot)) slot->store(old.slot->exchange(slot->load()));
    });
  }

  void found_problems(const Texts& wanted) const {
    Texts found;
    for (const Problem& problem : doctor(scratch.name()).problems) {
      found.insert(problem.what);
      BOOST_TEST(problem.repairable, problem.what);
      BOOST_TEST(problem.where.starts_with("partition 0"), problem.where);
    }
    BOOST_TEST(found == wanted, boost::test_tools::per_element());
  }
  void mend() {
    leave_dirty(insides);
    BOOST_TEST(registry.repair().value() == 1U);
    found_problems({});
  }

  // What is found under the name, whichever way it is looked for; and what is beside it.
  void finds(const Texts& wanted) const {
    Texts all;
    if (const auto found = registry.lookup_all("a/web")) {
      for (const Service& each : *found) all.emplace(each.endpoint());
    }
    BOOST_TEST(all == wanted, boost::test_tools::per_element());
    Texts listed;
    const auto list = registry.list().value();
    for (const Service& each : list) {
      if (each.full_name() == "a/web") listed.emplace(each.endpoint());
    }
    BOOST_TEST(listed == wanted, boost::test_tools::per_element());
    BOOST_TEST(list.size() == wanted.size() + 2);
    // Each gets its turn; after a gap, two of them.
    std::set<std::string> met;
    Service found;
    for (int i = 0; !wanted.empty() && i < 12; ++i) {
      BOOST_TEST((registry.lookup("a/web", found) == Errc::ok));
      met.emplace(found.endpoint());
    }
    BOOST_TEST((met == std::set<std::string>(wanted.begin(), wanted.end())));
    if (wanted.empty()) BOOST_TEST((registry.lookup("a/web", found) == Errc::not_found));
    BOOST_TEST(registry.lookup("a/plain")->endpoint() == "plain");
    BOOST_TEST(registry.lookup("a/other")->endpoint() == "other");
    const DoctorReport report = doctor(scratch.name());
    if (report.problems.empty()) BOOST_TEST(report.services == list.size());
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sharing, Fixture)

BOOST_AUTO_TEST_CASE(an_anchor_that_counts_its_instances_wrong_is_found_and_set_right) {
  for (const std::uint32_t count : {0U, 2U, 4U, 0xffff'ffffU}) {
    cell(0).deadline_ns.store(layout::AnchorState{count, 3}.word());
    found_problems(
        {"a shared name says " + std::to_string(count) + " instances up to 3, has 3 up to 3"});
    mend();
    finds({"e1", "e2", "e3"});
  }
}

BOOST_AUTO_TEST_CASE(an_anchor_that_hides_instances_is_found_and_set_right) {
  for (const std::uint16_t last : Ordinals{0, 2}) {
    cell(0).deadline_ns.store(layout::AnchorState{3, last}.word());
    found_problems({says(3, last, 3, 3)});
    BOOST_TEST(registry.list()->size() == 2U + last);
    mend();
    finds({"e1", "e2", "e3"});
  }
}

BOOST_AUTO_TEST_CASE(an_anchor_that_leads_too_far_is_found_and_set_right) {
  for (const std::uint16_t last : Ordinals{4, 0xffff}) {
    cell(0).deadline_ns.store(layout::AnchorState{3, last}.word());
    found_problems({says(3, last, 3, 3)});
    BOOST_TEST(registry.lookup_all("a/web")->size() == 3U);
    mend();
    BOOST_TEST(cell(0).deadline_ns.load() == (layout::AnchorState{3, 3}.word()));
    finds({"e1", "e2", "e3"});
  }
}

BOOST_AUTO_TEST_CASE(repair_counts_what_is_there_and_leaves_gaps) {
  const std::uint64_t second = at(2).header().id;
  BOOST_TEST(registry.unregister("a/web", {.id = second}).value());
  cell(0).deadline_ns.store(0);
  found_problems({says(0, 0, 2, 3)});
  mend();
  BOOST_TEST(cell(0).deadline_ns.load() == (layout::AnchorState{2, 3}.word()));
  finds({"e1", "e3"});
}

BOOST_AUTO_TEST_CASE(an_instance_whose_anchor_has_gone_is_found_and_goes) {
  take_away(0);
  found_problems({kLonely});
  finds({});
  mend();
  finds({});
  // Nothing of it is in the way of who shares the name next, or has it for himself.
  share("anew");
  BOOST_TEST(at(1).header().id == registry.lookup("a/web")->id());
  finds({"anew"});
  BOOST_TEST(registry.unregister("a/web").value());
  BOOST_TEST(registry.register_for(Owner::permanent(), "a/web", {.endpoint = "alone"}).ok());
  finds({"alone"});
  found_problems({});
}

// The bit alone that makes it an anchor.
BOOST_AUTO_TEST_CASE(an_anchor_that_has_become_a_service_loses_its_instances) {
  at(0).record.words()[layout::kKindWord].fetch_and(~(std::uint64_t{layout::kAnchor} << 40));
  found_problems({kLonely});
  finds({""});
  mend();
  finds({""});
}

BOOST_AUTO_TEST_CASE(an_anchor_whose_instances_have_gone_is_found_and_goes) {
  for (const std::uint16_t ordinal : Ordinals{1, 2, 3}) take_away(ordinal);
  found_problems({kEmpty});
  finds({});
  mend();
  finds({});
  BOOST_TEST(registry.register_for(Owner::permanent(), "a/web", {.endpoint = "alone"}).ok());
  BOOST_TEST(!registry.lookup("a/web")->shared());
  finds({"alone"});
  found_problems({});
}

BOOST_AUTO_TEST_CASE(an_anchor_among_the_instances_is_found_and_goes) {
  at(2).record.words()[layout::kKindWord].fetch_or(std::uint64_t{layout::kAnchor} << 40);
  found_problems({kMisplaced, says(3, 3, 2, 3)});
  mend();
  finds({"e1", "e3"});
  // However well the other one counts.
  at(3).record.words()[layout::kKindWord].fetch_or(std::uint64_t{layout::kAnchor} << 40);
  cell(0).deadline_ns.store(layout::AnchorState{1, 1}.word());
  found_problems({kMisplaced});
  mend();
  finds({"e1"});
}

BOOST_AUTO_TEST_CASE(two_records_under_one_name_are_found_and_the_one_that_lookups_find_stays) {
  for (const bool first : {false, true}) {
    put_twice("a/plain", 0, first);
    found_problems({kTwice});
    const std::string kept(registry.lookup("a/plain")->endpoint());
    BOOST_TEST(kept == (first ? "twice" : "plain"));
    mend();
    BOOST_TEST(registry.lookup("a/plain")->endpoint() == kept);
    BOOST_TEST(registry.list()->size() == 5U);
  }
}

BOOST_AUTO_TEST_CASE(two_instances_of_one_ordinal_are_found_and_the_one_that_lookups_find_stays) {
  put_twice("a/web", 2, false);
  found_problems({kTwice, says(3, 3, 4, 3)});
  finds({"e1", "e2", "e3"});
  mend();
  finds({"e1", "e2", "e3"});
  put_twice("a/web", 2, true);
  found_problems({kTwice, says(3, 3, 4, 3)});
  mend();
  finds({"e1", "twice", "e3"});
}

BOOST_AUTO_TEST_CASE(two_anchors_of_one_name_are_found_and_the_one_that_lookups_find_stays) {
  for (const bool first : {false, true}) {
    const std::uint64_t old = at(0).header().id;
    put_twice("a/web", 0, first);
    found_problems({kTwice});
    mend();
    BOOST_TEST((at(0).header().id == old) != first);
    finds({"e1", "e2", "e3"});
  }
}

// Readers would take the first that comes.
BOOST_AUTO_TEST_CASE(an_anchor_that_knows_of_no_health_is_found_and_told_of_it) {
  const std::uint64_t third = at(3).header().id;
  BOOST_TEST(registry.set_health("a/web", Health::passing, third).ok());
  found_problems({});
  const auto always_third = [&] {
    for (int i = 0; i < 10; ++i) BOOST_TEST(registry.lookup("a/web")->id() == third);
  };
  always_third();
  cell(0).health.store(static_cast<std::uint32_t>(Health::unknown));
  found_problems({kIgnorant});
  mend();
  always_third();
  // That it knows of one that has gone is no mistake.
  BOOST_TEST(registry.unregister("a/web", {.id = third}).value());
  found_problems({});
  mend();
  finds({"e1", "e2"});
}

BOOST_AUTO_TEST_SUITE_END()
