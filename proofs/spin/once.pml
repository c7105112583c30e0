/* What is done once (src/raw/once.rs): a word of a stage and a queue. N threads, each any number of turns: a call that
   initialises if need be or one that only waits, each giving up on poison or not, with or without a deadline, which may
   pass at any point. An initialiser succeeds, fails, or panics. While no thread is inside, a finished one begins anew (that
   takes `&mut`). A thread stops between any two turns; when no thread can go on, one that sleeps only waits, and nothing
   has been done that it would notice.

   Exchanges that fail decide anew. A section under the queue lock that is entered by an exchange of the whole word and looks at
   nothing else is one step; the one that ends an initialisation decides, and gives the queue lock back by another, and
   a right that is handed on is stored after that; all other outcomes are stored with it.

   Faults:
    1 a failed initialiser hands on to none               2 one that was handed the right at its deadline leaves
    3 a panic wakes the first alone                       4 an initialiser ends without the queue lock of a thread that queues
    5 a thread queues without looking at the stage        6 a failed initialiser hands on to one that only waits
    7 a handed right leaves the stage new                 8 a poisoned one wakes those alone that mind
    9 success wakes the first alone                      10 a woken thread that ignores poison takes it that it is done

     words: stage guard out
     run:
     find 1 2 3 4 5 6 7 8 9 10: */
#ifndef N
#define N 3
#endif
#ifndef TIMED
#define TIMED N     /* the threads below this number may have deadlines */
#endif
#ifndef FAULT
#define FAULT 0
#endif
#define NEW 0
#define RUNNING 1
#define DONE 2
#define POISONED 3
#define HANDED 1
#define COMPLETED 2
#define BROKEN 3
byte stage;
bit guard;
byte q[N], ql;
bit runs[N], forced[N]; /* what a thread in the queue wants */
byte out[N];
bit asleep[N];
byte running, inside;   /* threads that initialise; that are in a call */
bit over;

#define WAITS(r, f) (stage == RUNNING || (stage == NEW && !(r)) || (stage == POISONED && !(r) && (f)))

inline remove_at() {
  do :: i + 1 < ql -> q[i] = q[i + 1]; i++ :: else -> break od;
  ql--; q[ql] = 0; i = 0
}
/* ends an initialisation: `end` is the stage, NEW if it has failed */
inline finish() {
  if
  :: d_step { ql == 0 && (!guard || FAULT == 4) -> running--; stage = end }  /* proof: once.end */
  :: d_step { ql > 0 && !guard -> guard = 1;  /* proof: queue.try_lock */
       i = 0;
       do /* the first that wants to initialise */
       :: i < ql && !(runs[q[i]] || FAULT == 6) -> i++
       :: else -> break
       od;
       first = N;
       if
       :: end == NEW && i < ql && FAULT != 1 -> first = q[i]; remove_at(); if :: FAULT == 7 -> stage = NEW :: else fi  /* not in the code */
       :: else
       fi;
       i = 0 }
     if
     :: d_step { first < N -> running--; guard = 0 } d_step { out[first] = HANDED; first = 0 }  /* proof: queue.unlock, waiter.wake, waiter.wake_parked */
     :: first == N ->
        d_step {
          first = 0;
          running--; stage = end;  /* proof: queue.unlock */
          if
          :: end == NEW -> got = 0
          :: end == DONE -> got = (FAULT == 9 -> 1 : ql)
          :: end == POISONED -> got = (FAULT == 3 -> 1 : ql)
          fi;
          do
          :: got > 0 -> first = q[0]; i = 0; remove_at(); got--;
               if
               :: FAULT == 8 && forced[first] && end == POISONED
               :: else -> out[first] = (end == DONE -> COMPLETED : BROKEN)  /* proof: waiter.wake, waiter.wake_parked */
               fi
          :: else -> break
          od;
          first = 0; guard = 0 }  /* proof: queue.unlock */
     fi
  fi
}
proctype T(byte me) {
  byte i, first, end, got;
  bit timed, late;
  do
  :: break
  :: d_step { inside == 0 && (stage == DONE || stage == POISONED) -> stage = NEW }  /* not in the code */
  :: atomic { inside++;
       if :: runs[me] = 0 :: runs[me] = 1 fi;
       if :: forced[me] = 0 :: forced[me] = 1 fi;
       if :: timed = 0 :: TIMED > me -> timed = 1 fi }
     do
     :: stage == DONE -> break  /* proof: queue.load_acquire */
     :: stage == POISONED && !forced[me] -> break
     :: d_step { !late && ((stage == NEW && runs[me]) || (stage == POISONED && runs[me] && forced[me])) ->
          stage = RUNNING; running++; assert(running == 1) } goto init_  /* proof: once.begin */
     :: timed && (WAITS(runs[me], forced[me]) || late) -> break
     :: over -> break
     :: d_step { !late && (WAITS(runs[me], forced[me]) || FAULT == 5) && !guard -> guard = (FAULT == 4);  /* proof: queue.try_lock, queue.unlock */
          if :: FAULT != 4 -> q[ql] = me; ql++; out[me] = 0; asleep[me] = 1 :: else fi }
        if
        :: FAULT == 4 -> d_step { q[ql] = me; ql++; out[me] = 0; asleep[me] = 1; guard = 0 }  /* not in the code */
        :: else
        fi;
        if
        :: out[me] > 0  /* proof: waiter.outcome */
        :: timed && out[me] == 0 ->
           d_step { !guard -> asleep[me] = 0; i = 0;  /* proof: queue.try_lock, queue.unlock */
             do :: i < ql && q[i] != me -> i++ :: else -> break od;
             if :: i < ql -> remove_at(); late = 1 :: else -> i = 0 fi }
           if
           :: late -> break
           :: !late -> out[me] > 0; if :: FAULT == 2 && out[me] == HANDED -> out[me] = 0; break :: else fi
           fi
        :: over -> asleep[me] = 0; break
        fi;
        asleep[me] = 0;
        if
        :: d_step { out[me] == HANDED -> out[me] = 0; running++; assert(running == 1 && stage == RUNNING && runs[me]) } goto init_
        :: d_step { out[me] == COMPLETED -> out[me] = 0; assert(stage == DONE) } break
        :: d_step { out[me] == BROKEN && (!forced[me] || FAULT == 10) -> out[me] = 0; assert(!forced[me]) } break
        :: d_step { out[me] == BROKEN && forced[me] && FAULT != 10 -> out[me] = 0 }
        fi
     od;
     goto next;
init_:
     if :: end = DONE :: end = NEW :: end = POISONED fi;
     finish();
     end = 0;
next: skip;
     d_step { timed = 0; late = 0; runs[me] = 0; forced[me] = 0; inside-- }
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
       assert(!guard && stage != RUNNING && running == 0);
       t = 0;
       do
       :: t < N -> assert(!asleep[t] || (!runs[t] && (stage == NEW || (stage == POISONED && forced[t])))); t++
       :: else -> break
       od;
       over = 1; t = 0 }
  od
}
