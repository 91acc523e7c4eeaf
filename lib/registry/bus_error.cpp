#include "shmreg/bus_error.hpp"

#include "sys/bus_error.hpp"

namespace shmreg {

bool handle_sigbus(const siginfo_t* info) noexcept { return sys::handle_bus_error(info); }

}  // namespace shmreg
