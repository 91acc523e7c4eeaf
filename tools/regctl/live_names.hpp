// What exists at this moment and begins with what was typed: services, namespaces, segments,
// processes. For completion: what cannot be had is left out, and nothing takes long.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "regctl/context.hpp"

namespace shmreg::regctl {

// Gets a candidate with a description; false: enough.
using Offer = std::function<bool(const std::string& value, const std::string& description)>;

// By steps, as files in directories: the namespaces at the next slash, with a slash at their end,
// and the services of the namespace that was typed.
void offer_services(const Registry& registry, std::string_view typed, const Offer& offer);
// Whole names; `above`: also those that only have others below them.
void offer_namespaces(const Registry& registry, bool above, const Offer& offer);
void offer_owners(const Registry& registry, const Offer& offer);
void offer_processes(const Offer& offer);
void offer_segments(const Offer& offer);

}  // namespace shmreg::regctl
