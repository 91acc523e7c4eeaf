// Waiting for services to be there, or to be gone: on the wait words of their keys.
//
// Modelled in tests/model/waiter.pml. A waiter sets its word's flag and then looks; a writer
// publishes and then loads the flag (change_log.cpp): one of the two sees the other.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/attachment.hpp"
#include "shmreg/watch.hpp"

namespace shmreg::core {

// `keys` are full names. ok with `met`: whom of them the condition holds of, at one moment for all;
// timed_out; cancelled, also once the word `stop` is not 0 (it is slept on with the others);
// interrupted; corrupt and busy as of a lookup; segment_retired.
[[nodiscard]] Status wait_for(Attachment& attachment, std::span<const std::string> keys,
                              const WaitOptions& options, std::vector<bool>& met,
                              const std::atomic<std::uint32_t>* stop = nullptr);

}  // namespace shmreg::core
