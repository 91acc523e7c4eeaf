// Lists of one namespace, whichever way the index is gone through: a large one is copied the first
// times, and seen in place from then on.
#include "core/listing.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/index.hpp"
#include "core/index_glance.hpp"
#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/sanitizers.hpp"

using namespace shmreg;
using namespace shmreg::test;
using core::IndexGlance;

namespace {

constexpr std::uint32_t kSlots = 16384;  // large enough to be copied, in two pieces
constexpr int kLists = 12;               // more than are copied

layout::IndexDescriptor index_of(const Insides& insides) {
  return layout::IndexDescriptor::of(insides.segment().partition(0).descriptor.load());
}

std::multiset<std::string> names_in(const Insides& insides, std::string_view space) {
  std::vector<Service> services;
  const Errc outcome =
      core::read_partition(insides.segment(), insides.attachment->watch(), 0, space, services);
  if (outcome != Errc::ok) throw std::runtime_error(std::string(describe(outcome)));
  std::multiset<std::string> names;
  for (const Service& service : services) names.emplace(service.full_name());
  return names;
}

// The descriptors by which this process has the segment's file open, inherited ones too.
std::vector<int> descriptors_of(const ScratchSegment& scratch) {
  std::vector<int> numbers;
  for (int number = 0; number < 1024; ++number) {
    std::string target(256, '\0');
    const std::string link = "/proc/self/fd/" + std::to_string(number);
    const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
    if (length > 0 && target.substr(0, static_cast<std::size_t>(length)) == scratch.path()) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

struct Fixture {
  ScratchSegment scratch{one_partition(kSlots)};
  Insides insides{scratch};
  std::multiset<std::string> few;

  Fixture() {
    for (int i = 0; i < 3000; ++i) {
      const std::string name = (i % 300 == 7 ? "few/" : "many/") + std::to_string(i);
      if (!insides.add(name).ok()) throw std::runtime_error("no room");
      if (name.starts_with("few/")) few.insert(name);
    }
  }
  [[nodiscard]] Insides reader() const { return Insides(scratch, std::chrono::seconds(60), false); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(listing, Fixture)

BOOST_AUTO_TEST_CASE(a_list_is_the_same_of_an_index_that_is_copied_and_of_one_in_place) {
  const Insides fresh = reader();
  int copied = 0;
  for (int i = 0; i < kLists; ++i) {
    BOOST_TEST((names_in(fresh, "few") == few));
    BOOST_TEST(names_in(fresh, "many").size() == 3000 - few.size());
    BOOST_TEST(names_in(fresh, "none").empty());
    if (IndexGlance::way_for(fresh.segment(), index_of(fresh)) == IndexGlance::Way::copied) {
      ++copied;
    }
  }
  // A test of two ways has gone both.
  BOOST_TEST(copied > 0);
  BOOST_TEST(copied < kLists);
}

BOOST_AUTO_TEST_CASE(a_copy_is_of_every_slot) {
  const auto index = index_of(insides);
  const layout::Word64* slots = insides.segment().slots(index);
  IndexGlance copied(insides.segment(), index, slots, IndexGlance::Way::copied);
  IndexGlance in_place(insides.segment(), index, slots, IndexGlance::Way::in_place);
  for (std::uint64_t i = 0; i < index.slots(); i += layout::kBucketSlots) {
    const layout::Word64* bucket = copied.bucket(i);
    BOOST_TEST_REQUIRE(bucket != slots + i);
    BOOST_TEST_REQUIRE(in_place.bucket(i) == slots + i);
    for (std::uint64_t k = 0; k < layout::kBucketSlots; ++k) {
      BOOST_TEST_REQUIRE(bucket[k].load() == slots[i + k].load());
    }
  }
  BOOST_TEST(copied.holds());
  BOOST_TEST(in_place.holds());
}

BOOST_AUTO_TEST_CASE(a_list_needs_no_descriptor_and_takes_no_other_file_for_the_segment) {
  Child child([&](const Parent&) {
    const Insides fresh = reader();
    const std::vector<int> numbers = descriptors_of(scratch);
    CHILD_CHECK(!numbers.empty());
    for (const int number : numbers) CHILD_CHECK(::close(number) == 0);
    CHILD_CHECK(names_in(fresh, "few") == few);
    // A file as long, with nothing in it.
    const ScratchSegment other(std::vector<unsigned char>(1), std::uint64_t{16} << 20);
    const int zeros = ::open(other.path().c_str(), O_RDONLY | O_CLOEXEC);
    CHILD_CHECK(zeros >= 0);
    for (const int number : numbers) CHILD_CHECK(::dup2(zeros, number) == number);
    CHILD_CHECK(IndexGlance::way_for(fresh.segment(), index_of(fresh)) == IndexGlance::Way::copied);
    CHILD_CHECK(names_in(fresh, "few") == few);
  });
  BOOST_TEST(child.reap() == 0);
}

// Claim: what stays registered is in every list of its namespace, once, though it is updated,
// others come and go beside it, and the index is rebuilt. Method: a child changes without pause;
// lists are taken by readers that have just attached, so that most are of copies. (The claim about
// lists of everything: tests/registry, tests/torture.)
BOOST_AUTO_TEST_CASE(what_stays_registered_is_in_every_list_of_its_namespace_once) {
  constexpr int kRounds = kSanitized ? 10 : 60;
  Child writer([&](const Parent& parent) {
    const Insides own(scratch);
    Registry registry = scratch.attach(Access::read_write);
    for (const auto& name : few) CHILD_CHECK(registry.unregister(name).value());
    std::vector<Registration> steady;
    for (const auto& name : few) steady.push_back(registry.register_service(name).value());
    parent.tell();
    for (std::uint64_t i = 0;; ++i) {
      CHILD_CHECK(steady[i % steady.size()].update({.endpoint = std::to_string(i)}).ok());
      for (int visitor = 0; visitor < 5; ++visitor) {
        auto mine = registry.register_service("few/visitor" + std::to_string(i * 5 % 7919));
        CHILD_CHECK(mine.ok() && mine->unregister().ok());
      }
      // As when it is full of tombstones: into other memory, that of the one before last.
      core::PartitionLock lock(own.writer);
      CHILD_CHECK(lock.acquire(0).ok());
      const core::DirtySection dirty(lock.partition());
      lock.partition().tombstones.store(kSlots / 4);
      CHILD_CHECK(core::PartitionWork(own.writer, lock).rebuild().ok());
    }
  });
  writer.await();
  const auto rebuilds = [&] { return insides.segment().partition(0).rebuilds.load(); };
  const std::uint64_t before = rebuilds();
  int missed = 0;
  int doubled = 0;
  for (int round = 0; round < kRounds || rebuilds() < before + 3; ++round) {
    const Insides fresh = reader();
    for (int i = 0; i < kLists; ++i) {
      const auto names = names_in(fresh, "few");
      for (const auto& name : few) {
        if (names.count(name) == 0) ++missed;
        if (names.count(name) > 1) ++doubled;
      }
    }
  }
  BOOST_TEST(missed == 0);
  BOOST_TEST(doubled == 0);
}

// Claim: what a list costs has a bound whatever anchors say. Method: every slot leads to one anchor
// that speaks of as many instances as there can be: two thousand million places to look at.
BOOST_AUTO_TEST_CASE(anchors_that_speak_of_more_than_there_can_be_are_corrupt) {
  const ScratchSegment small{one_partition(512)};
  const Insides inside{small};
  auto registry = small.attach();
  const auto mine = registry.register_service("a/web", {}, {.shared = true});
  BOOST_TEST_REQUIRE(mine.ok());
  const core::Segment& segment = inside.segment();
  core::RecordCopy anchor;
  const auto place = core::WriterIndex(segment, segment.partition(0))
                         .find(inside.hashed("a/web").instance(0), anchor);
  BOOST_TEST_REQUIRE(place.slot != nullptr);
  layout::HealthCell& cell = *segment.cell(anchor.view().header().cell);
  layout::AnchorState state = layout::AnchorState::of(cell.deadline_ns.load());
  state.last = layout::kMaxInstances;
  cell.deadline_ns.store(state.word());
  const layout::IndexDescriptor index = index_of(inside);
  layout::Word64* const slots = segment.slots(index);
  for (std::uint64_t i = 0; i < index.slots(); ++i) slots[i].store(place.slot->load());
  std::vector<Service> services;
  BOOST_TEST((core::read_partition(segment, inside.attachment->watch(), 0, std::nullopt,
                                   services) == Errc::corrupt));
}

BOOST_AUTO_TEST_SUITE_END()
