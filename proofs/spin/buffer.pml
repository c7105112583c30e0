/* The buffer: a ring of CAP slots (src/raw/ring/), the threads that sleep for it (src/raw/sleepers.rs), and how a call waits
   (src/buffer/wait.rs, Core::wait). N threads, each any number of turns: a put or a get, of up to BATCH items, with or
   without a deadline, which may pass at any point; or a close. A thread stops between any two turns. When no thread can go on,
   one that sleeps must have nothing to do: a getter of an empty buffer, a putter of a full one, and neither is closed.
   With ROLES the first thread only puts, and the others only get; with -DROLES=2 it is the other way round.

   A position counts laps by twos, and a stamp by fours: no two that meet are further apart. Where a claim is decided on two
   looks, an exchange that fails decides anew. Waiting for a thread between two steps (Busy) is a step that is not enabled. A
   section under the queue lock that looks once at the ring is one step; a putter's has two, and so has one that decides who is
   handed a turn. Whether the first sleeper is starving is a choice; with STARVES 0 none is.

   Faults:
    1 a getter announces without looking                  2 a claim does not see WAITING
    3 a woken sleeper does not hand on                    4 handing on announces and wakes none
    5 one woken at its deadline hands nothing on          6 closing wakes no putter
    7 a slot is freed before it is read                   8 a slot is published before it is written
    9 a put claims a place that is not free yet          10 a getter announces before it has the queue lock
   11 a get claims what is not published yet             12 a closed buffer puts to sleep
   13 a putter announces without looking                14 what was kept for one that has left stays kept
   15 the end of a turn wakes none                      16 a turn is handed while another is under way
   17 a turn is handed before there is something        18 a claim does not see KEPT
   19 a batch takes what is kept, too

     words: head tail closed waiting stamp kept handed guard out
     run: -DN=2
     run: -DN=2 -DCAP=2 -DBATCH=2 -DTIMED=1 -DCLOSES=1
     run: -DTIMED=0 -DCLOSES=0
     run: -DROLES=1 -DTIMED=0 -DCLOSES=1
     run: -DROLES=2 -DTIMED=0 -DCLOSES=1
     find 1 2 6 7 8 9 10 11 12 13 14 17 18: -DN=2
     find 5: -DROLES=1 -DCLOSES=0 -DSTARVES=0
     find 19: -DROLES=1 -DCAP=2 -DBATCH=2 -DTIMED=0 -DCLOSES=0
     find 3 4 15 16: -DROLES=1 -DTIMED=0 -DCLOSES=1 */
#ifndef N
#define N 3
#endif
#ifndef CAP
#define CAP 1
#endif
#ifndef BATCH
#define BATCH 1
#endif
#ifndef ROLES
#define ROLES 0
#endif
#ifndef TIMED
#define TIMED N     /* the threads below this number may have deadlines */
#endif
#ifndef CLOSES
#define CLOSES N    /* those below this one may close */
#endif
#ifndef STARVES
#define STARVES 1
#endif
#ifndef FAULT
#define FAULT 0
#endif
#define M (2 * CAP)
#define GET 0
#define PUT 1
#define WAKE_UP 0   /* why it is decided who goes on: a wake-up is owed, a turn is over */
#define TURN 1
byte head, tail;    /* positions, modulo M: lap * CAP + index */
bit closed;         /* of the tail */
bit waiting[2];     /* WAITING: of the tail for getters, of the head for putters */
byte stamp[CAP];    /* 2 * lap + published, modulo 4 */
bit value[CAP];     /* the slot has a value */
bit guard[2];       /* the queue lock, in a section of more than one step */
bit kept[2];        /* KEPT: of the head for getters, of the tail for putters. The queue's KEPT is this without HANDED */
bit handed[2];      /* HANDED, of the queue */
bit mine[N];        /* woken with a turn */
byte q[2 * N], ql[2];
bit out[N];         /* woken */
byte asleep[N];     /* 0, or 1 + the side */
bit over;           /* no thread can go on */

