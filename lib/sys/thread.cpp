#include "sys/thread.hpp"

#include <cxxabi.h>
#include <sched.h>

#include <csignal>
#include <exception>
#include <memory>

namespace shmreg::sys {
namespace {

struct Start {
  const char* name;
  void (*run)(void*);
  void* context;
};

void* entry_point(void* argument) {
  const std::unique_ptr<Start> start(static_cast<Start*>(argument));
  pthread_setname_np(pthread_self(), start->name);
  // A real-time creator's lone processor may never run us: ask for all, take what is allowed.
  cpu_set_t all;
  CPU_ZERO(&all);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) CPU_SET(cpu, &all);
  sched_setaffinity(0, sizeof all, &all);
  // A fault while its signal is blocked ends the process, whatever handler there is: and the thread
  // touches what somebody may truncate.
  sigset_t faults;
  sigemptyset(&faults);
  sigaddset(&faults, SIGBUS);
  pthread_sigmask(SIG_UNBLOCK, &faults, nullptr);
  start->run(start->context);
  return nullptr;
}

}  // namespace

bool Thread::start(const char* name, void (*run)(void*), void* context) {
  auto start = std::make_unique<Start>(Start{name, run, context});
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setstacksize(&attributes, std::size_t{256} << 10);
  pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);  // SCHED_OTHER

  // Blocked by pthread_sigmask in the creator and inherited: there is no instant at which the
  // thread could take a signal, and (unlike a raw rt_sigprocmask) the C library's own signals,
  // which setuid() needs to reach every thread, stay open.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&thread_, &attributes, &entry_point, start.get());
  if (failed != 0) {
    // A program with much static thread-local data needs a larger stack than that.
    pthread_attr_destroy(&attributes);
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    failed = pthread_create(&thread_, &attributes, &entry_point, start.get());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (failed != 0) return false;
  start.release();  // NOLINT(bugprone-unused-return-value): the thread owns it now
  started_ = true;
  return true;
}

// What the C library unwinds with has no object: the reference to it that is caught is of nothing.
__attribute__((no_sanitize("undefined"))) void call_foreign(
    const std::function<void()>& code, const std::function<void(const char*)>& threw) {
  try {
    code();
  } catch (abi::__forced_unwind&) {
    threw("it has ended its thread");
    throw;
  } catch (const std::exception& error) {
    threw(error.what());
  } catch (...) {
    threw("something that is no std::exception");
  }
}

void Thread::join() noexcept {
  if (!started_) return;
  const NoCancellation no_cancellation;
  pthread_join(thread_, nullptr);
  started_ = false;
}

AtThreadEnd::AtThreadEnd(void (*call)(void*)) noexcept
    : made_(::pthread_key_create(&key_, call) == 0) {}

void AtThreadEnd::call_with(void* value) const noexcept {
  if (made_) (void)::pthread_setspecific(key_, value);
}

bool on_signal_stack() noexcept {
  stack_t now{};
  return ::sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_ONSTACK) != 0;
}

}  // namespace shmreg::sys
