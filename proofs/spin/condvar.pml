/* The condition variable (src/raw/condvar.rs) over the mutex: its own queue, from which notified waiters are moved to that of
   the mutex. N threads, each any number of turns: wait until `ready` and take that, with or without a deadline, which may
   pass at any point; or make it so and notify one or all, with the mutex locked or after; unlocking plainly or fairly.
   Whether the mutex seems free to who moves waiters is a choice: that is a hint, and may be outdated.

   A thread stops between any two turns. `timeout` then checks that who still waits has nothing to wait for.

   Faults:
    1 a notified waiter that is due at its deadline says that it timed out
    2 waiters are moved without a decision                  3 a moved waiter that is woken leaves DESIGNATED set
    4 a waiter unlocks before it queues                   5 a granted waiter locks once more
    6 a waiter queues without showing it in the word      7 a moved waiter counts as at home
    8 a waiter that times out stays in the queue          9 the second of two that are moved is forgotten
   10 who is woken because the mutex is free takes it to be granted

     words: cqueue_locked chad
     run: -DN=2
     run: -DSPURIOUS=0
     find 1 2 3 4 5 6 7 8 9 10: -DSPURIOUS=0 */
#include "queue.pml"
#ifndef SPURIOUS
#define SPURIOUS 1 /* of these threads some turns notify, and nothing else */
#endif
#define MUTEX_FAULT 0
#include "unlock.pml"
bit cqueue_locked;       /* the queue lock of the condition variable */
bit chad;         /* its word says that there are waiters: as it was before the queue lock was taken */
byte c[N], cl;
bit ready, over;
bit notified[N];

inline c_release() { cqueue_locked = 0; chad = (cl > 0) }  /* proof: queue.unlock */
inline c_take_at() {
  do :: i + 1 < cl -> c[i] = c[i + 1]; i++ :: else -> break od;
  cl--; c[cl] = 0; i = 0
}
inline unlock() {
  if
  :: atomic { queue_locked -> holders--; recheck = 1 }  /* fairly; proof: queue.try_delegate */
  :: atomic { !queue_locked && ql > 0 -> holders--; queue_locked = 1; spent_l = 1; fair = 1 } unlock_and_wake()  /* proof: queue.try_lock */
  :: atomic { queue_locked || ql == 0 || designated -> holders--; locked = 0; invariants() }  /* proof: mutex.unlock, mutex.unlock_fair */
  :: atomic { !queue_locked && ql > 0 -> holders--; queue_locked = 1; spent_l = 1 } unlock_and_wake()  /* proof: queue.try_lock */
  fi
}
inline notify() {
  if
  :: !chad  /* proof: queue.load */
  :: d_step { chad && !cqueue_locked -> cqueue_locked = 1 }  /* proof: queue.try_lock */
     if
     :: d_step { cl > 0 -> d0 = c[0]; i = 0; c_take_at(); home[d0] = (FAULT == 7); notified[d0] = 1 }
        if /* all */
        :: d_step { cl > 0 -> d1 = c[0]; i = 0; c_take_at(); home[d1] = (FAULT == 7); notified[d1] = 1 }
        :: skip
        fi
     :: else
     fi;
     d_step { c_release() }
     do
     :: d_step { d0 != NONE -> out[d0] = BARGE; d0 = d1; d1 = NONE }  /* proof: waiter.wake, waiter.wake_parked */
     :: d_step { d0 != NONE && !queue_locked -> queue_locked = 1;  /* proof: queue.try_lock */
          q[ql] = d0; ql++; d0 = NONE;
          if :: d1 != NONE && FAULT != 9 -> q[ql] = d1; ql++ :: else fi; d1 = NONE }
        if
        :: FAULT == 2 -> d_step { queue_locked = 0; if :: ql > 0 -> stamped[q[0]] = 1 :: else fi }  /* not in the code */
        :: else -> unlock_and_wake()
        fi
     :: else -> break
     od;
     d0 = NONE
  fi
}

proctype T(byte me) {
  byte i, first = NONE, how, d0 = NONE, d1 = NONE;
  bit late, woken, passed, timed, fair, hand, spent_l, spent_w, old, seen_l, waits;
  do
  :: break
  :: me < SPURIOUS -> notify()
  :: if :: waits = 0 :: waits = 1 fi;
slow:
    if
    :: atomic { !locked -> if :: woken -> designated = 0 :: else fi; locked = 1; clear(me) } goto in  /* proof: mutex.lock */
    :: atomic { locked && !queue_locked -> queue_locked = 1; spent_w = 1;  /* proof: queue.try_lock */
         d_step { if :: woken -> push_front(me) :: else -> push_back(me) fi } }
    fi;
    unlock_and_wake();
    out[me] != 0;  /* proof: waiter.outcome */
    if
    :: d_step { out[me] == HANDOFF -> clear(me) } goto in
    :: d_step { out[me] == WOKEN -> woken = 1; out[me] = 0 } goto slow
    fi;
in: atomic { holders++; assert(holders == 1 && locked) }
    if
    :: !waits -> ready = 1;
       if
       :: notify(); unlock()
       :: unlock(); notify()
       fi
    :: waits && ready -> d_step { ready = 0; waits = 0; late = 0; timed = 0; notified[me] = 0 } unlock()
    :: waits && !ready && late -> d_step { late = 0; waits = 0; timed = 0; notified[me] = 0 } unlock()
    :: waits && !ready && !late ->
       notified[me] = 0;
       if :: FAULT == 4 -> unlock() :: else fi;
       d_step { !cqueue_locked -> cqueue_locked = 1; c[cl] = me; cl++; home[me] = 1; out[me] = 0 }  /* proof: queue.try_lock */
       d_step { c_release(); if :: FAULT == 6 -> chad = 0 :: else fi }  /* proof: queue.unlock */
       if :: FAULT != 4 -> unlock() :: else fi;
       if :: timed = 0 :: timed = 1 fi;
       if
       :: out[me] != 0  /* proof: waiter.outcome */
       :: over -> goto stop
       :: timed && out[me] == 0 ->
          d_step { !cqueue_locked -> cqueue_locked = 1 }  /* proof: queue.try_lock */
          if
          :: d_step { home[me] ->
               i = 0;
               do :: c[i] != me -> i++ :: else -> break od;
               if :: FAULT != 8 -> c_take_at() :: else -> i = 0 fi;
               home[me] = 0; late = 1; assert(!notified[me]) }
             d_step { c_release() }
             goto slow
          :: else -> d_step { c_release() }
             if
             :: FAULT == 1 -> assert(!notified[me])
             :: else -> out[me] != 0
             fi
          fi
       fi;
       assert(notified[me]);
       if
       :: d_step { out[me] == HANDOFF && FAULT != 5 -> clear(me) } goto in
       :: d_step { out[me] == BARGE || (out[me] == HANDOFF && FAULT == 5) || (out[me] == WOKEN && FAULT == 3) -> out[me] = 0; stamped[me] = 0 }
          if :: FAULT == 10 -> goto in :: else -> goto slow fi
       :: d_step { out[me] == WOKEN && FAULT != 3 -> woken = 1; out[me] = 0 } goto slow
       fi
    fi
  od;
stop: skip
}
init {
  byte k;
  atomic { do :: k < N -> run T(k); k++ :: else -> break od }
  timeout;
  assert(!queue_locked && !recheck && !cqueue_locked && !locked && !designated && ql == 0);
  assert(cl == 0 || !ready);
  k = 0;
  do
  :: k < N -> assert(out[k] == 0); k++
  :: else -> break
  od;
  over = 1;
  (_nr_pr == 1)
}
