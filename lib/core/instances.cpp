#include "core/instances.hpp"

#include <random>
#include <utility>

#include "core/change_log.hpp"
#include "core/index.hpp"
#include "core/lookup.hpp"
#include "core/record_reading.hpp"

namespace shmreg::core {
namespace {

using layout::AnchorState;

// How many ordinals are looked at before it is `busy`: a tenth of a second or so. A few instances
// are gone through many times in that, as many as there can be a dozen times.
constexpr std::int64_t kMostLooks = 1'000'000;

// Whether the partition stood still, but for one change at most that was not committed: what was
// not met in the meantime was not there.
class Stillness {
 public:
  Stillness(const Segment& segment, std::uint32_t partition)
      : segment_(segment), partition_(partition), count_(count()), pending_(pending()) {}

  [[nodiscard]] bool held() const { return count() == count_ && pending() == pending_; }

 private:
  [[nodiscard]] std::uint64_t count() const noexcept {
    return segment_.partition(partition_).change_counter.load(std::memory_order_acquire);
  }
  [[nodiscard]] bool pending() const {
    ChangeImage last;
    return count_ != 0 && read_change(segment_, partition_, count_, last) == ChangeFate::pending;
  }

  const Segment& segment_;
  std::uint32_t partition_;
  std::uint64_t count_;
  bool pending_;
};

// Smaller is better.
int rank_of(Health health) noexcept {
  switch (health) {
    case Health::passing:
      return 0;
    case Health::unknown:  // nobody checks it
      return 1;
    case Health::warning:
      return 2;
    case Health::starting:
      return 3;
    case Health::critical:
      return 4;
    case Health::maintenance:
      return 5;
  }
  return 6;
}

// Each thread goes round from a start of its own.
std::uint32_t next_turn() {
  thread_local std::uint32_t turn = std::random_device{}();
  return turn++;
}

// The largest ordinal that the anchor's instances can have; nothing where the anchor has gone.
struct AnchorSays {
  std::uint32_t last = 0;
  bool some_health = false;
};
std::optional<AnchorSays> said_by(const Segment& segment, const Service& anchor) {
  const std::uint64_t* image = ServiceAccess::words(anchor);
  const auto cell =
      read_cell(segment, layout::cell_of(image[layout::kLengthsWord]), image[layout::kIdWord]);
  if (!cell) return std::nullopt;
  return AnchorSays{AnchorState::of(cell->deadline_ns).last, cell->health != Health::unknown};
}

}  // namespace

Errc lookup_instance(const Segment& segment, PidWatch& watch, std::string_view key,
                     std::uint64_t hash, Service& found) {
  const std::uint32_t partition = segment.partition_of(hash);
  Service best;
  for (std::int64_t looks_left = kMostLooks; looks_left > 0; --looks_left) {
    const Stillness still(segment, partition);
    const Errc anchor = lookup_at(segment, watch, key, hash, 0, found);
    if (anchor != Errc::ok || !is_anchor(found)) return anchor;
    const auto says = said_by(segment, found);
    if (!says) continue;
    const std::uint32_t last = says->last;
    looks_left -= last;
    const bool first_will_do = !says->some_health;
    const std::uint32_t start = last != 0 ? next_turn() % last : 0;
    int rank = 99;
    for (std::uint32_t i = 0; i < last; ++i) {
      const auto ordinal = static_cast<std::uint16_t>(1 + (start + i) % last);
      const Errc outcome = lookup_at(segment, watch, key, hash, ordinal, found);
      if (outcome == Errc::not_found) continue;
      if (outcome != Errc::ok) return outcome;
      const int its_rank = rank_of(found.health());
      if (its_rank == 0 || first_will_do) return Errc::ok;
      if (its_rank >= rank) continue;
      rank = its_rank;
      std::swap(best, found);
    }
    if (rank != 99) {
      std::swap(found, best);
      return Errc::ok;
    }
    ServiceAccess::clear(found);
    if (planted(Fault::shared_miss_unchecked) || still.held()) return segment.meaning_of_a_miss();
  }
  return Errc::busy;
}

Errc read_instances(const Segment& segment, PidWatch& watch, const Service& anchor,
                    std::vector<Service>& services, std::int64_t& looks_left) {
  const auto says = said_by(segment, anchor);
  if (!says) return Errc::ok;
  looks_left -= says->last;
  if (looks_left < 0) return Errc::corrupt;
  const std::string_view key = anchor.full_name();
  const std::uint64_t hash = hash_key(key, segment.hash_seed());
  for (std::uint32_t ordinal = 1; ordinal <= says->last; ++ordinal) {
    Service found;
    const Errc its =
        lookup_at(segment, watch, key, hash, static_cast<std::uint16_t>(ordinal), found);
    if (its == Errc::not_found) continue;
    if (its != Errc::ok) return its;
    services.push_back(std::move(found));
  }
  return Errc::ok;
}

Errc lookup_all(const Segment& segment, PidWatch& watch, std::string_view key,
                std::vector<Service>& services) {
  const std::uint64_t hash = hash_key(key, segment.hash_seed());
  const std::uint32_t partition = segment.partition_of(hash);
  const std::size_t first = services.size();
  for (std::int64_t looks_left = kMostLooks; looks_left > 0; --looks_left) {
    const Stillness still(segment, partition);
    Service found;
    const Errc outcome = lookup_at(segment, watch, key, hash, 0, found);
    if (outcome != Errc::ok) return outcome;
    if (!is_anchor(found)) {
      services.push_back(std::move(found));
      return Errc::ok;
    }
    if (!said_by(segment, found)) continue;
    const Errc read = read_instances(segment, watch, found, services, looks_left);
    if (looks_left < 0) return Errc::busy;
    if (read != Errc::ok) return read;
    if (services.size() != first) return Errc::ok;
    if (planted(Fault::shared_miss_unchecked) || still.held()) return segment.meaning_of_a_miss();
  }
  return Errc::busy;
}

}  // namespace shmreg::core
