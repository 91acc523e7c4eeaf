#include "sys/bus_error.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <new>
#include <utility>

#include "sys/fork_epoch.hpp"
#include "sys/shared_file.hpp"

namespace shmreg::sys {

// Owned by one WatchedRange at a time, whose thread alone writes all but `broken` and `handlers`.
struct WatchedRange::Place {
  std::atomic<bool> taken{false};
  std::atomic<std::uintptr_t> begin{0};  // stored last, cleared first; 0: nothing is watched here
  std::atomic<std::uintptr_t> end{0};
  std::atomic<bool> writable{false};
  std::atomic<bool> broken{false};         // by the handler, in any thread; read with every miss
  std::atomic<std::uint64_t> handlers{0};  // at work on it; see Handling

  [[nodiscard]] bool holds(std::uintptr_t address) const noexcept {
    const std::uintptr_t from = begin.load(std::memory_order_seq_cst);
    return from != 0 && address >= from && address < end.load(std::memory_order_relaxed);
  }
};

namespace {

using Place = WatchedRange::Place;

// The list: blocks are added when all places are taken, and stay for ever. Nearly every process has
// one block of which one or two places are in use.
struct Block {
  std::array<Place, 32> places;
  std::atomic<Block*> next{nullptr};
};

Block first_block;
// As it was when the first range was watched: the handler asks nobody.
std::atomic<std::uintptr_t> handlers_page_bytes{0};

// A handler at work on a place. While there is any, the place is not given to another range, nor
// its memory unmapped: else zeros could come to lie over whatever is mapped there next. The word
// holds the epoch as well, so that a handler's thread that was not inherited by a forked child
// keeps nobody waiting there.
class Handling {
 public:
  explicit Handling(Place& place) noexcept : place_(place) { add(1); }
  Handling(const Handling&) = delete;
  Handling& operator=(const Handling&) = delete;
  ~Handling() { add(-1); }

  // After the place's `begin` was cleared. (Both sequentially consistent: either a handler sees the
  // zero, or it is seen here.) Not for long: who finds the zero does not come here.
  static void wait_for_others(const Place& place) noexcept {
    while (count_in(place.handlers.load(std::memory_order_seq_cst)) != 0) ::sched_yield();
  }

 private:
  void add(std::int32_t change) noexcept {
    std::uint64_t seen = place_.handlers.load(std::memory_order_relaxed);
    std::uint64_t wanted = 0;
    do {
      const auto count =
          static_cast<std::uint32_t>(static_cast<std::int32_t>(count_in(seen)) + change);
      wanted = std::uint64_t{fork_epoch()} << 32 | count;
    } while (!place_.handlers.compare_exchange_weak(seen, wanted, std::memory_order_seq_cst));
  }
  static std::uint32_t count_in(std::uint64_t word) noexcept {
    return word >> 32 == fork_epoch() ? static_cast<std::uint32_t>(word) : 0;
  }

