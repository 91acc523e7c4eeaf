// A segment of one partition with a victim in it: some names stay registered throughout, half of
// them by a successor who has been attached all along and writes next when the victim has died; a
// client that may only read looks on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "torture/common_ground.hpp"
#include "torture/crew.hpp"
#include "torture/own_segment.hpp"
#include "torture/scene.hpp"

namespace torture {

// Which record of a name it is: its number (numbered_record.hpp).
enum Which : std::uint64_t { kNone, kOld, kNew, kSuccessors };

// Where a victim does what it does.
struct Hands {
  std::string subject;                     // the name that the operation is about
  std::string other;                       // one more
  shmreg::ServiceSpec old_spec, new_spec;  // of the subject
  std::function<shmreg::Registry()> attach;
  std::optional<shmreg::Registry> registry;
  std::vector<shmreg::Registration> held;
  std::uint64_t id = 0;
};
using Deed = std::function<void(Hands&)>;

struct Plot {
  std::string what;  // "register"
  Deed prepare;
  Deed act;
  Whose whose = Whose::callers;
  // What readers may find of the subject: before the act, and after it.
  Which before = kNone;
  Which after = kNone;
  bool dies_with_victim = false;  // it is the victim's own
  std::uint32_t slots = 64;
  std::size_t bystanders = 6;
  std::uint32_t entries = 2;   // of the process table: the successor's and the victim's
  bool claimed_again = false;  // have one more process attach to the dead one's entry
  bool anew = false;           // a segment for each victim: what is done cannot be undone
  // Happens when the victim stands ready: somebody else's death. The other name is that one's.
  std::function<void(class WatchedPartition&)> meanwhile{};
};

class WatchedPartition : public Scene {
 public:
  explicit WatchedPartition(const Plot& plot);
  ~WatchedPartition() override;

  [[nodiscard]] std::unique_ptr<SteppedVictim> victim() override;
  // One for `meanwhile`, prepared and at its first instruction.
  [[nodiscard]] std::unique_ptr<SteppedVictim> victim_of(const Deed& prepare, const Deed& act);
  [[nodiscard]] Seen look() override;
  [[nodiscard]] std::string while_it_stands(bool at_the_end) override;
  [[nodiscard]] std::string after_its_death() override;
  [[nodiscard]] std::string after_the_next_writer() override;
  [[nodiscard]] Room room() override;

 private:
  enum Order : std::uint32_t { kGoOn, kTake, kGive, kEnd };
  struct Ground {
    Gate asked;  // counts the successor's orders
    Gate done;
    std::atomic<std::uint32_t> order{kGoOn};
    Counter took_ns{0};
    Complaints complaints;
  };

  void succeed();
  [[nodiscard]] std::string order(Order what);
  // A name of its own length whose key begins its probe at a bucket of its own, whatever the
  // segment's seed: so that all victims go the same way.
  [[nodiscard]] std::string name(const std::string& prefix, std::uint64_t bucket) const;

  // What a reader finds of a name: a Which; a complaint where it is no whole record.
  [[nodiscard]] std::uint64_t found(const std::string& name, std::string& complaint) const;
  // Subject and other as expected, all bystanders, and in a list and a count the same and no more.
  [[nodiscard]] std::string expect(std::uint64_t subject, std::uint64_t other,
                                   const std::vector<std::string>& besides = {}) const;
  [[nodiscard]] std::string living_entries() const;

  const Plot& plot_;
  OwnSegment segment_;
  std::shared_ptr<shmreg::core::Segment> insides_;
  std::string subject_, other_, fresh_;
  std::vector<std::string> bystanders_;
  CommonGround<Ground> ground_;
  std::uint32_t orders_ = 0;
  Member successor_;
  shmreg::Registry reader_;
  std::uint64_t seen_ = kNone;  // of the subject, by the last who looked
  std::vector<unsigned char> picture_;
};

}  // namespace torture
