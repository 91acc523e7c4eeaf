/* The lock of a partition: taken over from the dead, repaired by whoever takes it.
 *
 * Shown, with processes killed at every step, the one that repairs too, and an entry of the process
 * table used again by another process:
 *   - one thread at a time has the lock, judged by who really is in there and not by the word: a
 *     thread that is killed is in there until it has ended, which is after its process is marked;
 *   - whoever changes finds a whole partition: what a dead writer or repairer left half done is
 *     mended before;
 *   - nobody waits for ever for a lock that no living thread holds (the search ends nowhere else
 *     than where everybody is through).
 *
 * Process 0 has two threads, of which the first may leave an operation half done (longjmp) and may
 * end and hand its ordinal to the second; process 1 has one; process 2 gets process 0's entry when
 * that is free. The partition is two words that are equal when it is whole.
 *
 * Not shown: weak memory; which order is needed is said in partition_lock.*, ThreadSanitizer looks at
 * it. Waiting is modelled as trying again when something has changed, which is what slices come to:
 * who sleeps and who wakes is in waiter.pml. The mark and the byte lock are taken for granted here,
 * and proven in entry.pml, and so are pidfds, which only ever make the proof stricter.
 *
 * Mistakes (-D...): see check.sh.
 */
#ifndef OPERATIONS
#define OPERATIONS 1
#endif

#define NOBODY 9
#define THREADS 4

/* --- the process table: layout/process_entry.hpp --------------------------------------------- */
byte generation[2] = 1;
bool marked[2];
byte byte_lock[2]; /* process + 1, 0: free */

/* --- the partition: layout/partition.hpp ------------------------------------------------------ */
byte lock; /* LockHolder::word() */
bool dirty;
byte x, y;

#if defined(THREAD_IDS)
/* Of two PID namespaces, in which the threads have the same numbers. */
#define WORD(entry, life, ordinal) (1 + ordinal)
#elif defined(NO_ORDINALS)
#define WORD(entry, life, ordinal) (1 + 2 * entry + 4 * life)
#elif defined(NO_GENERATIONS)
#define WORD(entry, life, ordinal) (1 + ordinal + 2 * entry + 4)
#else
#define WORD(entry, life, ordinal) (1 + ordinal + 2 * entry + 4 * life)
#endif
#define ENTRY(word) ((word - 1) >> 1 & 1)
#define LIFE(word) ((word - 1) >> 2)

/* proven_gone() as a condition to wait for: mark and byte lock, or another generation. */
#ifdef NO_GENERATIONS
#define OLDER(word) false
#else
#define OLDER(word) (generation[ENTRY(word)] != LIFE(word))
#endif
#define GONE(word) (OLDER(word) || (marked[ENTRY(word)] && byte_lock[ENTRY(word)] == 0))

/* --- what is true ------------------------------------------------------------------------------- */
bool ended[THREADS]; /* runs no more: of itself, or killed */
byte inside = NOBODY;
bool ordinal_in_use[2];

/* --- core/partition_lock.cpp -------------------------------------------------------------------- */
inline try_take() {
  seen = lock;
  if
  :: seen == mine -> /* left behind by this very thread */
     /* not reached: assert((inside==me)): release_held() has given it back before */
     assert(inside == me);
     goto taken
  :: seen != mine && seen != 0 ->
     /* liveness.cpp, proven_gone(): mark and generation are one load */
     d_step { older = OLDER(seen); dead = marked[ENTRY(seen)] };
#if defined(LOCK_FROM_ANYONE)
     skip
#elif defined(LOCK_ON_MARK_ALONE)
     if
     :: older || dead
     :: else -> goto wait
     fi
#else
     if
     :: older
     :: !older && dead ->
        if
        :: byte_lock[ENTRY(seen)] != 0 -> goto wait
        :: else
        fi
     :: else -> goto wait
     fi
#endif
  :: else
  fi;
  older = false;
  dead = false;
  if /* compare_exchange_strong */
  :: d_step {
       lock == seen -> lock = mine;
       assert(inside == NOBODY);
       inside = me
     };
     goto taken
  :: else
  fi
}

/* core/thread_state.cpp, release_held(): `dirty` stays as it is. */
inline release_held() {
  if
  :: left_behind && lock == mine ->
     d_step {
       lock = 0;
       assert(inside == me);
       inside = NOBODY;
       left_behind = false
     }
  :: else
  fi
}

