//! The ground: everything this crate takes from outside itself, in three arms with one shape.
//!
//! `real` is the ordinary build on `std`; `model` is the same names on loom, chosen by `--cfg loom` together
//! with the feature `loom`. Above this folder no `cfg` names an arm but in two attributes: with `loom`
//! blocking calls name the caller's line, and with `loom-spec` some files of `raw` are replaced. What else
//! one arm alone has up there, mostly what models ask a lock for, stands in `only!`. What loom cannot express
//! (SeqCst accesses but for the `*_in_order` below, a clock, a thread's own park token) is not exported, so
//! that no path can depend on it.
//!
//! `shuttle` is a third arm, chosen by `--cfg shuttle` and the feature `shuttle`: random schedules of
//! programs that are too large for loom. What it has in common with `model` stands in `checked`; it is as
//! `model` but for the orderings, which are all one there; a
//! finite deadline passes, while its thread is parked, when a random choice says so; `Data` counts the
//! accesses under way, and two that exclude each other are a panic; `new` is `const fn`, and the `lock_api`
//! forms are there.
//!
//! The arm `real` has two grounds of its own, [`platform`]: `std.rs`, and `sim`, a simulated machine in
//! virtual time, chosen by `--cfg sim` and the feature `sim`. On that one, too, it is the code of this
//! table's column `real` that runs.
//!
//! | name | real | model | what the model does not see, and what does |
//! |---|---|---|---|
//! | `atomic::*` | `std::sync::atomic` | `loom::sync::atomic` | a weak exchange never fails spuriously in loom: every use stands in a loop, or has one behind it. In a thread that unwinds out of a deadlock they do nothing, so that dropping its guards is no second panic: the model has failed by then |
//! | `AtomicU64` on a target without it | a value behind a spin lock (`wide`) | as on any other | that lock: the tests with `--cfg lockwork_without_atomic_u64` |
//! | `UnsafeCell` | `std::cell::UnsafeCell` by closure | `loom::cell::UnsafeCell` | nothing: every access is tracked |
//! | `Data` | `std::cell::UnsafeCell` | the same, and a loom cell beside it as a witness | accesses through `Data::as_ptr` outside a guard: ThreadSanitizer runs |
//! | `WriteAccess`, `ReadAccess` | zero-sized | the witness's access, from lock to unlock | nothing: it sees more than `real`, an overlap without any access is reported too |
//! | `Parker`, `Unparker` | `thread::park`, `Thread::unpark` | a fresh `loom::sync::Notify` | the thread's own token and its return to its owner: `tests/park_token.rs`; a thread so near its end that it has no handle, and looks for itself: `tests/late_destructors.rs` |
//! | spurious returns | whenever the platform likes, or for a token of another thread | one for each `Parker`, explored as a branch | a second one in the same wait: takes the same path as the first |
//! | `Deadline` | `Instant`, read when asked | a finite deadline passes while its thread is parked, at the first return from `park`, whatever ended it; in a model that gives it more lives it may outlive a wake-up by one | a deadline that passes while the thread runs: the tests, with real clocks |
//! | `exchange_in_order`, `load_in_order`, `fence_in_order` | a SeqCst exchange, load and fence | an exchange; a load behind a fence; a fence | that an exchange and a load do without fences: they are in one total order with the fence by the language's own rules |
//! | `lines` | the lowest number that no thread has, given back at the thread's end; 128, then they are shared | two, by turns | that numbers come back, and that some are no thread's yet: they are counted in the order of the fence; `lines::tests` |
//! | `per_process!`, `array!` | a `static`; an array made in a constant | one for each run; one that is not | nothing |
//! | `this_thread`, `known_thread` | a counter, once for each thread; none before it is asked for | loom's thread number, always known | a thread's first call: `tests/reentrant/` |
//! | `Moment`, `Age` | `Instant`; nothing | no time; long or not, both explored, once the waiter has been queued | how long: `tests/mutex/` with real clocks |
//! | `Releasing` | counts releasing calls under way, with debug assertions | nothing | a release that would sleep: the tests, which have debug assertions |
//! | `turn` | what the caller has counted | as the model has asked for, else never | that it changes: `mutex::waiter_behind_one_that_does_not_come_is_served` asks for it |
//! | `Deadline::or_after` | the end of a poll interval by the clock | a deadline that passes at once or later; after the first round no others are explored from there; none, in a model that asks for that | the lengths |
//! | `stand_by`, `nap` | the step: a pause, a yield, a sleep | `loom::thread::yield_now` | a fourth wait in the same place: the interleaving is run to its end, but not varied from there |
//! | `budget` | the first number | the second | the number itself: `docs/numbers.md` says how each was measured |
//! | `number` | the number; on the simulated machine what a run has in its place | the number | nothing |
//! | `draw` | a number drawn anew | the first | that the order of a set begins elsewhere: `tests/any/`, and shuttle, which draws |
//! | `load_or_expected` | a look | what the caller expects; a look, in a model that asks for looks | nothing: the exchange that follows finds out in both, and a wrong expectation is followed by a second exchange |
//! | `store_hint` | a store that others take as advice | nothing; the store, in a model that asks for looks | that others see it: what they do without it is right as well |
//! | `Advice` | a relaxed number | its first value | that it changes: it only chooses whether, how long and how often a thread spins before it goes on as if it had not |
//! | `per_thread!` with `static` | a `thread_local!` without a destructor | one for all threads of a model | that threads have different values: it holds advice of `wait/policy.rs` alone, which a model never follows |
//! | `spin_hint` | `std::hint::spin_loop` | never reached, spin budgets are zero | spinning reads the state once more: the same transition as the first read |
//! | `yield_now` | `std::thread::yield_now` | nothing | nothing: what the thread looks at next is a branch of the model anyway |
//! | `threads` | `std::thread`, only with the feature of that name | `loom::thread` | names, stack sizes, and how many threads the machine has: `tests/threads/`. A panic that leaves a thread ends the model |
//! | `panicking` | of the calling thread | of any thread of the model | which of two threads panics: `tests/poison/` |
//! | `AbortOnUnwind` | aborts | nothing: a panic in `park` is how loom reports a deadlock | `docs/waiting.md` has the argument |
//! | `per_thread!` with `const` | two `thread_local!`, one without a destructor | one `loom::thread_local!` | what a destructor at the thread's end does with other values: they are gone by then; `tests/thread_cell.rs`, `tests/thread_local.rs` |
//! | `unique_number` | a counter of the process, for objects that are told apart by a number | one for each test | nothing: no path depends on the number |
//! | `contain` | `catch_unwind` | nothing: a panic is how loom reports | a destructor that panics: `tests/thread_cell.rs` |
//! | `reached` | nothing | notes that a model has been there, for it to assert | nothing |
//! | `const_fn!` | `const fn` | `fn` | nothing |
//! | `only!` | items of the one | items of the other | the `lock_api` forms, which are made in constants: their locks are modelled as the crate's own |

