#include <utility>

#include "core/attachment.hpp"
#include "core/lookup.hpp"
#include "core/service_access.hpp"
#include "registry/names.hpp"
#include "shmreg/registry.hpp"
#include "sys/kernel_mark.hpp"

namespace shmreg {

ServiceRef::ServiceRef(const Registry& registry, std::string_view service)
    : attachment_(registry.attachment_) {
  Result<std::string> key = shmreg::full_name(service);
  full_name_ = key.ok() ? std::move(key).value() : std::string(service);
}

ServiceRef::ServiceRef(ServiceRef&&) noexcept = default;
ServiceRef& ServiceRef::operator=(ServiceRef&&) noexcept = default;
ServiceRef::~ServiceRef() = default;

// A stamp is unique per write and leaves its record before anything else happens to it: while it is
// there the service is registered, and the copy is what it says. What a change puts out of use is
// left as it is for a while, but for its stamp.
Errc ServiceRef::refresh() {
  if (record_ != nullptr && record_->load(std::memory_order_acquire) == stamp_ &&
      owner_->load(std::memory_order_acquire) == owner_word_) [[likely]] {
    return Errc::ok;
  }
  record_ = nullptr;
  const core::Segment& segment = attachment_->segment();
  const Errc outcome = core::lookup(segment, attachment_->watch(), full_name_, service_);
  if (outcome != Errc::ok) return outcome;
  const std::uint64_t* words = core::ServiceAccess::words(service_);
  const auto entry = static_cast<std::uint32_t>(words[layout::kOwnerWord]) - 1;
  const auto generation = static_cast<std::uint32_t>(words[layout::kOwnerWord] >> 32);
  // What else there is to be asked, a cell or a system call, only a lookup asks.
  if (service_.owner() != OwnerKind::process || layout::cell_has_state(words[layout::kKindWord]) ||
      entry >= segment.geometry().max_processes ||
      segment.entry(entry).liveness.load(std::memory_order_acquire) == core::kByteLock) {
    return Errc::ok;
  }
  const auto& owner = segment.entry(entry).mark_and_generation;
  const std::uint64_t word = owner.load(std::memory_order_acquire);
  const auto state = layout::MarkState::of(word);
  if (state.generation != generation || (state.mark & sys::kOwnerDied) != 0) return Errc::ok;
  stamp_ = words[layout::kStampWord];
  owner_ = &owner;
  owner_word_ = word;
  record_ = core::stamp_of(segment, service_);
  return Errc::ok;
}

}  // namespace shmreg
