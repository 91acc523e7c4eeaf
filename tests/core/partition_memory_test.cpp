// A partition's memory: records by size class, health cells, indices; each place given once.
#include "core/partition_memory.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <vector>

#include "core/run_walk.hpp"
#include "support/insides.hpp"

using namespace shmreg;
using namespace shmreg::test;
using core::PartitionMemory;
using layout::kSizeClasses;

namespace {

struct Fixture {
  ScratchSegment scratch{[] {
    CreateOptions options = one_partition();
    options.partitions = 2;
    options.max_size_bytes = std::uint64_t{64} << 20;
    return options;
  }()};
  Insides insides{scratch};
  const core::Segment& segment = insides.segment();
  PartitionMemory memory{segment, 1};
  layout::Partition& partition = segment.partition(1);
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(partition_memory, Fixture)

BOOST_AUTO_TEST_CASE(records_of_every_class_are_apart_and_their_partitions) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> places;
  for (std::size_t size_class = 0; size_class < kSizeClasses.size(); ++size_class) {
    for (int i = 0; i < 40; ++i) {
      const std::uint32_t location = memory.take_record(size_class).value();
      const std::uint64_t begin = std::uint64_t{location} * layout::kUnitBytes;
      places.emplace(begin, begin + kSizeClasses.at(size_class).record_bytes);
      BOOST_TEST(core::is_record_of(segment, 1, location, static_cast<std::uint32_t>(size_class)));
      BOOST_TEST(!core::is_record_of(segment, 0, location, static_cast<std::uint32_t>(size_class)));
      // A fresh one is nobody's yet, for whoever comes across it.
      BOOST_TEST(segment.record(location, 64)[layout::kStampWord].load() == 0U);
    }
  }
  BOOST_TEST(places.size() == 40 * kSizeClasses.size());
  std::uint64_t end = 0;
  for (const auto& place : places) {
    BOOST_TEST(place.first >= end);
    end = place.second;
  }
}

BOOST_AUTO_TEST_CASE(a_record_given_back_is_the_next_one_taken) {
  const std::uint32_t one = memory.take_record(4).value();
  const std::uint32_t two = memory.take_record(4).value();
  segment.record(one, 64)[layout::kStampWord].store(77);
  memory.give_record(one, 4);
  BOOST_TEST(segment.record(one, 64)[layout::kStampWord].load() == 0U);
  BOOST_TEST(memory.take_record(4).value() == one);
  BOOST_TEST(memory.take_record(4).value() != two);
}

BOOST_AUTO_TEST_CASE(what_is_given_back_serves_its_own_class_alone) {
  const std::uint32_t small = memory.take_record(0).value();
  memory.give_record(small, 0);
  BOOST_TEST(memory.take_record(1).value() != small);
  BOOST_TEST(memory.take_record(0).value() == small);
}

BOOST_AUTO_TEST_CASE(cells_are_apart_and_come_back) {
  std::set<std::uint32_t> cells;
  for (int i = 0; i < 300; ++i) {
    const std::uint32_t cell = memory.take_cell().value();
    BOOST_TEST(cells.insert(cell).second);
    BOOST_TEST(core::is_cell_of(segment, 1, cell));
    BOOST_TEST(!core::is_cell_of(segment, 0, cell));
    BOOST_TEST(segment.cell(cell)->id.load() == 0U);
  }
  const std::uint32_t last = *cells.rbegin();
  segment.cell(last)->id.store(5);
  memory.give_cell(last);
  BOOST_TEST(segment.cell(last)->id.load() == 0U);
  BOOST_TEST(memory.take_cell().value() == last);
}

BOOST_AUTO_TEST_CASE(an_index_taken_is_empty_whatever_it_held_before) {
  auto index = memory.take_index(6).value();
  for (std::uint64_t i = 0; i < index.slots(); ++i) segment.slots(index)[i].store(~i);
  memory.give_index(index);
  const auto other = memory.take_index(7).value();
  BOOST_TEST(other.first_granule != index.first_granule);
  const auto again = memory.take_index(6).value();
  BOOST_TEST(again.first_granule == index.first_granule);
  for (std::uint64_t i = 0; i < again.slots(); ++i) {
    BOOST_TEST_REQUIRE(segment.slots(again)[i].load() == layout::kEmptySlot);
  }
}

BOOST_AUTO_TEST_CASE(several_indices_wait_for_their_next_use) {
  std::set<std::uint64_t> first;
  for (int i = 0; i < 4; ++i) first.insert(memory.take_index(5)->first_granule);
  BOOST_TEST(first.size() == 4U);
  for (const std::uint64_t granule : first) memory.give_index({granule, 5});
  std::set<std::uint64_t> second;
  for (int i = 0; i < 4; ++i) second.insert(memory.take_index(5)->first_granule);
  BOOST_TEST((first == second));
}

BOOST_AUTO_TEST_CASE(there_is_a_smallest_and_a_largest_index) {
  BOOST_TEST(!memory.take_index(layout::kMinLog2Slots - 1).ok());
  BOOST_TEST(!memory.take_index(layout::kMaxLog2Slots + 1).ok());
  BOOST_TEST(memory.take_index(layout::kMinLog2Slots).ok());
  const auto largest = memory.take_index(layout::kMaxLog2Slots).value();
  segment.slots(largest)[largest.slots() - 1].store(1);
}

BOOST_AUTO_TEST_CASE(a_free_list_that_leads_outside_is_damage_and_no_crash) {
  for (const std::uint32_t at : {1U, 0x7fff'ffffU, 0xffff'ffffU}) {
    partition.free_records.at(3).store(at);
    BOOST_TEST((memory.take_record(3).code() == Errc::corrupt));
    partition.free_cells.store(at);
    BOOST_TEST((memory.take_cell().code() == Errc::corrupt));
    partition.free_indices.at(2).store(at);
    BOOST_TEST((memory.take_index(layout::kMinLog2Slots + 2).code() == Errc::corrupt));
  }
}

BOOST_AUTO_TEST_SUITE_END()
