// The examination of a segment finds what is wrong. A checker that has never complained has proven
// nothing: each fault is planted in a segment that was found sound before, and must be found.
#include "core/check.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/insides.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

struct Fixture {
  ScratchSegment scratch{one_partition()};
  Insides insides{scratch};
  const core::Segment& segment = insides.segment();
  layout::Partition& partition = segment.partition(0);

  Fixture() {
    for (int i = 0; i < 30; ++i) {
      BOOST_TEST_REQUIRE(insides.add("a/" + std::to_string(i), "endpoint", i % 2 == 0).ok());
    }
    for (int i = 0; i < 30; i += 5) {
      BOOST_TEST_REQUIRE(insides.remove("a/" + std::to_string(i)).ok());
    }
    BOOST_TEST_REQUIRE(problems().empty());
  }

  [[nodiscard]] std::vector<Problem> problems() const { return doctor(scratch.name()).problems; }

  [[nodiscard]] core::RecordCopy record(const std::string& name) const {
    core::RecordCopy copy;
    const core::WriterIndex index(segment, partition);
    BOOST_TEST_REQUIRE(index.find(insides.hashed(name), copy).slot != nullptr);
    return copy;
  }
  [[nodiscard]] layout::Word64& slot_of(const std::string& name) const {
    core::RecordCopy copy;
    const core::WriterIndex index(segment, partition);
    layout::Word64* slot = index.find(insides.hashed(name), copy).slot;
    BOOST_TEST_REQUIRE(slot != nullptr);
    return *slot;
  }
  [[nodiscard]] layout::Word64& empty_slot() const {
    const core::WriterIndex index(segment, partition);
    std::uint64_t i = 0;
    while (index.slots()[i].load() != layout::kEmptySlot) ++i;
    return index.slots()[i];
  }

