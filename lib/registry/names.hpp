// The rules for names and for what a service says of itself, and how that is laid out in a record.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shmreg/error.hpp"
#include "shmreg/registry.hpp"

namespace shmreg {

// "shmreg.NAME", or invalid_name.
[[nodiscard]] Result<std::string> segment_file_name(std::string_view segment);

// ok, or invalid_name with the rule that is broken. `what` names the thing in the message.
[[nodiscard]] Status check_text(std::string_view text, std::string_view what,
                                bool allow_slash = true);
[[nodiscard]] Status check_namespace(std::string_view name);
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

// Checks a spec against `key` and encodes its attributes.
[[nodiscard]] Status encode_spec(const ServiceSpec& spec, std::string_view key,
                                 std::vector<unsigned char>& attributes);

// For messages: control characters and what is not UTF-8 as \xNN.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace shmreg
