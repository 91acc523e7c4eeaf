// main() of every Boost.Test program here.
//
// Boost.Test would catch fatal signals and carry on. These tests fork children that die on purpose,
// and run under sanitizers whose own handlers say more; so signals keep their meaning, unless the
// environment asks otherwise.
#define BOOST_TEST_NO_MAIN
#include <stdlib.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "support/sanitizers.hpp"

#if defined(SHMREG_TESTS_TSAN)
#include <dlfcn.h>
#include <pthread.h>

// A child's first thread would get the stack, and so the pthread_t, of a thread that its parent had
// when it forked; g++ 12's ThreadSanitizer takes that for a thread that exists twice and ends the
// process. So a child's threads get stacks larger than any that their parent may have left behind.
namespace {

constexpr std::size_t kLeastStack = std::size_t{1} << 20;
unsigned int generation = 0;

}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* wanted, void* (*run)(void*),
                              void* argument) noexcept {
  static const auto create =
      reinterpret_cast<decltype(&pthread_create)>(::dlsym(RTLD_NEXT, "pthread_create"));
  pthread_attr_t attributes;
  if (wanted == nullptr) {
    if (const int failed = ::pthread_attr_init(&attributes); failed != 0) return failed;
  } else {
    attributes = *wanted;
  }
  ::pthread_attr_setstacksize(&attributes, kLeastStack << generation);
  return create(thread, &attributes, run, argument);
}
#endif

namespace {

bool init() {
  boost::unit_test::framework::master_test_suite().p_name.value = "shmreg";
  return true;
}

}  // namespace

int main(int argc, char** argv) {
#if defined(SHMREG_TESTS_TSAN)
  ::pthread_atfork(nullptr, nullptr, [] { ++generation; });
#endif
  ::setenv("BOOST_TEST_CATCH_SYSTEM_ERRORS", "no", /*overwrite=*/0);
  if (::isatty(STDERR_FILENO) == 0) ::setenv("BOOST_TEST_COLOR_OUTPUT", "no", /*overwrite=*/0);
  return boost::unit_test::unit_test_main(&init, argc, argv);
}
