//! The one waiting core. Every primitive waits through [`Queue`], and no file above this folder parks a
//! thread.
//!
//! How a primitive uses it, from below:
//!
//! ```text
//! wait-if     queue.lock_if(|word| must_wait(word))     checking and enqueueing are one step against
//!                 .wait(waiter, place, unlock, ..)      wakers: they stand between the same exchanges
//! wake one    locked.pop(), unlock, waiter.wake(..)
//! wake some   locked.take_while(..), unlock, wake_all   n of them, readers up to a writer, all
//! requeue     locked.take_while(..), unlock;            first out of the one queue, then into the other:
//!                 other.lock().append(woken), unlock    no thread ever has two queue locks
//! leave       the deadline passes inside `wait`; `leave` unlocks, and may wake those that can go on now
//! release     queue.lock_or_delegate(word)              takes the queue lock, or has its holder decide
//!             queue.lock_if_sleepless(..)               again; where the caller must know the outcome
//! select      wait_any(set, ..)                         one thread in several queues; a waker claims it, so
//!             locked.hand_to_first(..), notify(n)       that one of them wakes it
//! hand off    locked.first_is_starving(), and locked.stamp_first() at the end of each section
//! ```
//!
//! The protocol, with its proof sketch, stands in `docs/waiting.md`.

mod backoff;
mod list;
pub(crate) mod numbers;
mod policy;
mod queue;
pub(crate) mod select;
mod waiter;
mod word;

pub(crate) use backoff::{Backoff, PollInterval};
pub(crate) use policy::{BarrierSpin, Collisions, SpinWait, is_reader_turn, is_turn, yield_at_intervals};
pub(crate) use queue::{Dequeued, LockedQueue, Place, Queue, WakeList, Woken};
pub(crate) use waiter::{Stamp, Waiter, Wakeup};
pub(crate) use word::Word;