/* core/repair.cpp: all of it can be done again. */
inline repair() {
#ifdef DIRTY_CLEARED_BEFORE_REPAIR
  dirty = false;
#endif
  y = 2; /* reset(): what was known is forgotten ... */
  y = x; /* ... and rebuilt from what the index reaches */
#ifndef DIRTY_CLEARED_BEFORE_REPAIR
  dirty = false
#endif
}

/* longjmp out of the operation: of thread 0, once. */
inline may_jump() {
  if
  :: me == 0 && !jumped -> d_step { jumped = true; left_behind = true }; goto next_operation
  :: skip
  fi
}

proctype Thread(byte me, process, entry) {
  byte mine, seen, operations, ordinal;
  bool older, dead, left_behind, jumped;
  {
    if
    :: me == 3 -> /* claims the entry that process 0 has left (entry.pml) */
    end_no_entry:
       d_step {
         marked[entry] && byte_lock[entry] == 0 -> byte_lock[entry] = process + 1;
         generation[entry]++;
         marked[entry] = false
       }
    :: else
    fi;
    d_step { /* Ordinals::take(): the lowest that is free; process 0 has two threads */
      if
      :: process == 0 && ordinal_in_use[0] -> ordinal = 1
      :: else -> ordinal = 0
      fi;
      if
      :: process == 0 -> ordinal_in_use[ordinal] = true
      :: else
      fi;
      mine = WORD(entry, generation[entry], ordinal)
    };

  next_operation:
    if
    :: operations == OPERATIONS + (me == 0) -> goto end_of_thread
    :: d_step { operations < OPERATIONS + (me == 0) -> operations++ }
    fi;
    release_held(); /* ThreadState::enter() */
  wait: /* a slice ends: looks again */
    (lock == 0 || lock == mine || lock != seen || GONE(lock)) -> try_take();
    goto wait;
  taken:
    seen = 0;
#ifndef DIRTY_IGNORED
    if /* acquire() */
    :: dirty -> repair()
    :: else
    fi;
#endif
    assert(x == y); /* whole */
#ifndef DIRTY_SET_LATE
    dirty = true; /* DirtySection */
#endif
    may_jump();
    x = 1 - x;
#ifdef DIRTY_SET_LATE
    dirty = true;
#endif
    may_jump();
    y = x;
    dirty = false;
    d_step { /* release() */
      lock = 0;
      inside = NOBODY
    };
    goto next_operation;

  end_of_thread: /* ~ThreadState */
#ifdef ORDINAL_GIVEN_FIRST
    if
    :: process == 0 -> ordinal_in_use[ordinal] = false
    :: else
    fi;
    release_held();
#else
    release_held();
    if
    :: process == 0 -> ordinal_in_use[ordinal] = false
    :: else
    fi;
#endif
    ended[me] = true
  } unless {
    ended[me] -> d_step {
      mine = 0; seen = 0; operations = 0; ordinal = 0;
      older = false; dead = false; left_behind = false; jumped = false
    }
  }
}

/* A process is killed, or not. Its threads end one by one, the keeper, whose end is the mark, among
 * them; the byte lock goes with the last. */
proctype Death(byte process, entry, first, last) {
  byte t;
  if
  :: goto lives
  :: t = first
  fi;
  do
  :: !marked[entry] -> marked[entry] = true
  :: t <= last && (!ended[t] || inside == t) ->
     d_step {
       ended[t] = true;
       if
       :: inside == t -> inside = NOBODY
       :: else
       fi;
       t++
     }
  :: t <= last && ended[t] && inside != t -> t++
  :: marked[entry] && t > last -> break
  od;
  byte_lock[entry] = 0;
lives:
  t = 0
}

init {
  byte_lock[0] = 1;
  byte_lock[1] = 2;
  atomic {
    run Thread(0, 0, 0);
#ifdef TWO_THREADS
    run Thread(1, 0, 0);
    run Death(0, 0, 0, 1);
#else
    d_step { ended[1] = true };
    run Death(0, 0, 0, 1);
#endif
#ifndef NO_SECOND_PROCESS
    run Thread(2, 1, 1);
#endif
#ifndef NO_THIRD_PROCESS
    run Thread(3, 2, 0);
#endif
#if !defined(ONE_DEATH) && !defined(NO_SECOND_PROCESS)
    run Death(1, 1, 2, 2)
#endif
  }
}
