/* A lookup beside the writers of its partition: publish and read, records used again, the index
 * built anew into memory used again, writers killed at every step and repaired after.
 *
 * Shown, for every interleaving of one lookup with CHANGES changes and CRASHES deaths:
 *   - an answer was true at some instant of the lookup: what was found was registered under that
 *     name, and a name that was registered throughout is not missed;
 *   - no record is torn: its words are all of one write;
 *   - the same after a death and its repair, and after the death of who repairs.
 *
 * Small on purpose: two names that nothing but their keys tells apart (same home, same 16 hash
 * bits), buckets of one slot, so that every used bucket is full, two index memories. Writers are one
 * process, which "dies" by starting anew with the next one's repair: that there is only one at a
 * time is lock.pml's. Readers write nothing, so one is as good as many.
 *
 * Not shown: weak memory. Spin interleaves whole steps; that acquire and release suffice for the
 * order of loads and stores is what ThreadSanitizer and tests/torture look at. Nor owners (entry.pml),
 * lists, and health cells. lookup()'s straight way makes the loads of one attempt here, in this
 * order, and leaves everything but a found record and a miss in its home bucket to lookup_any().
 *
 * Three of the mistakes were the code's, found here:
 *   STAMP_BEFORE_SLOT          re-checking the stamp, then the slot: they can be of two instants
 *   RETIRED_BY_STAMP_AND_SLOT  a stamp of 0 under the same slot counts as "not here"; but 0 is not
 *                              unique: the slot may lead to the same memory for the second time
 *   FOUND_IN_ANY_INDEX         what was found counts though the index is no longer in use: its slots
 *                              stay, and lead to a record that is written and not published
 *
 * Mistakes (-D...): see check.sh.
 */
#ifndef CHANGES
#define CHANGES 4
#endif
#ifndef CRASHES
#define CRASHES 1
#endif

#define SLOTS 2
#define RECORDS 3
#define EMPTY 0      /* layout/slot.hpp: kEmptySlot */
#define TOMBSTONE 99 /* location 0, but not empty: also the free list's link in an unused index */
#define LINK 50      /* added to what the free list keeps in word 1: no value of any record */

/* --- the segment --------------------------------------------------------------------------- */
byte slots[4]; /* index memory 0, index memory 1; a slot is EMPTY, TOMBSTONE or record + 1 */
byte descriptor = 0;
byte rebuilds = 0;
bool dirty = false;
byte stamp_counter = 2;
byte free_record = 3; /* head of the list: record + 1, 0 ends it */
byte stamp[RECORDS], word1[RECORDS], key[RECORDS], value[RECORDS];

/* --- what is true: changed together with the store that makes it so ------------------------- */
byte now[3];     /* by name (1, 2): the stamp of what is registered, 0: nothing */
byte wanted = 0; /* by the lookup under way */
int truth = 0;   /* bit s: at some instant of it `wanted` was registered with stamp s; 0: was not */
bool killed = false;

inline becomes(name, what) {
  now[name] = what;
  if
  :: wanted == name -> truth = truth | (1 << what)
  :: else
  fi
}

/* --- the writers: core/partition_work.cpp, partition_memory.cpp, index.cpp ------------------- */
/* WriterIndex::find: the key's slot and record, else a free slot. Under the lock: one step. */
inline find(name) {
  d_step {
    place = SLOTS;
    vacant = SLOTS;
    old = 0;
    i = 0;
    do
    :: i < SLOTS ->
       at = slots[descriptor * SLOTS + i];
       if
       :: at == EMPTY || at == TOMBSTONE ->
          if
          :: vacant == SLOTS -> vacant = i
          :: else
          fi;
          if
          :: at == EMPTY -> break
          :: else
          fi
       :: else ->
          if
          :: key[at - 1] == name -> place = i; old = at; break
          :: else
          fi
       fi;
       i++
    :: else -> break
    od;
    at = 0;
    i = 0
  }
}

/* PartitionMemory::give_record: the stamp first, then the link. */
inline give_record(r) {
  stamp[r - 1] = 0;
  d_step {
    word1[r - 1] = LINK + free_record;
    free_record = r
  }
}

/* PartitionWork::compose, up to what leads to the record. */
inline take_record_and_stamp() {
  d_step {
    fresh = free_record;
    free_record = word1[fresh - 1] - LINK
  };
#ifdef STAMP_ADVANCED_LATE
  mine = stamp_counter + 1
#else
  d_step { /* PartitionWork::next: advanced before use */
    stamp_counter++;
    mine = stamp_counter
  }
#endif
}
inline write_record(name) {
#ifndef STAMP_NOT_CLEARED
  stamp[fresh - 1] = 0;
#else
  stamp[fresh - 1] = mine;
#endif
  word1[fresh - 1] = mine;
  key[fresh - 1] = name;
  value[fresh - 1] = mine;
  stamp[fresh - 1] = mine
}
/* WriterIndex::fill: the one store that publishes. */
inline publish(name) {
  d_step {
    if
    :: place < SLOTS -> slots[descriptor * SLOTS + place] = fresh
    :: else -> slots[descriptor * SLOTS + vacant] = fresh
    fi;
    becomes(name, mine)
  }
}