  // Plants `value` in a shared word, looks, and puts back what was there.
  template <class Word, class Value>
  void planted(const std::string& what, Word& word, Value value, bool found = true) const {
    const auto sound = word.load();
    word.store(static_cast<decltype(word.load())>(value));
    BOOST_TEST(problems().empty() != found, what);
    for (const Problem& problem : problems()) {
      BOOST_TEST(!problem.where.empty());
      BOOST_TEST(problem.what.find('\n') == std::string::npos);
    }
    word.store(sound);
    BOOST_TEST(problems().empty(), what << ": put back");
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(check, Fixture)

BOOST_AUTO_TEST_CASE(faults_of_the_header_are_found) {
  layout::Header& header = segment.header();
  planted("claimed too little", header.claimed_end, 4096);
  planted("claimed too much", header.claimed_end, std::uint64_t{1} << 40);
  planted("top too low", header.heap_top, 0);
  planted("top too high", header.heap_top, std::uint64_t{1} << 40);
  planted("ids of another segment", header.next_id, 1);
  planted("retired", header.retired, 1);
}

BOOST_AUTO_TEST_CASE(faults_of_the_run_map_are_found) {
  const std::uint64_t first = segment.geometry().heap_offset() / 4096;
  planted("no kind", *segment.run_word(first), 1);
  planted("no length", *segment.run_word(first), 3U << 29);
  planted("another partition", *segment.run_word(first),
          layout::Run{layout::RunKind::index, 0, 9, 1}.word());
  planted("not handed out", *segment.run_word(first), 0);
  planted("a run within nothing", *segment.run_word(segment.header().heap_top.load() + 3),
          layout::Run{layout::RunKind::cells, 0, 0, 1}.word());
}

BOOST_AUTO_TEST_CASE(faults_of_the_process_table_are_found) {
  planted("unknown liveness", segment.entry(insides.writer.life.entry).liveness, 77);
  planted("marked but never claimed", segment.entry(3).mark_and_generation, sys::kOwnerDied);
}

BOOST_AUTO_TEST_CASE(faults_of_a_partition_are_found) {
  planted("descriptor leads outside", partition.descriptor, ~std::uint64_t{0});
  planted("descriptor leads to records", partition.descriptor,
          layout::IndexDescriptor{segment.header().heap_top.load() - 1, 4}.word());
  planted("counts services wrong", partition.services, 99);
  planted("counts tombstones wrong", partition.tombstones, 99);
  planted("dirty without a holder", partition.dirty, 1);
  planted("stamps it never gave", partition.stamp_counter, 0);
}

BOOST_AUTO_TEST_CASE(faults_of_slots_are_found) {
  planted("leads to the same record", empty_slot(), slot_of("a/1").load());
  planted("leads outside", empty_slot(), 0xffff'ffffU);
  planted("leads between records", empty_slot(), slot_of("a/1").load() + 1);
  planted("hash of another key", slot_of("a/1"), slot_of("a/1").load() ^ std::uint64_t{1} << 60);
  planted("tag of another namespace", slot_of("a/1"),
          slot_of("a/1").load() ^ std::uint64_t{1} << 40);
  planted("a service lost", slot_of("a/1"), layout::kTombstone);
}

BOOST_AUTO_TEST_CASE(faults_of_records_are_found) {
  layout::Word64* words = record("a/1").words();
  planted("retired", words[layout::kStampWord], 0);
  planted("a stamp of the future", words[layout::kStampWord], std::uint64_t{1} << 60);
  planted("an id of another segment", words[layout::kIdWord], 1);
  planted("another key", words[layout::kHeaderWords],
          words[layout::kHeaderWords].load() ^ std::uint64_t{1} << 16);
  planted("endless", words[layout::kLengthsWord], ~std::uint64_t{0});
  planted("an owner out of range", words[layout::kOwnerWord], std::uint64_t{1} << 32 | 60'000);
  planted("an unknown kind of owner", words[layout::kKindWord],
          words[layout::kKindWord].load() | std::uint64_t{0xf0} << 24);
  planted("another cell", words[layout::kLengthsWord], words[layout::kLengthsWord].load() + 1);
  planted("no cell", words[layout::kLengthsWord], words[layout::kLengthsWord].load() | 0xffff'ffff);
}

BOOST_AUTO_TEST_CASE(faults_of_health_cells_are_found) {
  layout::HealthCell& cell = *segment.cell(record("a/2").view().header().cell);
  planted("another registration's", cell.id, cell.id.load() + 1);
  planted("leads to another record", cell.location, cell.location.load() + 2);
  planted("unknown health", cell.health, 77);
  planted("its list goes on elsewhere", cell.next, 0x7fff'ffff);
  planted("its list does not come back", cell.prev, 0x7fff'ffff);
  planted("bites its own tail", cell.next, record("a/2").view().header().cell);
}

BOOST_AUTO_TEST_CASE(faults_of_owner_lists_are_found) {
  layout::OwnerList& list = segment.owner_list(insides.writer.life.entry, 0);
  planted("empty", list.head, 0);
  planted("counts wrong", list.count, 1);
  planted("of another life", list.generation, list.generation.load() + 1);
  planted("of nobody's", segment.owner_list(3, 0).head, list.head.load());
}

BOOST_AUTO_TEST_CASE(faults_of_free_lists_are_found) {
  auto& records = partition.free_records.at(record("a/1").view().header().size_class);
  planted("records lost", records, 0);
  planted("records in use are free", records, layout::location_of_slot(slot_of("a/1").load()));
  planted("records lead outside", records, 0xffff'ffff);
  planted("cells lost", partition.free_cells, 0);
  planted("cells in use are free", partition.free_cells, record("a/1").view().header().cell);
  planted("cells lead outside", partition.free_cells, 0xffff'ffff);
  const std::uint32_t free = records.load();
  layout::Word64* words = segment.record(free, 128);
  planted("a free record with a stamp", words[layout::kStampWord], 5);
  planted("a free list bites its own tail", words[layout::kNextFreeWord], free);
  // The index that was outgrown waits on its list.
  auto& indices = partition.free_indices.at(0);
  BOOST_TEST_REQUIRE(indices.load() != 0U);
  planted("an index lost", indices, 0);
  planted("the index in use is free", indices,
          layout::IndexDescriptor::of(partition.descriptor.load()).first_granule);
  layout::Word64& link = *segment.words(std::uint64_t{indices.load()} * 4096, 8);
  planted("indices in a circle", link, std::uint64_t{indices.load()} << 32);
}

BOOST_AUTO_TEST_CASE(what_is_said_to_be_repairable_is_repaired_by_the_next_writer) {
  slot_of("a/1").store(layout::kTombstone);
  partition.services.store(3);
  partition.free_cells.store(0);
  segment.owner_list(insides.writer.life.entry, 0).count.store(99);
  record("a/2").words()[layout::kStampWord].store(0);
  for (const Problem& problem : problems()) {
    BOOST_TEST(problem.repairable, problem.where << ": " << problem.what);
  }
  leave_dirty(insides);
  BOOST_TEST(insides.add("a/new").ok());
  for (const Problem& problem : problems()) {
    BOOST_ERROR(problem.where << ": " << problem.what);
  }
}

BOOST_AUTO_TEST_CASE(a_segment_at_work_is_not_called_damaged) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop.load(); ++i) {
      (void)insides
          .add("w/" + std::to_string(i % 40), std::string(static_cast<std::size_t>(i % 300), 'x'))
          .ok();
      if (i % 40 > 20) (void)insides.remove("w/" + std::to_string(i % 17)).ok();
    }
  });
  for (int i = 0; i < 30; ++i) {
    for (const Problem& problem : problems()) {
      BOOST_ERROR(problem.where << ": " << problem.what);
    }
  }
  stop.store(true);
  writer.join();
  BOOST_TEST(problems().empty());
}

// Memory that a partition is given after the run map was read, once and again, is its own.
BOOST_AUTO_TEST_CASE(a_segment_that_grows_is_not_called_damaged) {
  for (int round = 0; round < 20; ++round) {
    const ScratchSegment growing{one_partition()};
    const Insides writers{growing};
    std::atomic<bool> done{false};
    std::thread writer([&] {
      for (std::size_t i = 0; i < 3000; ++i) {
        (void)writers.add("w/" + std::to_string(i), std::string(i * 7 % 900, 'x')).ok();
      }
      done.store(true);
    });
    while (!done.load()) {
      for (const Problem& problem : doctor(growing.name()).problems) {
        BOOST_ERROR(problem.where << ": " << problem.what);
      }
    }
    writer.join();
    BOOST_TEST(doctor(growing.name()).problems.empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()
