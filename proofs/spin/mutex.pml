/* The mutex (src/raw/mutex.rs) over its queue, with its hand-off rule; the clock is a choice.
   N threads, each any number of turns: lock with or without a deadline, which may pass at any point; unlock plainly or
   fairly. A thread stops between any two turns, so a wait that no thread ends is an invalid end state.

   Faults:
    1 who leaves at its deadline does not unlock_and_wake         2 a woken waiter that gives up leaves DESIGNATED set
    3 a grant that meets a deadline is lost              4 a section under the queue lock decides on the bits it began with
    5 a delegated fair unlock is not done                6 the queue lock goes back with RECHECK set
    7 a hand-off clears LOCKED                           8 a woken waiter that queues again leaves DESIGNATED set
    9 who is due at its deadline does not await it       10 the first is not stamped at the end of a section
   11 a delegated fair unlock clears LOCKED, too         12 an unlock does not look whether threads wait

     run:
     find 1 2 3 4 5 6 7 8 9 10 11 12: */
#include "queue.pml"
#define MUTEX_FAULT FAULT
#include "unlock.pml"

proctype T(byte me) {
  byte i, first = NONE, how;
  bit woken, passed, timed, fair, hand, spent_l, spent_w, old, seen_l;
  do
  :: break
  :: if :: timed = 0 :: timed = 1 fi;
slow:
    if
    :: atomic { !locked -> if :: woken -> designated = 0 :: else fi; locked = 1; clear(me); timed = 0 } goto in  /* proof: mutex.lock */
    :: atomic { locked && timed -> if :: woken && FAULT != 2 -> designated = 0 :: else fi; clear(me); timed = 0 } goto next  /* proof: mutex.give_up */
    :: atomic { locked && !passed && !queue_locked -> queue_locked = 1; seen_l = 1; spent_w = (FAULT != 8);  /* proof: queue.try_lock */
         d_step { if :: woken -> push_front(me) :: else -> push_back(me) fi } }
    fi;
    unlock_and_wake();
    if
    :: out[me] != 0  /* proof: waiter.outcome */
    :: timed && out[me] == 0 -> passed = 1;
       atomic { !queue_locked -> queue_locked = 1; seen_l = locked }  /* proof: queue.try_lock */
       if
       :: home[me] -> d_step { remove(me) }
          if
          :: FAULT == 1 -> d_step { queue_locked = 0; seen_l = 0 }  /* not in the code */
          :: else -> unlock_and_wake()
          fi;
          d_step { clear(me); timed = 0 }
          goto next
       :: else -> unlock_and_wake();
          if :: FAULT == 9 -> d_step { clear(me); timed = 0 } goto next :: else fi;
          out[me] != 0
       fi
    fi;
    if
    :: d_step { out[me] == HANDOFF && FAULT == 3 && passed -> clear(me); timed = 0 } goto next
    :: d_step { out[me] == HANDOFF && !(FAULT == 3 && passed) -> clear(me); timed = 0 } goto in
    :: d_step { out[me] == WOKEN -> woken = 1; out[me] = 0 } goto slow
    fi;
in:
    atomic { holders++; assert(holders == 1); assert(locked) }
    if
    :: /* unlock_fair */
       if
       :: atomic { queue_locked -> holders--; recheck = 1; if :: FAULT == 11 -> locked = 0 :: else fi }  /* proof: queue.try_delegate */
       :: atomic { !queue_locked && ql > 0 -> holders--; queue_locked = 1; spent_l = 1; fair = 1 } unlock_and_wake()  /* proof: queue.try_lock */
       :: atomic { !queue_locked && ql == 0 -> holders--; locked = 0 }  /* proof: mutex.unlock_fair */
       fi
    :: /* unlock; with a waker on its way, looking after the first is a choice */
       if
       :: atomic { (queue_locked || ql == 0 || designated || FAULT == 12) -> holders--; locked = 0; invariants() }  /* proof: mutex.unlock */
       :: atomic { !queue_locked && ql > 0 -> holders--; queue_locked = 1; spent_l = 1 } unlock_and_wake()  /* proof: queue.try_lock */
       fi
    fi;
next: skip
  od
}
init {
  byte k;
  atomic { do :: k < N -> run T(k); k++ :: else -> break od }
  (_nr_pr == 1);
  assert(!queue_locked && !recheck && !locked && !designated && ql == 0)
}
