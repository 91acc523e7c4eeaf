/* An entry of the process table: claimed, marked by the kernel, used again by another process.
 *
 * Shown, with processes killed at every step of a claim and of a detach:
 *   - the end of a thread marks no life but its own;
 *   - an owner's end is always marked (unless it is known by its byte lock alone);
 *   - an entry is claimed anew only when no thread of the process that had it runs any more, or that
 *     process has detached;
 *   - proven_gone() says so of no life but such a one;
 *   - a lookup takes no life for alive whose process had ended before the lookup began.
 *
 * The kernel's part: a process that is killed ends thread by thread; at a thread's end the word that
 * list_op_pending points at is marked if it holds the thread's id, as numbered in its own PID
 * namespace; the byte lock, which is the process's, goes when the last thread has gone.
 *
 * One entry; process 0 has two keepers where COPIES is set (two copies of the library, or two lock
 * timeouts), process 1 is of another PID namespace, so that its keeper may have the number of either,
 * and neither sees the other's pid: of pidfds, which make the proof stricter, only what a process
 * sees of itself is here. Left out are stray close() calls, fork and exec. Not shown: weak memory; claims and marks are single
 * read-modify-writes of one word, the rest is system calls.
 *
 * What the model found in the code, mended since and now among the mistakes:
 *   LOCK_LEFT_ON_CHANGED_ENTRY     a claimer that found the entry changed since it judged it kept the
 *                                  byte lock, though the claim in between was another process's: while
 *                                  it lived that owner's end could not be proven
 *   LIVENESS_AFTER_MARK            entry_lives() took the next claimer's `liveness` for this life's
 *   UNLOCKS_WHAT_STILL_RUNS        of two keepers of a process that is killed one gave up the byte
 *                                  lock for the other, while threads of it still ran
 *   DETACHES_WHILE_ANOTHER_CLAIMS  Keeper::stop() gave up the byte lock of the next keeper's claim
 * (by two copies of the library in one process, which share no lock of their own, it still can).
 * Open: JUDGED_BEFORE, a claimer that judged the entry before the claim of an owner known by its byte
 * lock alone; for as long as it then holds that lock, microseconds, the dead owner looks alive.
 *
 * Mistakes (-D...): see check.sh.
 */
#define KEEPERS 4
#define NONE 9

/* --- the entry: layout/process_entry.hpp ------------------------------------------------------- */
byte generation;
byte number; /* the mark's thread id */
bool died;   /* FUTEX_OWNER_DIED */
bool by_lock; /* liveness: known by its byte lock alone */
byte byte_lock; /* process + 1, 0: free */
#define FREE (died || number == 0) /* is_free() */

/* --- threads ----------------------------------------------------------------------------------- */
bool pending[KEEPERS]; /* list_op_pending points at the entry's word */
bool ended[KEEPERS];
bool worker_ended[3];
bool vanished[3]; /* the last thread, and then the byte lock */
byte process_of[KEEPERS];
byte number_of[KEEPERS];

/* --- what is true ------------------------------------------------------------------------------ */
byte owner = NONE; /* the keeper whose claim succeeded last */
bool detached[KEEPERS];
byte keeper_of_life[6] = NONE;
/* An entry that is not in use has no process. */
#define RUNS(p) (!worker_ended[p] || \
  (process_of[0] == p && !ended[0]) || (process_of[1] == p && !ended[1]) || \
  (process_of[2] == p && !ended[2]) || (process_of[3] == p && !ended[3]))

/* The kernel: exit_robust_list(), handle_futex_death(). */
inline end_of_thread(k) {
  d_step {
    if
    :: pending[k] && number == number_of[k] ->
       assert(owner == k); /* nobody else's life */
       number = 0;
       died = true
    :: else
    fi;
    pending[k] = false;
    ended[k] = true;
    assert(!(owner == k && !FREE && !by_lock)) /* its end is marked */
  }
}

/* Of two keepers of a process one detaches while no other claims, or the lock that it gives up is
 * the other's. */
