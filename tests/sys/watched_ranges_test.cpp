// The ranges of memory in which the SIGBUS handler acts.
//
// Claim: watching and unwatching from many threads, faults meanwhile, is safe; so is a range of any
// size. What comes to lie where a range was is left alone. Method: each case in a child, so that
// this process never has the handler.
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "shmreg/bus_error.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/skipped.hpp"
#include "sys/bus_error.hpp"
#include "sys/faults.hpp"

using namespace shmreg;
using namespace shmreg::test;

BOOST_AUTO_TEST_SUITE(bus_errors)

// More ranges than one block of the list has places.
BOOST_AUTO_TEST_CASE(many_ranges_are_told_apart_and_their_places_used_again) {
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_DFL);
               sys::install_bus_error_handler();
               for (int round = 0; round < 3; ++round) {
                 std::vector<std::unique_ptr<Hollow>> hollows;
                 std::vector<sys::WatchedRange> ranges;
                 for (int i = 0; i < 100; ++i) {
                   hollows.push_back(std::make_unique<Hollow>(4096));
                   ranges.emplace_back(hollows.back()->at(), 4096, true);
                 }
                 for (std::size_t i = 0; i < ranges.size(); i += 2) (void)*hollows[i]->byte(1);
                 for (std::size_t i = 0; i < ranges.size(); ++i) {
                   CHILD_CHECK(ranges[i].broken() == (i % 2 == 0));
                 }
               }
             }) == 0);
}

BOOST_AUTO_TEST_CASE(threads_watch_and_unwatch_while_others_fault) {
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_DFL);
               sys::install_bus_error_handler();
               constexpr int kRounds = kSanitized ? 200 : 2000;
               std::vector<std::thread> threads;
               for (int t = 0; t < 4; ++t) {
                 threads.emplace_back([] {
                   for (int i = 0; i < kRounds; ++i) own_fault();
                 });
               }
               for (auto& thread : threads) thread.join();
             }) == 0);
}

// Another thread faults there without owning it, as by a stray pointer: at no time must the handler
// put zeros over what has taken the range's address.
BOOST_AUTO_TEST_CASE(what_comes_to_lie_where_a_range_was_is_left_alone) {
  if (kUnderTsan) return skipped("a stray pointer's access is a race, and meant to be one");
  BOOST_TEST(end_of([] {
               static thread_local sigjmp_buf back;
               install(SA_SIGINFO, [](int, siginfo_t*, void*) { ::siglongjmp(back, 1); });
               sys::install_bus_error_handler();
               const Hollow hollow(4096);
               const int file = ::memfd_create("hollow", MFD_CLOEXEC);
               std::atomic<bool> stop{false};
               std::vector<std::thread> threads;
               for (int t = 0; t < 3; ++t) {
                 threads.emplace_back([&] {
                   (void)::sigsetjmp(back, 1);
                   while (!stop.load()) (void)*hollow.byte(0);
                 });
               }
               const auto lay = [&](int flags, int from) {
                 CHILD_CHECK(::mmap(hollow.at(), 4096, PROT_READ | PROT_WRITE, MAP_FIXED | flags,
                                    from, 0) == hollow.at());
               };
               for (int i = 0; i < 300; ++i) {
                 {
                   lay(MAP_SHARED, file);
                   const sys::WatchedRange range(hollow.at(), 4096, true);
                   // A handler says so first, and has its zeros yet to map.
                   // (Never, where late zeros have come to lie over the hollow.)
                   const auto deadline =
                       std::chrono::steady_clock::now() + std::chrono::seconds(20);
                   while (!range.broken()) {
                     CHILD_CHECK(std::chrono::steady_clock::now() < deadline);
                     std::this_thread::yield();
                   }
                 }
                 lay(MAP_PRIVATE | MAP_ANONYMOUS, -1);
                 *hollow.byte(0) = 7;
                 for (int look = 0; look < 100; ++look) CHILD_CHECK(*hollow.byte(0) == 7);
               }
               stop.store(true);
               for (auto& thread : threads) thread.join();
             }) == 0);
}

// A fault's handler is cut short by the fork in every other thread: its copy never ends.
BOOST_AUTO_TEST_CASE(a_child_of_a_process_that_is_handling_a_fault_waits_for_nobody) {
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_DFL);
               sys::install_bus_error_handler();
               std::atomic<bool> stop{false};
               std::vector<std::thread> threads;
               for (int t = 0; t < 3; ++t) {
                 threads.emplace_back([&stop] {
                   while (!stop.load()) own_fault();
                 });
               }
               for (int i = 0; i < (kSanitized ? 50 : 300); ++i) {
                 Child child([](const Parent&) { own_fault(); });
                 CHILD_CHECK(child.reap() == 0);
               }
               stop.store(true);
               for (auto& thread : threads) thread.join();
             }) == 0);
}

// Page by page this would need more mappings than a process may have (vm.max_map_count).
BOOST_AUTO_TEST_CASE(a_large_range_is_read_in_any_order) {
  if (kUnderTsan) return;  // its shadow of 2 GiB is more than some machines have
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_DFL);
               sys::install_bus_error_handler();
               constexpr std::size_t kBytes = std::size_t{2} << 30;
               const Hollow hollow(kBytes, false);
               const sys::WatchedRange range(hollow.at(), kBytes, false);
               for (std::size_t at = 0; at < kBytes; at += 8192) {
                 CHILD_CHECK(*hollow.byte(at) == 0);
               }
             }) == 0);
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_DFL);
               sys::install_bus_error_handler();
               constexpr std::size_t kPages = std::size_t{1} << 19;
               const Hollow hollow(kPages * 4096, false);
               const sys::WatchedRange range(hollow.at(), kPages * 4096, false);
               std::mt19937_64 chance(1);
               for (int i = 0; i < 200'000; ++i) {
                 CHILD_CHECK(*hollow.byte(chance() % kPages * 4096) == 0);
               }
             }) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