pub(crate) mod frame;
mod limit;

#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"))))]
#[path = "real/mod.rs"]
mod arm;

#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(sim, feature = "sim"))))]
#[path = "std.rs"]
pub(crate) mod platform;

#[cfg(all(
    not(all(target_has_atomic = "64", not(lockwork_without_atomic_u64))),
    not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(sim, feature = "sim")))
))]
mod wide;

#[cfg(all(sim, feature = "sim"))]
pub mod sim;
#[cfg(all(sim, feature = "sim"))]
pub(crate) use sim as platform;

/// A tuned number. On the simulated machine a run may have another of that name.
#[cfg(all(sim, feature = "sim"))]
pub(crate) use sim::number;
/// Returns a tuned number.
#[cfg(not(all(sim, feature = "sim")))]
#[inline(always)]
pub(crate) const fn number(_name: &'static str, value: u32) -> u32 {
    value
}

/// Items of one build: `only! { model: … }` are there for the models alone.
///
/// | word | where its items are |
/// |---|---|
/// | `model` | in the models on loom |
/// | `spec` | in those that replace files of `raw` by their specifications |
/// | `real` | everywhere but in the models on loom |
/// | `sim` | on the simulated machine |
/// | `observed` | where calls are observed: with the feature `diagnose`, in the ordinary build |
/// | `unobserved` | where they are not |
macro_rules! only {
    (model: $($item:item)*) => { $(#[cfg(all(loom, feature = "loom"))] $item)* };
    (spec: $($item:item)*) => { $(#[cfg(all(loom, feature = "loom-spec"))] $item)* };
    (real: $($item:item)*) => { $(#[cfg(not(all(loom, feature = "loom")))] $item)* };
    (sim: $($item:item)*) => { $(#[cfg(all(sim, feature = "sim"))] $item)* };
    (observed: $($item:item)*) => { $(
        #[cfg(all(
            feature = "diagnose",
            not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(sim, feature = "sim")))
        ))]
        $item
    )* };
    (unobserved: $($item:item)*) => { $(
        #[cfg(not(all(
            feature = "diagnose",
            not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(sim, feature = "sim")))
        )))]
        $item
    )* };
}
pub(crate) use only;

