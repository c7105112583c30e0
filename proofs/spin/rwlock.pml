/* The reader-writer lock (src/raw/rwlock/): a word of WRITER, DRAINING, UPGRADABLE, QUEUED, WRITER_WAITING, DESIGNATED, BIAS and the
   count of readers, beside a queue to which work is delegated, and a slot for each thread, in which it reads without being
   counted. N threads, each any number of turns. The bits of READS, AGAIN, WRITES, TRIES, UPGRADES say which threads
   do what in a turn; those of TIMED which may have a deadline, which may pass at any point. Unlocking is plain or fair.

   Choices, where the code goes by a clock, a count of reads or a hint: whether a waiter is starving, whose turn it is, whether readers take
   slots from now on, whether a reader that empties its slot sees a writer that has just begun to wait (a plain store and a
   relaxed load), whether a waiting writer that such a reader has not seen looks again for itself. The slots are looked at one by one, except in a plan.
   There is no limit to the readers here. A thread stops between any two turns, so a wait that no thread ends is an
   invalid end state.

   Faults:
    1 a writer does not look for readers in slots         2 a reader does not look again once it has its slot
    3 the queue lock goes back with RECHECK set                4 delegated work is dropped
    5 a woken waiter that gives up leaves DESIGNATED set      6 the last counted reader looks after no writer
    7 a woken reader comes in and leaves DESIGNATED set       8 a writer that gives up leaves WRITER_WAITING set
    9 a withdrawn upgrade forgets UPGRADABLE             10 a writer that gives up its wait for readers keeps WRITER
   11 a granted writer does not wait for readers         12 a try that fails leaves DRAINING set
   13 a reader may take a slot while a writer waits      14 a grant that meets a deadline is lost
   15 readers in slots are waited for without looking again from time to time
   16 the last counted reader leaves the writer to readers in slots without looking for them
   17 it looks for them before it leaves

     words: readers writer writer_waiting draining queued designated upgradable bias slots
     run: -DN=2 -DAGAIN=3 -DTRIES=3 -DUPGRADES=3
     run: -DREADS=3 -DWRITES=4 -DTIMED=4
     run: -DREADS=1 -DAGAIN=2 -DWRITES=4 -DTIMED=4
     find 1 2 4 5 6 9 10 11 12: -DN=2 -DAGAIN=2 -DTRIES=3 -DUPGRADES=3
     find 3 7 8 13 14 15: -DREADS=3 -DWRITES=4 -DTIMED=4
     find 16 17: -DREADS=1 -DAGAIN=2 -DWRITES=4 -DTIMED=0 */
#include "queue.pml"
#define EVERY ((1 << N) - 1)
#ifndef READS
#define READS EVERY
#endif
#ifndef AGAIN
#define AGAIN 0
#endif
#ifndef WRITES
#define WRITES EVERY
#endif
#ifndef TRIES
#define TRIES 0
#endif
#ifndef UPGRADES
#define UPGRADES 0
#endif
#ifndef TIMED
#define TIMED EVERY
#endif
#define MAY(set) (((set) >> me) & 1)

/* roles; as in the code, but for 0 */
#define R_READ 1
#define R_AGAIN 2
#define R_UPGRADABLE 3
#define R_WRITE 4
#define R_DRAIN 5
/* causes */
#define CHANGE 0
#define FAIR 1
#define QUEUED 2
#define LEFT 3
#define TURN 4
/* changes */
#define NOTHING 0
#define END_WRITE 1       /* also by a writer that steps down before it has come in */
#define END_UPGRADABLE 2
#define TO_UPGRADABLE 3   /* from writing, or from waiting for that */
#define TO_READ 4
#define UNCOUNT 5
#define NO_DESIGNATED 6
#define NO_DRAINING 7
#define PUBLISH 8

bit writer, draining, upgradable, queued, writer_waiting, designated, bias;
bit missed;        /* a reader that has emptied its slot did not see the writer that waits for it */
byte readers;      /* counted */
byte slots;        /* a bit for each thread */
byte role[N];
bit front[N];      /* the place that its node was given */
byte due[N], how[N];
byte inside_w, inside_r;

