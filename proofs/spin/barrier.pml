/* The barrier (src/raw/barrier/mod.rs): a word of generation, SLEEPERS, ABORTED, BROKEN and count, beside a queue to which the
   designated is delegated. N threads and PARTIES places, each thread any number of turns: it waits, with or without a deadline,
   which may pass at any point; aborts; or resets (BREAKERS, WAITERS and TIMED say how many may do which). With -DACTION the last to
   arrive runs an action, which may panic. A thread arrives by adding one to the count; one that may not arrive just now takes
   itself off again. Without an action any thread that finds all arrived trips the round.

   Of a generation only matters whether it is the present one, so a thread has a bit that says whether the one it knows is
   over. A member may wait indefinitely if the others have stopped; `timeout` then checks that it has nothing to wait for.

   Faults:
    1 a trip wakes no sleepers                            2 a break wakes no sleepers
    3 a node is queued without looking at the state again
    4 a deadline breaks a complete round
    5 delegated designated is dropped                         6 a member that was cancelled stays on the count
    7 a broken round without members does not end         8 who finds its round over when it gives up says that it is broken
    9 sleepers of the round that has ended are left to those of the next
   10 a member that is due at its deadline leaves all the same
   11 SLEEPERS is not set                                12 a panic of the action breaks nothing
   13 a thread arrives in a round that is broken         14 a visitor stays on the count
   15 a trip leaves visitors on the count
   16 without an action a thread whose time is up gives up where it could trip the round
   17 an abort breaks such a round                       18 who finds its round tripped for it trips the next

     words: broken aborted sleepers count
     run: -DN=2 -DACTION
     run: -DBREAKERS=0
     run: -DBREAKERS=1 -DWAITERS=2
     run: -DBREAKERS=1 -DWAITERS=2 -DACTION
     run: -DBREAKERS=0 -DPARTIES=3 -DTIMED=1
     find 1 2 3 4 5 6 7 8 9 10 11 12 13 14: -DBREAKERS=1 -DWAITERS=2 -DACTION
     find 15 16 18: -DBREAKERS=0
     find 17: -DBREAKERS=1 -DWAITERS=2 */
#include "queue.pml"
#ifndef PARTIES
#define PARTIES 2
#endif
#ifndef ACTION
#define ACTION 0
#endif
#ifndef BREAKERS
#define BREAKERS N /* may abort and reset */
#endif
#ifndef WAITERS
#define WAITERS N
#endif
#ifndef TIMED
#define TIMED N /* may give up */
#endif
#define TRIPPED 1
#define CANCELLED 2
bit broken, aborted, sleepers;
byte count;
byte past;        /* a bit for each thread: the generation that it came to, or queued in, is over */
byte wpast;       /* the same for the one that it saw as a waker */
byte inround;     /* which threads have arrived in the present generation, for the assertions */
bit member[N];    /* what its node waits for */
byte due[N];      /* taken out by thread number t - 1, and not woken yet */
byte how[N];
byte fate[N];     /* how the round of this thread has ended */
bit over;
#define ALL ((1 << N) - 1)
#define PAST(t) ((past >> (t)) & 1)
#define present(set) set = set & (ALL - (1 << me))
#define CLOSED (broken || count >= PARTIES)
#define OVER (!ACTION && !broken && count >= PARTIES)

