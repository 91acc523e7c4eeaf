// What is seen of the clients, and what one sees that may only read.
#include <boost/test/unit_test.hpp>

#include "registry/seen.hpp"
#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/scratch_segment.hpp"

using namespace shmreg;
using namespace shmreg::test;

BOOST_AUTO_TEST_SUITE(registry)

BOOST_AUTO_TEST_CASE(a_read_only_client_reads_everything_writes_nothing_and_is_not_seen) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, {"a/b"}); });
  owner.await();
  auto registry = segment.reader();
  BOOST_TEST(!registry.writable());
  BOOST_TEST(registry.lookup("a/b").ok());
  BOOST_TEST(registry.list()->size() == 1U);
  BOOST_TEST(registry.info()->services == 1U);
  BOOST_TEST_REQUIRE(registry.processes()->size() == 1U);
  BOOST_TEST(registry.processes()->front().pid == static_cast<std::uint32_t>(owner.pid()));
  BOOST_TEST((registry.register_service("a/c").code() == Errc::permission_denied));
  BOOST_TEST((registry.register_for(Owner::permanent(), "a/c").code() == Errc::permission_denied));
  BOOST_TEST((registry.unregister("a/b").code() == Errc::permission_denied));
  BOOST_TEST((registry.update("a/b", {}).code() == Errc::permission_denied));
  BOOST_TEST((registry.renew("a/b", 1).code() == Errc::permission_denied));
}

BOOST_AUTO_TEST_CASE(a_client_that_only_looked_up_is_not_in_the_process_table) {
  const ScratchSegment segment;
  auto registry = segment.attach();
  (void)registry.lookup("a/b");
  (void)registry.list();
  BOOST_TEST(registry.processes()->empty());
  const auto mine = registry.register_service("a/b").value();
  BOOST_TEST(registry.processes()->size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_process_is_described_by_what_it_is) {
  const ScratchSegment segment;
  Child owner([&](const Parent& parent) { hold(parent, segment, {"a/b", "a/c"}); });
  owner.await();
  const auto registry = segment.reader();
  const ProcessInfo running = registry.processes()->front();
  BOOST_TEST(running.pid == static_cast<std::uint32_t>(owner.pid()));
  BOOST_TEST(running.services == 2U);
  BOOST_TEST(running.program == "test_registry");
  BOOST_TEST(!running.waiting_for.has_value());
  BOOST_TEST(running.attached_at_ns > 1'600'000'000'000'000'000);
  BOOST_TEST(running.pid_namespace != 0U);
  BOOST_TEST((running.liveness == Liveness::kernel_mark));
  BOOST_TEST((running.state == ProcessState::running));
  owner.stop();
  BOOST_TEST((registry.processes()->front().state == ProcessState::stopped));
  owner.resume();
}

BOOST_AUTO_TEST_CASE(info_tells_what_the_segment_was_made_with) {
  CreateOptions options = small_segment();
  const ScratchSegment segment(options);
  auto registry = segment.attach();
  const auto mine = registry.register_service("a/b").value();
  const RegistryInfo info = registry.info().value();
  BOOST_TEST(info.segment == segment.name());
  BOOST_TEST(info.partitions == options.partitions);
  BOOST_TEST(info.max_processes == options.max_processes);
  BOOST_TEST(info.bytes_limit == options.max_size_bytes);
  BOOST_TEST(info.bytes_used > 0U);
  BOOST_TEST(info.bytes_used < options.max_size_bytes);
  BOOST_TEST(info.services == 1U);
  BOOST_TEST(info.namespaces == 1U);
  BOOST_TEST(info.processes == 1U);
  BOOST_TEST(info.changes >= 1U);
  BOOST_TEST(info.load_factor_max > 0);
  BOOST_TEST(info.created_at_ns > 1'600'000'000'000'000'000);
}

BOOST_AUTO_TEST_SUITE_END()