#define taken (writer || upgradable || draining)
#define is_draining (writer && draining)
#define written (writer && !draining)
#define open (bias && !writer && !draining && !writer_waiting)

inline change() {
  if
  :: kind == END_WRITE -> writer = (FAULT == 10 && draining); draining = 0  /* proof: rwlock.change, rwlock.decide */
  :: kind == END_UPGRADABLE -> upgradable = 0  /* proof: rwlock.change, rwlock.decide */
  :: kind == TO_UPGRADABLE -> writer = 0; draining = 0; upgradable = (FAULT != 9)  /* proof: rwlock.change, rwlock.decide */
  :: kind == TO_READ -> writer = 0; readers++  /* proof: rwlock.change, rwlock.decide */
  :: kind == UNCOUNT -> readers--  /* proof: rwlock.change, rwlock.decide */
  :: kind == NO_DESIGNATED -> designated = (FAULT == 5)  /* proof: rwlock.change, rwlock.decide */
  :: kind == NO_DRAINING -> draining = (FAULT == 12)  /* proof: rwlock.change, rwlock.decide */
  :: kind == PUBLISH ->
       if :: woken && want == R_WRITE -> writer_waiting = 1 :: else fi;  /* proof: rwlock.decide */
       if :: woken || writer -> designated = 0 :: else fi  /* proof: rwlock.decide */
  :: else
  fi;
  kind = NOTHING
}
inline has_writer(from) {
  h = 0; i = from;
  do :: i < ql -> h = (h || role[q[i]] == R_WRITE); i++ :: else -> break od;
  i = 0
}
/* takes out a node at i */
inline go(w, outcome) { take_at(); home[w] = 0; due[w] = me + 1; how[w] = outcome; some = 1 }

