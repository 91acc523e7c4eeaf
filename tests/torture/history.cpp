#include "torture/history.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "torture/name_search.hpp"

namespace torture {
namespace {

std::string_view to_string(Kind kind) {
  constexpr std::array<std::string_view, 6> kTexts{"register",   "seize",  "update",
                                                   "unregister", "lookup", "death"};
  return kTexts.at(static_cast<std::size_t>(kind));
}

std::string_view to_string(Outcome outcome) {
  constexpr std::array<std::string_view, 6> kTexts{"cut short", "done",   "refused",
                                                   "lost",      "absent", "failed"};
  return kTexts.at(static_cast<std::size_t>(outcome));
}

bool registers(const Operation& operation) {
  return operation.kind == Kind::registration || operation.kind == Kind::seizure;
}

}  // namespace

std::string to_string(const Operation& operation) {
  std::string text = std::to_string(operation.began) + "-" + std::to_string(operation.ended) +
                     " by " + std::to_string(operation.process) + ": " +
                     std::string(to_string(operation.kind)) + " " +
                     std::string(to_string(operation.outcome));
  if (operation.number != 0) {
    text += ", number " + std::to_string(writer_of(operation.number)) + "/" +
            std::to_string(static_cast<std::uint32_t>(operation.number));
  }
  if (operation.id != 0) text += ", id " + std::to_string(operation.id);
  if (operation.pid != 0) text += ", pid " + std::to_string(operation.pid);
  return text;
}

// --- log and recorder ----------------------------------------------------------------------------

void Log::begin(std::uint32_t process) noexcept {
  count_.store(0);
  process_.store(process);
}

std::vector<Operation> Log::operations() const {
  std::vector<Operation> all(count_.load());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Entry& entry = entries_.at(i);
    Operation& operation = all[i];
    const std::uint64_t what = entry.what.load();
    operation.began = entry.began.load();
    operation.ended = entry.ended.load();
    operation.kind = static_cast<Kind>(what & 0xff);
    // The outcome is written before the end: without one it means nothing.
    if (operation.ended != kNotEnded) operation.outcome = static_cast<Outcome>(what >> 8 & 0xff);
    operation.name = static_cast<std::uint32_t>(what >> 16 & 0xffff);
    operation.pid = static_cast<std::uint32_t>(what >> 32);
    operation.process = process();
    operation.number = entry.number.load();
    operation.id = entry.id.load();
  }
  return all;
}

void Recorder::write(std::uint32_t place, const Operation& operation) noexcept {
  Log::Entry& entry = log_.entries_[place];
  entry.began.store(operation.began, std::memory_order_relaxed);
  entry.what.store(static_cast<std::uint64_t>(operation.kind) |
                       static_cast<std::uint64_t>(operation.outcome) << 8 |
                       std::uint64_t{operation.name} << 16 | std::uint64_t{operation.pid} << 32,
                   std::memory_order_relaxed);
  entry.number.store(operation.number, std::memory_order_relaxed);
  entry.id.store(operation.id, std::memory_order_relaxed);
  // Last: with an end, everything above is the whole operation's.
  entry.ended.store(operation.ended, std::memory_order_release);
}

void Recorder::begin(Kind kind, std::uint32_t name, std::uint64_t number,
                     std::uint64_t id) noexcept {
  now_ = {.began = tick(), .kind = kind, .name = name, .number = number, .id = id};
  note(now_);
}

void Recorder::end_at(std::uint64_t tick, Outcome outcome, std::uint64_t number, std::uint64_t id,
                      std::uint32_t pid) noexcept {
  now_.ended = tick;
  now_.outcome = outcome;
  now_.number = number;
  now_.id = id;
  now_.pid = pid;
  write(log_.count_.load(std::memory_order_relaxed) - 1, now_);
}

void Recorder::note(const Operation& operation) noexcept {
  const std::uint32_t place = log_.count_.load(std::memory_order_relaxed);
  if (place >= Log::kEntries) std::abort();
  write(place, operation);
  log_.count_.store(place + 1, std::memory_order_release);
}

// --- checker -------------------------------------------------------------------------------------

Checker::Checker(std::vector<std::string> names) {
  for (std::string& name : names) {
    names_.emplace_back();
    names_.back().text = std::move(name);
  }
}

void Checker::add_death(std::uint32_t process, std::uint64_t began, std::uint64_t ended) {
  add({.began = began, .ended = ended, .kind = Kind::death, .process = process});
}

