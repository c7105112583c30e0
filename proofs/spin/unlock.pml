/* The end of a section under the queue lock of the mutex (src/raw/mutex.rs, unlock_and_wake_as), for the mutex and for the condition variable.
   words: locked designated */
bit locked, designated;
byte holders;

inline invariants() {
  assert(!recheck || queue_locked);
  assert(queue_locked || ql == 0 || locked || designated);      /* invariant 1 */
  assert(queue_locked || ql == 0 || stamped[q[0]]);         /* invariant 6 of the queue */
}
inline clear(t) { woken = 0; passed = 0; stamped[t] = 0; out[t] = 0 }

/* LockedQueue::unlock_as with unlock_and_wake_as: spent bits, fair, and what was delegated meanwhile */
inline unlock_and_wake() {
  do
  :: atomic { recheck && MUTEX_FAULT != 6 -> recheck = 0;  /* proof: queue.clear_recheck */
       if :: MUTEX_FAULT != 5 -> fair = 1; spent_l = 1 :: else fi }
  :: atomic { !recheck || MUTEX_FAULT == 6 ->
       if :: spent_l -> locked = 0 :: else fi;  /* proof: queue.unlock */
       if :: spent_w -> designated = 0 :: else fi;  /* proof: queue.unlock */
       if :: MUTEX_FAULT == 4 && !spent_l && seen_l -> old = 1 :: else -> old = 0 fi;
       hand = 0;
       if
       :: old /* a fault: it goes by what it saw */
       :: !old && !locked && fair -> hand = 1
       :: !old && !locked && ql > 0 && stamped[q[0]] -> hand = 1   /* starving */
       :: !old
       fi;
       d_step {
         first = NONE; how = 0;
         if
         :: !old && ql > 0 && !locked && (hand || !designated) -> pop(first);
              if
              :: hand -> locked = (MUTEX_FAULT != 7); how = HANDOFF  /* proof: queue.unlock */
              :: else -> designated = 1; how = WOKEN  /* proof: queue.unlock */
              fi
         :: else
         fi;
         if :: ql > 0 && MUTEX_FAULT != 10 -> stamped[q[0]] = 1 :: else fi;
         queue_locked = 0; old = 0; hand = 0; spent_l = 0; spent_w = 0; fair = 0; seen_l = 0;  /* proof: queue.unlock */
         invariants()
       }
       break }
  od;
  if :: first != NONE -> d_step { out[first] = how; first = NONE; how = 0 } :: else fi  /* proof: waiter.wake, waiter.wake_parked */
}
