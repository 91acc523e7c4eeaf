// main() of every Boost.Test program here.
//
// Boost.Test would catch fatal signals and carry on. These tests fork children that die on purpose,
// and run under sanitizers whose own handlers say more; so signals keep their meaning, unless the
// environment asks otherwise.
#define BOOST_TEST_NO_MAIN
#include <stdlib.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

namespace {

bool init() {
  boost::unit_test::framework::master_test_suite().p_name.value = "shmreg";
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  ::setenv("BOOST_TEST_CATCH_SYSTEM_ERRORS", "no", /*overwrite=*/0);
  if (::isatty(STDERR_FILENO) == 0) ::setenv("BOOST_TEST_COLOR_OUTPUT", "no", /*overwrite=*/0);
  return boost::unit_test::unit_test_main(&init, argc, argv);
}
