//! The ground: everything this crate takes from outside itself, in two arms with one shape.
//!
//! `real` is the ordinary build on `std`; `model` is the same names on loom, chosen by `--cfg loom` together with
//! the feature `loom`. Nothing above this folder knows which arm it runs on. What loom cannot express (SeqCst
//! accesses, a clock, a thread's own park token) is not exported, so that no path can depend on it.
//!
//! | name | real | model | what the model does not see, and what does |
//! |---|---|---|---|
//! | `atomic::*` | `std::sync::atomic` | `loom::sync::atomic` | a weak exchange never fails spuriously in loom: every use stands in a loop, or has one behind it |
//! | `UnsafeCell` | `std::cell::UnsafeCell` by closure | `loom::cell::UnsafeCell` | nothing: every access is tracked |
//! | `Payload` | `std::cell::UnsafeCell` | the same, and a loom cell beside it as a witness | accesses through `Payload::as_ptr` outside a guard: ThreadSanitizer runs |
//! | `Writing`, `Reading` | zero-sized | the witness's access, from lock to unlock | nothing: it sees more than `real`, an overlap without any access is reported too |
//! | `Parker`, `Unparker` | `thread::park`, `Thread::unpark` | a fresh `loom::sync::Notify` | the thread's own token and its return to its owner: `tests/park_token.rs` |
//! | spurious returns | whenever the platform likes, or for a token of somebody else | one for each `Parker`, explored as a branch | a second one in the same wait: takes the same path as the first |
//! | `Deadline` | `Instant`, read when asked | a finite deadline passes while its thread is parked, at the first return from `park`, whatever ended it | a deadline that passes while the thread runs, and a second park before the same deadline: `tests/*` with real clocks |
//! | `Backoff` | spin, then yield, then sleep | `loom::thread::yield_now` | a fourth wait in the same place: the interleaving is run to its end, but not varied from there |
//! | `budget` | the first number | the second | the number itself: `docs/waiting.md` says how each was measured |
//! | `spin_hint` | `std::hint::spin_loop` | never reached, spin budgets are zero | spinning reads the state once more: the same transition as the first read |
//! | `AbortOnUnwind` | aborts | nothing: a panic in `park` is how loom reports a deadlock | `docs/waiting.md` has the argument |
//! | `per_thread!` | two `thread_local!`, one without a destructor | one `loom::thread_local!` | what a destructor at the thread's end does with other values: they are gone by then; `tests/thread_cell.rs`, `tests/thread_local.rs` |
//! | `unique_number` | a counter of the process | one for each test | nothing: no path depends on the number |
//! | `contain` | `catch_unwind` | nothing: a panic is how loom reports | a destructor that panics: `tests/thread_cell.rs` |
//! | `reached!` | nothing | notes that a model has been there, for it to assert | nothing |
//! | `const_fn!` | `const fn` | `fn` | nothing |

#[cfg(not(all(loom, feature = "loom")))]
#[path = "real.rs"]
mod arm;

#[cfg(all(loom, feature = "loom"))]
#[path = "model.rs"]
mod arm;

pub(crate) use arm::{
    AbortOnUnwind, Backoff, Deadline, Parker, Payload, PerThread, Reading, UnsafeCell, Writing, atomic,
    budget, contain, spin_hint, unique_number,
};
#[cfg(all(loom, feature = "loom"))]
pub(crate) use arm::{AtEnd, note, take_notes};
pub(crate) use arm::{const_fn, model_only, per_thread, reached};