Judgement Checker::judge() {
  Judgement judgement;
  close_what_was_cut_short(judgement);
  learn_ids();
  judge_ids(judgement);
  std::vector<std::vector<Operation>> by_name(names_.size());
  for (const Operation& operation : added_) {
    if (operation.kind != Kind::death) by_name.at(operation.name).push_back(operation);
  }
  judgement.operations = added_.size();
  for (std::size_t i = 0; i < names_.size(); ++i) {
    Name& name = names_[i];
    if (name.given_up) continue;
    std::vector<Operation>& operations = by_name[i];
    add_deaths_that_matter(name.may_be, operations);
    NameSearch search(name.may_be, pids_);
    const NameSearch::Verdict verdict = search.judge(operations);
    judgement.overlapping += search.overlapping();
    judgement.most_ways = std::max(judgement.most_ways, search.most_ways());
    if (verdict == NameSearch::Verdict::right) {
      name.may_be = search.may_be();
      continue;
    }
    name.given_up = true;
    if (verdict == NameSearch::Verdict::undecided) {
      ++judgement.undecided;
    } else {
      judgement.wrong.push_back(name.text + ": " + search.explanation());
    }
  }
  added_.clear();
  return judgement;
}

// Of who may hold the name, or does something to it that the death may cut short.
void Checker::add_deaths_that_matter(const std::vector<NameState>& may_be,
                                     std::vector<Operation>& operations) const {
  std::set<std::uint32_t> there;
  for (const NameState& state : may_be) there.insert(state.holder);
  for (const Operation& operation : operations) there.insert(operation.process);
  for (const Operation& operation : added_) {
    if (operation.kind == Kind::death && there.contains(operation.process)) {
      operations.push_back(operation);
    }
  }
}

void Checker::close_what_was_cut_short(Judgement& judgement) {
  std::map<std::uint32_t, std::uint64_t> ends;
  for (const Operation& operation : added_) {
    if (operation.kind == Kind::death) ends[operation.process] = operation.ended;
  }
  for (Operation& operation : added_) {
    if (operation.ended != kNotEnded) continue;
    operation.outcome = Outcome::cut_short;
    ++judgement.cut_short;
    const auto end = ends.find(operation.process);
    if (end == ends.end()) {
      judgement.wrong.push_back("never ended, of a process that lives: " + to_string(operation));
      operation.ended = UINT64_MAX;
    } else {
      operation.ended = end->second;
    }
  }
}

// The id of a registration that was cut short, from who found it or was refused because of it. If
// these contradict each other, the search finds no order.
void Checker::learn_ids() {
  std::map<std::uint64_t, Operation*> by_number;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Operation*> by_name_and_pid;
  std::set<std::uint64_t> known;
  for (const Name& name : names_) {
    for (const NameState& state : name.may_be) known.insert(state.id);
  }
  for (Operation& operation : added_) {
    if (!registers(operation)) continue;
    if (operation.outcome == Outcome::done) known.insert(operation.id);
    if (operation.outcome != Outcome::cut_short) continue;
    by_number[operation.number] = &operation;
    const auto pid = pids_.find(operation.process);
    if (pid != pids_.end()) by_name_and_pid[{operation.name, pid->second}] = &operation;
  }
  for (const Operation& operation : added_) {
    if (operation.kind != Kind::lookup || operation.outcome != Outcome::done) continue;
    const auto found = by_number.find(operation.number);
    if (found == by_number.end() || found->second->id != 0) continue;
    found->second->id = operation.id;
    known.insert(operation.id);
  }
  for (Operation& operation : added_) {
    if (operation.outcome != Outcome::refused || known.contains(operation.id)) continue;
    const auto found = by_name_and_pid.find({operation.name, operation.pid});
    if (found != by_name_and_pid.end() && found->second->id == 0) found->second->id = operation.id;
    // Its holder ended while the message was written: then nothing says whose id it is.
    if (operation.pid == 0) operation.id = 0;
  }
}

void Checker::judge_ids(Judgement& judgement) {
  struct Event {
    std::uint64_t tick;
    bool is_end;
    const Operation* operation;
  };
  std::vector<Event> events;
  for (const Operation& operation : added_) {
    if (!registers(operation) || operation.outcome != Outcome::done) continue;
    events.push_back({operation.began, false, &operation});
    events.push_back({operation.ended, true, &operation});
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return a.tick != b.tick ? a.tick < b.tick : a.is_end < b.is_end;
  });
  std::map<const Operation*, std::uint64_t> largest_before;
  std::set<std::uint64_t> given;
  for (const auto& [tick, is_end, operation] : events) {
    if (!is_end) {
      largest_before[operation] = largest_id_;
      continue;
    }
    if (operation->id <= largest_before.at(operation) || !given.insert(operation->id).second) {
      judgement.wrong.push_back(names_.at(operation->name).text + ": after id " +
                                std::to_string(largest_before.at(operation)) +
                                " had been given, or given twice: " + to_string(*operation));
    }
    largest_id_ = std::max(largest_id_, operation->id);
  }
}

}  // namespace torture
