#include "sys/errno.hpp"

#include <cerrno>
#include <system_error>

namespace shmreg::sys {

Errc errc_of(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
      return Errc::no_such_segment;
    case EEXIST:
      return Errc::segment_exists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::permission_denied;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case ENOLCK:
      return Errc::no_space;
    case ELOOP:
    case ENXIO:
    case EISDIR:
      return Errc::incompatible;
    case ETIMEDOUT:
      return Errc::timed_out;
    case ENOSYS:
    case EOPNOTSUPP:
      return Errc::unsupported;
    default:
      return Errc::system_error;
  }
}

Status status_of(int error_number, const std::string& what) {
  return {errc_of(error_number), what + ": " + std::generic_category().message(error_number)};
}

}  // namespace shmreg::sys
