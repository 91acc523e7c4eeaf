#include <utility>
#include <vector>

#include "core/attachment.hpp"
#include "core/background.hpp"
#include "core/index.hpp"
#include "core/service_table.hpp"
#include "registry/names.hpp"
#include "registry/standing.hpp"
#include "shmreg/registry.hpp"
#include "sys/fork_epoch.hpp"
#include "sys/futex.hpp"

namespace shmreg {
struct Registration::LossNotice {
  std::shared_ptr<core::Attachment> attachment;
  std::string full_name;
  std::uint64_t id = 0;
  core::Background background;

  // On the wait word of the name, as any who waits for it (core/waiting.hpp).
  void run() {
    constexpr std::chrono::milliseconds kSlice{100};
    const core::Segment& segment = attachment->segment();
    layout::WaitWord& word = segment.wait_word(core::hash_key(full_name, segment.hash_seed()));
    while (!background.stopping()) {
      const sys::AwaitedWord words[] = {
          {&background.stop_word(), 0},
          {&word.sequence, word.sequence.load(std::memory_order_seq_cst)}};
      word.awaited.exchange(1, std::memory_order_seq_cst);
      try {
        if (!stands(*attachment, full_name, id)) {
          background.event().raise();
          return;
        }
      } catch (const std::exception&) {  // out of memory: looked at again
      }
      (void)sys::futex_wait_any(words, kSlice);
    }
  }
};

Registration::Registration() noexcept = default;

Registration::Registration(std::shared_ptr<core::Attachment> attachment, std::string full_name,
                           std::uint64_t id)
    : attachment_(std::move(attachment)),
      full_name_(std::move(full_name)),
      id_(id),
      epoch_(sys::fork_epoch()) {}

// A forked child owns nothing of its parent's, whatever it has attached since.
bool Registration::is_ours() const noexcept {
  return attachment_ && epoch_ == sys::fork_epoch() && attachment_->has_entry();
}

Registration::Registration(Registration&& other) noexcept
    : attachment_(std::move(other.attachment_)),
      full_name_(std::move(other.full_name_)),
      id_(std::exchange(other.id_, 0)),
      epoch_(other.epoch_),
      notice_(std::move(other.notice_)) {
  other.attachment_.reset();
}

Registration& Registration::operator=(Registration&& other) noexcept {
  if (this == &other) return *this;
  const Registration replaced(std::move(*this));  // unregistered at the end of this
  attachment_ = std::move(other.attachment_);
  full_name_ = std::move(other.full_name_);
  id_ = std::exchange(other.id_, 0);
  epoch_ = other.epoch_;
  notice_ = std::move(other.notice_);
  other.attachment_.reset();
  return *this;
}

Registration::~Registration() {
  forget_notice();
  if (!is_ours()) return;
  try {
    // A lock that is not to be had in time leaves the service registered until this process ends.
    (void)unregister().ok();
  } catch (const std::exception&) {  // out of memory: the same
  }
}

// In a forked child there is no thread, and what it was using is left alone.
void Registration::forget_notice() noexcept {
  if (!notice_) return;
  if (notice_->background.is_ours()) {
    notice_->background.stop();
    notice_.reset();
  } else {
    (void)notice_.release();
  }
}

bool Registration::holds() const { return is_ours() && stands(*attachment_, full_name_, id_); }

Result<int> Registration::loss_descriptor() {
  if (!is_ours()) return Status(Errc::registration_lost);
  if (!notice_) {
    auto notice = std::make_unique<LossNotice>();
    notice->attachment = attachment_;
    notice->full_name = full_name_;
    notice->id = id_;
    LossNotice* running = notice.get();
    if (Status started = notice->background.start([running] { running->run(); }); !started) {
      return started;
    }
    notice_ = std::move(notice);
  }
  return notice_->background.event().number();
}

Status Registration::update(const ServiceSpec& spec) {
  if (!is_ours()) return Status(Errc::registration_lost);
  std::vector<unsigned char> attributes;
  if (Status encoded = encode_spec(spec, full_name_, attributes); !encoded) return encoded;
  core::Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  return writer.segment->if_whole(core::ServiceTable(writer).update(
      core::hashed(full_name_, writer.segment->hash_seed()), id_, {spec.endpoint, attributes}));
}

Result<bool> Registration::unregister() {
  if (!is_ours()) return false;
  core::Writer writer;
  if (Status ready = attachment_->writer(writer); !ready) return ready;
  Result<bool> removed = writer.segment->if_whole(core::ServiceTable(writer).remove(
      core::hashed(full_name_, writer.segment->hash_seed()), id_, false));
  // A lock that was not to be had leaves the handle as it is: it can be tried again.
  const Errc outcome = removed.code();
  if (outcome == Errc::timed_out || outcome == Errc::nested_call || outcome == Errc::no_space) {
    return removed;
  }
  forget_notice();
  attachment_.reset();
  return removed;
}

void Registration::release() noexcept {
  forget_notice();
  if (!attachment_) return;
  attachment_->pin();
  attachment_.reset();
}

}  // namespace shmreg
