#include "shmreg/error.hpp"

namespace shmreg {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "shmreg"; }
  [[nodiscard]] std::string message(int code) const override {
    return describe(static_cast<Errc>(code));
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

const char* describe(Errc code) noexcept {
  switch (code) {
    case Errc::ok:
      return "done";
    case Errc::not_found:
      return "no such service";
    case Errc::already_registered:
      return "the name is registered by a live owner";
    case Errc::not_owner:
      return "the service belongs to another process";
    case Errc::invalid_name:
      return "the name breaks a rule";
    case Errc::invalid_argument:
      return "a value is out of range";
    case Errc::owner_not_alive:
      return "the process that is to own the service does not exist";
    case Errc::registration_lost:
      return "the name is no longer this registration's";
    case Errc::no_such_segment:
      return "there is no such segment";
    case Errc::segment_exists:
      return "the segment exists already";
    case Errc::segment_in_use:
      return "services with a live owner are registered in the segment";
    case Errc::segment_retired:
      return "the segment was destroyed while attached";
    case Errc::incompatible:
      return "the file is no segment that this library can read";
    case Errc::corrupt:
      return "the segment is damaged: its bytes contradict each other";
    case Errc::permission_denied:
      return "not permitted";
    case Errc::untrusted_owner:
      return "the segment's file belongs to a user that is not trusted";
    case Errc::segment_full:
      return "the segment's limit is used up";
    case Errc::process_table_full:
      return "the process table is full";
    case Errc::no_space:
      return "out of room in the file system or in this process";
    case Errc::timed_out:
      return "the time is out";
    case Errc::cancelled:
      return "the wait was given up";
    case Errc::interrupted:
      return "the wait was ended by a signal";
    case Errc::busy:
      return "the record kept changing while it was read";
    case Errc::nested_call:
      return "a signal handler called a writing operation while another was under way";
    case Errc::unsupported:
      return "this kernel or sandbox lacks something that is required";
    case Errc::system_error:
      break;
  }
  return "the system refused";
}

}  // namespace shmreg
