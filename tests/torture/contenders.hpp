// Who contends for the names of random_kills_test.cpp, and who looks on: each writes down in shared
// memory what it is about to do and what came of it, works until it is told to stop or killed, and
// stands still when asked to.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/history.hpp"
#include "torture/numbered_record.hpp"
#include "torture/own_segment.hpp"
#include "torture/setting.hpp"

namespace torture::contest {

using shmreg::Errc;
using shmreg::Registration;

inline constexpr std::size_t kWriters = 8;
inline constexpr std::size_t kReaders = 4;
inline constexpr std::size_t kCrew = kWriters + kReaders;
inline constexpr Sizes kSizes = Sizes::small;

struct Place {
  Log log;
  Gate standing;  // at the hold of that number
};

struct Ground {
  Counter clock{0};
  Gate hold;  // counts: stand still
  Gate go;    // counts: go on
  std::atomic<std::uint32_t> stop{0};
  std::array<Place, kCrew> crew;
  Log parents;
  Counter paused{0};  // logs that were full before the next hold
  Complaints complaints;
};

struct Scene {
  const OwnSegment& segment;
  const std::vector<std::string>& names;
  Ground& ground;
};

// Who one of the crew is.
struct Part {
  std::size_t place;
  std::uint32_t process;
  std::uint32_t holds_seen;
  std::uint64_t seed;
};

// Works until told to stop or killed, and stands still when asked to.
template <class Worker>
void work(const Scene& scene, const Part& part, Worker& worker) {
  Ground& ground = scene.ground;
  for (std::uint32_t seen = part.holds_seen; ground.stop.load() == 0;) {
    const bool full = !worker.has_room();
    if (!full && ground.hold.value() <= seen) {
      worker.step();
      continue;
    }
    if (full && ground.hold.value() <= seen) ++ground.paused;
    ground.hold.await(++seen);
    ground.crew.at(part.place).standing.open(seen);
    ground.go.await(seen);
  }
}

// "... already registered by pid 4711 (test_torture), ... (id 17)"
struct Named {
  std::uint32_t pid = 0;
  std::uint64_t id = 0;
};
inline Named named_in(const std::string& message) {
  const auto number_after = [&](std::string_view before) -> std::uint64_t {
    const std::size_t at = message.rfind(before);
    return at == std::string::npos ? 0 : std::strtoull(&message[at + before.size()], nullptr, 10);
  };
  return {static_cast<std::uint32_t>(number_after("registered by pid ")), number_after("(id ")};
}

// Looks a name up, and writes down what it was told.
inline void look_up(const shmreg::Registry& registry, const Scene& scene, Recorder& recorder,
                    std::uint32_t name, shmreg::Service& found) {
  recorder.begin(Kind::lookup, name);
  const Errc outcome = registry.lookup(scene.names[name], found);
  if (outcome != Errc::ok) {
    recorder.end(outcome == Errc::not_found ? Outcome::absent : Outcome::failed, 0, 0);
    return;
  }
  // The end first: what it takes to judge the bytes is no part of the lookup.
  const std::uint64_t ended = recorder.tick();
  const Verdict verdict = judge(found, scene.names[name], kSizes);
  if (!verdict.complaint.empty()) scene.ground.complaints.add(verdict.complaint);
  recorder.end_at(ended, Outcome::done, verdict.number, found.id(), found.pid());
}

// A list is a lookup of each name, at some instant while it was made.
inline void list_all(const shmreg::Registry& registry, const Scene& scene, Recorder& recorder) {
  Operation lookup;
  lookup.began = recorder.tick();
  const auto listed = registry.list();
  lookup.ended = recorder.tick();
  if (!listed) {
    scene.ground.complaints.add("list: " + listed.message());
    return;
  }
  std::vector<Operation> answers(scene.names.size(), lookup);
  for (std::uint32_t name = 0; name < answers.size(); ++name) {
    answers[name].name = name;
    answers[name].outcome = Outcome::absent;
  }
  for (const shmreg::Service& service : *listed) {
    const auto at = std::find(scene.names.begin(), scene.names.end(), service.full_name());
    if (at == scene.names.end()) {
      scene.ground.complaints.add("listed: " + std::string(service.full_name()));
      continue;
    }
    Operation& answer = answers[static_cast<std::size_t>(at - scene.names.begin())];
    const Verdict verdict = judge(service, *at, kSizes);
    if (!verdict.complaint.empty()) scene.ground.complaints.add("in a list: " + verdict.complaint);
    if (answer.outcome == Outcome::done) scene.ground.complaints.add("listed twice: " + *at);
    answer.outcome = Outcome::done;
    answer.number = verdict.number;
    answer.id = service.id();
    answer.pid = service.pid();
  }
  for (const Operation& answer : answers) recorder.note(answer);
}

class Contender {
 public:
  Contender(const Scene& scene, const Part& part)
      : scene_(scene),
        registry_(scene.segment.writer()),
        recorder_(scene.ground.crew.at(part.place).log, scene.ground.clock),
        held_(scene.names.size()),
        process_(part.process),
        random_(part.seed) {}

