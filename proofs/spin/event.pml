/* The events and the latch (src/raw/event.rs, latch.rs): a word of SET beside a queue. KIND 1 is the event that stays set, to
   whose queue a set delegates; 2 the one that resets itself; 3 the latch, a count over the first. N threads, each any number of
   turns: it sets, clears (1), or waits with or without a deadline, which may pass at any point; of the latch it counts down or
   up, or waits. A thread stops between any two turns; when no thread can go on, one that sleeps must have nothing to wait for.

   `owed` says of a thread that a set found it in the queue, `hit` that there was a set since it began to wait, `latest` what the
   last of set and clear was, and `credit` how many signals there are that no wait has used.

   Faults:
    1 a delegated set is dropped                          2 a set does not look whether threads wait
    3 a thread queues without looking at SET again        4 who leaves at its deadline drops what was delegated
    5 a set that releases threads does not stay set       6 who is due at its deadline says that it timed out
    7 a delegated set releases none if it was cleared meanwhile
    8 a signal is given to a waiter and kept as well      9 a signal is kept because the queue is locked
   10 of a signal that meets a deadline nothing is left  11 the last count sets nothing
   12 a wait does not look at the count when its time is up
   13 a count of 0 is counted up                         14 a set releases the first alone
   15 a section under the queue lock releases all without a set

     words: set count
     run: -DKIND=1
     run: -DKIND=2
     run: -DKIND=3
     find 1 2 3 4 5 6 7 14 15: -DKIND=1
     find 8 9 10: -DKIND=2
     find 11 12 13: -DKIND=3 */
#include "queue.pml"
#define LIMIT 2
bit set;
byte count = LIMIT;
bit owed[N], hit[N], latest, opened, over;
byte credit;
byte due[N];      /* taken out by thread number t - 1, and not woken yet */

inline take_first() { first = q[0]; i = 0; take_at(); home[first] = 0; due[first] = me + 1; some = 1; first = 0 }
/* ends the waits of those that this thread has taken out */
inline wake() {
  if
  :: d_step { some ->
       i = 0;
       do
       :: i < N && due[i] == me + 1 -> due[i] = 0; out[i] = HANDOFF; i++  /* proof: waiter.wake, waiter.wake_parked */
       :: i < N && due[i] != me + 1 -> i++
       :: else -> break
       od;
       i = 0; some = 0 }
  :: else
  fi
}
inline strike() { latest = 1; i = 0; do :: i < N -> hit[i] = 1; i++ :: else -> break od; i = 0 }
inline owe() {
  strike();
  do :: i < ql -> owed[q[i]] = 1; i++ :: else -> break od;
  i = 0
}
/* release_all: the end of a section under the queue lock, for a set or not */
inline release_all(bits) {
  work = bits || FAULT == 15;
  do
  :: d_step { work ->
       work = 0; i = 0;
       do :: ql > 0 && !(FAULT == 14 && some) -> take_first() :: else -> break od;
       i = 0 }
  :: atomic { !work && recheck -> recheck = 0; work = (FAULT != 1 && !(FAULT == 7 && !set)) }  /* proof: queue.clear_recheck */
  :: atomic { !work && !recheck -> queue_locked = 0;                              /* proof: queue.unlock */
       d_step { if :: bits -> owe(); set = (FAULT != 5); opened = 1 :: else fi };  /* proof: queue.unlock */
       assert(ql == 0 || !set || FAULT == 14) }                                    /* invariant 1 */
     break
  od;
  wake()
}
inline set_event() {
  if
  :: d_step { !queue_locked && (ql == 0 || FAULT == 2) -> owe(); set = 1; opened = 1 }  /* proof: event.set_at_once, event.set */
  :: d_step { queue_locked -> owe(); set = 1; opened = 1; recheck = 1 }             /* proof: queue.try_delegate */
  :: atomic { !queue_locked && ql > 0 && FAULT != 2 -> queue_locked = 1; d_step { strike() } } release_all(1)  /* proof: queue.try_lock */
  fi
}
inline set_signal() {
  if
  :: d_step { (!queue_locked || FAULT == 9) && (ql == 0 || FAULT == 9) -> credit = credit + !set; set = 1 }  /* proof: event.set_unless_waited_for */
  :: atomic { !queue_locked && ql > 0 && FAULT != 9 -> queue_locked = 1 }           /* proof: queue.try_lock */
     d_step { take_first(); credit++; if :: FAULT == 8 -> set = 1 :: else fi; queue_locked = 0 }  /* proof: queue.unlock */
     wake()
  fi
}
/* the end of a section of a thread that queues or leaves */
inline end_section() {
  if
  :: KIND == 2 -> queue_locked = 0  /* proof: queue.unlock */
  :: else -> release_all(0)
  fi
}
/* wait_slow, behind a first look; `result` says how it ended */
inline wait_slow() {
  if
  :: atomic { set && FAULT != 3 && KIND != 2 -> result = 1 }                       /* proof: queue.load_acquire */
  :: d_step { set && FAULT != 3 && KIND == 2 -> set = 0; credit--; result = 1 }    /* proof: event.take */
  :: timed -> result = 0
  :: atomic { (!set || FAULT == 3) && !queue_locked -> queue_locked = 1; d_step { push_back(me) } }  /* proof: queue.try_lock */
     end_section();
     if
     :: out[me] != 0 -> assert(KIND == 2 || hit[me]); result = 1                                               /* proof: waiter.outcome */
     :: timed && out[me] == 0 ->
        d_step { !queue_locked -> queue_locked = 1; if :: home[me] -> remove(me); left = 1 :: else fi }  /* proof: queue.try_lock */
        if
        :: left -> left = 0;
           if
           :: FAULT == 4 -> d_step { queue_locked = 0; recheck = 0 }  /* not in the code */
           :: else -> end_section()
           fi;
           assert(!owed[me]);
           result = 0
        :: else -> end_section();
           if
           :: FAULT == 6 || FAULT == 10 -> result = 0
           :: else -> out[me] != 0; result = 1
           fi;
           assert(result || !owed[me])
        fi
     :: over -> goto stop
     fi;
     if :: KIND == 2 && result -> d_step { assert(credit > 0); credit-- } :: else fi
  fi
}

