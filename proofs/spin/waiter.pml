/* One wait (src/wait/waiter.rs): a node's state, the token by which its thread is unparked, and how long the node lives. A thread
   waits any number of times, with or without a deadline; park may return for no reason. WAKERS threads take its node out and
   wake it, or unpark it ahead of its turn while it is listed. The list, and the queue lock, are one bit here.

   Faults:
    1 the waker unparks before it stores the outcome      2 the waker uses the node after it has stored the outcome
    3 who is due at its deadline leaves                   4 the mark PARKED is stored, not exchanged
    5 a parked waiter is not unparked                     6 a waiter parks without looking once more after the mark
    7 the waker stores an outcome without being the one that has taken the node out
    8 the waker does not unpark who was unparked ahead of its turn

     words: state
     run:
     find 1 2 3 4 5 6 7 8: */
#ifndef FAULT
#define FAULT 0
#endif
#ifndef WAKERS
#define WAKERS 2
#endif
#define WAITING 0
#define PARKED 1
#define WOKEN 2
#define AHEAD 3
byte state;
bit token, listed, alive, stopped;

active proctype Waiter() {
  bit timed;
  do
  :: stopped = 1; break
  :: atomic { alive = 1; state = WAITING; listed = 1; if :: timed = 0 :: timed = 1 fi }  /* not in the code */
     if
     :: d_step { state == WAITING || FAULT == 4 -> state = PARKED }  /* proof: waiter.park */
     :: else
     fi;
     if :: FAULT == 6 -> token; token = 0 :: else fi;
     do
     :: state == WOKEN -> break                           /* proof: waiter.outcome */
     :: state != WOKEN && timed ->
        if
        :: d_step { listed -> listed = 0 } break
        :: !listed -> if :: FAULT == 3 -> break :: else -> timed = 0 fi
        fi
     :: state != WOKEN ->                                 /* parks */
        if
        :: d_step { token -> token = 0 }
        :: timed                                          /* or the deadline passes */
        fi
     od;
     atomic { alive = 0; timed = 0 }
  od
}
active [WAKERS] proctype Waker() {
  bit ahead;
  do
  :: d_step { listed -> listed = (FAULT == 7) }
     assert(alive);
     if
     :: d_step { state == WAITING -> state = WOKEN }      /* proof: waiter.wake */
     :: state != WAITING ->
        assert(alive);
        if :: FAULT == 1 -> token = 1 :: else fi;
        if
        :: atomic { assert(alive && state != WOKEN); ahead = (state == AHEAD); state = WOKEN } /* proof: waiter.wake_parked */
        fi;
        if :: FAULT == 2 -> assert(alive) :: else fi;
        if :: FAULT != 1 && FAULT != 5 && !(FAULT == 8 && ahead) -> token = 1 :: else fi;
        ahead = 0
     fi
  :: d_step { listed && state == PARKED -> state = AHEAD }  /* proof: waiter.unpark_ahead */
     token = 1                                            /* at any time after that */
  :: stopped -> break
  od
}
