// A segment's identity, and the bounds of every access to it.
#include "core/segment.hpp"

#include <xxhash.h>

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/insides.hpp"

using namespace shmreg;
using namespace shmreg::test;
using layout::Identity;

namespace {

struct Fixture {
  ScratchSegment scratch{one_partition()};
  std::shared_ptr<core::Segment> segment =
      core::Segment::attach(scratch.file_name(), true, {}).value();
  std::uint64_t bytes = segment->geometry().bytes_limit;

  [[nodiscard]] static Identity sealed(Identity identity) {
    identity.checksum = XXH3_64bits(&identity, layout::kChecksummedBytes);
    return identity;
  }
  template <class Change>
  [[nodiscard]] Status changed(Change change, bool seal = true) const {
    Identity identity = segment->identity();
    change(identity);
    return core::check_identity(seal ? sealed(identity) : identity, bytes);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(segment_in_memory, Fixture)

BOOST_AUTO_TEST_CASE(ones_own_identity_is_accepted) {
  BOOST_TEST(core::check_identity(segment->identity(), bytes).ok());
  BOOST_TEST(changed([](Identity&) {}).ok());
  // A later minor version only adds what can be left alone.
  BOOST_TEST(changed([](Identity& i) { i.layout_minor = 7; }).ok());
}

BOOST_AUTO_TEST_CASE(a_stranger_is_refused_with_a_sentence_that_says_what_differs) {
  const auto refused = [&](auto change, Errc code, const std::string& word, bool seal = true) {
    const Status status = changed(change, seal);
    BOOST_TEST((status.code() == code), status.message());
    BOOST_TEST(status.message().find(word) != std::string::npos, status.message());
    BOOST_TEST(status.message().find('\n') == std::string::npos);
  };
  refused([](Identity& i) { i.magic[0] = 'X'; }, Errc::incompatible, "not a shmreg segment");
  refused([](Identity& i) { i.magic[7] = ' '; }, Errc::incompatible, "not a shmreg segment");
  refused([](Identity& i) { i.byte_order = 0x04030201; }, Errc::incompatible, "byte order");
  refused([](Identity& i) { i.layout_major = 2; }, Errc::incompatible, "version 2.0");
  refused([](Identity& i) { i.layout_major = 0; }, Errc::incompatible, "version 0.0");
  refused([](Identity& i) { i.hash_seed ^= 1; }, Errc::corrupt, "checksum", false);
  refused([](Identity& i) { i.checksum ^= 1; }, Errc::corrupt, "checksum", false);
  refused([](Identity& i) { i.partition_bytes += 64; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.health_cell_bytes = 64; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.granule_bytes = 65536; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.heap_offset += 4096; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.processes_offset = 0; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.partitions = 3; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.partitions = 1U << 31; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.max_processes = 0; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.max_processes = ~0U; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.initial_slots = 0; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.bytes_limit = 4096; }, Errc::incompatible, "sizes");
  refused([](Identity& i) { i.bytes_limit = ~std::uint64_t{0}; }, Errc::incompatible, "sizes");
}

BOOST_AUTO_TEST_CASE(a_truncated_file_is_refused_with_both_lengths) {
  const Status status = core::check_identity(segment->identity(), bytes - 1);
  BOOST_TEST((status.code() == Errc::corrupt));
  BOOST_TEST(status.message().find(std::to_string(bytes - 1)) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(nothing_outside_of_the_claimed_heap_is_handed_out) {
  const std::uint64_t heap = segment->geometry().heap_offset();
  const std::uint64_t end = segment->header().claimed_end.load();
  BOOST_TEST(segment->words(heap, 8) != nullptr);
  BOOST_TEST(segment->words(end - 8, 8) != nullptr);
  BOOST_TEST(segment->words(end - 8, 16) == nullptr);
  BOOST_TEST(segment->words(heap - 8, 8) == nullptr);
  BOOST_TEST(segment->words(0, 8) == nullptr);
  BOOST_TEST(segment->words(end, 1) == nullptr);
  BOOST_TEST(segment->words(bytes - 8, 8) == nullptr);
  // Sums that come round.
  for (const std::uint64_t offset : {~std::uint64_t{0}, ~std::uint64_t{0} - 4095,
                                     ~std::uint64_t{0} - heap, std::uint64_t{1} << 63}) {
    for (const std::uint64_t length : {std::uint64_t{8}, std::uint64_t{8} << 20, heap * 2}) {
      BOOST_TEST(segment->words(offset, length) == nullptr);
    }
  }
  for (std::uint32_t log2_slots = 0; log2_slots < 256; ++log2_slots) {
    for (const std::uint64_t granule :
         {std::uint64_t{0}, std::uint64_t{1}, bytes / 4096, (std::uint64_t{1} << 52) - 1,
          (std::uint64_t{1} << 56) - 1}) {
      BOOST_TEST(segment->slots({granule, log2_slots}) == nullptr);
    }
  }
  BOOST_TEST(segment->record(0, 64) == nullptr);
  BOOST_TEST(segment->record(~0U, 64) == nullptr);
  BOOST_TEST(segment->cell(0) == nullptr);
  BOOST_TEST(segment->cell(~0U) == nullptr);
}

BOOST_AUTO_TEST_CASE(what_another_process_claims_is_opened_at_first_touch) {
  const std::uint64_t before = segment->open_end();
  const auto reader = core::Segment::attach(scratch.file_name(), false, {}).value();
  BOOST_TEST_REQUIRE(segment->file().claim(before, 1 << 20).ok());
  BOOST_TEST(reader->words(before, 8) == nullptr);
  segment->header().claimed_end.store(before + (1 << 20));
  BOOST_TEST_REQUIRE(reader->words(before, 8) != nullptr);
  BOOST_TEST(reader->words(before, 8)->load() == 0U);
  BOOST_TEST(reader->words(before + (1 << 20), 8) == nullptr);
}

BOOST_AUTO_TEST_CASE(every_partition_gets_its_share_of_the_hashes) {
  CreateOptions options = one_partition();
  for (const std::uint32_t partitions : {1U, 2U, 64U, 128U}) {
    options.partitions = partitions;
    const ScratchSegment other(options);
    const auto many = core::Segment::attach(other.file_name(), false, {}).value();
    std::vector<int> counts(partitions);
    for (int i = 0; i < 6'400; ++i) {
      const auto hash = core::hash_key("n/" + std::to_string(i), many->hash_seed());
      ++counts.at(many->partition_of(hash));
    }
    for (const int count : counts) BOOST_TEST(count > 6'400 / static_cast<int>(partitions) / 4);
  }
}

BOOST_AUTO_TEST_SUITE_END()
