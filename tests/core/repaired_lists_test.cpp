// What repair makes anew.
//
// Claim: counts, free lists and owner lists are right after it, whatever was in them; a slot that
// leads to nothing sensible goes, and nothing else does. What cannot be repaired is an error.
// Method: one thing after the other is spoilt; the next writer repairs, and the doctor looks.
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>

#include "core/repair.hpp"
#include "support/insides.hpp"

using namespace shmreg;
using namespace shmreg::test;

BOOST_AUTO_TEST_SUITE(repair)

BOOST_AUTO_TEST_CASE(repair_makes_every_list_anew) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  for (int i = 0; i < 30; ++i) {
    BOOST_TEST_REQUIRE(insides.add("a/" + std::to_string(i), "e", i % 2 == 0).ok());
  }
  for (int i = 0; i < 30; i += 3) BOOST_TEST_REQUIRE(insides.remove("a/" + std::to_string(i)).ok());
  const core::Segment& segment = insides.segment();
  layout::Partition& partition = segment.partition(0);
  const auto spoil = [&](auto change) {
    change();
    leave_dirty(insides);
    BOOST_TEST(insides.add("new/one").ok());
    BOOST_TEST(insides.remove("new/one").value());
    const auto report = doctor(scratch.name());
    for (const Problem& problem : report.problems) {
      BOOST_ERROR(problem.where << ": " << problem.what);
    }
    BOOST_TEST(report.services == 20U);
  };
  spoil([&] { partition.services.store(0); });
  spoil([&] { partition.tombstones.store(0xffff'ffff); });
  spoil([&] { partition.free_cells.store(0xffff'ffff); });
  spoil([&] {
    for (auto& list : partition.free_records) list.store(0x7fff'ffff);
  });
  spoil([&] {
    for (auto& list : partition.free_indices) list.store(1);
  });
  spoil([&] { segment.owner_list(insides.writer.life.entry, 0).head.store(0); });
  spoil([&] { segment.owner_list(insides.writer.life.entry, 0).count.store(4711); });
  spoil([&] { segment.owner_list(2, 0).head.store(4711); });
  // A free list that bites its own tail.
  spoil([&] {
    const std::uint32_t first = partition.free_records.at(0).load();
    segment.record(first, 128)[layout::kNextFreeWord].store(first);
  });
  // A slot that leads to nothing sensible goes; nothing else does.
  spoil([&] {
    const core::WriterIndex index(segment, partition);
    std::uint64_t i = 0;
    while (index.slots()[i].load() != layout::kEmptySlot) ++i;
    index.slots()[i].store(layout::make_slot(~std::uint64_t{0}, 7, 0xfff0'0000));
  });
  // Two slots that lead to one record: the one that lookups find stays, wherever the other lies.
  const std::uint64_t slots = core::WriterIndex(segment, partition).slot_count();
  for (std::uint64_t other = 0; other < slots; ++other) {
    const core::WriterIndex index(segment, partition);  // a rebuild may have made another one
    if (index.slots()[other].load() != layout::kEmptySlot) continue;
    spoil([&] {
      std::uint64_t used = 0;
      while (layout::location_of_slot(index.slots()[used].load()) == 0) ++used;
      index.slots()[other].store(index.slots()[used].load());
    });
  }
}

BOOST_AUTO_TEST_CASE(a_partition_whose_index_cannot_be_found_is_an_error_and_the_others_work) {
  CreateOptions options = one_partition();
  options.partitions = 2;
  const ScratchSegment scratch(options);
  const Insides insides(scratch);
  insides.segment().partition(0).descriptor.store(~std::uint64_t{0});
  leave_dirty(insides);
  core::PartitionLock lock(insides.writer);
  BOOST_TEST((lock.acquire(0).code() == Errc::corrupt));
  BOOST_TEST(insides.segment().partition(0).lock.load() == 0U);
  BOOST_TEST(insides.segment().partition(0).dirty.load() == 1U);
  BOOST_TEST(lock.acquire(1).ok());
}

BOOST_AUTO_TEST_SUITE_END()
