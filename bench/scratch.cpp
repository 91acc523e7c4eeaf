#include "scratch.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <stdexcept>

namespace shmreg::bench {
namespace {

constexpr std::size_t kPlaces = 8;
constexpr std::size_t kPathBytes = 256;

// A signal handler reads these: a path is complete before `used` says so.
struct Place {
  std::atomic<bool> used = false;
  std::array<char, kPathBytes> path{};
};
std::array<Place, kPlaces> places;
static_assert(std::atomic<bool>::is_always_lock_free);

void remove_all_and_end(int signal_number) {
  for (const Place& place : places) {
    if (place.used.load(std::memory_order_acquire)) unlink(place.path.data());
  }
  // SA_RESETHAND put the default back, which ends this process as the sender expects.
  raise(signal_number);
}

void catch_signals() {
  struct sigaction action = {};
  action.sa_handler = remove_all_and_end;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
}

}  // namespace

ScratchFile::ScratchFile(const std::string& path) : place_(0) {
  static const bool catching = (catch_signals(), true);
  (void)catching;
  if (path.size() >= kPathBytes) throw std::length_error("path of a scratch file");
  while (place_ < kPlaces && places[place_].used.load(std::memory_order_relaxed)) ++place_;
  if (place_ == kPlaces) throw std::length_error("number of scratch files");
  std::memcpy(places[place_].path.data(), path.c_str(), path.size() + 1);
  places[place_].used.store(true, std::memory_order_release);
}

ScratchFile::~ScratchFile() {
  unlink(places[place_].path.data());
  places[place_].used.store(false, std::memory_order_release);
}

}  // namespace shmreg::bench
