// Claim: no two living threads of a process have one ordinal, not even where one of them is ending
// and its late destructors still use the registry.
// Method: thread A registers, so that its state exists, and comes back in the destructor of a
// pthread key, which runs after its thread_local objects are gone; B, started meanwhile, has an
// ordinal of its own at the same moment. (With the ordinal given back but still in use both
// said 1.)
#include <pthread.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "core/thread_state.hpp"

namespace shmreg::test {
namespace {

std::atomic<int> step{0};
std::atomic<std::uint32_t> late_ordinal{0};

void wait_for(int wanted) {
  while (step.load() != wanted) std::this_thread::yield();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_thread_that_is_ending_shares_its_ordinal_with_nobody) {
  pthread_key_t key{};
  BOOST_REQUIRE(pthread_key_create(&key, [](void*) {
                  step = 1;
                  wait_for(2);
                  late_ordinal = core::ThreadState::current().ordinal();
                  step = 3;
                }) == 0);
  std::thread ending([&] {
    (void)core::ThreadState::current().ordinal();
    pthread_setspecific(key, &step);
  });
  wait_for(1);
  std::uint32_t other = 0;
  std::thread living([&] {
    other = core::ThreadState::current().ordinal();
    step = 2;
    wait_for(3);
  });
  ending.join();
  living.join();
  pthread_key_delete(key);
  BOOST_TEST(late_ordinal.load() != 0U);
  BOOST_TEST(other != 0U);
  BOOST_TEST(late_ordinal.load() != other);
}

BOOST_AUTO_TEST_CASE(a_thread_that_has_ended_gives_back_what_its_last_destructors_took) {
  pthread_key_t key{};
  BOOST_REQUIRE(pthread_key_create(&key, [](void*) {
                  late_ordinal = core::ThreadState::current().ordinal();
                }) == 0);
  for (const bool has_one_before : {true, false}) {
    std::uint32_t highest = 0;
    for (int round = 0; round < 100; ++round) {
      std::thread([&] {
        if (has_one_before) (void)core::ThreadState::current().ordinal();
        pthread_setspecific(key, &step);
      }).join();
      if (round == 0) highest = late_ordinal;
      BOOST_TEST(late_ordinal.load() == highest);
    }
  }
  pthread_key_delete(key);
}

}  // namespace shmreg::test