/* ServiceTable::add (also over what is there) and ServiceTable::update. */
inline put(name) {
  find(name);
  if
  :: free_record == 0 || (place == SLOTS && vacant == SLOTS) -> skip /* full; or a rebuild first */
  :: else ->
     dirty = true;
     take_record_and_stamp();
#ifdef PUBLISH_BEFORE_WRITE
     publish(name);
     write_record(name);
#else
     write_record(name);
     publish(name);
#endif
#ifdef STAMP_ADVANCED_LATE
     stamp_counter = mine;
#endif
     if
     :: old != 0 -> give_record(old)
     :: else
     fi;
     dirty = false
  fi
}

/* PartitionWork::remove */
inline take_away(name) {
  find(name);
  if
  :: old == 0
  :: else ->
     dirty = true;
     d_step { /* this is the moment */
       stamp[old - 1] = 0;
       becomes(name, 0)
     };
#ifdef FULL_BUCKET_EMPTIED
     slots[descriptor * SLOTS + place] = EMPTY;
#else
     slots[descriptor * SLOTS + place] = TOMBSTONE;
#endif
     give_record(old);
     dirty = false
  fi
}

/* PartitionWork::rebuild, at any time, not only where there is cause. */
inline rebuild() {
  dirty = true;
  rebuilds++; /* before the memory of any index is written */
  other = 1 - descriptor;
  slots[other * SLOTS] = EMPTY; /* PartitionMemory::take_index */
  slots[other * SLOTS + 1] = EMPTY;
#ifdef DESCRIPTOR_BEFORE_COPY
  descriptor = other;
  other = 1 - other;
#endif
  /* SLOTS is 2: what is in the first goes to the first; what is in the second, to the first empty */
/* FROM one index TO the other */
#ifdef DESCRIPTOR_BEFORE_COPY
#define FROM other
#define TO descriptor
#else
#define FROM descriptor
#define TO other
#endif
  if
  :: slots[FROM * SLOTS] != EMPTY && slots[FROM * SLOTS] != TOMBSTONE ->
     slots[TO * SLOTS] = slots[FROM * SLOTS]
  :: else
  fi;
  if
  :: slots[FROM * SLOTS + 1] != EMPTY && slots[FROM * SLOTS + 1] != TOMBSTONE ->
     if
     :: slots[TO * SLOTS] == EMPTY -> slots[TO * SLOTS] = slots[FROM * SLOTS + 1]
     :: else -> slots[TO * SLOTS + 1] = slots[FROM * SLOTS + 1]
     fi
  :: else
  fi;
#ifndef DESCRIPTOR_BEFORE_COPY
  descriptor = other;
#endif
  slots[(1 - descriptor) * SLOTS] = TOMBSTONE; /* PartitionMemory::give_index: a link, no record */
  dirty = false
}

/* core/repair.cpp, Repair::run */
inline repair() {
  d_step { /* reset() */
    free_record = 0;
    reached = 0;
    i = 0
  };
  do /* keep_or_clear(): sensible() */
  :: i < SLOTS ->
     d_step { /* only writers see the difference; a store that readers see, at most */
       at = slots[descriptor * SLOTS + i];
       if
       :: at == EMPTY || at == TOMBSTONE
       :: else ->
          if
          :: stamp[at - 1] != 0 && !(reached >> at & 1) -> reached = reached | (1 << at)
          :: else -> slots[descriptor * SLOTS + i] = TOMBSTONE
          fi
       fi;
       at = 0;
       i++
     }
  :: else -> i = 1; break
  od;
#ifdef REPAIR_FORGETS_WHAT_IS_REACHED
  reached = 0;
#endif
  do /* give_back_the_rest() */
  :: i <= RECORDS ->
     if
     :: !(reached >> i & 1) -> give_record(i)
     :: else
     fi;
     i++
  :: else -> break
  od;
  slots[(1 - descriptor) * SLOTS] = TOMBSTONE; /* give_index */
  dirty = false
}

proctype Writers() {
  byte changes, name, place, vacant, old, at, i, other, fresh, mine, reached;
next_writer:
  {
    if /* PartitionLock::acquire */
    :: dirty -> repair()
    :: else
    fi;
    do
    :: changes < CHANGES ->
       d_step {
         changes++; name = 1;
         place = 0; vacant = 0; old = 0; other = 0; fresh = 0; mine = 0; i = 0; at = 0; reached = 0
       };
       if
       :: name = 2
       :: skip
       fi;
       if
       :: put(name)
       :: take_away(name)
       :: name == 1 -> rebuild()
       fi
    :: else -> break
    od
  } unless {
    d_step {
      killed -> killed = false;
      name = 0; place = 0; vacant = 0; old = 0; at = 0; i = 0; other = 0; fresh = 0; mine = 0;
      reached = 0
    };
    goto next_writer
  }
}

