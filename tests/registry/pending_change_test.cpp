// A change that a writer has begun to tell of, and died.
//
// Claim: who watches is told of it once it is known to have happened, and not at all if it has not.
// Method: the steps of a register, up to one of them; nobody holds the lock, and the partition is
// dirty, as after a death. A name that is registered afterwards shows that nothing else was to
// come.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "registry/holder.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  ScratchSegment scratch{one_partition()};
  Insides insides{scratch};

  // As a writer leaves it that died before it committed.
  void begin_to_register(std::string_view key, bool publish) const {
    core::PartitionLock lock(insides.writer);
    BOOST_TEST_REQUIRE(lock.acquire(0).ok());
    core::PartitionWork work(insides.writer, lock);
    core::WriterIndex index(insides.segment(), lock.partition());
    const core::HashedName name = insides.hashed(key);
    leave_dirty(insides);
    core::PartitionWork::New record;
    record.header.id = insides.segment().header().next_id.fetch_add(1);
    record.header.owner_kind = static_cast<std::uint8_t>(OwnerKind::permanent);
    record.name = &name;
    record.header.cell = work.add_cell(record.header.id, 0, std::nullopt).value();
    const std::uint32_t location = work.compose(record).value();
    work.set_cell_location(record.header.cell, location);
    work.log().begin(layout::ChangeKind::registered, record.header.id, {location, 0});
    core::RecordCopy old;
    if (publish) {
      index.fill(index.find(name, old).free,
                 layout::make_slot(name.place, name.namespace_tag, location));
    }
  }
};

std::string next_of(Watch& watch, std::chrono::nanoseconds timeout = kPatience) {
  WatchEvent event;
  if (!watch.next(event, timeout).value()) return "-";
  return std::string(to_string(event.kind)) + " " + std::string(event.service.full_name());
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(pending_change, Fixture)

BOOST_AUTO_TEST_CASE(one_that_has_not_happened_is_told_to_nobody) {
  auto reader = scratch.reader();
  auto writer = scratch.attach();
  auto reads = reader.watch().value();
  auto writes = writer.watch().value();
  BOOST_TEST(next_of(reads, 0s) == "-");
  BOOST_TEST(next_of(writes, 0s) == "-");
  begin_to_register("a/never", false);
  BOOST_TEST(next_of(reads, 0s) == "-");
  BOOST_TEST(next_of(writes, 0s) == "-");
  BOOST_TEST(insides.add("a/next").ok());
  BOOST_TEST(next_of(reads) == "registered a/next");
  BOOST_TEST(next_of(writes) == "registered a/next");
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(one_that_has_not_happened_hides_no_end_before_it) {
  auto reader = scratch.reader();
  BOOST_TEST(insides.add("a/before").ok());
  BOOST_TEST(insides.remove("a/before").value());
  begin_to_register("a/never", false);
  const auto known = reader.last_known("a/before").value();
  BOOST_TEST_REQUIRE(known.has_value());
  BOOST_TEST((known->end == WatchEventKind::unregistered));
}

BOOST_AUTO_TEST_CASE(one_that_has_happened_is_told_by_who_repairs) {
  auto reader = scratch.reader();
  auto reads = reader.watch().value();
  BOOST_TEST(next_of(reads, 0s) == "-");
  begin_to_register("a/done", true);
  BOOST_TEST(insides.add("a/next").ok());
  BOOST_TEST(next_of(reads) == "registered a/done");
  BOOST_TEST(next_of(reads) == "registered a/next");
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

// Nobody else comes by: the watcher does it.
BOOST_AUTO_TEST_CASE(who_watches_and_may_write_has_it_settled) {
  auto writer = scratch.attach();
  auto writes = writer.watch().value();
  BOOST_TEST(next_of(writes, 0s) == "-");
  begin_to_register("a/done", true);
  BOOST_TEST(next_of(writes) == "registered a/done");
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

// Without a watch that would look for ends itself.
BOOST_AUTO_TEST_CASE(what_a_dead_process_leaves_is_taken_away_by_a_keeper_beside_it) {
  Child owner = holder_of(scratch, {"a/one", "a/two"});
  owner.await();
  BOOST_TEST(insides.add("a/mine", "", true).ok());
  owner.kill();
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (doctor(scratch.name()).services != 1 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(1ms);
  }
  BOOST_TEST(doctor(scratch.name()).services == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
