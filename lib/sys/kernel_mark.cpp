#include "sys/kernel_mark.hpp"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/interprocess/anonymous_shared_memory.hpp>
#include <new>

#include "sys/process.hpp"
#include "sys/shared_file.hpp"
#include "sys/thread.hpp"

namespace shmreg::sys {

static_assert(kOwnerDied == FUTEX_OWNER_DIED && kThreadIdMask == FUTEX_TID_MASK &&
              kWakeOnDeath == FUTEX_WAITERS);

struct KernelMark::Page {
  boost::interprocess::mapped_region region =
      boost::interprocess::anonymous_shared_memory(page_bytes());
  robust_list_head* head = new (region.get_address()) robust_list_head{};
};

KernelMark::KernelMark() : page_(std::make_unique<Page>()) {
  ::madvise(page_->region.get_address(), page_->region.get_size(), MADV_DONTFORK);
  page_->head->list.next = &page_->head->list;
  page_->head->futex_offset = 0;
}

KernelMark::~KernelMark() = default;

bool KernelMark::adopt_thread() noexcept {
  return ::syscall(SYS_set_robust_list, page_->head, sizeof(robust_list_head)) == 0;
}

void KernelMark::arm(std::atomic<std::uint32_t>* word) noexcept {
  // Read by the kernel alone, when the thread ends: the order within this thread is what counts.
  *const_cast<robust_list* volatile*>(&page_->head->list_op_pending) =
      reinterpret_cast<robust_list*>(word);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void KernelMark::disarm() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  *const_cast<robust_list* volatile*>(&page_->head->list_op_pending) = nullptr;
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

bool kernel_marks_ends() {
  static const bool works = [] {
    struct Trial {
      KernelMark mark;
      std::atomic<std::uint32_t> word{0};
    } trial;
    Thread thread;
    const bool started = thread.start(
        [](void* context) {
          auto& mine = *static_cast<Trial*>(context);
          if (!mine.mark.adopt_thread()) return;
          mine.mark.arm(&mine.word);
          mine.word.store(own_thread_id(), std::memory_order_release);
        },
        &trial);
    if (!started) return false;
    thread.join();
    return (trial.word.load(std::memory_order_acquire) & kOwnerDied) != 0;
  }();
  return works;
}

}  // namespace shmreg::sys
