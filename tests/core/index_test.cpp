// The index: probing, deletion, the rule of tombstones and empty slots, and what it does when full.
#include "core/index.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <string>
#include <vector>

#include "core/listing.hpp"
#include "core/run_walk.hpp"
#include "support/insides.hpp"

using namespace shmreg;
using namespace shmreg::test;
using core::WriterIndex;
using layout::kBucketSlots;
using layout::kEmptySlot;

namespace {

constexpr std::uint32_t kLog2Slots = 6;  // eight buckets

struct Fixture {
  ScratchSegment scratch{one_partition(1U << kLog2Slots)};
  Insides insides{scratch};

  [[nodiscard]] layout::Partition& partition() const { return insides.segment().partition(0); }
  [[nodiscard]] WriterIndex index() const { return {insides.segment(), partition()}; }
  // Which bucket a name stands in; none: -1.
  [[nodiscard]] int bucket_of(const std::string& name) const {
    const WriterIndex now = index();
    core::RecordCopy copy;
    const auto place = now.find(insides.hashed(name), copy);
    return place.slot == nullptr ? -1 : static_cast<int>((place.slot - now.slots()) / 8);
  }
  // The words of a bucket.
  [[nodiscard]] std::vector<std::uint64_t> bucket(std::uint64_t number) const {
    std::vector<std::uint64_t> words;
    const WriterIndex now = index();
    for (std::size_t i = 0; i < kBucketSlots; ++i) {
      words.push_back(now.slots()[number * kBucketSlots + i].load());
    }
    return words;
  }
  [[nodiscard]] bool sound() const { return doctor(scratch.name()).problems.empty(); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(index_of_a_partition, Fixture)

BOOST_AUTO_TEST_CASE(a_full_bucket_leads_on_to_the_next) {
  const auto names = insides.names_at(3, kLog2Slots, 20);
  for (const auto& name : names) BOOST_TEST_REQUIRE(insides.add(name).ok());
  for (std::size_t i = 0; i < names.size(); ++i) {
    BOOST_TEST(bucket_of(names[i]) == static_cast<int>(3 + i / kBucketSlots));
    BOOST_TEST((insides.lookup(names[i]) == Errc::ok));
  }
  BOOST_TEST(partition().services.load() == 20U);
  BOOST_TEST(sound());
}

BOOST_AUTO_TEST_CASE(a_probe_goes_round_from_the_last_bucket_to_the_first) {
  const auto names = insides.names_at(7, kLog2Slots, 18);
  for (const auto& name : names) BOOST_TEST_REQUIRE(insides.add(name).ok());
  BOOST_TEST(bucket_of(names[0]) == 7);
  BOOST_TEST(bucket_of(names[8]) == 0);
  BOOST_TEST(bucket_of(names[17]) == 1);
  for (const auto& name : names) BOOST_TEST((insides.lookup(name) == Errc::ok));
  BOOST_TEST(sound());
}

BOOST_AUTO_TEST_CASE(deletion_leaves_an_empty_slot_only_where_the_bucket_has_one) {
  const auto names = insides.names_at(2, kLog2Slots, 10);
  for (const auto& name : names) BOOST_TEST_REQUIRE(insides.add(name).ok());
  // Bucket 2 is full, so what lies in bucket 3 must stay reachable through it.
  BOOST_TEST(insides.remove(names[0]).value());
  BOOST_TEST(bucket(2)[0] == layout::kTombstone);
  BOOST_TEST(partition().tombstones.load() == 1U);
  BOOST_TEST((insides.lookup(names[8]) == Errc::ok));
  BOOST_TEST((insides.lookup(names[9]) == Errc::ok));
  // Bucket 3 has empty slots: no probe goes on from it.
  BOOST_TEST(insides.remove(names[9]).value());
  BOOST_TEST(bucket(3)[1] == kEmptySlot);
  BOOST_TEST(partition().tombstones.load() == 1U);
  BOOST_TEST((insides.lookup(names[8]) == Errc::ok));
  BOOST_TEST((insides.lookup(names[9]) == Errc::not_found));
  BOOST_TEST(sound());
}

BOOST_AUTO_TEST_CASE(a_tombstone_is_used_again) {
  const auto names = insides.names_at(2, kLog2Slots, 12);
  for (std::size_t i = 0; i < 10; ++i) BOOST_TEST_REQUIRE(insides.add(names[i]).ok());
  BOOST_TEST(insides.remove(names[4]).value());
  BOOST_TEST(partition().tombstones.load() == 1U);
  BOOST_TEST(insides.add(names[10]).ok());
  BOOST_TEST(bucket_of(names[10]) == 2);
  BOOST_TEST(partition().tombstones.load() == 0U);
  BOOST_TEST((insides.lookup(names[10]) == Errc::ok));
  BOOST_TEST((insides.lookup(names[9]) == Errc::ok));
  BOOST_TEST(sound());
}

BOOST_AUTO_TEST_CASE(a_name_is_never_stored_twice_though_a_slot_before_it_became_free) {
  const auto names = insides.names_at(2, kLog2Slots, 10);
  for (const auto& name : names) BOOST_TEST_REQUIRE(insides.add(name).ok());
  BOOST_TEST(insides.remove(names[0]).value());
  // names[9] lies beyond the tombstone: it must be found before the tombstone is taken for it.
  BOOST_TEST((insides.add(names[9]).code() == Errc::already_registered));
  BOOST_TEST(partition().services.load() == 9U);
  BOOST_TEST(sound());
}

BOOST_AUTO_TEST_CASE(an_update_stays_in_its_slot) {
  const auto names = insides.names_at(5, kLog2Slots, 3);
  for (const auto& name : names) BOOST_TEST_REQUIRE(insides.add(name, "old", true).ok());
  const auto before = bucket(5);
  BOOST_TEST(core::ServiceTable(insides.writer)
                 .update(insides.hashed(names[1]), std::nullopt, {"new", {}})
                 .ok());
  const auto after = bucket(5);
  BOOST_TEST(after[0] == before[0]);
  BOOST_TEST(after[1] != before[1]);
  BOOST_TEST(after[2] == before[2]);
  BOOST_TEST(sound());
}

BOOST_AUTO_TEST_CASE(an_index_that_gets_full_is_rebuilt_larger_and_loses_nothing) {
  std::vector<std::string> names;
  for (int i = 0; i < 1'000; ++i) names.push_back("g/" + std::to_string(i));
  for (const auto& name : names) BOOST_TEST_REQUIRE(insides.add(name).ok());
  BOOST_TEST(index().slot_count() >= 1'334U);
  BOOST_TEST(partition().rebuilds.load() >= 4U);
  int found = 0;
  for (const auto& name : names) found += insides.lookup(name) == Errc::ok ? 1 : 0;
  BOOST_TEST(found == 1'000);
  BOOST_TEST(sound());
}

BOOST_AUTO_TEST_CASE(tombstones_are_cleared_by_a_rebuild_of_the_same_size) {
  // Full buckets, emptied and filled with others again and again.
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> names;
    for (int i = 0; i < 40; ++i) {
      names.push_back("r" + std::to_string(round) + "/" + std::to_string(i));
    }
    for (const auto& name : names) BOOST_TEST_REQUIRE(insides.add(name).ok());
    for (const auto& name : names) BOOST_TEST((insides.lookup(name) == Errc::ok));
    for (const auto& name : names) BOOST_TEST_REQUIRE(insides.remove(name).value());
  }
  BOOST_TEST_REQUIRE(insides.add("one/more").ok());
  BOOST_TEST(index().slot_count() <= 256U);
  BOOST_TEST(partition().services.load() == 1U);
  BOOST_TEST(partition().tombstones.load() * 4 <= index().slot_count());
  BOOST_TEST(sound());
}

BOOST_AUTO_TEST_CASE(the_memory_of_an_index_is_used_again_for_indices) {
  // Two sizes, back and forth: no more runs than there ever were indices at once.
  std::vector<std::string> names;
  for (int i = 0; i < 300; ++i) names.push_back("g/" + std::to_string(i));
  const auto runs = [&] {
    int indices = 0;
    core::for_each_run(insides.segment(), [&](std::uint64_t, const layout::Run& run) {
      indices += run.kind == layout::RunKind::index ? 1 : 0;
    });
    return indices;
  };
  int settled = 0;
  for (int round = 0; round < 6; ++round) {
    for (const auto& name : names) BOOST_TEST_REQUIRE(insides.add(name).ok());
    for (const auto& name : names) BOOST_TEST_REQUIRE(insides.remove(name).value());
    if (round == 2) settled = runs();
  }
  BOOST_TEST(runs() == settled);
  BOOST_TEST(sound());
}

BOOST_AUTO_TEST_CASE(a_probe_through_an_index_without_an_empty_slot_comes_to_an_end) {
  // Damage, or the work of a hostile writer: nothing in it says "stop".
  BOOST_TEST_REQUIRE(insides.add("a/there").ok());
  const WriterIndex now = index();
  for (std::uint64_t i = 0; i < now.slot_count(); ++i) {
    if (layout::location_of_slot(now.slots()[i].load()) == 0) {
      now.slots()[i].store(layout::kTombstone);
    }
  }
  core::RecordCopy copy;
  BOOST_TEST(now.find(insides.hashed("a/absent"), copy).slot == nullptr);
  BOOST_TEST((insides.lookup("a/absent") == Errc::not_found));
  BOOST_TEST((insides.lookup("a/there") == Errc::ok));
  std::vector<Service> services;
  BOOST_TEST((core::read_partition(insides.segment(), insides.attachment->watch(), 0, std::nullopt,
                                   services) == Errc::ok));
  BOOST_TEST(services.size() == 1U);
  leave_dirty(insides);
  BOOST_TEST(insides.add("a/new").ok());
  BOOST_TEST((insides.lookup("a/there") == Errc::ok));
  BOOST_TEST(sound());
}

BOOST_AUTO_TEST_CASE(names_of_equal_hash_bits_are_told_apart_by_their_keys) {
  // Two names whose slots cannot be told apart: same home bucket, same 16 bits.
  std::map<std::pair<std::uint64_t, std::uint16_t>, std::string> seen;
  std::string one;
  std::string two;
  for (int i = 0; two.empty(); ++i) {
    std::string name = "h/" + std::to_string(i);
    const auto hash = insides.hashed(name).hash;
    const auto [at, fresh] =
        seen.emplace(std::pair(core::home_bucket(hash, kLog2Slots), layout::slot_hash(hash)), name);
    if (!fresh) {
      one = at->second;
      two = name;
    }
  }
  BOOST_TEST_REQUIRE(insides.add(one, "one").ok());
  BOOST_TEST((insides.lookup(two) == Errc::not_found));
  BOOST_TEST_REQUIRE(insides.add(two, "two").ok());
  Service found;
  BOOST_TEST((insides.lookup(one, found) == Errc::ok));
  BOOST_TEST(found.endpoint() == "one");
  BOOST_TEST((insides.lookup(two, found) == Errc::ok));
  BOOST_TEST(found.endpoint() == "two");
  BOOST_TEST(insides.remove(one).value());
  BOOST_TEST((insides.lookup(one) == Errc::not_found));
  BOOST_TEST((insides.lookup(two) == Errc::ok));
}

BOOST_AUTO_TEST_SUITE_END()