bool mid_claim[KEEPERS];
bool detaching[3];
#ifdef DETACHES_WHILE_ANOTHER_CLAIMS
#define MAY_CLAIM true
#define MAY_DETACH true
#else
#define MAY_CLAIM (!detaching[process_of[me]])
#define MAY_DETACH (process_of[me] != 0 || (!mid_claim[0] && !mid_claim[1]))
#endif

/* core/keeper.cpp */
proctype Keeper(byte me; bool by_mark) {
  byte first, before, mine, before_number;
  bool was_free, before_died;
  {
    skip; /* try_claim() */
#if defined(BY_BYTE_LOCK) && !defined(JUDGED_BEFORE)
  end_not_yet: /* judges no earlier life than that of keeper 0: else see JUDGED_BEFORE in check.sh */
    me == 0 || generation >= 1;
#endif
  end_in_use:
    d_step {
      (FREE || (by_lock && byte_lock == 0)) && MAY_CLAIM -> mid_claim[me] = true;
      first = generation; before_number = number;
      was_free = FREE
    };
    if
    :: was_free
    :: else -> /* known by its byte lock alone: proven_gone(), then marked before the lock is ours */
       if
       :: byte_lock != 0 || !by_lock -> goto failed
       :: else
       fi;
#ifndef NOT_MARKED_BEFORE_LOCK
       if
       :: d_step { generation == first && number == before_number && !died -> died = true }
       :: else -> goto failed
       fi
#endif
    fi;
#ifndef REUSE_ON_MARK_ALONE
    if /* the byte lock: SharedFile::lock() */
    :: d_step { byte_lock == 0 || byte_lock == process_of[me] + 1 -> byte_lock = process_of[me] + 1 }
    :: else -> goto failed
    fi;
#endif
    d_step { before = generation; before_number = number; before_died = died };
    if
    :: before != first || (was_free && !(before_died || before_number == 0)) ->
#if !defined(COPIES) && !defined(LOCK_LEFT_ON_CHANGED_ENTRY)
       byte_lock = 0; /* else a keeper of this very process may have got it: the lock is left alone */
#endif
       goto failed
    :: else
    fi;
    if /* still_runs(): the pidfd, of the only other life whose pid is seen from here: one's own */
    :: before != 0 && !detached[owner] && process_of[owner] == process_of[me] && RUNS(process_of[me]) ->
#ifdef UNLOCKS_WHAT_STILL_RUNS
       byte_lock = 0;
#endif
       goto failed
    :: else
    fi;
    by_lock = !by_mark;
#ifndef CAS_BEFORE_POINTER
    pending[me] = by_mark; /* KernelMark::arm() */
#endif
    if /* compare_exchange_strong of the whole word */
    :: d_step {
         generation == before && number == before_number && died == before_died ->
         generation++;
         mine = generation;
         number = number_of[me];
         died = false;
         assert(owner == NONE || detached[owner] || !RUNS(process_of[owner]));
         owner = me;
         keeper_of_life[mine] = me
       }
    :: else ->
#ifndef LOSER_KEEPS_POINTER
       pending[me] = false; /* disarm() */
#endif
#ifdef LOSER_UNLOCKS
       d_step {
         if
         :: byte_lock == process_of[me] + 1 -> byte_lock = 0
         :: else
         fi
       };
#endif
       goto failed
    fi;
#ifdef CAS_BEFORE_POINTER
    pending[me] = by_mark;
#endif
    mid_claim[me] = false;
    /* keep(): until told to stop, or for good */
  end_keeps:
    if
#ifdef DETACHES
    :: d_step { MAY_DETACH -> detaching[process_of[me]] = true }
#else
    :: false
#endif
    fi;
    /* give_up() */
#ifdef DISARMED_BEFORE_MARKED
    pending[me] = false;
#endif
    if
    :: d_step {
         generation == mine && number == number_of[me] && !died ->
         number = 0;
         died = true;
         detached[me] = true
       }
    :: else
    fi;
    pending[me] = false;
    end_of_thread(me);
    /* stop(), by another thread of the process, while that runs */
    if
    :: generation == mine -> skip
    :: else -> detaching[process_of[me]] = false; goto done
    fi;
    d_step {
      if
      :: byte_lock == process_of[me] + 1 && !worker_ended[process_of[me]] -> byte_lock = 0
      :: else
      fi
    };
    detaching[process_of[me]] = false;
    goto done;
  failed:
    mid_claim[me] = false;
#ifndef COPIES
    assert(byte_lock != process_of[me] + 1); /* would keep others from proving an owner gone */
#endif
    end_of_thread(me);
  done:
    skip
  } unless {
    ended[me] && !detached[me]
  }
}

