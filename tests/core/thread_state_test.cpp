// A thread and the lock it holds: signal handlers, longjmp, the thread's end, cancellation.
#include "core/thread_state.hpp"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "core/partition_lock.hpp"
#include "support/child.hpp"
#include "support/insides.hpp"
#include "support/sanitizers.hpp"

using namespace shmreg;
using namespace shmreg::test;
using core::DirtySection;
using core::PartitionLock;
using core::ThreadState;

namespace {

// What a signal handler found when it called into the library.
struct Handled {
  const Registry* registry = nullptr;
  Errc write = Errc::ok;
  Errc read = Errc::ok;
};
Handled handled;

extern "C" void call_the_library(int /*signal*/) {
  Registry registry = *handled.registry;
  handled.write = registry.register_service("signal/handler").code();
  Service found;
  handled.read = registry.lookup("a/b", found);
}

class Handler {
 public:
  Handler(const Registry& registry, int flags) {
    handled = {&registry, Errc::ok, Errc::ok};
    struct sigaction action {};
    action.sa_handler = &call_the_library;
    action.sa_flags = flags;
    ::sigaction(SIGUSR1, &action, &before_);
  }
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  ~Handler() { ::sigaction(SIGUSR1, &before_, nullptr); }

 private:
  struct sigaction before_ {};
};

sigjmp_buf way_out;

// What is never destroyed on purpose stays reachable, for the leak checker.
template <class Left>
Left* left_behind(Left* object) {
  static auto* const all = new std::vector<void*>;
  all->push_back(object);
  return object;
}

// From well below any later call of the test's, which is what tells it from a signal handler's.
[[gnu::noinline]] void leave_an_operation_by_longjmp(const Insides& insides, int depth = 64) {
  if (depth > 0) {
    volatile char frame[1024];
    frame[0] = 1;
    leave_an_operation_by_longjmp(insides, depth - 1);
    frame[1] = frame[0];  // after the call: no tail call
  }
  // Never destroyed, as longjmp leaves it.
  auto* lock = left_behind(new PartitionLock(insides.writer));
  BOOST_TEST_REQUIRE(lock->acquire(0).ok());
  left_behind(new DirtySection(lock->partition()));
  lock->partition().services.store(99);
  ::siglongjmp(way_out, 1);
}

[[gnu::noinline]] Errc add_from_far_below(const Insides& insides, int depth = 200) {
  if (depth == 0) return insides.add("far/below").code();
  volatile char frame[1024];
  frame[0] = 1;
  const Errc outcome = add_from_far_below(insides, depth - 1);
  frame[1] = frame[0];
  return outcome;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(thread_state)

BOOST_AUTO_TEST_CASE(a_write_from_a_signal_handler_in_the_middle_of_another_is_an_error) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  BOOST_TEST_REQUIRE(insides.add("a/b").ok());
  auto registry = scratch.attach();
  {
    const Handler handler(registry, 0);
    PartitionLock lock(insides.writer);
    BOOST_TEST_REQUIRE(lock.acquire(0).ok());
    ::raise(SIGUSR1);
    BOOST_TEST((handled.write == Errc::nested_call));
    // Reading is allowed there.
    BOOST_TEST((handled.read == Errc::ok));
    BOOST_TEST(insides.segment().partition(0).lock.load() != 0U);
  }
  BOOST_TEST(insides.add("a/c").ok());
  BOOST_TEST((insides.lookup("signal/handler") == Errc::not_found));
}

BOOST_AUTO_TEST_CASE(the_same_holds_on_an_alternate_signal_stack) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  auto registry = scratch.attach();
  // Above the thread's own stack as well as below it, wherever the heap put it.
  std::vector<char> memory(256 * 1024);
  stack_t stack{};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  stack_t before{};
  BOOST_TEST_REQUIRE(::sigaltstack(&stack, &before) == 0);
  {
    const Handler handler(registry, SA_ONSTACK);
    PartitionLock lock(insides.writer);
    BOOST_TEST_REQUIRE(lock.acquire(0).ok());
    ::raise(SIGUSR1);
    BOOST_TEST((handled.write == Errc::nested_call));
    BOOST_TEST(insides.segment().partition(0).lock.load() != 0U);
  }
  ::sigaltstack(&before, nullptr);
  BOOST_TEST(insides.add("a/c").ok());
}

BOOST_AUTO_TEST_CASE(a_write_from_a_signal_handler_that_interrupts_nothing_of_ours_works) {
  const ScratchSegment scratch(one_partition());
  auto registry = scratch.attach();
  const auto mine = registry.register_service("a/b").value();
  const Handler handler(registry, 0);
  ::raise(SIGUSR1);
  BOOST_TEST((handled.write == Errc::ok));
  BOOST_TEST((handled.read == Errc::ok));
}

