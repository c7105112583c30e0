/* The queue of src/wait/queue.rs: a word of the queue lock, recheck and the owner's bits (the owner's file has these), and a list
   of waiting threads. A thread has one node at most, so its number is the node.

   What is one step here: an exchange that succeeds (those that fail decide anew and change nothing), a load that is acted
   on without an exchange, the store of an outcome. All memory is sequentially consistent: orderings are for the litmus tests
   and for loom. The list is changed between the step that takes the queue lock and the one that gives it back.
   words: queue_locked recheck out */
#ifndef N
#define N 3
#endif
#ifndef FAULT
#define FAULT 0
#endif
#define WOKEN 1
#define HANDOFF 2
#define BARGE 3
#define NONE 255
bit queue_locked, recheck;
byte q[N], ql;      /* first to last */
byte out[N];        /* 0, or how the wait ended */
bit home[N];        /* the node is in the queue in which its thread put it */
bit stamped[N];     /* it has been the first since some time */

inline push_back(t) { q[ql] = t; ql++; home[t] = 1; out[t] = 0 }
inline push_front(t) {
  if :: ql > 0 && stamped[t] -> stamped[q[0]] = 0 :: else fi;
  i = ql;
  do :: i > 0 -> q[i] = q[i - 1]; i-- :: else -> break od;
  q[0] = t; ql++; home[t] = 1; out[t] = 0; i = 0
}
/* takes out the node at place i */
inline take_at() {
  do :: i + 1 < ql -> q[i] = q[i + 1]; i++ :: else -> break od;
  ql--; q[ql] = 0; i = 0
}
inline pop(t) { t = q[0]; i = 0; take_at(); home[t] = 0 }
inline remove(t) {
  i = 0;
  do :: q[i] != t -> i++ :: else -> break od;
  take_at(); home[t] = 0; stamped[t] = 0
}
