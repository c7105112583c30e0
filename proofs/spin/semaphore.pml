/* The semaphore (src/raw/semaphore.rs): a word of permits and QUEUED, beside a queue to which releases delegate.
   N threads, each any number of turns. A turn acquires 1 or 2 permits of LIMIT, with or without a deadline, which may pass
   at any point, and releases them; or takes a free permit away and makes a new one. A thread stops between any two
   turns, so a wait that no thread ends is an invalid end state.

   Faults:
    1 who leaves at its deadline does not grant           2 a release does not look whether threads wait
    3 work delegated after the decision is dropped        4 QUEUED stays set when the queue is empty
    5 a waiter queues without setting QUEUED              6 a thread takes permits past those who wait
    7 a grant that meets a deadline is lost               8 a granted waiter takes its permits once more
    9 the queue lock goes back with RECHECK set               10 a free permit is taken away past those who wait
   11 the second waiter is granted what is too little for the first
   12 a grant stores the state it has computed instead of subtracting

     words: perm queued room
     run:
     find 1 2 3 4 5 6 7 8 9 10 11 12: */
#include "queue.pml"
#ifndef LIMIT
#define LIMIT 2
#endif
bit queued;
byte perm = LIMIT, room;
byte held;        /* taken, and neither given back nor made to go away */
byte want[N];
byte owing;       /* releases between the addition and the queue lock */

inline invariants() {
  assert(!recheck || queue_locked);
  assert(queue_locked || queued == (ql > 0));                               /* invariant 1 */
  assert(queue_locked || ql == 0 || owing > 0 || want[q[0]] > perm);        /* invariant 3 */
  assert(perm + held + room == LIMIT)                                /* invariant 5 */
}
/* LockedQueue::unlock_as with grant_and_forget, which takes up to `take` permits away: as many as `taken` says */
inline unlock_and_wake() {
  due = 1;
  do
  :: due -> /* grant: reads the state, decides */
       d_step {
         due = 0; left = perm; seen = queued; sum = 0; i = 0;  /* proof: semaphore.load */
         do
         :: seen && ql > i && want[q[i]] <= left ->
              first = q[i]; left = left - want[first]; sum = sum + want[first]; some = 1;
              assert(i == 0); /* first in, first out */
              take_at(); home[first] = 0; granted[first] = me + 1
         :: seen && FAULT == 11 && i == 0 && ql > 1 && want[q[0]] > left && want[q[1]] <= left -> i = 1
         :: else -> break
         od;
         i = 0; first = 0
       }
       if /* then subtracts */
       :: d_step { seen && (sum > 0 || ql == 0) ->
            if :: FAULT == 12 -> perm = left :: else -> perm = perm - sum fi;  /* proof: semaphore.grant */
            held = held + sum;
            if :: ql == 0 && FAULT != 4 -> queued = 0; seen = 0 :: else fi;  /* proof: semaphore.grant */
            sum = 0 }
       :: else
       fi;
       if
       :: d_step { take && seen && left > 0 -> perm--; held++; taken = 1 }  /* proof: semaphore.forget_queued */
       :: else
       fi;
       d_step { left = 0; unqueued = !seen; seen = 0; take = 0 }
  :: atomic { !due && recheck -> recheck = 0; if :: FAULT != 3 -> due = 1 :: else fi }  /* proof: queue.clear_recheck */
  :: atomic { !due && (!recheck || FAULT == 9) -> queue_locked = 0; invariants() } break  /* proof: queue.unlock */
  od;
  if /* wakes all of them: each of these steps lets one thread go on and does nothing else */
  :: d_step { some ->
       i = 0;
       do
       :: i < N && granted[i] == me + 1 -> granted[i] = 0; out[i] = HANDOFF; i++  /* proof: waiter.wake, waiter.wake_parked */
       :: i < N && granted[i] != me + 1 -> i++
       :: else -> break
       od;
       i = 0; some = 0 }
  :: else
  fi
}
inline release(n) {
  if
  :: d_step { !queued || FAULT == 2 -> held = held - n; perm = perm + n }  /* proof: semaphore.release */
  :: d_step { queued && FAULT != 2 -> held = held - n; perm = perm + n; owing++ }  /* proof: semaphore.release */
     if
     :: d_step { queue_locked -> recheck = 1; owing-- }  /* proof: queue.try_delegate */
     :: d_step { !queue_locked -> queue_locked = 1; owing-- } unlock_and_wake()  /* proof: queue.try_lock */
     fi
  fi
}
byte granted[N];  /* taken out by thread number t - 1, and not woken yet */

proctype T(byte me) {
  byte i, first, n, left, sum;
  bit timed, due, seen, take, taken, unqueued, some;
  do
  :: break
  :: /* acquire */
    if :: n = 1 :: n = 2 fi;
    if
    :: d_step { (!queued || FAULT == 6) && perm >= n -> perm = perm - n; held = held + n } goto in  /* proof: semaphore.take */
    :: d_step { (queued || perm < n) -> n = 0 } goto next /* its time is up */
    :: d_step { (queued || perm < n) && !queue_locked -> queue_locked = 1 }  /* proof: queue.try_lock */
    fi;
    if
    :: d_step { !queued && perm >= n -> perm = perm - n; held = held + n }  /* proof: semaphore.take */
       unlock_and_wake();
       goto in
    :: atomic { queued || perm < n ->
         d_step { want[me] = n; push_back(me); if :: FAULT != 5 -> queued = 1 :: else fi }  /* proof: semaphore.queue */
         if :: timed = 0 :: timed = 1 fi }
       unlock_and_wake()
    fi;
    if
    :: out[me] != 0
    :: timed && out[me] == 0 ->
       d_step { !queue_locked -> queue_locked = 1 }  /* proof: queue.try_lock */
       if
       :: home[me] -> d_step { remove(me); want[me] = 0 }
          if
          :: FAULT == 1 -> d_step { queue_locked = 0; if :: ql == 0 -> queued = 0 :: else fi }  /* not in the code */
          :: else -> unlock_and_wake()
          fi;
          d_step { timed = 0; n = 0 }
          goto next
       :: else -> unlock_and_wake();
          out[me] != 0
          if :: FAULT == 7 -> d_step { timed = 0; n = 0; out[me] = 0; want[me] = 0 } goto next :: else fi
       fi
    fi;
    d_step { out[me] = 0; want[me] = 0; timed = 0; if :: FAULT == 8 -> perm = perm - n :: else fi }  /* not in the code */
in: skip; /* it has n permits */
    release(n);
next: n = 0
  :: skip; /* forget_free, then add */
forget: skip;
    if
    :: d_step { (!queued || FAULT == 10) && perm > 0 -> perm--; held++; taken = 1 }  /* proof: semaphore.forget_free */
    :: !queued && perm == 0
    :: d_step { queued && !queue_locked -> queue_locked = 1; take = 1 } unlock_and_wake();  /* proof: queue.try_lock */
       if :: d_step { unqueued -> unqueued = 0 } goto forget :: else fi
    fi;
    if
    :: taken -> d_step { taken = 0; held--; room++; unqueued = 0 }  /* proof: semaphore.forget */
       d_step { room--; held++ }  /* proof: semaphore.add */
       release(1)
    :: else -> unqueued = 0
    fi
  od
}
init {
  byte k;
  atomic { do :: k < N -> run T(k); k++ :: else -> break od }
  (_nr_pr == 1);
  assert(!queue_locked && !recheck && !queued && ql == 0 && perm == LIMIT && owing == 0)
}
