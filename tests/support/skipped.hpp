// A test that the machine does not allow says so and passes: SKIPPED, with the reason.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <string>

namespace shmreg::test {

inline void skipped(const std::string& reason) {
  const std::string name = boost::unit_test::framework::current_test_case().p_name;
  std::printf("SKIPPED %s: %s\n", name.c_str(), reason.c_str());
  std::fflush(stdout);
}

}  // namespace shmreg::test