proctype T(byte me) {
  byte i, first;
  bit timed, some, work, result, left;
  do
  :: break
  :: KIND == 1 -> set_event()
  :: d_step { KIND == 1 && set -> set = 0; latest = 0 }                                     /* proof: event.clear */
  :: KIND == 2 -> set_signal()
  :: d_step { KIND == 3 && count > 0 -> count-- }                                  /* proof: latch.count_down */
     if
     :: count == 0 && FAULT != 11 && !opened -> set_event()
     :: else
     fi
  :: d_step { KIND == 3 && (count > 0 || FAULT == 13) && count < LIMIT -> assert(count > 0 || !opened); count++ }  /* proof: latch.count_up */
  :: atomic { hit[me] = 0; if :: timed = 0 :: timed = 1 fi }
     if
     :: KIND == 3 && count == 0 -> result = 1                                      /* proof: latch.count */
     :: !(KIND == 3 && count == 0) -> wait_slow()
     fi;
     if
     :: atomic { KIND == 3 && !result && FAULT != 12 && count == 0 -> result = 1 } /* proof: latch.count */
     :: atomic { KIND == 3 && !(!result && FAULT != 12 && count == 0) -> assert((count == 0) == result) }
     :: else
     fi;
     d_step { timed = 0; result = 0; out[me] = 0; owed[me] = 0; hit[me] = 0 }
  od;
stop: skip
}
init {
  byte k;
  atomic { do :: k < N -> run T(k); k++ :: else -> break od }
  timeout;
  assert(!queue_locked && !recheck);
  assert(ql == 0 || !set);
  assert(KIND != 1 || set == latest);
  assert(KIND != 2 || credit == set);
  assert(KIND != 3 || ql == 0 || count > 0);
  assert(KIND != 3 || !opened || (count == 0 && set));
  k = 0;
  do
  :: k < ql -> assert(!owed[q[k]]); k++
  :: else -> break
  od;
  over = 1;
  (_nr_pr == 1)
}