  [[nodiscard]] bool has_room() const { return recorder_.has_room_for(4); }

  // About three of five names are held at any time. All take breath at the same time: partitions
  // that are never left alone are too busy for the doctor.
  void step() {
    const std::chrono::nanoseconds phase(now_ns() % kBreath.count());
    if (phase > kWork) pass(kBreath - phase);
    if (random_.one_in(32)) pass(random_.microseconds_below(500));
    const auto name = static_cast<std::uint32_t>(random_.below(held_.size()));
    if (random_.one_in(8)) {
      look_up(registry_, scene_, recorder_, name, found_);
    } else if (!held_[name]) {
      if (random_.one_in(4)) take(name, random_.one_in(32));
    } else if (random_.one_in(4)) {
      give(name, held_[name]);
    } else if (random_.one_in(6)) {
      take(name, random_.one_in(4));
    } else {
      update(name, held_[name]);
    }
  }

 private:
  static constexpr std::chrono::nanoseconds kBreath = std::chrono::milliseconds(8);
  static constexpr std::chrono::nanoseconds kWork = std::chrono::milliseconds(6);

  void take(std::uint32_t name, bool seize) {
    const std::uint64_t number = number_of(process_, ++count_);
    const shmreg::ServiceSpec spec = numbered_spec(scene_.names[name], number, kSizes);
    recorder_.begin(seize ? Kind::seizure : Kind::registration, name, number);
    auto got = registry_.register_service(scene_.names[name], spec, {.replace = seize});
    if (got) {
      recorder_.end(Outcome::done, number, got->id());
      // What it replaced has lost the name: it can change nothing any more.
      Registration older = std::exchange(held_[name], std::move(got).value());
      if (!older) return;
      if (random_.one_in(2)) update(name, older);
      if (older) give(name, older);
    } else if (got.code() == Errc::already_registered) {
      const Named named = named_in(got.message());
      recorder_.end(Outcome::refused, number, named.id, named.pid);
    } else {
      fail(number, 0, got.message());
    }
  }

  void update(std::uint32_t name, Registration& mine) {
    const std::uint64_t number = number_of(process_, ++count_);
    const shmreg::ServiceSpec spec = numbered_spec(scene_.names[name], number, kSizes);
    recorder_.begin(Kind::update, name, number, mine.id());
    const shmreg::Status done = mine.update(spec);
    if (done) {
      recorder_.end(Outcome::done, number, mine.id());
    } else if (done.code() == Errc::registration_lost) {
      recorder_.end(Outcome::lost, number, mine.id());
      give(name, mine);
    } else {
      fail(number, mine.id(), done.message());
    }
  }

  void give(std::uint32_t name, Registration& mine) {
    const std::uint64_t id = mine.id();
    recorder_.begin(Kind::unregistration, name, 0, id);
    const auto gone = mine.unregister();
    if (gone) {
      recorder_.end(gone.value() ? Outcome::done : Outcome::lost, 0, id);
    } else {
      fail(0, id, gone.message());
    }
  }

  // Only who is about to die may fail, which the checker sees to.
  void fail(std::uint64_t number, std::uint64_t id, const std::string& why) {
    recorder_.end(Outcome::failed, number, id);
    std::printf("in a writer: %s\n", why.c_str());
  }

  const Scene& scene_;
  shmreg::Registry registry_;
  Recorder recorder_;
  std::vector<Registration> held_;
  std::uint32_t process_;
  std::uint32_t count_ = 0;
  Random random_;
  shmreg::Service found_;
};

class Onlooker {
 public:
  Onlooker(const Scene& scene, const Part& part)
      : scene_(scene),
        registry_(scene.segment.reader()),
        recorder_(scene.ground.crew.at(part.place).log, scene.ground.clock),
        random_(part.seed) {}

  [[nodiscard]] bool has_room() const {
    return recorder_.has_room_for(kLookups + scene_.names.size());
  }

  // Most of the time should be the writers'.
  void step() {
    const auto one = static_cast<std::uint32_t>(random_.below(scene_.names.size()));
    const bool same = random_.one_in(4);
    for (std::size_t i = 0; i < kLookups; ++i) {
      const auto name = same ? one : static_cast<std::uint32_t>(random_.below(scene_.names.size()));
      look_up(registry_, scene_, recorder_, name, found_);
    }
    if (random_.one_in(8)) list_all(registry_, scene_, recorder_);
    pass(random_.microseconds_below(4000));
  }

 private:
  static constexpr std::size_t kLookups = 16;

  const Scene& scene_;
  shmreg::Registry registry_;
  Recorder recorder_;
  Random random_;
  shmreg::Service found_;
};

// Goes through every partition, and ends in peace.
inline void touch_all(const Scene& scene, const std::vector<std::string>& touched) {
  auto registry = scene.segment.writer();
  for (const std::string& name : touched) {
    if (!registry.register_service(name, {.endpoint = "touched"})) {
      scene.ground.complaints.add("cannot register " + name);
    }
  }
}

}  // namespace torture::contest
