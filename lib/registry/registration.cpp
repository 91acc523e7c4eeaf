#include <utility>

#include "core/attachment.hpp"
#include "core/service_table.hpp"
#include "registry/names.hpp"
#include "shmreg/registry.hpp"

namespace shmreg {

Registration::Registration(std::shared_ptr<core::Attachment> attachment, std::string full_name,
                           std::uint64_t id)
    : attachment_(std::move(attachment)), full_name_(std::move(full_name)), id_(id) {}

Registration::Registration(Registration&& other) noexcept
    : attachment_(std::move(other.attachment_)),
      full_name_(std::move(other.full_name_)),
      id_(std::exchange(other.id_, 0)) {
  other.attachment_.reset();
}

Registration& Registration::operator=(Registration&& other) noexcept {
  if (this == &other) return *this;
  const Registration replaced(std::move(*this));  // unregistered at the end of this
  attachment_ = std::move(other.attachment_);
  full_name_ = std::move(other.full_name_);
  id_ = std::exchange(other.id_, 0);
  other.attachment_.reset();
  return *this;
}

Registration::~Registration() {
  // A forked child owns nothing of its parent's, and must not attach in order to find that out.
  if (!attachment_ || !attachment_->has_entry()) return;
  try {
    // A lock that is not to be had in time leaves the service registered until this process ends.
    (void)unregister().ok();
  } catch (const std::exception&) {  // out of memory: the same
  }
}

Status Registration::update(const ServiceSpec& spec) {
  if (!attachment_) return Status(Errc::registration_lost);
  std::vector<unsigned char> attributes;
  if (Status encoded = encode_spec(spec, full_name_, attributes); !encoded) return encoded;
  core::Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  return writer.segment->if_whole(core::ServiceTable(writer).update(
      core::hashed(full_name_, writer.segment->hash_seed()), id_, {spec.endpoint, attributes}));
}

Result<bool> Registration::unregister() {
  if (!attachment_ || !attachment_->has_entry()) return false;
  core::Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  Result<bool> removed = writer.segment->if_whole(core::ServiceTable(writer).remove(
      core::hashed(full_name_, writer.segment->hash_seed()), id_, false));
  // A lock that was not to be had in time leaves the handle as it is: it can be tried again.
  if (removed.code() != Errc::timed_out) attachment_.reset();
  return removed;
}

void Registration::release() noexcept {
  if (!attachment_) return;
  attachment_->pin();
  attachment_.reset();
}

}  // namespace shmreg
