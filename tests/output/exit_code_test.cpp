// Claim: every error of the library has the exit code that regctl(1) promises.
#include "output/exit_code.hpp"

#include <boost/test/unit_test.hpp>

#include "output/nearest.hpp"

using namespace shmreg::output;
using shmreg::Errc;
using shmreg::Result;

BOOST_AUTO_TEST_SUITE(exit_codes)

BOOST_AUTO_TEST_CASE(errors_have_the_codes_of_the_manual) {
  BOOST_TEST(exit_code(Errc::ok) == 0);
  BOOST_TEST(exit_code(Errc::not_found) == 1);
  BOOST_TEST(exit_code(Errc::invalid_name) == 2);
  BOOST_TEST(exit_code(Errc::invalid_argument) == 2);
  for (const Errc code :
       {Errc::no_such_segment, Errc::corrupt, Errc::incompatible, Errc::segment_retired}) {
    BOOST_TEST(exit_code(code) == 3);
  }
  for (const Errc code : {Errc::permission_denied, Errc::untrusted_owner, Errc::not_owner}) {
    BOOST_TEST(exit_code(code) == 4);
  }
  for (const Errc code : {Errc::already_registered, Errc::owner_not_alive, Errc::segment_exists,
                          Errc::segment_in_use}) {
    BOOST_TEST(exit_code(code) == 5);
  }
  for (const Errc code : {Errc::segment_full, Errc::process_table_full, Errc::no_space}) {
    BOOST_TEST(exit_code(code) == 6);
  }
  BOOST_TEST(exit_code(Errc::timed_out) == 124);
}

BOOST_AUTO_TEST_CASE(no_error_is_a_success) {
  for (int code = 1; code <= static_cast<int>(Errc::system_error); ++code) {
    BOOST_TEST(exit_code(static_cast<Errc>(code)) != 0, code);
  }
}

BOOST_AUTO_TEST_CASE(what_is_required_and_missing_ends_with_its_message_and_code) {
  BOOST_TEST(require(Result<int>(4)) == 4);
  BOOST_CHECK_EXCEPTION((void)require(Result<int>(Errc::segment_full, "full")), Failure,
                        [](const Failure& failure) {
                          return failure.code() == 6 && std::string(failure.what()) == "full";
                        });
}

BOOST_AUTO_TEST_CASE(a_slip_of_the_pen_finds_the_name_and_another_word_does_not) {
  const std::vector<std::string> known{"lookup", "list", "register", "run"};
  BOOST_TEST(nearest("lokup", known).value_or("") == "lookup");
  BOOST_TEST(nearest("wbe", {"db", "web"}).value_or("") == "web");
  BOOST_TEST(!nearest("X", {" ", "Y", "XY"}));
  BOOST_TEST(nearest("ab", {"cd", "ac"}).value_or("") == "ac");
  BOOST_TEST(nearest("registre", known).value_or("") == "register");
  BOOST_TEST(!nearest("frobnicate", known).has_value());
  BOOST_TEST(!nearest("", {}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