proctype Death(byte process) {
  if
  :: goto lives
  :: skip
  fi;
  do
  :: process_of[0] == process && !ended[0] -> end_of_thread(0)
  :: process_of[1] == process && !ended[1] -> end_of_thread(1)
  :: process_of[2] == process && !ended[2] -> end_of_thread(2)
  :: process_of[3] == process && !ended[3] -> end_of_thread(3)
  :: !worker_ended[process] -> worker_ended[process] = true
  :: !RUNS(process) -> break
  od;
  skip; /* the byte lock goes later than the last thread */
  d_step {
    vanished[process] = true;
    if
    :: byte_lock == process + 1 -> byte_lock = 0
    :: else
    fi
  };
lives:
  skip
}

/* core/liveness.cpp, proven_gone() of the first life: may what it held be taken over? */
proctype Prover() {
end_no_life:
  generation >= 1;
  if
  :: generation != 1 -> goto gone /* reuse required the proof */
  :: else
  fi;
  if /* one load of mark and generation */
  :: generation == 1 && (FREE || by_lock)
  :: else -> goto not_proven
  fi;
#ifndef PROOF_BY_MARK_ALONE
  if
  :: byte_lock != 0 -> goto not_proven
  :: else
  fi;
#endif
gone:
  assert(detached[keeper_of_life[1]] || !RUNS(process_of[keeper_of_life[1]]));
not_proven:
  skip
}

/* core/liveness.hpp, entry_lives() of the first life */
proctype Reader() {
  bool ran;
  byte seen;
  bool known_by_lock;
end_no_life:
  generation >= 1;
  ran = !vanished[process_of[keeper_of_life[1]]];
#ifndef LIVENESS_AFTER_MARK
  known_by_lock = by_lock;
#endif
  d_step {
    seen = number;
    if
    :: generation != 1 || FREE -> seen = 0
    :: else
    fi
  };
  if
  :: seen == 0 -> goto not_found
  :: else
  fi;
#ifdef LIVENESS_AFTER_MARK
  known_by_lock = by_lock;
#endif
  if
  :: known_by_lock ->
     if
     :: byte_lock == 0 -> goto not_found
     :: else
     fi;
     if /* the same word again: the lock may be the next claimer's */
     :: generation != 1 || number != seen || died -> goto not_found
     :: else
     fi
  :: else
  fi;
  assert(ran);
not_found:
  seen = 0
}

init {
  d_step {
    process_of[0] = 0; number_of[0] = 1;
    process_of[1] = 0; number_of[1] = 2;
    process_of[2] = 1; number_of[2] = 1;
    process_of[3] = 2; number_of[3] = 1;
#ifndef COPIES
    ended[1] = true;
#endif
#ifndef THREE_PROCESSES
    ended[3] = true;
    worker_ended[2] = true;
#endif
    if
    :: number_of[2] = 2
    :: skip
    fi
  };
  atomic {
#ifdef BY_BYTE_LOCK
    run Keeper(0, false);
#else
    run Keeper(0, true);
#endif
#ifdef COPIES
    run Keeper(1, true);
#endif
    run Keeper(2, true);
    run Death(0);
#ifndef COPIES
    run Death(1);
    run Reader();
#endif
#ifdef THREE_PROCESSES
    run Keeper(3, true);
    run Death(2);
#endif
    run Prover()
  }
}
