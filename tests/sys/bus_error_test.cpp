// The SIGBUS handler among other handlers.
//
// Claim: it acts for faults in watched ranges alone. Every other SIGBUS has the effect that it
// would have had without us, whatever was installed before; a program that wants no handler gets
// none. Watching and unwatching from many threads, faults meanwhile, is safe; so is a range of any
// size. Method: each case in a child, so that this process never has the handler: what is "before"
// is the case's own choice. Foreign faults are in a mapping of a truncated file of the test's own.
#include "shmreg/bus_error.hpp"

#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>

#include "shmreg/registry.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/scratch_segment.hpp"
#include "support/skipped.hpp"
#include "sys/bus_error.hpp"
#include "sys/faults.hpp"

using namespace shmreg;
using namespace shmreg::test;

namespace {

struct sigaction disposition() {
  struct sigaction now {};
  CHILD_CHECK(::sigaction(SIGBUS, nullptr, &now) == 0);
  return now;
}

// The programs' own handler, which leaves as such handlers do.
struct Seen {
  volatile int calls = 0;
  void* volatile address = nullptr;
  volatile bool blocked = false;  // SIGBUS, in the handler
  sigjmp_buf back{};
} seen;

void note_blocked() {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  seen.blocked = sigismember(&mask, SIGBUS) == 1;
}
void with_info(int, siginfo_t* info, void* context) {
  if (context == nullptr) ::_exit(kFailedCheck);
  seen.calls = seen.calls + 1;
  seen.address = info->si_addr;
  note_blocked();
  ::siglongjmp(seen.back, 1);
}
void plain(int signal) {
  if (signal != SIGBUS) ::_exit(kFailedCheck);
  seen.calls = seen.calls + 1;
  note_blocked();
  ::siglongjmp(seen.back, 1);
}

void attach(const ScratchSegment& segment, bool handle = true) {
  AttachOptions options;
  options.handle_bus_errors = handle;
  (void)Registry::attach(segment.name(), options);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bus_errors)

BOOST_AUTO_TEST_CASE(a_fault_in_a_watched_range_reads_as_zeros_and_the_range_is_broken) {
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_DFL);
               sys::install_bus_error_handler();
               const Hollow hollow(1 << 16);
               const Hollow other(1 << 16, false);
               const sys::WatchedRange range(hollow.at(), 1 << 16, true);
               const sys::WatchedRange read_only(other.at(), 1 << 16, false);
               CHILD_CHECK(!range.broken() && !read_only.broken());
               errno = 42;
               CHILD_CHECK(*hollow.byte(5000) == 0);
               CHILD_CHECK(errno == 42);
               CHILD_CHECK(range.broken() && !read_only.broken());
               *hollow.byte(40000) = 7;
               CHILD_CHECK(*hollow.byte(40000) == 7);
               CHILD_CHECK(*other.byte(65535) == 0);
               CHILD_CHECK(read_only.broken());
             }) == 0);
}

BOOST_AUTO_TEST_CASE(without_the_handler_the_same_fault_is_the_end) {
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_DFL);
               own_fault();
             }) == kDiedOfSigbus);
}

BOOST_AUTO_TEST_CASE(a_foreign_fault_reaches_the_handler_that_was_there_before) {
  if (kUnderTsan) return skipped("ThreadSanitizer puts a handler of its own before every other");
  for (const int flags : {SA_SIGINFO, SA_SIGINFO | SA_NODEFER, 0, SA_NODEFER}) {
    BOOST_TEST(end_of([flags] {
                 install(flags, (flags & SA_SIGINFO) != 0 ? &with_info : nullptr, &plain);
                 sys::install_bus_error_handler();
                 // Again and again: the mask is as that handler is used to.
                 for (int i = 1; i <= 3; ++i) {
                   const Hollow hollow(4096);
                   if (::sigsetjmp(seen.back, 1) == 0) (void)*hollow.byte(99);
                   CHILD_CHECK(seen.calls == i);
                   CHILD_CHECK((flags & SA_SIGINFO) == 0 ||
                               seen.address == const_cast<unsigned char*>(hollow.byte(99)));
                   CHILD_CHECK(seen.blocked == ((flags & SA_NODEFER) == 0));
                   own_fault();
                   CHILD_CHECK(seen.calls == i);
                 }
                 // One that was sent, which looks like a fault at the sender's number.
                 if (::sigsetjmp(seen.back, 1) == 0) ::kill(::getpid(), SIGBUS);
                 CHILD_CHECK(seen.calls == 4);
               }) == 0,
               "flags " << flags);
  }
}

BOOST_AUTO_TEST_CASE(a_handler_for_one_time_is_called_one_time) {
  BOOST_TEST(end_of([] {
               install(SA_SIGINFO | static_cast<int>(SA_RESETHAND), &with_info);
               sys::install_bus_error_handler();
               if (::sigsetjmp(seen.back, 1) == 0) foreign_fault();
               CHILD_CHECK(seen.calls == 1);
               own_fault();
               foreign_fault();
               ::_exit(kFailedCheck);
             }) == kDiedOfSigbus);
}