/* one step: the change, the plan for what it leaves, and those that go on by it */
inline decide() {
  beside = 0;
  change();
  beside = writer;
  /* WRITER_WAITING */
  if
  :: cause == QUEUED && want == R_WRITE -> writer_waiting2 = 1
  :: cause == LEFT && want == R_WRITE -> has_writer(0); writer_waiting2 = (h || FAULT == 8)
  :: else -> writer_waiting2 = writer_waiting
  fi;
  concerned = (cause <= FAIR || cause == TURN);
  if
  :: cause == QUEUED && want == R_READ -> concerned = !(writer || writer_waiting)
  :: cause == QUEUED && want == R_AGAIN -> concerned = !written
  :: cause == QUEUED && want == R_UPGRADABLE -> concerned = !(taken || writer_waiting)
  :: cause == QUEUED && want == R_WRITE -> concerned = !taken && readers == 0
  :: cause == QUEUED && want == R_DRAIN -> concerned = 1
  :: cause == LEFT -> concerned = (want == R_WRITE)
  :: else
  fi;
  rd = 0; one = NONE; oout = 0; queued2 = 0; i = 0; stop = 0;
  lets = (cause == FAIR || is_draining || (!writer && (upgradable || bias || readers > 0)));
  if
  :: concerned && !written && (!designated || is_draining || cause == FAIR || (cause == TURN && ql > 0 && stamped[q[0]] && star)) -> skip
  :: else -> stop = 1
  fi;
  do
  :: stop || i >= ql -> break
  :: else ->
     w = q[i]; i++;
     given = (rd == 0 && one == NONE) && (cause == FAIR || (stamped[w] && star));
     goes = 0; h = 0; /* h: done with this one */
     if
     :: is_draining && !front[w] -> queued2 = 1; stop = 1; h = 1
     :: else ->
        if
        :: role[w] == R_READ && is_draining
        :: (role[w] == R_READ && !is_draining) || role[w] == R_AGAIN ->
             lets = lets || given;
             if
             :: lets -> rd++; h = 1
             :: else ->
                if
                :: one == NONE && !designated -> one = w; oout = WOKEN; h = 1; stop = 1
                :: else
                fi
             fi
        :: role[w] == R_UPGRADABLE -> goes = (one == NONE && !taken && (!designated || given))
        :: role[w] == R_WRITE -> goes = (rd == 0 && one == NONE && !taken && readers == 0 && (!designated || given))
        :: role[w] == R_DRAIN ->
             if
             :: is_draining && rd == 0 && readers == 0 && (!bias || slots == 0) -> one = w; oout = HANDOFF; h = 1; stop = 1
             :: else
             fi
        fi
     fi;
     if
     :: h
     :: else ->
        if
        :: goes -> one = w; oout = (given -> HANDOFF : WOKEN); lets = lets || given
        :: else -> queued2 = 1
        fi;
        if
        :: role[w] == R_WRITE && !is_draining ->
             stop = 1;
             writer_waiting2 = !goes;
             do
             :: i < ql && !h ->
                if
                :: role[q[i]] == R_AGAIN && !goes && lets -> rd++
                :: else ->
                     queued2 = 1; writer_waiting2 = (writer_waiting2 || role[q[i]] == R_WRITE);
                     h = (writer_waiting2 && (goes || !front[q[i]]))
                fi;
                i++
             :: else -> break
             od;
             h = 0
        :: else -> if :: goes && !lets -> stop = 1 :: else fi
        fi
     fi
  od;
  if :: i < ql -> queued2 = 1 :: else fi;
  /* the next state */
  readers = readers + rd; queued = queued2; writer_waiting = writer_waiting2;  /* proof: rwlock.decide */
  if
  :: one != NONE && role[one] == R_DRAIN -> draining = 0; bias = 0  /* proof: rwlock.decide */
  :: one != NONE && role[one] != R_DRAIN && oout == WOKEN -> designated = 1  /* proof: rwlock.decide */
  :: one != NONE && role[one] == R_UPGRADABLE && oout == HANDOFF -> upgradable = 1  /* proof: rwlock.decide */
  :: one != NONE && role[one] == R_WRITE && oout == HANDOFF -> writer = 1; draining = ((readers > 0 || bias) && FAULT != 11)  /* proof: rwlock.decide */
  :: else
  fi;
  /* out of the queue */
  if
  :: one != NONE -> i = 0; do :: q[i] != one -> i++ :: else -> break od; go(one, oout)
  :: else
  fi;
  i = 0; no_more = beside;
  do
  :: rd > 0 && i < ql ->
     w = q[i];
     if
     :: role[w] == R_AGAIN || (role[w] == R_READ && !beside) -> go(w, HANDOFF); i = 0; beside = no_more; rd--
     :: else -> beside = (beside || role[w] == R_WRITE); i++
     fi
  :: else -> break
  od;
  assert(rd == 0);
  i = 0; w = 0; one = NONE; oout = 0; writer_waiting2 = 0; queued2 = 0; lets = 0; given = 0; goes = 0; h = 0; stop = 0; concerned = 0; beside = 0; no_more = 0; star = 0; cause = CHANGE; want = 0
}
inline invariants() {
  assert(!recheck || queue_locked);
  assert(queued == (ql > 0));                            /* invariant 1 */
  has_writer(0); assert(writer_waiting == h); h = 0
}
/* ends a section under the queue lock: kind, cause and want say how */
inline unlock_and_wake() {
  if :: star = 0 :: star = 1 fi;  /* proof: rwlock.decide */
  d_step { decide() }
  do
  :: atomic { recheck -> recheck = 0; if :: FAULT != 4 -> if :: star = 0 :: star = 1 fi; d_step { decide() } :: else fi }  /* proof: queue.clear_recheck */
  :: d_step { !recheck || FAULT == 3 -> if :: ql > 0 -> stamped[q[0]] = 1 :: else fi; queue_locked = 0; invariants() } break  /* proof: queue.unlock */
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
inline look_after_queue() {
  if
  :: d_step { queue_locked -> recheck = 1 }  /* proof: queue.try_delegate */
  :: d_step { !queue_locked -> queue_locked = 1 } unlock_and_wake()  /* proof: queue.try_lock */
  fi
}
/* `change` of the code, with the change in kind */
#define drains_on (is_draining && (kind == UNCOUNT || kind == NO_DESIGNATED))
inline leave_by() {
  if
  :: d_step { !queued || (designated && !drains_on && kind != NO_DESIGNATED) -> change() }  /* proof: rwlock.change */
  :: d_step { queued && !queue_locked && (!designated || drains_on || kind == NO_DESIGNATED) -> queue_locked = 1 } unlock_and_wake()  /* proof: queue.try_lock */
  :: d_step { queued && queue_locked && (!designated || drains_on || kind == NO_DESIGNATED) -> change() } look_after_queue()
  :: d_step { queued && !queue_locked && designated && !drains_on && kind != NO_DESIGNATED -> queue_locked = 1; cause = TURN } unlock_and_wake()  /* proof: queue.try_lock */
  :: d_step { queued && queue_locked && designated && !drains_on && kind != NO_DESIGNATED -> change() } look_after_queue()
  fi
}
inline leave_fairly() {
  if
  :: d_step { !queue_locked -> queue_locked = 1; cause = FAIR } unlock_and_wake()  /* proof: queue.try_lock */
  :: d_step { !queued -> change() }
  fi
}
/* looks at the slots: found, if one holds the lock's number */
inline scan() {
  k = 0;
  do
  :: k < N && !((slots >> k) & 1) -> k++
  :: d_step { k < N && ((slots >> k) & 1) -> found = 1; k = 0 } break
  :: d_step { k == N -> k = 0 } break
  od
}
inline uncount() {
  if
  :: FAULT == 17 && bias -> scan()
  :: else
  fi;
  if
  :: d_step { readers == 1 && queued && is_draining && FAULT != 6 -> readers-- }  /* proof: rwlock.uncount */
     if :: bias && FAULT != 16 && FAULT != 17 -> scan() :: else -> found = (found || FAULT == 16) fi;  /* proof: rwlock.left */
     if
     :: d_step { found -> found = 0 }
     :: !found -> look_after_queue()
     fi
  :: d_step { readers == 1 && queued && !is_draining && !(taken || designated) && FAULT != 6 -> readers-- } look_after_queue()  /* proof: rwlock.uncount */
  :: d_step { !(readers == 1 && queued && (is_draining || !(taken || designated))) || FAULT == 6 -> readers--; found = 0 }  /* proof: rwlock.uncount */
  fi
}
inline empty_slot() {
  slots = slots & (EVERY - (1 << me));  /* proof: rwlock.slots.leave */
  if
  :: is_draining -> look_after_queue()  /* proof: rwlock.load */
  :: d_step { !is_draining || !saw -> missed = is_draining }  /* not, or not seen: but who has seen it once does not see what was before */
  fi;
  saw = 0
}
proctype T(byte me) {
  byte i, w, one = NONE, oout, rd, cause, kind, want, k, as;
  bit star, writer_waiting2, queued2, concerned, lets, given, goes, h, stop, some, beside, no_more, woken, passed, timed, found, visible, held, saw;
turn:
  if
  :: goto over
  :: MAY(READS) -> as = R_READ;
     if
     :: /* a slot */
        open; slots = slots | (1 << me);  /* proof: rwlock.slots.publish */
        if
        :: open || FAULT == 2 || (FAULT == 13 && bias && !written) -> atomic { inside_r++; assert(inside_w == 0) } goto in_slot  /* proof: rwlock.slots.look */
        :: d_step { !open && FAULT != 2 && !(FAULT == 13 && bias && !written) -> saw = is_draining } empty_slot(); goto acquire
        fi
     :: goto acquire
     fi
  :: MAY(AGAIN) -> as = R_AGAIN; goto acquire
  :: MAY(UPGRADES) -> as = R_UPGRADABLE; goto acquire
  :: MAY(WRITES) -> as = R_WRITE; goto acquire
  :: MAY(TRIES) -> as = R_WRITE; goto try
  fi;

acquire:
  if :: timed = 0 :: MAY(TIMED) -> timed = 1 fi;
again:
  if
  :: d_step { as == R_READ && !writer && !(writer_waiting && !woken) -> readers++; if :: woken && FAULT != 7 -> designated = 0 :: else fi }  /* proof: rwlock.acquire, rwlock.try_acquire */
  :: d_step { as == R_AGAIN && !written -> readers++; if :: woken -> designated = 0 :: else fi }  /* proof: rwlock.acquire, rwlock.try_acquire */
  :: d_step { as == R_UPGRADABLE && !taken && !(writer_waiting && !woken) -> upgradable = 1; if :: woken -> designated = 0 :: else fi }  /* proof: rwlock.acquire, rwlock.try_acquire */
  :: d_step { as == R_WRITE && !taken && !(!woken && readers > 0 && (queued || designated)) ->
       writer = 1; draining = (readers > 0 || bias); if :: woken -> designated = 0 :: else fi }  /* proof: rwlock.acquire */
  :: timed -> passed = 1;
     if
     :: woken -> d_step { kind = NO_DESIGNATED; woken = 0 } leave_by()
     :: else
     fi;
     goto next
  :: d_step { !passed && !queue_locked -> queue_locked = 1;  /* proof: queue.try_lock */
       want = as; role[me] = as; front[me] = (woken || as == R_AGAIN); kind = PUBLISH;
       cause = (woken -> CHANGE : QUEUED);
       if :: front[me] -> push_front(me) :: else -> push_back(me) fi }
     unlock_and_wake();
     woken = 0;
     if
     :: out[me] != 0
     :: timed && out[me] == 0 -> passed = 1;
        d_step { !queue_locked -> queue_locked = 1; cause = LEFT; want = as }  /* proof: queue.try_lock */
        if
        :: home[me] -> d_step { remove(me) } unlock_and_wake(); d_step { stamped[me] = 0 } goto next
        :: else -> unlock_and_wake(); out[me] != 0
        fi
     fi;
     if
     :: d_step { out[me] == HANDOFF -> out[me] = 0; stamped[me] = 0; role[me] = 0; front[me] = 0 }
        if :: FAULT == 14 && passed -> goto next :: else -> goto arrived fi
     :: d_step { out[me] == WOKEN -> out[me] = 0; woken = 1; role[me] = 0; front[me] = 0 } goto again
     fi
  fi;
  stamped[me] = 0;
  if /* arrive */
  :: woken && as != R_WRITE && queued -> woken = 0;
     look_after_queue()
  :: else -> woken = 0;
     if
     :: d_step { as <= R_AGAIN && !taken && !queued && !writer_waiting && !designated -> bias = 1 }  /* proof: rwlock.number.open */
     :: skip
     fi
  fi;
arrived:
  if
  :: as <= R_AGAIN -> atomic { inside_r++; assert(inside_w == 0) } goto counted
  :: as == R_UPGRADABLE -> atomic { inside_r++; assert(inside_w == 0) } goto upgrading
  :: as == R_WRITE && !draining -> goto writing
  :: as == R_WRITE && draining -> goto drain
  fi;

in_slot: /* it is in, by its slot */
  inside_r--;
  empty_slot();
  goto next;
counted:
  if
  :: d_step { inside_r--; kind = UNCOUNT } leave_fairly()
  :: inside_r--; kind = NOTHING; uncount()
  fi;
  goto next;
upgrading:
  if
  :: d_step { inside_r--; kind = END_UPGRADABLE } leave_by()
  :: d_step { inside_r--; kind = END_UPGRADABLE } leave_fairly()
  :: d_step { inside_r--; upgradable = 0; writer = 1; draining = (readers > 0 || bias); held = 1; passed = 0 }  /* proof: rwlock.pend_upgrade */
     if :: timed = 0 :: MAY(TIMED) -> timed = 1 fi;
     if :: draining -> goto drain :: else -> goto writing fi
  :: d_step { inside_r--; held = 1 } goto try
  fi;
  goto next;

drain: /* it has WRITER and DRAINING */
  do
  :: if :: bias && FAULT != 1 -> scan() :: else fi;
     if
     :: d_step { !found && readers == 0 -> draining = 0; bias = 0 } goto writing  /* proof: rwlock.drained */
     :: found || readers > 0 -> found = 0
     fi;
     if
     :: timed -> passed = 1;
        if
        :: held -> d_step { kind = TO_UPGRADABLE; held = 0 } leave_by(); passed = 0;
           if :: FAULT != 9 -> atomic { inside_r++; assert(inside_w == 0) } goto upgrading :: else -> goto next fi
        :: else -> kind = END_WRITE; leave_by(); goto next
        fi
     :: !passed ->
        d_step { !queue_locked -> queue_locked = 1 }  /* proof: queue.try_lock */
        if :: bias -> scan() :: else fi;
        atomic { visible = found && FAULT != 15; found = 0; role[me] = R_DRAIN; front[me] = 1; cause = QUEUED; want = R_DRAIN; push_front(me) }
        unlock_and_wake();
        if
        :: out[me] != 0
        :: (timed || visible && missed) && out[me] == 0 ->   /* else it would look in vain */
           d_step { !queue_locked -> queue_locked = 1; cause = LEFT; want = R_DRAIN }  /* proof: queue.try_lock */
           if
           :: home[me] -> d_step { remove(me) } unlock_and_wake()
           :: else -> unlock_and_wake(); out[me] != 0
           fi
        fi;
        d_step { visible = 0; role[me] = 0; front[me] = 0; stamped[me] = 0 }
        if
        :: d_step { out[me] != 0 -> out[me] = 0 } goto writing
        :: out[me] == 0
        fi
     fi
  od;

writing:
  atomic { inside_w++; assert(inside_w == 1 && inside_r == 0) }
  held = 0;
  if
  :: d_step { inside_w--; kind = END_WRITE } leave_by()
  :: d_step { inside_w--; kind = END_WRITE } leave_fairly()
  :: MAY(UPGRADES) -> d_step { inside_w--; inside_r++; kind = TO_UPGRADABLE } leave_by(); passed = 0; goto upgrading
  :: MAY(READS) && MAY(UPGRADES) -> d_step { inside_w--; inside_r++; kind = TO_READ } leave_by(); goto counted
  fi;
  goto next;

try: /* try_take: of an upgradable reader, if held */
  if
  :: bias -> scan()
  :: else
  fi;
  if
  :: d_step { found || readers > 0 || writer || draining || upgradable != held -> found = 0 } goto failed
  :: d_step { !found && readers == 0 && !writer && !draining && upgradable == held && !bias -> upgradable = 0; writer = 1 } goto writing  /* proof: rwlock.try_take */
  :: d_step { !found && readers == 0 && !writer && !draining && upgradable == held && bias -> draining = 1 }  /* proof: rwlock.try_take */
     if :: FAULT != 1 -> scan() :: else fi;
     if
     :: d_step { !found && readers == 0 -> draining = 0; bias = 0; upgradable = 0; writer = 1 } goto writing  /* proof: rwlock.try_take_drained */
     :: d_step { found || readers > 0 -> found = 0; kind = NO_DRAINING } leave_by(); goto failed
     fi
  fi;
failed:
  if
  :: held -> held = 0; inside_r++; goto upgrading
  :: else -> goto next
  fi;

next:
  atomic { as = 0; timed = 0; passed = 0; woken = 0; held = 0; role[me] = 0; front[me] = 0; stamped[me] = 0; out[me] = 0 }
  goto turn;
over: skip
}
init {
  byte k;
  atomic { do :: k < N -> run T(k); k++ :: else -> break od }
  (_nr_pr == 1);
  assert(!queue_locked && !recheck && !writer && !draining && !upgradable && !queued && !writer_waiting && !designated);
  assert(readers == 0 && slots == 0 && ql == 0)
}
