#include "core/waiting.hpp"

#include <algorithm>
#include <climits>

#include "core/index.hpp"
#include "core/lookup.hpp"
#include "core/neighbours.hpp"
#include "core/service_access.hpp"
#include "sys/clock.hpp"
#include "sys/futex.hpp"

namespace shmreg::core {
namespace {

constexpr std::uint64_t kSliceNs = 100'000'000;
constexpr std::uint64_t kLookPeriodNs = 20'000'000;  // for what nothing wakes us of

class Waiting {
 public:
  Waiting(Attachment& attachment, std::span<const std::string> keys, const WaitOptions& options,
          const std::atomic<std::uint32_t>* stop)
      : attachment_(attachment),
        segment_(attachment.segment()),
        keys_(keys),
        options_(options),
        stop_(stop),
        wakes_(segment_.writable()) {}

  Status run(std::vector<bool>& met) {
    const std::uint64_t began = sys::monotonic_clock_ns();
    std::optional<std::uint64_t> deadline;
    if (options_.timeout) {
      deadline =
          began + static_cast<std::uint64_t>(std::max<std::int64_t>(options_.timeout->count(), 0));
    }
    for (;;) {
      announce();
      if (Status looked = look(met); !looked) return looked;
      const auto count = static_cast<std::size_t>(std::count(met.begin(), met.end(), true));
      if (options_.any ? count > 0 : count == met.size()) return {};
      if (given_up()) return Status(Errc::cancelled);
      // A segment that was destroyed changes no more: nothing would ever wake.
      if (attachment_.segment_lost()) return Status(Errc::segment_retired);
      const std::uint64_t now = sys::monotonic_clock_ns();
      if (deadline && now >= *deadline) return Status(Errc::timed_out);
      std::uint64_t slice = wakes_ && !must_look_ ? kSliceNs : kLookPeriodNs;
      if (deadline) slice = std::min(slice, *deadline - now);
      const auto slept = sys::futex_wait_any(words_, std::chrono::nanoseconds(slice));
      pass_on_ends();
      if (slept == sys::Slept::interrupted && options_.return_on_signal) {
        return Status(Errc::interrupted);
      }
    }
  }

 private:
  [[nodiscard]] bool given_up() const {
    return (stop_ != nullptr && stop_->load(std::memory_order_acquire) != 0) ||
           (options_.cancelled != nullptr && options_.cancelled->load(std::memory_order_acquire));
  }

  void announce() {
    words_.clear();
    if (stop_ != nullptr) words_.push_back({stop_, 0});
    for (const std::string& key : keys_) {
      layout::WaitWord& word = segment_.wait_word(hash_key(key, segment_.hash_seed()));
      words_.push_back({&word.sequence, word.sequence.load(std::memory_order_seq_cst)});
      if (wakes_) word.awaited.exchange(1, std::memory_order_seq_cst);
    }
    owners_at_ = words_.size();
    must_look_ = false;
  }

  Status look(std::vector<bool>& met) {
    met.assign(keys_.size(), false);
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const Errc outcome = lookup(segment_, attachment_.watch(), keys_[i], found_);
      if (outcome != Errc::ok && outcome != Errc::not_found) return Status(outcome);
      const bool there = outcome == Errc::ok;
      switch (options_.condition) {
        case WaitFor::registered:
          met[i] = there;
          break;
        case WaitFor::passing:
          met[i] = there && found_.health() == Health::passing;
          break;
        case WaitFor::gone:
          met[i] = !there;
          if (there) await_end();
          break;
      }
    }
    return {};
  }

  // Of the service just found: by its owner's mark, or else by looking.
  void await_end() {
    const std::uint64_t owner = ServiceAccess::words(found_)[layout::kOwnerWord];
    const std::uint32_t index = static_cast<std::uint32_t>(owner) - 1;
    if (found_.owner() == OwnerKind::permanent) return;
    if (!wakes_ || found_.owner() != OwnerKind::process ||
        index >= segment_.geometry().max_processes || words_.size() >= sys::kMostAwaitedWords) {
      must_look_ = true;
      return;
    }
    const layout::ProcessEntry& entry = segment_.entry(index);
    const auto state =
        layout::MarkState::of(entry.mark_and_generation.load(std::memory_order_acquire));
    words_.push_back({mark_word(entry), state.mark});
    if (!entry_lives(segment_, {index, static_cast<std::uint32_t>(owner >> 32)})) {
      must_look_ = true;
    }
  }

  // The kernel wakes one of those who wait for an end: it wakes the others.
  void pass_on_ends() const {
    for (std::size_t i = owners_at_; i < words_.size(); ++i) {
      if (words_[i].word->load(std::memory_order_acquire) != words_[i].expected) {
        sys::futex_wake(*words_[i].word, INT_MAX);
      }
    }
  }

  Attachment& attachment_;
  const Segment& segment_;
  std::span<const std::string> keys_;
  const WaitOptions& options_;
  const std::atomic<std::uint32_t>* stop_;
  bool wakes_;
  bool must_look_ = false;
  std::size_t owners_at_ = 0;
  std::vector<sys::AwaitedWord> words_;
  Service found_;
};

}  // namespace

Status wait_for(Attachment& attachment, std::span<const std::string> keys,
                const WaitOptions& options, std::vector<bool>& met,
                const std::atomic<std::uint32_t>* stop) {
  if (keys.empty()) {
    met.clear();
    return {};
  }
  return Waiting(attachment, keys, options, stop).run(met);
}

}  // namespace shmreg::core
