// The rules for names and for what a service says of itself, and how that is laid out in a record.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/printable.hpp"
#include "shmreg/error.hpp"
#include "shmreg/registry.hpp"

namespace shmreg {

// "shmreg.NAME", or invalid_name.
[[nodiscard]] Result<std::string> segment_file_name(std::string_view segment);

// ok, or invalid_name with the rule that is broken. `what` names the thing in the message.
[[nodiscard]] Status check_text(std::string_view text, std::string_view what,
                                bool allow_slash = true);
[[nodiscard]] Status check_namespace(std::string_view name);

// "NAMESPACE/NAME" or "NAME". Allocates only to say what is wrong.
[[nodiscard]] Status check_service(std::string_view service);

// Checks a spec against `key` and encodes its attributes.
[[nodiscard]] Status encode_spec(const ServiceSpec& spec, std::string_view key,
                                 std::vector<unsigned char>& attributes);

using core::printable;

}  // namespace shmreg