inline seal(value) {
  j = 0;
  do
  :: j < N && ((inround >> j) & 1) -> fate[j] = value; j++
  :: j < N && !((inround >> j) & 1) -> j++
  :: else -> break
  od;
  j = 0
}
inline next_generation() {
  past = ALL; wpast = ALL; inround = 0;
  count = 0; broken = 0; aborted = 0; sleepers = 0  /* proof: barrier.change */
}
inline trip() {
  assert(count >= PARTIES && !broken);
  assert((inround & 1) + ((inround >> 1) & 1) + ((inround >> 2) & 1) == PARTIES);
  seal(TRIPPED);
  j = count - PARTIES;
  next_generation();
  if :: FAULT == 15 -> count = j :: else fi;  /* not in the code */
  j = 0
}
/* by the last to arrive, or for it */
inline help() { saw = sleepers && FAULT != 1; trip() }
/* takes members off the count, and breaks the round */
inline leave(members) {
  saw = sleepers && !(broken && (count != members || aborted));
  if :: !broken -> seal(CANCELLED) :: else fi;
  assert(count >= members);
  if
  :: count == members && !aborted && FAULT != 7 -> next_generation()
  :: else -> broken = 1; count = count - members  /* proof: barrier.change */
  fi;
  if :: FAULT == 2 -> saw = 0 :: else fi
}
/* takes the queue lock to wake sleepers, if `saw`, or leaves that to its holder */
inline wake_sleepers() {
  if
  :: atomic { saw && queue_locked -> saw = 0; recheck = 1 }  /* proof: queue.try_delegate */
  :: atomic { saw && !queue_locked -> saw = 0; queue_locked = 1 } end_section(1)  /* proof: queue.try_lock */
  :: !saw
  fi
}
inline end_section(is_due) {
  work = is_due;
  do
  :: d_step { work -> /* what is over by now */
       work = 0; present(wpast);
       i = 0;
       do
       :: ql > 0 && (PAST(q[0]) || broken) && FAULT != 9 -> pick()
       :: ql > 0 && FAULT == 9 && !PAST(q[0]) && broken -> pick()
       :: else -> break
       od;
       i = 0
     }
  :: d_step { !work && recheck -> recheck = 0; work = (FAULT != 5) }  /* proof: queue.clear_recheck */
  :: atomic { !work && !recheck && queue_locked -> queue_locked = 0 }  /* proof: queue.unlock */
     if
     :: d_step { members > 0 && !((wpast >> me) & 1) && FAULT != 6 -> leave(members); members = 0 }
        if
        :: d_step { saw && queue_locked -> saw = 0; recheck = 1 } break  /* proof: queue.try_delegate */
        :: d_step { saw && !queue_locked -> saw = 0; queue_locked = 1; work = 1 }  /* proof: queue.try_lock */
        :: else -> break
        fi
     :: else -> members = 0; break
     fi
  od;
  if
  :: d_step { some ->
       i = 0;
       do
       :: i < N && due[i] == me + 1 -> due[i] = 0; out[i] = how[i]; how[i] = 0; i++  /* proof: waiter.wake, waiter.wake_parked */
       :: i < N && due[i] != me + 1 -> i++
       :: else -> break
       od;
       i = 0; some = 0 }
  :: else
  fi
}
inline pick() {
  first = q[0]; i = 0; take_at(); home[first] = 0; due[first] = me + 1; some = 1;
  if
  :: PAST(first) -> how[first] = TRIPPED
  :: else -> how[first] = CANCELLED; members = members + member[first]
  fi;
  first = 0
}
/* queues as a member or to enter for as long as there is something to wait for; out[me] is 0 if it gave up, or did not
   queue: then `notnow` */
inline sleep(as, must) {
  d_step { !queue_locked -> queue_locked = 1 }  /* proof: queue.try_lock */
  if
  :: atomic { must || FAULT == 3 -> if :: FAULT != 11 -> sleepers = 1 :: else fi; d_step { member[me] = as; push_back(me) } }  /* proof: barrier.change */
     end_section(0);
     if
     :: out[me] != 0  /* proof: waiter.outcome */
     :: timed && out[me] == 0 -> passed = 1
     :: over -> goto stop
     fi;
     if
     :: out[me] == 0 ->
        d_step { !queue_locked -> queue_locked = 1 }  /* proof: queue.try_lock */
        if
        :: home[me] -> d_step { remove(me) } end_section(0)
        :: else -> end_section(0); 
           if :: FAULT == 10 && as -> skip :: else -> out[me] != 0 fi
        fi
     :: else
     fi
  :: d_step { !(must) && FAULT != 3 -> notnow = 1 } end_section(0)
  fi
}
inline done(wanted) { atomic { assert(fate[me] == wanted); fate[me] = 0; out[me] = 0; passed = 0; timed = 0; notnow = 0; present(past); member[me] = 0 } }

