// Whether a registration still stands.
#pragma once

#include <cstdint>
#include <string>

#include "core/attachment.hpp"

namespace shmreg {

// Whether what stands under the name, or one of its instances, has that id. What cannot be read
// just now is no loss.
[[nodiscard]] bool stands(core::Attachment& attachment, const std::string& full_name,
                          std::uint64_t id);

}  // namespace shmreg
