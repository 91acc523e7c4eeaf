/* Sleeping for what another process does, and being woken: no wake is lost.
 *
 * core/partition_lock.cpp, wait_and_take() and release(): publish, then look at the flag; set the
 * flag, then look at what was published; all four sequentially consistent. Who waits for a name is
 * to do the same with WriterIndex::fill(), whose store is sequentially consistent for that reason.
 *
 * Shown, with store buffers as x86-64 has them (a store is seen by others later, unless the next
 * thing waits for it): while nobody dies, nobody sleeps for ever even without the slices that waiting
 * is cut into, which would hide a lost wake as a pause. And with slices (SLICES) nobody does when
 * those who were woken are killed before they wake the next.
 *
 * Not shown: processors that reorder more than stores with later loads; what C++ says of
 * seq_cst covers those.
 *
 * Mistakes (-D...): see check.sh.
 */
#ifndef THREADS
#define THREADS 3
#endif
#define NOBODY 9

/* memory, and what each thread has stored and not yet shown */
byte lock = 0; /* thread + 1, 0: free */
byte contended = 0;
bool buffered_release[THREADS]; /* lock = 0 */
bool buffered_flag[THREADS];    /* contended = 1 */

bool sleeps[THREADS];
bool ended[THREADS];

/* The processor: shows what it has buffered whenever it likes. Also of a thread that was killed. */
proctype Buffers() {
end:
  do
  :: d_step { buffered_release[0] -> buffered_release[0] = false; lock = 0 }
  :: d_step { buffered_flag[0] -> buffered_flag[0] = false; contended = 1 }
  :: d_step { buffered_release[1] -> buffered_release[1] = false; lock = 0 }
  :: d_step { buffered_flag[1] -> buffered_flag[1] = false; contended = 1 }
#if THREADS > 2
  :: d_step { buffered_release[2] -> buffered_release[2] = false; lock = 0 }
  :: d_step { buffered_flag[2] -> buffered_flag[2] = false; contended = 1 }
#endif
  od
}
#define DRAINED (!buffered_release[me] && !buffered_flag[me])

#define GONE (ended[lock - 1] && !buffered_release[lock - 1])

proctype Thread(byte me) {
  byte seen, woken;
  {
    if /* acquire(): the first try; compare-and-swap waits for the buffer */
    :: d_step { DRAINED && lock == 0 -> lock = me + 1 } -> goto taken
    :: DRAINED && lock != 0
    fi;
  again: /* wait_and_take() */
    if /* try_take(); what the dead had stored is there before they are proven gone */
    :: d_step { DRAINED && lock == 0 -> lock = me + 1 } -> goto taken_after_wait
    :: d_step { DRAINED && lock != 0 && GONE -> lock = me + 1 } -> goto taken_after_wait
    :: DRAINED && lock != 0 && !GONE
    fi;
#ifdef LOOKS_BEFORE_FLAG
    seen = lock;
#endif
    buffered_flag[me] = true; /* contended.store(1, seq_cst) */
#ifndef FLAG_WITHOUT_ORDER
    DRAINED;
#endif
#ifndef LOOKS_BEFORE_FLAG
    seen = lock; /* lock.load(seq_cst) */
#endif
    if
    :: seen == 0 -> goto again
    :: else -> seen = 0
    fi;
    if /* futex_wait: the kernel compares and goes to sleep in one; a system call shows the buffer */
    :: d_step { DRAINED && contended == 1 -> sleeps[me] = true }
    :: DRAINED && contended != 1 -> goto again
    fi;
    if
    :: !sleeps[me]
#ifdef SLICES
    :: sleeps[me] && (lock == 0 || GONE) -> sleeps[me] = false
#endif
    fi;
    goto again;
  taken_after_wait:
#ifndef NEXT_ONE_FORGOTTEN
    buffered_flag[me] = true; /* contended.store(1, relaxed): others may be waiting behind us */
#endif
    skip;
  taken:
    /* release() */
    buffered_release[me] = true; /* lock.store(0, seq_cst) */
#ifndef RELEASE_WITHOUT_ORDER
    DRAINED;
#endif
    if /* contended.load(seq_cst); its own buffer a thread does see */
    :: contended != 0 || buffered_flag[me]
    :: else -> goto done
    fi;
    if /* contended.exchange(0) */
    :: d_step { DRAINED && contended != 0 -> contended = 0 }
    :: DRAINED && contended == 0 -> goto done
    fi;
    if /* futex_wake of one */
    :: d_step { sleeps[0] -> sleeps[0] = false }
    :: d_step { sleeps[1] -> sleeps[1] = false }
#if THREADS > 2
    :: d_step { sleeps[2] -> sleeps[2] = false }
#endif
    :: else
    fi;
  done:
    ended[me] = true
  } unless { ended[me] -> sleeps[me] = false }
}

#ifdef DEATHS
/* Kills all but the last thread, or some of them, at any time. */
proctype Killer() {
  byte k;
  do
  :: k < THREADS - 1 -> k++
  :: d_step { k < THREADS - 1 -> ended[k] = true; k++ }
  :: k == THREADS - 1 -> break
  od
}
#endif

init {
  atomic {
    run Buffers();
    run Thread(0);
    run Thread(1);
#if THREADS > 2
    run Thread(2);
#endif
#ifdef DEATHS
    run Killer();
#endif
    skip
  }
}