proctype Killer() {
  byte deaths;
  do
  :: deaths < CRASHES -> d_step { deaths++; killed = true }
  :: break
  od
}

/* --- the reader: core/lookup.cpp ------------------------------------------------------------- */
#define SLOT slots[index * SLOTS + probe]
#define CHANGED goto attempt

/* slot_and_stamp_are(): the slot first; the stamp, which is unique, was then there before and after. */
inline unchanged() {
#ifdef STAMP_BEFORE_SLOT
  if
  :: stamp[slot - 1] != seen -> CHANGED
  :: else
  fi;
#endif
#ifndef NO_SLOT_RECHECK
  if
  :: SLOT != slot -> CHANGED
  :: else
  fi;
#endif
#if !defined(NO_STAMP) && !defined(STAMP_BEFORE_SLOT)
  if
  :: stamp[slot - 1] != seen -> CHANGED
  :: else
  fi;
#endif
  skip
}

proctype Reader() {
  byte index, built, counted, probe, slot, seen, copied_word1, copied_value;
  d_step {
    if
    :: wanted = 1
    :: wanted = 2
    fi;
    truth = 1 << now[wanted]
  };
attempt: /* lookup_any(): at most kMaxRetries times, then "busy" */
  built = rebuilds;
  d_step {
    index = descriptor;
    slot = 0; probe = 0; seen = 0; counted = 0; copied_word1 = 0; copied_value = 0
  };
  do
  :: probe < SLOTS ->
     if /* matching_slots(): a hint */
     :: SLOT != EMPTY && SLOT != TOMBSTONE ->
        slot = SLOT;
        if
        :: slot == EMPTY || slot == TOMBSTONE -> goto next_bucket
        :: else
        fi;
        /* read_record() */
        seen = stamp[slot - 1];
#ifndef NO_STAMP
        if
        :: seen == 0 -> goto retired
        :: else
        fi;
#endif
        if
        :: key[slot - 1] != wanted -> goto other_record
        :: else
        fi;
        copied_word1 = word1[slot - 1]; /* copy_words() */
        copied_value = value[slot - 1];
        unchanged();
        goto same_index_of_a_find;
     retired: /* still_retired(): a stamp of 0 is nobody's own, so the slot alone may be a later one */
#ifndef RETIRED_BY_STAMP_AND_SLOT
        counted = stamp_counter;
        if
        :: SLOT != slot -> CHANGED
        :: else
        fi;
#endif
        if
        :: stamp[slot - 1] != 0 -> CHANGED
        :: else
        fi;
        if
        :: SLOT != slot -> CHANGED
        :: else
        fi;
#ifndef RETIRED_BY_STAMP_AND_SLOT
        if
        :: stamp_counter != counted -> CHANGED
        :: else
        fi;
#endif
        goto next_bucket;
     other_record: /* Fate::other, if it holds still */
#ifndef MISMATCH_UNCHECKED
        unchanged()
#else
        skip
#endif
     :: else
     fi;
  next_bucket:
     if /* has_empty_slot() */
     :: SLOT == EMPTY -> break
     :: else
     fi;
     probe++
  :: else -> break
  od;
  /* same_index() */
#ifndef MISS_UNCHECKED
  if
  :: descriptor != index -> CHANGED
  :: else
  fi;
#ifndef REBUILDS_UNCHECKED
  if
  :: rebuilds != built -> CHANGED
  :: else
  fi;
#endif
#endif
  assert((truth & 1) != 0); /* not found: there was an instant without it */
  goto done;
same_index_of_a_find: /* a slot of an index no longer in use may lead to what is not published yet */
#ifndef FOUND_IN_ANY_INDEX
  if
  :: descriptor != index -> CHANGED
  :: else
  fi;
  if
  :: rebuilds != built -> CHANGED
  :: else
  fi;
#endif
  assert(copied_word1 == copied_value); /* not torn */
  assert((truth >> copied_value & 1) != 0); /* it was registered meanwhile */
done:
  wanted = 0;
  d_step {
    truth = 0; index = 0; built = 0; probe = 0; slot = 0; seen = 0; counted = 0;
    copied_word1 = 0; copied_value = 0
  }
}

init {
  d_step { /* both names registered, the second behind the first */
    stamp[0] = 1; word1[0] = 1; key[0] = 1; value[0] = 1; slots[0] = 1; now[1] = 1;
    stamp[1] = 2; word1[1] = 2; key[1] = 2; value[1] = 2; slots[1] = 2; now[2] = 2;
    word1[2] = LINK;
    slots[2] = TOMBSTONE
  };
  atomic {
    run Writers();
    run Killer();
    run Reader()
  }
}