BOOST_AUTO_TEST_CASE(what_longjmp_left_in_the_middle_is_mended_by_the_threads_next_call) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  BOOST_TEST_REQUIRE(insides.add("a/b").ok());
  static int round = 0;  // not in a register, which longjmp would put back
  for (round = 0; round < 3; ++round) {
    if (sigsetjmp(way_out, 0) == 0) leave_an_operation_by_longjmp(insides);
    BOOST_TEST(insides.segment().partition(0).lock.load() != 0U);
    const auto added = insides.add("a/" + std::to_string(round));
    BOOST_TEST(added.ok(), added.message());
    BOOST_TEST(insides.segment().partition(0).lock.load() == 0U);
    BOOST_TEST(insides.segment().partition(0).dirty.load() == 0U);
  }
  BOOST_TEST(insides.segment().partition(0).services.load() == 4U);
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(from_further_down_the_stack_than_what_longjmp_left_a_call_is_an_error_once) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  if (sigsetjmp(way_out, 0) == 0) leave_an_operation_by_longjmp(insides);
  // Told apart from a handler by the stack alone: deeper than the frame that was left it looks like
  // one. The thread is not stuck with it.
  BOOST_TEST((add_from_far_below(insides) == Errc::nested_call));
  BOOST_TEST(insides.add("a/b").ok());
  BOOST_TEST((add_from_far_below(insides) == Errc::ok));
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(what_longjmp_left_holds_up_no_other_thread_once_this_one_has_ended) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch, std::chrono::milliseconds(20'000));
  std::thread([&] {
    auto* lock = left_behind(new PartitionLock(insides.writer));
    (void)lock->acquire(0).ok();
    left_behind(new DirtySection(lock->partition()));
  }).join();
  BOOST_TEST(insides.segment().partition(0).lock.load() == 0U);
  BOOST_TEST(insides.segment().partition(0).dirty.load() == 1U);
  BOOST_TEST(insides.add("a/b").ok());
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

BOOST_AUTO_TEST_CASE(living_threads_have_ordinals_of_their_own_and_the_dead_ones_are_used_again) {
  constexpr int kThreads = 20;
  std::uint32_t highest = 0;
  for (int round = 0; round < 5; ++round) {
    std::array<std::uint32_t, kThreads> ordinals{};
    std::atomic<int> arrived{0};
    std::vector<std::thread> threads;
    for (auto& ordinal : ordinals) {
      threads.emplace_back([&] {
        ordinal = ThreadState::current().ordinal();
        ++arrived;
        while (arrived.load() < kThreads) std::this_thread::yield();
      });
    }
    for (auto& thread : threads) thread.join();
    const std::set<std::uint32_t> different(ordinals.begin(), ordinals.end());
    BOOST_TEST(different.size() == static_cast<std::size_t>(kThreads));
    BOOST_TEST(different.count(0) == 0U);
    BOOST_TEST(different.count(ThreadState::current().ordinal()) == 0U);
    if (round == 0) highest = *different.rbegin();
    BOOST_TEST(*different.rbegin() <= highest);
  }
}

BOOST_AUTO_TEST_CASE(a_forked_childs_thread_holds_nothing_of_what_its_parents_held) {
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch);
  {
    PartitionLock lock(insides.writer);
    BOOST_TEST_REQUIRE(lock.acquire(0).ok());
    const std::uint64_t word = insides.segment().partition(0).lock.load();
    Child child([&](const Parent&) {
      // As after a fork in a handler, but for the lock that the child must leave alone.
      const Insides own(scratch, std::chrono::milliseconds(50));
      PartitionLock wanted(own.writer);
      CHILD_CHECK(wanted.acquire(0).code() == Errc::timed_out);
      CHILD_CHECK(own.segment().partition(0).lock.load() == word);
    });
    BOOST_TEST(child.reap() == 0);
    BOOST_TEST(insides.segment().partition(0).lock.load() == word);
  }
  BOOST_TEST(insides.add("a/b").ok());
}

// Claim: a thread cancelled anywhere leaves the table sound and no lock behind. Method: threads
// that register and unregister without pause are cancelled after a while that differs.
BOOST_AUTO_TEST_CASE(a_cancelled_thread_leaves_no_lock_and_no_half_done_change) {
  if (kUnderTsan)
    return;  // cancellation unwinds through its interceptors, which it does not follow
  const ScratchSegment scratch(one_partition());
  const Insides insides(scratch, std::chrono::milliseconds(20'000));
  for (int round = 0; round < 30; ++round) {
    pthread_t thread{};
    BOOST_TEST_REQUIRE(::pthread_create(
                           &thread, nullptr,
                           [](void* context) -> void* {
                             const auto& own = *static_cast<const Insides*>(context);
                             for (;;) {
                               (void)own.add("c/ancelled", std::string(5'000, 'x')).ok();
                               (void)own.remove("c/ancelled").ok();
                               ::pthread_testcancel();
                             }
                           },
                           const_cast<Insides*>(&insides)) == 0);
    ::usleep(static_cast<useconds_t>(200 + round * 37));
    ::pthread_cancel(thread);
    void* result = nullptr;
    ::pthread_join(thread, &result);
    BOOST_TEST(result == PTHREAD_CANCELED);
    BOOST_TEST(insides.segment().partition(0).lock.load() == 0U);
  }
  BOOST_TEST(insides.add("a/b").ok());
  BOOST_TEST(doctor(scratch.name()).problems.empty());
}

BOOST_AUTO_TEST_SUITE_END()
