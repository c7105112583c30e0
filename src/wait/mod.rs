//! The one waiting core. Every primitive waits through [`Queue`], and no file above this folder parks a thread.
//!
//! How a primitive uses it, from below:
//!
//! ```text
//! wait-if          queue.guard_if(|word| must_wait(word))      the check and the enqueueing are one step against
//!                       .wait(waiter, place, finish, ...)      wakers: both stand between the same two exchanges
//! wake one         guard.pop(), finish, due.wake(outcome)
//! wake some        guard.take_while(..), finish, wake_all      n of them, readers up to a writer, all
//! requeue          guard.take_while(..), finish;               first out of the one queue, then into the other: no
//!                  other.guard().append(dues), finish          thread ever has two guards
//! leave            the deadline passes inside `wait`; `leave` finishes, and may wake those that can go on now
//! release          queue.guard_or_delegate(word): takes the queue lock, or has its holder run its `finish` again.
//!                  queue.guard_if_sleepless(..) where the caller must know what came of it
//! hand over        guard.first_is_starving(), and guard.stamp_first() at the end of each section
//! ```
//!
//! The protocol, with its proof sketch, stands in `docs/waiting.md`.

mod list;
mod policy;
mod queue;
mod waiter;

pub(crate) use policy::{Adaptive, Collisions, Habit, Spin, give_way_at_times};
pub(crate) use queue::{Due, Dues, Guard, Place, Queue, Woken, Word};
pub(crate) use waiter::{Outcome, Stamp, Waiter};