proctype T(byte me) {
  byte i, j, first, members;
  bit timed, passed, saw, work, some, notnow;
  do
  :: break
  :: d_step { me < BREAKERS && !aborted && (!OVER || FAULT == 17) ->
       assert(ACTION || broken || count < PARTIES);
       aborted = 1; saw = sleepers; if :: !broken -> seal(CANCELLED) :: else fi; broken = 1 }  /* proof: barrier.change */
     wake_sleepers()
  :: me < BREAKERS -> /* reset */
     if
     :: !broken && count == 0
     :: d_step { !broken && count > 0 && !OVER -> saw = sleepers; seal(CANCELLED); broken = 1 } wake_sleepers()  /* proof: barrier.change */
     :: d_step { broken && count == 0 -> next_generation() }
     :: d_step { broken && count > 0 -> aborted = 0 }  /* proof: barrier.change */
     :: d_step { OVER -> help() } wake_sleepers() /* so does an abort first */
     fi
  :: me >= N - WAITERS -> /* wait */
     if :: timed = 0 :: me < TIMED -> timed = 1 fi;
     do
     :: d_step { CLOSED && (FAULT != 13 || count >= PARTIES) -> count++; present(past) } /* a visitor; proof: barrier.arrive */
        d_step {
          if
          :: !PAST(me) && broken && FAULT != 14 -> leave(1)
          :: !PAST(me) && OVER && FAULT != 16 -> help()
          :: !PAST(me) && !broken && (!OVER || FAULT == 16) && FAULT != 14 -> count--  /* proof: barrier.change */
          :: else
          fi }
        wake_sleepers();
        if
        :: aborted -> break  /* proof: barrier.load */
        :: d_step { CLOSED && !aborted && timed && (!OVER || FAULT == 16) -> assert(!OVER) } break
        :: d_step { OVER -> help() } wake_sleepers()
        :: !CLOSED
        :: d_step { CLOSED && !aborted && !OVER -> present(past) }
           sleep(0, (!PAST(me) && CLOSED && !OVER && !aborted));
           if
           :: out[me] == 0 && !notnow -> break
           :: else -> d_step { out[me] = 0; notnow = 0; passed = 0 }
           fi
        fi
     :: d_step { (!broken || FAULT == 13) && count < PARTIES - 1 -> count++; present(past); inround = inround | (1 << me) } goto meet  /* proof: barrier.arrive */
     :: d_step { (!broken || FAULT == 13) && count == PARTIES - 1 -> count++; present(past); inround = inround | (1 << me) }  /* proof: barrier.arrive */
        if /* the action, if there is one */
        :: d_step { (!PAST(me) || FAULT == 18) && !broken -> help() } wake_sleepers(); done(TRIPPED) /* proof: barrier.publish */
        :: d_step { PAST(me) && FAULT != 18 -> assert(!ACTION) } done(TRIPPED) /* it was done for this thread */
        :: atomic { !PAST(me) && ACTION && FAULT != 12 -> d_step { leave(1) } } wake_sleepers(); done(CANCELLED) /* it panics, or was broken meanwhile */
        :: d_step { !PAST(me) && ACTION && FAULT == 12 -> fate[me] = 0 }
        fi;
        break
     od;
     goto next;
meet:
     do
     :: timed -> passed = 1; goto give_up
     :: d_step { PAST(me) && !passed } done(TRIPPED); break /* it was told; proof: barrier.published */
     :: !passed ->
        sleep(1, (!PAST(me) && !broken && !OVER));
        if
        :: out[me] == TRIPPED -> done(TRIPPED); break
        :: out[me] == CANCELLED -> done(CANCELLED); break
        :: else -> skip
        fi;
give_up:
        if
        :: atomic { PAST(me) } -> if :: FAULT == 8 -> done(CANCELLED) :: else -> done(TRIPPED) fi; break
        :: d_step { !PAST(me) && OVER && FAULT != 4 -> help() } wake_sleepers(); goto give_up
        :: d_step { !PAST(me) && !broken && count >= PARTIES && !OVER && FAULT != 4 -> timed = 0; passed = 0; notnow = 0; out[me] = 0 }
        :: d_step { !PAST(me) && (broken || count < PARTIES || FAULT == 4) -> assert(broken || count < PARTIES); leave(1) }
           wake_sleepers(); done(CANCELLED); break
        fi
     od;
next: atomic { timed = 0; passed = 0; notnow = 0; out[me] = 0; present(past); members = 0 }
  od;
stop: skip
}
init {
  byte k;
  atomic { do :: k < N -> run T(k); k++ :: else -> break od }
  timeout;
  assert(!queue_locked && !recheck);
  k = 0;
  do
  :: k < ql -> assert(member[q[k]] && !PAST(q[k]) && !broken && count < PARTIES); k++
  :: else -> break
  od;
  assert(ql == count);
  over = 1;
  (_nr_pr == 1)
}