  Place& place_;
};

Place& take_place() {
  for (Block* block = &first_block;;) {
    for (Place& place : block->places) {
      // Looked at first: an exchange would write into lines that others read.
      if (!place.taken.load(std::memory_order_relaxed) &&
          !place.taken.exchange(true, std::memory_order_acquire)) {
        return place;
      }
    }
    Block* next = block->next.load(std::memory_order_acquire);
    if (next == nullptr) {
      auto* const fresh = new Block;
      if (block->next.compare_exchange_strong(next, fresh, std::memory_order_acq_rel)) {
        next = fresh;
      } else {
        delete fresh;  // another thread has added one
      }
    }
    block = next;
  }
}

// From the page of the fault to the end of its 2 MiB: where a page is behind the file's end, so are
// those that follow it. Page by page a large segment that is read in random order would come to
// have more mappings than a process may (65530), and the fault after that would be its end.
constexpr std::uintptr_t kCoveredAtOnce = std::uintptr_t{1} << 21;

bool cover_with_zeros(const Place& place, std::uintptr_t address) noexcept {
  const std::uintptr_t page_mask = handlers_page_bytes.load(std::memory_order_relaxed) - 1;
  const std::uintptr_t begin = address & ~page_mask;
  const std::uintptr_t end =
      std::min((address | (kCoveredAtOnce - 1)) + 1, place.end.load(std::memory_order_relaxed));
  const int protection =
      place.writable.load(std::memory_order_relaxed) ? PROT_READ | PROT_WRITE : PROT_READ;
  const auto cover = [&](std::uintptr_t bytes) {
    return ::mmap(reinterpret_cast<void*>(begin),  // NOLINT(performance-no-int-to-ptr)
                  bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
                  0) != MAP_FAILED;
  };
  return cover(end - begin) || cover(page_mask + 1);
}

}  // namespace

WatchedRange::WatchedRange(const void* begin, std::uint64_t bytes, bool writable) {
  (void)fork_epoch();  // makes its page, which a handler could not
  const std::uint64_t page_size = page_bytes();
  handlers_page_bytes.store(page_size, std::memory_order_relaxed);
  place_ = &take_place();
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  place_->broken.store(false, std::memory_order_relaxed);
  place_->writable.store(writable, std::memory_order_relaxed);
  place_->end.store(address + (bytes + page_size - 1) / page_size * page_size,
                    std::memory_order_relaxed);
  place_->begin.store(address, std::memory_order_seq_cst);
}

WatchedRange::WatchedRange(WatchedRange&& other) noexcept
    : place_(std::exchange(other.place_, nullptr)) {}

WatchedRange& WatchedRange::operator=(WatchedRange&& other) noexcept {
  std::swap(place_, other.place_);
  return *this;
}

WatchedRange::~WatchedRange() {
  if (place_ == nullptr) return;
  place_->begin.store(0, std::memory_order_seq_cst);
  Handling::wait_for_others(*place_);
  place_->taken.store(false, std::memory_order_release);
}

bool WatchedRange::broken() const noexcept {
  return place_ != nullptr && place_->broken.load(std::memory_order_acquire);
}

void WatchedRange::set_broken() const noexcept {
  if (place_ != nullptr) place_->broken.store(true, std::memory_order_release);
}

bool handle_bus_error(const siginfo_t* info) noexcept {
  // BUS_ADRERR alone: of a signal that somebody sent, what lies where the address would be is the
  // sender; memory that the hardware has lost (BUS_MCEERR_*) is no truncation.
  if (info == nullptr || info->si_signo != SIGBUS || info->si_code != BUS_ADRERR) return false;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const int saved_errno = errno;
  bool dealt_with = false;
  for (Block* block = &first_block; block != nullptr && !dealt_with;
       block = block->next.load(std::memory_order_acquire)) {
    for (Place& place : block->places) {
      if (!place.holds(address)) continue;
      const Handling handling(place);
      if (!place.holds(address)) continue;  // it may have become another range's
      // Before there are zeros to be read, by this thread or another.
      place.broken.store(true, std::memory_order_seq_cst);
      dealt_with = cover_with_zeros(place, address);
      break;
    }
  }
  errno = saved_errno;
  return dealt_with;
}

namespace {

// What was there before our handler, each time that it was installed. The latest counts; none is
// freed, as a handler may be reading it.
struct Previous {
  struct sigaction action;
  Previous* earlier;
  std::atomic<bool> used_up{false};  // SA_RESETHAND: was called once, is SIG_DFL since
};
std::atomic<Previous*> previous{nullptr};
ForkAwareMutex installing;

bool is_left_to_the_kernel(const struct sigaction& action) noexcept {
  return action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN;
}

// As if there were no handler: the signal again, with what it told, so that a core dump tells it
// too. It is blocked in here and strikes on return. (The first process of a PID namespace is spared
// by what is sent from within; a fault is then made again, and no kernel spares that.)
void die_as_by_default(const siginfo_t* info) noexcept {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGBUS, &action, nullptr);
  if (::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::syscall(SYS_gettid), SIGBUS, info) != 0) {
    ::raise(SIGBUS);
  }
}

void pass_on(int signal, siginfo_t* info, void* context) noexcept {
  Previous* const before = previous.load(std::memory_order_acquire);
  const struct sigaction& action = before->action;
  if (action.sa_handler == SIG_IGN) {
    // One can ignore being sent a SIGBUS, not a fault: there the kernel takes SIG_DFL.
    if (info->si_code > 0 && info->si_code != BUS_MCEERR_AO) die_as_by_default(info);
    return;
  }
  const bool once = (static_cast<unsigned>(action.sa_flags) & SA_RESETHAND) != 0;
  if (action.sa_handler == SIG_DFL || (once && before->used_up.exchange(true))) {
    die_as_by_default(info);
  } else if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(signal, info, context);
  } else {
    action.sa_handler(signal);
  }
}

extern "C" void shmreg_on_bus_error(int signal, siginfo_t* info, void* context) {
  if (!handle_bus_error(info)) pass_on(signal, info, context);
}

}  // namespace

// The flags are those of the handler behind ours, whose wish it is what may interrupt it
// (SA_NODEFER and the mask) and whether calls go on (SA_RESTART). We need none of them: nothing in
// here touches watched memory, so SIGBUS may well be blocked meanwhile, and a handler behind ours
// that leaves by siglongjmp finds what it would have found. SA_ONSTACK is ours: the fault may come
// on a stack too small for a handler (a coroutine's, a Go routine's); where a thread has an
// alternate stack it is taken, else the flag says nothing. So a handler that did not ask for it may
// find itself there.
void install_bus_error_handler() noexcept {
  const std::lock_guard<ForkAwareMutex> guard(installing);
  struct sigaction now {};
  if (::sigaction(SIGBUS, nullptr, &now) != 0) return;
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &shmreg_on_bus_error) return;
  // A handler that came after ours may lead back to it: in front of that one we would go round in
  // circles.
  if (previous.load(std::memory_order_acquire) != nullptr && !is_left_to_the_kernel(now)) return;
  for (;;) {
    auto* const before = new (std::nothrow) Previous{now, previous.load(std::memory_order_acquire)};
    if (before == nullptr) return;
    // Before our handler can be called.
    previous.store(before, std::memory_order_release);
    struct sigaction ours {};
    ours.sa_sigaction = &shmreg_on_bus_error;
    ours.sa_mask = now.sa_mask;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (now.sa_flags & (SA_NODEFER | SA_RESTART));
    if (is_left_to_the_kernel(now)) ours.sa_flags |= SA_RESTART;
    struct sigaction replaced {};
    if (::sigaction(SIGBUS, &ours, &replaced) != 0) return;
    // Another thread of the program installed its own in between: that one is behind ours, then.
    if (replaced.sa_handler == now.sa_handler || replaced.sa_sigaction == &shmreg_on_bus_error) {
      return;
    }
    now = replaced;
  }
}

}  // namespace shmreg::sys