BOOST_AUTO_TEST_CASE(where_there_was_none_the_process_dies_as_it_would_have) {
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_DFL);
               sys::install_bus_error_handler();
               own_fault();
               foreign_fault();
               ::_exit(kFailedCheck);
             }) == kDiedOfSigbus);
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_DFL);
               sys::install_bus_error_handler();
               ::kill(::getpid(), SIGBUS);
               ::_exit(kFailedCheck);
             }) == kDiedOfSigbus);
}

BOOST_AUTO_TEST_CASE(where_it_was_ignored_a_signal_stays_ignored_and_a_fault_is_the_end) {
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_IGN);
               sys::install_bus_error_handler();
               ::kill(::getpid(), SIGBUS);
               own_fault();
               ::kill(::getpid(), SIGBUS);
             }) == 0);
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_IGN);
               sys::install_bus_error_handler();
               foreign_fault();
               ::_exit(kFailedCheck);
             }) == kDiedOfSigbus);
}

BOOST_AUTO_TEST_CASE(what_is_watched_no_longer_is_foreign) {
  BOOST_TEST(end_of([] {
               ::signal(SIGBUS, SIG_DFL);
               sys::install_bus_error_handler();
               const Hollow hollow(4096);
               { const sys::WatchedRange range(hollow.at(), 4096, true); }
               (void)*hollow.byte(0);
               ::_exit(kFailedCheck);
             }) == kDiedOfSigbus);
}

BOOST_AUTO_TEST_CASE(attaching_installs_it_once_and_leaves_a_later_handler_alone) {
  const ScratchSegment segment(small_segment());
  BOOST_TEST(end_of([&] {
               install(SA_SIGINFO, &with_info);
               attach(segment);
               const auto ours = disposition().sa_sigaction;
               CHILD_CHECK(ours != &with_info);
               CHILD_CHECK((disposition().sa_flags & (SA_SIGINFO | SA_ONSTACK)) ==
                           (SA_SIGINFO | SA_ONSTACK));
               attach(segment);
               CHILD_CHECK(disposition().sa_sigaction == ours);
               // Behind ours is still the one that was there first.
               if (::sigsetjmp(seen.back, 1) == 0) foreign_fault();
               CHILD_CHECK(seen.calls == 1);
               install(0, nullptr, &plain);
               attach(segment);
               CHILD_CHECK(disposition().sa_handler == &plain);
               // Given back to the kernel, it leads nowhere: installed anew.
               ::signal(SIGBUS, SIG_DFL);
               attach(segment);
               CHILD_CHECK(disposition().sa_sigaction == ours);
               own_fault();
               foreign_fault();
               ::_exit(kFailedCheck);
             }) == kDiedOfSigbus);
}

BOOST_AUTO_TEST_CASE(a_later_handler_may_lead_back_to_ours) {
  static struct sigaction ours;
  BOOST_TEST(end_of([] {
               install(SA_SIGINFO, &with_info);
               sys::install_bus_error_handler();
               ours = disposition();
               install(SA_SIGINFO, [](int signal, siginfo_t* info, void* context) {
                 ours.sa_sigaction(signal, info, context);
               });
               sys::install_bus_error_handler();
               own_fault();
               if (::sigsetjmp(seen.back, 1) == 0) foreign_fault();
               CHILD_CHECK(seen.calls == 1);
             }) == 0);
}

BOOST_AUTO_TEST_CASE(who_wants_no_handler_gets_none) {
  const ScratchSegment segment(small_segment());
  BOOST_TEST(end_of([&] {
               ::signal(SIGBUS, SIG_DFL);
               attach(segment, false);
               CHILD_CHECK(disposition().sa_handler == SIG_DFL);
               (void)doctor(segment.name());
               (void)segments();
               CHILD_CHECK(disposition().sa_handler == SIG_DFL);
               attach(segment, true);
               CHILD_CHECK(disposition().sa_handler != SIG_DFL);
             }) == 0);
}

BOOST_AUTO_TEST_CASE(only_a_fault_in_a_watched_range_is_dealt_with_when_asked) {
  BOOST_TEST(end_of([] {
               const Hollow hollow(4096);
               const Hollow foreign(4096);
               const sys::WatchedRange range(hollow.at(), 4096, true);
               siginfo_t info{};
               CHILD_CHECK(!handle_sigbus(nullptr));
               CHILD_CHECK(!handle_sigbus(&info));
               info.si_signo = SIGBUS;
               info.si_code = BUS_ADRERR;
               info.si_addr = foreign.at();
               CHILD_CHECK(!handle_sigbus(&info));
               info.si_addr = hollow.at();
               for (const int code : std::initializer_list<int>{SI_USER, SI_TKILL, BUS_ADRALN,
                                                                BUS_MCEERR_AR, BUS_MCEERR_AO}) {
                 info.si_code = code;
                 CHILD_CHECK(!handle_sigbus(&info));
               }
               info.si_signo = SIGSEGV;
               info.si_code = BUS_ADRERR;
               CHILD_CHECK(!handle_sigbus(&info));
               CHILD_CHECK(!range.broken());
               info.si_signo = SIGBUS;
               CHILD_CHECK(handle_sigbus(&info));
               CHILD_CHECK(range.broken());
             }) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