/// Whether types have the sizes of the ordinary build.
#[cfg_attr(not(target_pointer_width = "64"), allow(dead_code, reason = "sizes are checked for 64 bits"))]
pub(crate) const ORDINARY_SIZES: bool =
    cfg!(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"))));

/// Tells a model that it has come to a state that some model must have come to.
#[cfg(not(all(loom, feature = "loom")))]
#[inline(always)]
pub(crate) const fn reached(_state: &'static str) {}

/// `const fn`, but plain `fn` in a model, where no loom type can be made in a constant.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        #[cfg(not(all(loom, feature = "loom")))]
        $(#[$meta])* $vis const fn $($rest)*

        #[cfg(all(loom, feature = "loom"))]
        $(#[$meta])* $vis fn $($rest)*
    };
}
pub(crate) use const_fn;

/// An array of values that are made alike.
macro_rules! array {
    ($init:expr; $n:expr) => {{
        #[cfg(not(all(loom, feature = "loom")))]
        {
            [const { $init }; $n]
        }
        #[cfg(all(loom, feature = "loom"))]
        {
            std::array::from_fn(|_| $init)
        }
    }};
}
pub(crate) use array;

/// A static: one value for the process, or for each run of a model.
macro_rules! per_process {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
        #[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(sim, feature = "sim"))))]
        $(#[$meta])* static $name: $type = $init;

        #[cfg(all(sim, feature = "sim"))]
        $(#[$meta])* static $name: $crate::facade::platform::PerRun<$type> =
            $crate::facade::platform::PerRun::new(|| $init);

        #[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
        $crate::facade::lazy_static! { $(#[$meta])* static ref $name: $type = $init; }
    };
}
pub(crate) use per_process;

/// A value of each thread that is a constant at first and has no destructor.
///
/// `per_thread! { static NAME: Type = constant; }`: there until the very end of the thread. In a model it is
/// one value for all threads, and may hold advice alone.
///
/// `per_thread! { const NAME: Type = constant; ends by function; }`: with something to do when the thread
/// ends. `NAME.with` is an address and nothing else, also while the thread's other variables are being
/// destroyed and after that. Once a thread has called `NAME.arm`, the function gets its value when the thread
/// ends. A checker takes a thread's variables away before it destroys them, so there the value stands with
/// its end.
macro_rules! per_thread {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $crate::facade::own_thread_local! {
            $(#[$meta])*
            static $name: $type = const { const { assert!(!std::mem::needs_drop::<$type>()) }; $init };
        }
    };
    ($(#[$meta:meta])* const $name:ident: $type:ty = $init:expr; ends by $end:path;) => {
        $(#[$meta])*
        const $name: $crate::facade::PerThread<$type> = {
            #[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"))))]
            {
                /// Its destructor is the end of a thread that has touched it.
                struct AtEnd;

                impl Drop for AtEnd {
                    fn drop(&mut self) {
                        $name.with($end);
                    }
                }

                $crate::facade::per_thread! { static VALUE: $type = $init; }
                $crate::facade::own_thread_local! { static AT_END: AtEnd = const { AtEnd }; }
                $crate::facade::PerThread::new(&VALUE, || AT_END.try_with(|_| ()).is_ok())
            }
            #[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
            {
                $crate::facade::checked_thread_local! {
                    static VALUE: $crate::facade::AtEnd<$type> = $crate::facade::AtEnd::new($init, $end);
                }
                $crate::facade::PerThread::new(&VALUE)
            }
        };
    };
}
pub(crate) use per_thread;

#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
mod checked;

#[cfg(all(loom, feature = "loom"))]
#[path = "model/mod.rs"]
mod arm;

#[cfg(all(loom, feature = "loom-spec"))]
pub(crate) mod spec;

#[cfg(all(shuttle, feature = "shuttle", not(all(loom, feature = "loom"))))]
#[path = "shuttle.rs"]
mod arm;

#[cfg(all(loom, feature = "loom-spec"))]
use arm::atomic::is_over;
pub(crate) use arm::own_thread_local;
#[cfg(feature = "threads")]
pub(crate) use arm::threads;
pub(crate) use arm::{
    AbortOnUnwind, Advice, Age, Data, Deadline, Moment, Parker, PerThread, ReadAccess, Releasing, Unparker,
    UnsafeCell, WriteAccess, atomic, budget, contain, draw, known_thread, lines, load_or_expected, nap,
    panicking, spin_hint, stand_by, store_hint, this_thread, turn, unique_number, yield_now,
};
#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
pub(crate) use arm::{AtEnd, lazy_static, thread_local as checked_thread_local};
#[cfg(all(loom, feature = "loom"))]
pub(crate) use arm::{reached, set_endless_rounds, set_lives, set_looks, set_starves, set_turns, take_notes};
pub(crate) use limit::{TimeLimit, ends};

only! { observed:
    mod observing;
    pub(crate) use observing::{
        Ticker, coarse_nanos, environment, instant_of, nanos, nanos_of, print_error, process, thread_name,
    };
}