#define FREE(p) (stamp[(p) % CAP] == 2 * (((p) / CAP) % 2))
#define PUBLISHED(p) (stamp[(p) % CAP] == 2 * (((p) / CAP) % 2) + 1)
#define EMPTY (head == tail)
#define COUNT ((tail + M - head) % M)
#define FULL (COUNT == CAP)
#define THERE(s) ((s) == GET -> COUNT : CAP - COUNT)
#define KEPT(s) (kept[s] && !closed && THERE(s) <= 1)
#define REFUSED (!turn && KEPT(s) && FAULT != 18)
#define BESIDE_KEPT (kept[s] && !turn && !closed && FAULT != 18 && FAULT != 19)
#define UNLOCKED(s) (!guard[s])
#define GOES_ON(s) ((s) == GET -> (!EMPTY && FAULT != 1) || (closed && FAULT != 12) : (!FULL && FAULT != 13) || closed)

inline push(side) {
  i = ql[side];
  if
  :: again -> do :: i > 0 -> q[(side) * N + i] = q[(side) * N + i - 1]; i-- :: else -> break od
  :: else
  fi;
  q[(side) * N + i] = me; ql[side]++; out[me] = 0; asleep[me] = 1 + side; i = 0
}
inline remove_at(side) {
  do :: i + 1 < ql[side] -> q[(side) * N + i] = q[(side) * N + i + 1]; i++ :: else -> break od;
  ql[side]--; q[(side) * N + ql[side]] = 0; i = 0
}
/* decides who goes on, and who is handed a turn */
inline hand_off(side, reason) {
  if
  :: d_step { UNLOCKED(side) && reason == WAKE_UP && handed[side] && FAULT != 16 -> i = 0 }
  :: atomic { UNLOCKED(side) && !(reason == WAKE_UP && handed[side] && FAULT != 16) ->
       guard[side] = 1;  /* proof: queue.try_lock */
       if
       :: ql[side] > 0 && STARVES -> keep = 1
       :: keep = 0
       fi;
       kept[side] = (keep || (kept[side] && FAULT == 14)); stays = 0 }  /* proof: ring.exchange */
     if
     :: d_step { ql[side] == 0 || (FAULT == 17 && keep) -> i = 0 }
     :: d_step { ql[side] > 0 && !(FAULT == 17 && keep) && side == GET ->
          if :: !EMPTY || closed :: else -> waiting[GET] = 1; stays = 1 fi }  /* proof: ring.exchange */
     :: d_step { ql[side] > 0 && !(FAULT == 17 && keep) && side == PUT -> seen = head }
        d_step { if :: head == seen && FULL && !closed -> waiting[PUT] = 1; stays = 1 :: else fi; seen = 0 }  /* proof: ring.exchange */
     fi;
     d_step {
       if :: reason == TURN -> handed[side] = 0 :: else fi;  /* proof: queue.unlock */
       if
       :: ql[side] > 0 && !stays && !(FAULT == 15 && reason == TURN) ->
            first = 1 + q[(side) * N]; remove_at(side);
            if :: keep -> assert(!handed[side]); handed[side] = 1; mine[first - 1] = 1 :: else fi  /* proof: queue.unlock */
       :: else
       fi;
       keep = 0; stays = 0; guard[side] = 0 }  /* proof: queue.unlock */
     d_step { if :: first > 0 -> out[first - 1] = 1; first = 0 :: else fi }  /* proof: waiter.wake, waiter.wake_parked */
  fi
}
inline wake_one(side) {
  if
  :: d_step { UNLOCKED(side) && ql[side] > 0 && !kept[side] && !handed[side] -> first = q[(side) * N]; remove_at(side) }
     d_step { out[first] = 1; first = 0 }  /* proof: queue.try_lock, queue.unlock, waiter.wake, waiter.wake_parked */
  :: UNLOCKED(side) && ql[side] == 0 && !kept[side] && !handed[side]
  :: UNLOCKED(side) && handed[side] && FAULT != 16
  :: UNLOCKED(side) && (!handed[side] || FAULT == 16) && ((ql[side] > 0 && STARVES) || kept[side]) -> hand_off(side, WAKE_UP)
  fi
}
inline wake_all(side) {
  d_step {
    UNLOCKED(side) ->
    do
    :: ql[side] > 0 -> first = q[(side) * N]; remove_at(side); out[first] = 1; first = 0  /* proof: waiter.wake, waiter.wake_parked */
         if :: FAULT == 6 -> break :: else fi
    :: else -> break
    od }
}
/* the claim of k places or items, from `at` */
inline claim(side, cursor) {
  at = (cursor + k - 1) % M; cursor = (cursor + k) % M; done = 1;
  owes = waiting[1 - side] && FAULT != 2; waiting[1 - side] = 0; kept[side] = kept[side] && !turn  /* proof: ring.exchange */
}
/* one attempt: `done` is 1 if it has claimed, 2 if it is closed */
inline attempt() {
  if
  :: d_step { s == PUT && closed -> done = 2 }
  :: d_step { REFUSED -> done = (s == GET && EMPTY && closed -> 2 : 0) }
  :: d_step { s == PUT && !closed && !REFUSED && n == 1 && (FREE(tail) || (FAULT == 9 && !FULL)) -> k = 1; claim(PUT, tail) }  /* proof: ring.exchange, ring.load */
  :: d_step { s == PUT && !closed && !REFUSED && n > 1 && FREE(tail) -> k = 1;  /* proof: ring.is_free */
       do :: k < n && k < CAP && k + BESIDE_KEPT < THERE(PUT) && FREE((tail + k) % M) -> k++ :: else -> break od;
       claim(PUT, tail) }
  :: d_step { s == PUT && !closed && FULL -> done = 0 }
  :: d_step { s == GET && !EMPTY && !REFUSED && n == 1 && (PUBLISHED(head) || FAULT == 11) -> k = 1; claim(GET, head) }  /* proof: ring.is_published */
  :: d_step { s == GET && !EMPTY && !REFUSED && n > 1 && PUBLISHED(head) -> k = 1;
       do :: k < n && k < CAP && k + BESIDE_KEPT < THERE(GET) && PUBLISHED((head + k) % M) -> k++ :: else -> break od;
       claim(GET, head) }
  :: d_step { s == GET && EMPTY -> done = (closed -> 2 : 0) }
  fi;
  do /* the slots, the first of them last */
  :: s == PUT && k > 0 ->
     atomic { (FREE(at) || FAULT == 9) -> assert(!value[at % CAP]);
       if
       :: FAULT == 8 -> stamp[at % CAP] = (stamp[at % CAP] + 1) % 4; i = 1  /* not in the code */
       :: else -> d_step { value[at % CAP] = 1; stamp[at % CAP] = (stamp[at % CAP] + 1) % 4 }  /* proof: ring.write */
       fi }
     d_step { if :: FAULT == 8 -> value[at % CAP] = 1; i = 0 :: else fi; k--; at = (k > 0 -> (at + M - 1) % M : 0) }
  :: s == GET && k > 0 ->
     atomic { (PUBLISHED(at) || FAULT == 11) -> assert(value[at % CAP]);
       if
       :: FAULT == 7 -> stamp[at % CAP] = (stamp[at % CAP] + 1) % 4; i = 1  /* not in the code */
       :: else -> d_step { value[at % CAP] = 0; stamp[at % CAP] = (stamp[at % CAP] + 1) % 4 }  /* proof: ring.free */
       fi }
     d_step { if :: FAULT == 7 -> value[at % CAP] = 0; i = 0 :: else fi; k--; at = (k > 0 -> (at + M - 1) % M : 0) }
  :: k == 0 -> break
  od
}
proctype T(byte me) {
  byte i, first, n, k, at, done, seen;
  bit s, timed, woken, again, owes, late, turn, keep, stays;
  do
  :: break
  :: d_step { !closed && (CLOSES > me) -> closed = 1 }  /* proof: ring.exchange */
     if :: FAULT != 6 -> wake_all(PUT) :: else fi;
     wake_all(GET)
  :: atomic {
       if
       :: ROLES == 0 || (ROLES == 1 && me > 0) || (ROLES == 2 && me == 0) -> s = GET
       :: ROLES == 0 || (ROLES == 1 && me == 0) || (ROLES == 2 && me > 0) -> s = PUT
       fi;
       if :: timed = 0 :: TIMED > me -> timed = 1 fi;
       if :: n = 1 :: BATCH > 1 -> n = BATCH fi }
     attempt();
     do
     :: done > 0 || late || over -> break
     :: done == 0 && !late && !over ->
        if
        :: d_step { UNLOCKED(s) && GOES_ON(s) && !KEPT(s) -> again = again }
        :: d_step { s == GET && UNLOCKED(GET) && GOES_ON(GET) && KEPT(GET) -> push(GET) }
        :: d_step { s == GET && UNLOCKED(GET) && !GOES_ON(GET) && FAULT != 10 -> waiting[GET] = 1; push(GET) }  /* proof: ring.exchange */
        :: d_step { s == GET && !GOES_ON(GET) && FAULT == 10 -> waiting[GET] = 1 } d_step { UNLOCKED(GET) -> push(GET) }  /* not in the code */
        :: d_step { s == PUT && UNLOCKED(PUT) && (!GOES_ON(PUT) || KEPT(PUT)) -> guard[PUT] = 1; seen = head }  /* proof: queue.try_lock */
           if
           :: d_step { head == seen && (FULL || FAULT == 13) && (!closed || FAULT == 12) -> waiting[PUT] = 1; push(PUT); guard[PUT] = 0; seen = 0 }  /* proof: ring.exchange, queue.unlock */
           :: d_step { !(head == seen && (FULL || FAULT == 13) && (!closed || FAULT == 12)) ->
                if :: KEPT(PUT) -> push(PUT) :: else fi; guard[PUT] = 0; seen = 0 }  /* proof: queue.unlock */
           fi
        fi;
        if
        :: asleep[me] == 0
        :: d_step { asleep[me] > 0 && out[me] ->  /* proof: waiter.outcome */
             out[me] = 0; asleep[me] = 0; woken = 1; again = 1; turn = mine[me]; mine[me] = 0 }
        :: d_step { asleep[me] > 0 && timed && !out[me] && UNLOCKED(s) ->
             i = 0; asleep[me] = 0; late = 1;
             do :: i < ql[s] && q[s * N + i] != me -> i++ :: else -> break od;
             if
             :: i < ql[s] -> woken = 0; remove_at(s)
             :: else -> woken = 1; i = 0    /* it is about to be woken */
             fi }
           if
           :: woken -> d_step { out[me] -> out[me] = 0; again = 1; woken = (FAULT != 5); turn = mine[me]; mine[me] = 0 }
           :: !woken
           fi
        :: asleep[me] > 0 && over -> asleep[me] = 0
        fi;
        if :: !over -> attempt(); assert(!turn || done > 0) :: else fi
     od;
     if
     :: turn && !over -> hand_off(s, TURN)
     :: !turn && woken && FAULT != 3 && !over && ql[s] > 0 -> /* hands on: announces, or wakes */
        if
        :: d_step { GOES_ON(s) -> again = 0 } if :: FAULT != 4 -> wake_one(s) :: else fi
        :: d_step { s == GET && !GOES_ON(GET) -> waiting[GET] = 1 }  /* proof: ring.exchange */
        :: d_step { s == PUT && !GOES_ON(PUT) -> seen = head }
           if
           :: d_step { head == seen && FULL -> waiting[PUT] = 1; seen = 0 }  /* proof: ring.exchange */
           :: d_step { !(head == seen && FULL) -> seen = 0 } if :: FAULT != 4 -> wake_one(s) :: else fi
           fi
        fi
     :: else
     fi;
     if :: owes -> wake_one((1 - s)) :: else fi;
     d_step { s = 0; timed = 0; n = 0; done = 0; woken = 0; again = 0; late = 0; owes = 0; turn = 0; i = 0 }
     if :: over -> break :: else fi
  od
}
init {
  byte t;
  atomic { do :: t < N -> run T(t); t++ :: else -> break od }
  do
  :: _nr_pr == 1 -> break
  :: timeout ->
     d_step {
       t = 0;
       do
       :: t < N ->
            assert(asleep[t] == 0 || !closed);
            assert(asleep[t] != 1 + GET || EMPTY);
            assert(asleep[t] != 1 + PUT || FULL);
            t++
       :: else -> break
       od;
       assert(!guard[GET] && !guard[PUT] && !handed[GET] && !handed[PUT]);
       assert(closed || ((!kept[GET] || EMPTY) && (!kept[PUT] || FULL)));
       over = 1; t = 0 }
  od
}
