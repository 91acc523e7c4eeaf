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

namespace {

// What the first trial that could be made has shown.
enum class Answer : std::uint32_t { not_tried, yes, no };
std::atomic<Answer> known_answer{Answer::not_tried};

}  // namespace

bool kernel_marks_ends() {
  const Answer known = known_answer.load(std::memory_order_acquire);
  if (known != Answer::not_tried) return known == Answer::yes;
  struct Trial {
    KernelMark mark;
    std::atomic<std::uint32_t> word{0};
  } trial;
  Thread thread;
  const bool started = thread.start(
      "shmreg-trial",
      [](void* context) {
        auto& mine = *static_cast<Trial*>(context);
        if (!mine.mark.adopt_thread()) return;
        mine.mark.arm(&mine.word);
        mine.word.store(own_thread_id(), std::memory_order_release);
      },
      &trial);
  // No thread to try it with says nothing about the kernel: asked again next time.
  if (!started) return false;
  thread.join();
  const bool works = (trial.word.load(std::memory_order_acquire) & kOwnerDied) != 0;
  known_answer.store(works ? Answer::yes : Answer::no, std::memory_order_release);
  return works;
}

void set_kernel_marks_ends(bool works) noexcept {
  known_answer.store(works ? Answer::yes : Answer::no, std::memory_order_release);
}

}  // namespace shmreg::sys
