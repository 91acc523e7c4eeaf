#include "output/exit_code.hpp"

namespace shmreg::output {

// No default: a new Errc without an exit code is a compiler warning, hence an error.
ExitCode exit_code(Errc code) noexcept {
  switch (code) {
    case Errc::ok:
      return kDone;
    case Errc::not_found:
      return kNo;
    case Errc::invalid_name:
    case Errc::invalid_argument:
      return kUsage;
    case Errc::no_such_segment:
    case Errc::segment_retired:
    case Errc::incompatible:
    case Errc::corrupt:
      return kNoSegment;
    case Errc::not_owner:
    case Errc::permission_denied:
    case Errc::untrusted_owner:
      return kNotPermitted;
    case Errc::already_registered:
    case Errc::owner_not_alive:
    case Errc::registration_lost:
    case Errc::segment_exists:
    case Errc::segment_in_use:
      return kConflict;
    case Errc::segment_full:
    case Errc::process_table_full:
    case Errc::no_space:
      return kNoRoom;
    case Errc::timed_out:
    case Errc::cancelled:
    case Errc::interrupted:
    case Errc::busy:
      return kTimedOut;
    case Errc::nested_call:
      return kOwnFault;
    case Errc::unsupported:
    case Errc::system_error:
      return kSystemError;
  }
  return kOwnFault;
}

}  // namespace shmreg::output
