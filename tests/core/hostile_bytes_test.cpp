// Claim: whatever a writer of the segment may have put into an index, a count or a health cell, a
// lookup, a list and a registration answer with an error, soon, and touch nothing outside of the
// mapping.
// Method: the bytes are planted one by one in a segment of one partition, and the operations run in
// a child, which a crash would end with a signal. "Soon" is counted in retries, not in time: the
// answer is `corrupt`, where giving up after ten thousand retries would have said `busy`.
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "core/index.hpp"
#include "core/record_copy.hpp"
#include "core/segment.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

namespace shmreg::test {
namespace {

std::shared_ptr<core::Segment> map_again(const std::string& name) {
  return core::Segment::attach("shmreg." + name, true, {}).value();
}

CreateOptions one_partition(std::uint32_t initial_slots = 16) {
  CreateOptions options;
  options.partitions = 1;
  options.initial_slots = initial_slots;
  return options;
}

std::uint64_t any_slot(const core::WriterIndex& index) {
  for (std::uint64_t i = 0; i < index.slot_count(); ++i) {
    if (layout::location_of_slot(index.slots()[i].load()) != 0) return index.slots()[i].load();
  }
  return 0;
}

std::uint32_t cell_of(const core::Segment& segment, std::string_view key) {
  const core::WriterIndex index(segment, segment.partition(0));
  core::RecordCopy record;
  BOOST_REQUIRE(index.find(core::hashed(key, segment.hash_seed()), record).slot != nullptr);
  return record.view().header().cell;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_descriptor_whose_offset_wraps_around_is_refused) {
  for (const std::uint32_t log2_slots : {9U, 12U, 20U}) {
    const ScratchSegment scratch(one_partition());
    // So far up that adding the index's size comes round to 0.
    const std::uint64_t granule =
        (std::uint64_t{1} << 52) - (log2_slots == 9 ? 1 : (std::uint64_t{8} << log2_slots) / 4096);
    map_again(scratch.name())->partition(0).descriptor.store(granule << 8 | log2_slots);
    Child reader([&](const Parent& parent) {
      const Registry registry = Registry::attach(scratch.name());
      Service found;
      parent.tell(static_cast<std::uint64_t>(registry.lookup("a/b", found)));
      parent.tell(static_cast<std::uint64_t>(registry.list().code()));
    });
    BOOST_TEST(static_cast<int>(reader.hear()) == static_cast<int>(Errc::corrupt));
    BOOST_TEST(static_cast<int>(reader.hear()) == static_cast<int>(Errc::corrupt));
    Child writer([&](const Parent& parent) {
      Registry registry = Registry::attach(scratch.name());
      parent.tell(static_cast<std::uint64_t>(registry.register_service("a/b").code()));
    });
    BOOST_TEST(static_cast<int>(writer.hear()) == static_cast<int>(Errc::corrupt));
  }
}

BOOST_AUTO_TEST_CASE(a_full_index_that_counts_nothing_is_an_error_and_no_null_slot) {
  const ScratchSegment scratch(one_partition());
  Child writer([&](const Parent& parent) {
    Registry registry = Registry::attach(scratch.name());
    CHILD_CHECK(registry.register_for(Owner::permanent(), "a/b").ok());
    const auto segment = map_again(scratch.name());
    layout::Partition& partition = segment->partition(0);
    const core::WriterIndex index(*segment, partition);
    const std::uint64_t slot = any_slot(index);
    for (std::uint64_t i = 0; i < index.slot_count(); ++i) index.slots()[i].store(slot);
    partition.services.store(0);
    partition.tombstones.store(8);
    parent.tell(
        static_cast<std::uint64_t>(registry.register_for(Owner::permanent(), "a/c").code()));
  });
  BOOST_TEST(static_cast<int>(writer.hear()) == static_cast<int>(Errc::corrupt));
}

BOOST_AUTO_TEST_CASE(an_index_that_leads_to_one_record_everywhere_is_not_rebuilt_for_minutes) {
  const ScratchSegment scratch(one_partition(65536));
  Child writer([&](const Parent& parent) {
    Registry registry = Registry::attach(scratch.name());
    CHILD_CHECK(registry.register_for(Owner::permanent(), "a/b").ok());
    const auto segment = map_again(scratch.name());
    layout::Partition& partition = segment->partition(0);
    const core::WriterIndex index(*segment, partition);
    const std::uint64_t slot = any_slot(index);
    for (std::uint64_t i = 0; i + 8 < index.slot_count(); ++i) index.slots()[i].store(slot);
    partition.services.store(100);
    partition.tombstones.store(40000);
    // There are free slots in the old index: the name gets one of them, without the new index that
    // every probe would have searched from its beginning.
    const std::uint64_t descriptor = partition.descriptor.load();
    CHILD_CHECK(registry.register_for(Owner::permanent(), "a/c").ok());
    parent.tell(partition.descriptor.load() == descriptor ? 1 : 0);
  });
  BOOST_TEST(writer.hear() == 1U);
}

BOOST_AUTO_TEST_CASE(a_record_with_another_registrations_cell_is_damage_and_not_a_busy_one) {
  const ScratchSegment scratch(one_partition());
  Child owner([&](const Parent& parent) {
    Registry registry = Registry::attach(scratch.name());
    CHILD_CHECK(registry.register_for(Owner::time_to_live(std::chrono::hours(1)), "a/b").ok());
    const auto segment = map_again(scratch.name());
    segment->cell(cell_of(*segment, "a/b"))->id.store(1);
    Service found;
    parent.tell(static_cast<std::uint64_t>(registry.lookup("a/b", found)));
    parent.tell(static_cast<std::uint64_t>(registry.list().code()));
    parent.tell(doctor(scratch.name()).problems.size());
  });
  BOOST_TEST(static_cast<int>(owner.hear()) == static_cast<int>(Errc::corrupt));
  BOOST_TEST(static_cast<int>(owner.hear()) == static_cast<int>(Errc::corrupt));
  BOOST_TEST(owner.hear() > 0U);
}

// Lengths that are read twice must not be believed twice. (A sanitizer sees what is read beyond; so
// does a crash: 64 KiB behind a record's copy on the stack is not all mapped.)
BOOST_AUTO_TEST_CASE(lengths_that_change_while_they_are_read_lead_nowhere) {
  for (const std::size_t endpoint_bytes : {9U, 400U}) {
    const ScratchSegment scratch(one_partition());
    Child reader([&](const Parent&) {
      auto registry = scratch.attach();
      const std::string endpoint(endpoint_bytes, 'e');
      const auto mine = registry.register_service("a/b", {.endpoint = endpoint}).value();
      const auto segment = map_again(scratch.name());
      const core::WriterIndex index(*segment, segment->partition(0));
      core::RecordCopy record;
      CHILD_CHECK(index.find(core::hashed("a/b", segment->hash_seed()), record).slot != nullptr);
      std::atomic<std::uint64_t>& lengths = record.words()[layout::kLengthsWord];
      const std::uint64_t honest = lengths.load();
      std::atomic<bool> stop{false};
      std::thread hostile([&] {
        for (int i = 0; !stop.load(); ++i) {
          lengths.store(honest ^ (i % 2 == 0 ? std::uint64_t{0xff00} << 32 : 0));
        }
      });
      std::uint64_t sum = 0;
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
      while (std::chrono::steady_clock::now() < end) {
        Service found;
        if (registry.lookup("a/b", found) != Errc::ok) continue;
        const Service copy = found;
        for (const char c : copy.endpoint()) sum += static_cast<unsigned char>(c);
        CHILD_CHECK(copy.full_name() == "a/b");
      }
      stop.store(true);
      hostile.join();
      CHILD_CHECK(sum != 0);
    });
    BOOST_TEST(reader.reap() == 0);
  }
}

BOOST_AUTO_TEST_CASE(
    an_index_that_leads_to_one_large_record_everywhere_takes_no_reader_all_its_memory) {
  CreateOptions options = one_partition(65536);
  options.max_size_bytes = std::uint64_t{32} << 20;
  const ScratchSegment scratch(options);
  auto registry = scratch.attach();
  BOOST_REQUIRE(
      registry
          .register_for(Owner::permanent(), "a/b", {.metadata = {{"k", std::string(60'000, 'x')}}})
          .ok());
  const auto segment = map_again(scratch.name());
  const core::WriterIndex index(*segment, segment->partition(0));
  const std::uint64_t slot = any_slot(index);
  for (std::uint64_t i = 0; i < index.slot_count(); ++i) index.slots()[i].store(slot);
  BOOST_TEST((registry.list().code() == Errc::corrupt));
  BOOST_TEST((registry.count().code() == Errc::corrupt));
  BOOST_TEST((registry.namespaces().code() == Errc::corrupt));
  BOOST_TEST((registry.info().code() == Errc::corrupt));
}

}  // namespace shmreg::test
