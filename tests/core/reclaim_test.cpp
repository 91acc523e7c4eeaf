// Taking away what an owner has left: all of it, by whoever comes by, whatever is in the way.
#include "core/reclaim.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/sanitizers.hpp"

using namespace shmreg;
using namespace shmreg::test;
using layout::EntryLife;

namespace {

constexpr int kNames = 600;
constexpr int kInstances = 5;  // of shared names besides
constexpr int kOthers = 400;

bool has_left_something(const core::Segment& segment, const EntryLife& life,
                        std::uint32_t partition) {
  const auto& list = segment.owner_list(life.entry, partition);
  return list.head.load() != 0 && list.generation.load() == life.generation;
}

std::uint64_t in_index(const core::Segment& segment) {
  std::uint64_t services = 0;
  for (std::uint32_t p = 0; p < segment.geometry().partitions; ++p) {
    services += segment.partition(p).services.load();
  }
  return services;
}

struct Fixture {
  ScratchSegment scratch{small_segment()};
  Insides insides{scratch};
  std::uint64_t others = 0;

  Fixture() {
    for (int i = 0; i < kOthers; ++i) {
      if (!insides.add("other/" + std::to_string(i)).ok()) throw std::runtime_error("no room");
    }
    others = in_index(insides.segment());
  }

  // In a child: registers, tells its life, and stays.
  void own(const Parent& parent) const {
    const Insides owner(scratch);
    for (int i = 0; i < kNames; ++i) {
      CHILD_CHECK(owner.add("mortal/" + std::to_string(i), "e", true).ok());
    }
    for (int i = 0; i < kInstances; ++i) {
      const std::string name = "shared/" + std::to_string(i);
      core::Registering request;
      request.name = owner.hashed(name);
      request.life = owner.writer.life;
      request.process = owner.writer.self;
      request.shared = true;
      CHILD_CHECK(core::Registrar(owner.writer).add(request).ok());
    }
    const EntryLife life = owner.writer.life;
    parent.tell(std::uint64_t{life.generation} << 32 | life.entry);
    parent.linger();
  }
  static EntryLife hear_life(Child& owner) {
    const std::uint64_t word = owner.hear();
    return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
  }
  [[nodiscard]] bool sound() const { return doctor(scratch.name()).problems.empty(); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(reclaim, Fixture)

// Claim: when several come for the same owner's services at once, all are taken away, each once,
// and nothing else. Method: processes that call as keepers do, and their keepers, from the moment
// of the mark; each service taken away is one change.
BOOST_AUTO_TEST_CASE(keepers_that_come_at_once_take_away_all_of_it_once) {
  constexpr int kRounds = kSanitized ? 2 : 8;
  constexpr int kKeepers = 4;
  const core::Segment& segment = insides.segment();
  const auto changes = [&] {
    std::uint64_t all = 0;
    for (std::uint32_t p = 0; p < segment.geometry().partitions; ++p) {
      all += segment.partition(p).change_counter.load();
    }
    return all;
  };
  for (int round = 0; round < kRounds; ++round) {
    Child owner([&](const Parent& parent) { own(parent); });
    const EntryLife life = hear_life(owner);
    std::vector<std::unique_ptr<Child>> keepers;
    for (int i = 0; i < kKeepers; ++i) {
      keepers.push_back(std::make_unique<Child>([&](const Parent& parent) {
        const Insides own_insides(scratch);
        parent.tell();
        while (core::entry_lives(own_insides.segment(), life)) {
        }
        CHILD_CHECK(core::reclaim(own_insides.writer, life).ok());
        for (std::uint32_t p = 0; p < segment.geometry().partitions; ++p) {
          CHILD_CHECK(!has_left_something(own_insides.segment(), life, p));
        }
      }));
      keepers.back()->await();
    }
    const std::uint64_t before = changes();
    owner.kill();
    for (const auto& keeper : keepers) BOOST_TEST(keeper->reap() == 0);
    BOOST_TEST(changes() - before == std::uint64_t{kNames + kInstances});
    BOOST_TEST(in_index(segment) == others);
    BOOST_TEST(sound());
  }
}

BOOST_AUTO_TEST_CASE(a_partition_that_is_locked_is_passed_by_and_what_is_left_goes_later) {
  Child owner([&](const Parent& parent) { own(parent); });
  const EntryLife life = hear_life(owner);
  Child holder([&](const Parent& parent) {
    const Insides own_insides(scratch);
    core::PartitionLock lock(own_insides.writer);
    CHILD_CHECK(lock.acquire(1).ok());
    parent.tell();
    parent.await();
    lock.release();
    parent.tell();
    parent.linger();
  });
  holder.await();
  owner.kill();
  core::Writer impatient = insides.writer;
  impatient.lock_timeout = std::chrono::milliseconds(20);
  BOOST_TEST((core::reclaim(impatient, life).code() == Errc::timed_out));
  for (std::uint32_t p = 0; p < insides.segment().geometry().partitions; ++p) {
    // A keeper beside us may still be at one that we have passed by.
    for (int i = 0; i < 6000 && p != 1 && has_left_something(insides.segment(), life, p); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    BOOST_TEST(has_left_something(insides.segment(), life, p) == (p == 1));
  }
  holder.tell();
  holder.await();
  BOOST_TEST(core::reclaim(insides.writer, life).ok());
  BOOST_TEST(!has_left_something(insides.segment(), life, 1));
  BOOST_TEST(in_index(insides.segment()) == others);
  BOOST_TEST(sound());
}

// The look ahead follows whatever the bytes say; what it may do is nothing.
BOOST_AUTO_TEST_CASE(a_list_that_leads_astray_is_followed_to_no_harm) {
  const ScratchSegment small(one_partition());
  const Insides own_insides(small);
  const core::Segment& segment = own_insides.segment();
  const auto& list = segment.owner_list(own_insides.writer.life.entry, 0);
  const auto cell_at = [&](int steps) {
    layout::HealthCell* cell = segment.cell(list.head.load());
    while (steps-- > 0) cell = segment.cell(cell->next.load());
    return cell;
  };
  const std::vector<void (*)(layout::HealthCell&, std::uint32_t head)> mischiefs{
      [](layout::HealthCell& cell, std::uint32_t head) { cell.next.store(head); },
      [](layout::HealthCell& cell, std::uint32_t) { cell.next.store(0xffff'ffff); },
      [](layout::HealthCell& cell, std::uint32_t) { cell.next.store(1); },
      [](layout::HealthCell& cell, std::uint32_t) { cell.location.store(0xffff'ffff); },
      [](layout::HealthCell& cell, std::uint32_t) { cell.location.store(1); },
      [](layout::HealthCell& cell, std::uint32_t) { cell.location.store(0); },
  };
  for (const auto& mischief : mischiefs) {
    for (int i = 0; i < 40; ++i) {
      BOOST_TEST_REQUIRE(own_insides.add("mine/" + std::to_string(i), "e", true).ok());
    }
    mischief(*cell_at(5), list.head.load());
    {
      core::PartitionLock lock(own_insides.writer);
      BOOST_TEST_REQUIRE(lock.acquire(0).ok());
      const core::DirtySection dirty(lock.partition());
      (void)core::PartitionWork(own_insides.writer, lock).drain_list(own_insides.writer.life.entry);
    }
    leave_dirty(own_insides);
    for (int i = 0; i < 40; ++i) {
      (void)own_insides.remove("mine/" + std::to_string(i)).ok();
    }
    BOOST_TEST(doctor(small.name()).problems.empty());
    BOOST_TEST(in_index(segment) == 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
