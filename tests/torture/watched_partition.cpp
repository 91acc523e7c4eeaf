#include "torture/watched_partition.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/index.hpp"
#include "core/process_table.hpp"
#include "support/insides.hpp"
#include "torture/numbered_record.hpp"

namespace torture {
namespace {

using shmreg::Errc;
using std::chrono::seconds;

// Of a next writer that waits for nobody; far below the time-out of its lock.
constexpr std::uint64_t kAtOnceNs = 5'000'000'000;
constexpr seconds kLockTimeout{60};

shmreg::CreateOptions options_of(const Plot& plot) {
  return {.max_size_bytes = std::uint64_t{4} << 20,
          .partitions = 1,
          .max_processes = plot.entries,
          .initial_slots = plot.slots};
}

std::string said(std::uint64_t which) {
  switch (which) {
    case kNone:
      return "nothing";
    case kOld:
      return "the old record";
    case kNew:
      return "the new record";
    case kSuccessors:
      return "the next writer's record";
    default:
      return "record number " + std::to_string(which);
  }
}

}  // namespace

WatchedPartition::WatchedPartition(const Plot& plot)
    : plot_(plot),
      segment_(options_of(plot)),
      insides_(segment_.insides()),
      subject_(name("a/subject", 1)),
      other_(name("a/other", 2)),
      fresh_(name("a/fresh", 3)),
      reader_(segment_.reader()) {
  for (std::size_t i = 0; i < plot.bystanders; ++i) {
    bystanders_.push_back(name("by/stander" + std::to_string(i) + "-", i));
  }
  successor_ = start([this] { succeed(); });
  if (!ground_->done.await(1, seconds(60))) {
    throw std::runtime_error("the successor cannot begin" + ground_->complaints.text());
  }
}

WatchedPartition::~WatchedPartition() {
  ground_->order.store(kEnd);
  ground_->asked.open(orders_ + 1);
  (void)successor_->reap();
}

std::string WatchedPartition::name(const std::string& prefix, std::uint64_t bucket) const {
  constexpr std::uint64_t kBuckets = 4;  // of 32 slots; in 16 of them, two by two the same
  for (std::uint64_t n = 10'000;; ++n) {
    std::string name = prefix + std::to_string(n);
    if (shmreg::core::hash_key(name, insides_->hash_seed()) % kBuckets == bucket % kBuckets) {
      return name;
    }
  }
}

// --- the processes -------------------------------------------------------------------------------

std::unique_ptr<SteppedVictim> WatchedPartition::victim_of(const Deed& prepare, const Deed& act) {
  // Filled in by the process that uses it: the victim.
  const auto hands = std::make_shared<Hands>();
  return std::make_unique<SteppedVictim>(
      [this, hands, &prepare] {
        hands->subject = subject_;
        hands->other = other_;
        hands->old_spec = numbered_spec(subject_, kOld, Sizes::least);
        hands->new_spec = numbered_spec(subject_, kNew, Sizes::least);
        hands->attach = [this] { return segment_.writer(kLockTimeout); };
        prepare(*hands);
      },
      [hands, &act] { act(*hands); }, plot_.whose);
}

std::unique_ptr<SteppedVictim> WatchedPartition::victim() {
  auto victim = victim_of(plot_.prepare, plot_.act);
  if (plot_.meanwhile) plot_.meanwhile(*this);
  victim->begin();
  return victim;
}

void WatchedPartition::succeed() {
  Ground& ground = *ground_;
  auto registry = segment_.writer(kLockTimeout);
  std::vector<shmreg::Registration> own;
  for (std::size_t i = 0; i < bystanders_.size(); ++i) {
    const std::string& name = bystanders_[i];
    const auto spec = numbered_spec(name, kOld, Sizes::least);
    if (i % 2 == 0) {
      own.push_back(registry.register_service(name, spec).value());
    } else {
      (void)registry.register_for(shmreg::Owner::permanent(), name, spec).value();
    }
  }
  const auto take = [&](const std::string& name) {
    const auto began_ns = now_ns();
    auto got = registry.register_service(name, numbered_spec(name, kSuccessors, Sizes::least),
                                         {.replace = true});
    ground.took_ns.store(now_ns() - began_ns);
    if (!got) return ground.complaints.add("registering " + name + ": " + got.message());
    own.push_back(std::move(got).value());
  };
  for (std::uint32_t seen = 1;; ++seen) {
    ground.done.open(seen);
    ground.asked.await(seen);
    switch (ground.order.load()) {
      case kGoOn:
        take(fresh_);
        break;
      case kTake:
        take(subject_);
        take(other_);
        break;
      case kGive:
        for (; own.size() > (bystanders_.size() + 1) / 2; own.pop_back()) {
          const auto gone = own.back().unregister();
          if (!gone.ok() || !gone.value())
            ground.complaints.add("unregistering: " + gone.message());
        }
        // What the change log keeps is no leak. Insides of the same time-out share the entry.
        shmreg::test::forget_changes(shmreg::test::Insides(segment_, kLockTimeout));
        break;
      default:
        return;
    }
  }
}

std::string WatchedPartition::order(Order what) {
  ground_->order.store(what);
  ground_->asked.open(++orders_);
  const bool answered = ground_->done.await(orders_ + 1, seconds(120));
  return answered ? ground_->complaints.text() : "the next writer does not come back";
}

// --- what is seen --------------------------------------------------------------------------------

Seen WatchedPartition::look() {
  const auto* from = reinterpret_cast<const unsigned char*>(&insides_->header());
  const std::size_t bytes = insides_->header().heap_top.load() * shmreg::layout::kGranuleBytes;
  const bool open = insides_->open_up_to(bytes);
  Seen seen;
  seen.half_done = insides_->partition(0).dirty.load() != 0;
  if (!open || (picture_.size() == bytes && std::memcmp(picture_.data(), from, bytes) == 0)) {
    return seen;
  }
  picture_.assign(from, from + bytes);
  seen.changed = true;
  return seen;
}

std::uint64_t WatchedPartition::found(const std::string& name, std::string& complaint) const {
  shmreg::Service service;
  const Errc outcome = reader_.lookup(name, service);
  if (outcome == Errc::not_found) return kNone;
  if (outcome != Errc::ok) {
    complaint += "\n  lookup of " + name + ": " + shmreg::describe(outcome);
    return kNone;
  }
  const Verdict verdict = judge(service, name, Sizes::least);
  if (!verdict.complaint.empty()) complaint += "\n  " + verdict.complaint;
  return verdict.number;
}

std::string WatchedPartition::expect(std::uint64_t subject, std::uint64_t other,
                                     const std::vector<std::string>& besides) const {
  std::string complaint;
  std::vector<std::string> wanted = bystanders_;
  wanted.insert(wanted.end(), besides.begin(), besides.end());
  const auto check = [&](const std::string& name, std::uint64_t which) {
    const std::uint64_t got = found(name, complaint);
    if (got != which) {
      complaint += "\n  a reader found " + said(got) + " of " + name + " instead of " + said(which);
    }
    if (which != kNone) wanted.push_back(name);
  };
  for (const std::string& name : bystanders_) {
    if (found(name, complaint) != kOld) complaint += "\n  " + name + " is not found";
  }
  for (const std::string& name : besides) {
    if (found(name, complaint) != kSuccessors) complaint += "\n  " + name + " is not found";
  }
  check(subject_, subject);
  check(other_, other);

  const auto list = reader_.list();
  const auto count = reader_.count();
  if (!list || !count) return complaint + "\n  list, count: " + list.message() + count.message();
  std::vector<std::string> listed;
  for (const shmreg::Service& service : *list) listed.emplace_back(service.full_name());
  std::sort(listed.begin(), listed.end());
  std::sort(wanted.begin(), wanted.end());
  if (listed != wanted) {
    complaint += "\n  a list of " + std::to_string(listed.size()) + " names, not of the " +
                 std::to_string(wanted.size()) + " that lookups find";
  }
  if (*count != wanted.size()) complaint += "\n  counts " + std::to_string(*count);
  return complaint;
}

std::string WatchedPartition::living_entries() const {
  std::string complaint;
  for (std::uint32_t e = 0; e < plot_.entries; ++e) {
    const auto& entry = insides_->entry(e);
    const auto state = shmreg::layout::MarkState::of(entry.mark_and_generation.load());
    if (shmreg::core::is_free(state) ||
        entry.pid.load() == static_cast<std::uint32_t>(successor_->pid())) {
      continue;
    }
    complaint += "\n  entry " + std::to_string(e) + " of the process table seems to live";
  }
  const auto processes = reader_.processes();
  if (!processes || processes->size() != 1) complaint += "\n  more than one process is attached";
  return complaint;
}

// --- the claims ----------------------------------------------------------------------------------

std::string WatchedPartition::while_it_stands(bool at_the_end) {
  std::string complaint;
  seen_ = found(subject_, complaint);
  if (seen_ != plot_.after && (at_the_end || seen_ != plot_.before)) {
    complaint += "\n  a reader found " + said(seen_) + " instead of " +
                 (at_the_end ? "" : said(plot_.before) + " or ") + said(plot_.after);
  }
  return complaint + expect(seen_, kNone);
}

std::string WatchedPartition::after_its_death() {
  if (plot_.dies_with_victim) seen_ = kNone;
  return expect(seen_, kNone) + living_entries();
}

std::string WatchedPartition::after_the_next_writer() {
  std::string complaint = order(kGoOn);
  if (ground_->took_ns.load() > kAtOnceNs) complaint += "\n  the next writer had to wait";
  complaint += expect(seen_, kNone, {fresh_});
  complaint += segment_.problems();
  if (plot_.claimed_again) {
    const Member claimer = start([this] {
      auto registry = segment_.writer(kLockTimeout);
      const auto mine = registry.register_service(other_);
      if (!mine) ground_->complaints.add("a process that attaches: " + mine.message());
    });
    if (!ended_well(claimer)) complaint += "\n  the process that attaches afterwards failed";
    complaint += living_entries() + ground_->complaints.text();
  }
  complaint += order(kTake);
  complaint += expect(kSuccessors, kSuccessors, {fresh_});
  complaint += order(kGive);
  complaint += expect(kNone, kNone);
  return complaint + segment_.problems();
}

Scene::Room WatchedPartition::room() {
  return {insides_->header().heap_top.load() * shmreg::layout::kGranuleBytes,
          reader_.info().value().bytes_used};
}

}  // namespace torture
