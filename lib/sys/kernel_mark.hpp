// The kernel's word that a thread has ended: at a thread's end, whatever the reason, the kernel
// walks its robust futex list (set_robust_list(2)) and sets FUTEX_OWNER_DIED in every word that
// still holds the thread's id. Here the list is empty and its `list_op_pending` points straight at
// the word, so that nothing else of the robust-list protocol is needed.
//
// What is relied on (Linux 5.4 to 6.18, kernel/futex/core.c, exit_robust_list and
// handle_futex_death): it happens before the process's memory is taken down; on exit, kill, abort
// and exec; the thread id compared is the one of the thread's own PID namespace; one waiter is
// woken.
//
// Modelled in tests/model/entry.pml: end_of_thread.
//
// The list's head lies in a page of its own that is shared memory: from private memory the OOM
// reaper may take it before the thread gets to run its exit, and the mark is lost. The page is kept
// from forked children.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace shmreg::sys {

inline constexpr std::uint32_t kOwnerDied = 0x40000000;     // FUTEX_OWNER_DIED
inline constexpr std::uint32_t kThreadIdMask = 0x3fffffff;  // FUTEX_TID_MASK
// FUTEX_WAITERS: tells the kernel to wake a waiter when it marks.
inline constexpr std::uint32_t kWakeOnDeath = 0x80000000;

class KernelMark {
 public:
  // Throws std::bad_alloc or boost's interprocess_exception where there is no page to be had.
  KernelMark();
  ~KernelMark();
  KernelMark(const KernelMark&) = delete;
  KernelMark& operator=(const KernelMark&) = delete;

  // Called on the thread whose end is to be marked, once; it then belongs to that thread and
  // replaces the C library's own list: the thread must use no robust mutex. False where the kernel
  // or sandbox has no robust lists.
  [[nodiscard]] bool adopt_thread() noexcept;
  // From here on the thread's end marks `word`, if that then holds this thread's id.
  void arm(std::atomic<std::uint32_t>* word) noexcept;
  void disarm() noexcept;

 private:
  struct Page;
  std::unique_ptr<Page> page_;
};

// Whether marks work here: lets a thread end and looks. The first call in a process costs a thread,
// later ones a load. Where there is no thread to be had it says no, for this once.
[[nodiscard]] bool kernel_marks_ends();
// For tests of the fall-back, where marks do work: what kernel_marks_ends() says from now on in
// this process and those forked from it.
void set_kernel_marks_ends(bool works) noexcept;

}  // namespace shmreg::sys
