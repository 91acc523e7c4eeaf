// The two ways to compare a bucket's slots say the same.
#include "core/bucket.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <random>

using namespace shmreg;

namespace {

struct alignas(64) Bucket {
  std::array<layout::Word64, layout::kBucketSlots> slots{};
};

unsigned by_the_letter(const Bucket& bucket, std::uint16_t hash) {
  unsigned mask = 0;
  for (unsigned i = 0; i < layout::kBucketSlots; ++i) {
    if (bucket.slots.at(i).load() >> 48 == hash) mask |= 1U << i;
  }
  return mask;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bucket)

BOOST_AUTO_TEST_CASE(the_slots_that_may_hold_a_key_are_those_with_its_hash_bits) {
  std::mt19937_64 random(1);
  Bucket bucket;
  constexpr std::array<std::uint16_t, 6> kHashes{0, 1, 0x7fff, 0x8000, 0xffff, 0x1234};
  for (int round = 0; round < 20'000; ++round) {
    for (auto& slot : bucket.slots) {
      // The hash bits elsewhere in the word must not count.
      const std::uint64_t hash = kHashes.at(random() % kHashes.size());
      const std::uint64_t elsewhere = kHashes.at(random() % kHashes.size());
      slot.store(hash << 48 | elsewhere << 32 | elsewhere << 16 | elsewhere);
    }
    for (const std::uint16_t hash : kHashes) {
      if (core::matching_slots(bucket.slots.data(), hash) != by_the_letter(bucket, hash)) {
        BOOST_ERROR("another answer for hash " << hash);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_slots_that_may_lead_to_a_namespace_are_those_with_its_tag) {
  std::mt19937_64 random(2);
  Bucket bucket;
  constexpr std::array<std::uint16_t, 6> kTags{0, 1, 0x7fff, 0x8000, 0xffff, 0x1234};
  for (int round = 0; round < 20'000; ++round) {
    for (auto& slot : bucket.slots) {
      // Neither what is above the tag must count, nor what is below it.
      const std::uint64_t elsewhere = kTags.at(random() % kTags.size());
      const std::uint64_t tag = random() % 4 == 0 ? kTags.at(random() % kTags.size()) : 0x4321;
      slot.store(elsewhere << 48 | tag << 32 | elsewhere << 16 | elsewhere);
    }
    for (const std::uint16_t tag : kTags) {
      unsigned expected = 0;
      for (unsigned i = 0; i < layout::kBucketSlots; ++i) {
        if ((bucket.slots.at(i).load() >> 32 & 0xffff) == tag) expected |= 1U << i;
      }
      if (core::slots_with_tag(bucket.slots.data(), tag) != expected) {
        BOOST_ERROR("another answer for tag " << tag);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(one_empty_slot_anywhere_ends_a_probe) {
  Bucket bucket;
  for (auto& slot : bucket.slots) slot.store(layout::kTombstone);
  BOOST_TEST(!core::has_empty_slot(bucket.slots.data()));
  for (auto& slot : bucket.slots) {
    slot.store(layout::kEmptySlot);
    BOOST_TEST(core::has_empty_slot(bucket.slots.data()));
    slot.store(~std::uint64_t{0});
    BOOST_TEST(!core::has_empty_slot(bucket.slots.data()));
  }
}

BOOST_AUTO_TEST_SUITE_END()
