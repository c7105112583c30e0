//! What all locks promise, written once: `Mutex`, `ReentrantMutex`, `RwLock` in each of its roles, the locks
//! of `poison` and those that `lock_api` makes of ours. What only one of them has is tested in the folder of
//! its name.
//!
//! A [`Lock`] is one way of having a lock: `RwLock` is several. `kinds` implements it, the other files are
//! the promises, and the tables at the end of this one say who keeps which.

mod aside;
mod exclusion;
mod fairness;
mod kinds;
mod panics;
mod stress;
mod timed;
mod traits;

use std::cell::UnsafeCell;
use std::fmt::{self, Debug};
use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::support::{Counted, LIMIT, cases, elsewhere, shown, unwind, watchdog};
use kinds::{
    ApiFairMutex, ApiMutex, ApiRead, ApiReadAgain, ApiReentrant, ApiUpgradable, ApiWrite, Plain, PoisonMutex,
    PoisonRead, PoisonWrite, Read, ReadAgain, Reentrant, Upgradable, Write, WriteAfterReader,
};

/// How long to wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Lock,
    Try,
    For(Duration),
    /// Until so long from now.
    Until(Duration),
}

/// How to come to a lock, by a guard that borrows or by one that owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    take: Take,
    owned: bool,
}

impl Way {
    /// The plainest one.
    const LOCK: Self = Self { take: Take::Lock, owned: false };
}

/// How to make the guard of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Map {
    Map,
    TryMap,
}

/// What the locks here guard: a number that goes wrong as soon as two threads change it at once.
#[derive(Default)]
pub(crate) struct Counter {
    number: UnsafeCell<usize>,
    /// Its `Debug` unwinds.
    shy: bool,
    _counted: Option<Counted>,
}

// The locks keep threads apart: that is what is tested, and what sanitizers look for.
unsafe impl Sync for Counter {}

impl Counter {
    fn get(&self) -> usize {
        unsafe { *black_box(self.number.get()) }
    }

    /// Of a guard that keeps all others out.
    fn add(&self) {
        let seen = self.get();
        if seen % 64 == 0 {
            thread::yield_now();
        }
        unsafe { *black_box(self.number.get()) = seen + 1 };
    }
}

impl Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shy {
            unwind();
        }
        self.get().fmt(f)
    }
}

/// A guard of any type that a [`Lock`] has.
trait Held: Sized {
    fn counter(&self) -> &Counter;

    /// The guard of a part that is the whole, where there is such a guard. Runs `inside` while it is made.
    fn part(self, by: Map, inside: impl FnOnce()) -> Self;

    fn unlock_fair(self) {}

    fn bump(&mut self) {}

    /// Says whether it ran `body`: not for a part.
    fn unlocked(&mut self, _fair: bool, _body: impl FnOnce()) -> bool {
        false
    }
}

/// A way of having a lock.
trait Lock: 'static {
    type Of: Default + From<Counter> + Debug + Send + Sync + 'static;
    type Held<'a>: Held;
    /// What keeps others from having it in this way.
    type Obstacle<'a>: Held;

    /// Whether several threads have it in this way at once.
    const SHARED: bool = false;
    /// Whether several have what is in the way.
    const SHARED_OBSTACLE: bool = false;
    /// Whether other threads may look at the value meanwhile.
    const SEEN: bool = false;
    /// Whether there are guards that own the lock.
    const OWNED: bool = true;
    /// What `Debug` calls the lock.
    const NAME: &'static str;

    /// What comes before each case.
    fn set_up(_: &Self::Of) {}

    fn take(lock: &Arc<Self::Of>, how: Take, owned: bool) -> Option<Self::Held<'_>>;

    fn obstruct(lock: &Arc<Self::Of>, how: Take) -> Option<Self::Obstacle<'_>>;

    /// Whether another thread could have it all to itself.
    fn is_free(lock: &Self::Of) -> bool;

    fn into_inner(lock: Self::Of) -> Counter;

    /// What `Debug` makes of it.
    fn debug(data: &str) -> String {
        format!("{} {{ data: {data} }}", Self::NAME)
    }
}

/// A lock that failures and hangs show.
fn new<L: Lock>() -> Arc<L::Of> {
    let lock = shown(L::Of::default());
    L::set_up(&lock);
    lock
}

fn take<L: Lock>(lock: &Arc<L::Of>, way: Way) -> Option<L::Held<'_>> {
    L::take(lock, way.take, way.owned)
}

/// Has the lock, which is free or will be.
fn have<L: Lock>(lock: &Arc<L::Of>, way: Way) -> L::Held<'_> {
    L::take(lock, way.take, way.owned).unwrap_or_else(|| panic!("{way:?}: not in time"))
}

/// Stands in the way of those who want it.
fn obstruct<L: Lock>(lock: &Arc<L::Of>) -> L::Obstacle<'_> {
    L::obstruct(lock, Take::Lock).expect("it waits")
}

/// Does with it what may be done, and says how often it has counted.
fn visit<L: Lock>(held: &L::Held<'_>) -> usize {
    if L::SHARED {
        held.counter().get();
        return 0;
    }
    held.counter().add();
    1
}

/// The same for what is in the way.
fn visit_obstacle<L: Lock>(held: &L::Obstacle<'_>) -> usize {
    if L::SHARED_OBSTACLE {
        held.counter().get();
        return 0;
    }
    held.counter().add();
    1
}

#[track_caller]
fn assert_free<L: Lock>(lock: &Arc<L::Of>) {
    assert!(elsewhere(|| L::is_free(lock)), "held");
    assert_eq!(Arc::strong_count(lock), 1);
}

fn owned<L: Lock>() -> &'static [bool] {
    if L::OWNED { &[false, true] } else { &[false] }
}

/// Each of these with guards that borrow and with ones that own, as cases of a test.
fn ways<L: Lock, const N: usize>(takes: [Take; N]) -> impl Iterator<Item = Way> {
    let way = |take| owned::<L>().iter().map(move |&owned| Way { take, owned });
    cases(takes.into_iter().flat_map(way))
}

/// The ways whose time does not run out.
fn waiting_ways<L: Lock>() -> impl Iterator<Item = Way> {
    ways::<L, 3>([Take::Lock, Take::For(LIMIT), Take::Until(LIMIT)])
}

/// A test for each lock and promise.
macro_rules! promises {
    ($($module:ident: $promises:tt by { $($name:ident: $lock:ty,)+ })+) => { $(
        mod $module {
            use super::*;

            $(
                mod $name {
                    use super::*;

                    promises! { @of $lock: $promises }
                }
            )+
        }
    )+ };
    (@of $lock:ty: { $($file:ident: $($promise:ident),+;)+ }) => { $($(
        #[test]
        fn $promise() {
            watchdog($file::$promise::<$lock>);
        }
    )+)+ };
}

promises! {
    every_lock: {
        aside: lock_in_a_thread_local_destructor, waiting_never_allocates,
            stray_tokens_end_no_wait_and_are_there_afterwards;
        exclusion: every_way_in_goes_with_every_way_out, lock_goes_right_after_its_guard,
            held_lock_keeps_others_out, try_does_not_wait, unlock_is_done_with_the_lock_at_once;
        fairness: no_thread_starves_beside_hogs, no_thread_starves_beside_a_busy_lock, waiter_is_passed_over_a_few_times_only,
            waiter_that_has_stood_first_for_long_is_handed_the_lock;
        panics: panic_while_held_lets_waiters_in, panic_while_mapping_releases;
        stress: stress_with_every_way, unlocks_and_timeouts_race;
        timed: zero_and_past_deadlines_try_once, max_waits_indefinitely, timeout_takes_the_time_asked_for,
            timed_waiter_gets_the_lock_before_its_deadline, timeout_leaves_the_lock_usable_for_both,
            abandoned_waits_leave_nothing, abandoned_waits_do_not_break_the_line,
            last_unlock_wakes_a_waiter_whatever_comes_or_goes;
        traits: debug_never_blocks, debug_releases_after_a_panic, default_and_from, values_are_dropped_once;
    } by {
        mutex: Plain,
        reentrant: Reentrant,
        read: Read<false>,
        visible_read: Read<true>,
        read_recursive: ReadAgain,
        upgradable: Upgradable,
        write: Write,
        write_after_a_counted_reader: WriteAfterReader<false>,
        write_after_a_visible_reader: WriteAfterReader<true>,
        poison_mutex: PoisonMutex,
        poison_read: PoisonRead,
        poison_write: PoisonWrite,
        api_mutex: ApiMutex,
        api_fair_mutex: ApiFairMutex,
        api_reentrant: ApiReentrant,
        api_read: ApiRead,
        api_read_recursive: ApiReadAgain,
        api_upgradable: ApiUpgradable,
        api_write: ApiWrite,
    }

    lock_with_fair_unlock: {
        fairness: fair_unlock_hands_over, bump_lets_the_waiter_in, bump_keeps_the_lock_if_no_thread_waits;
        panics: unlocked_unlocks_and_locks_again, unlocked_waits_for_the_lock_before_it_returns;
    } by {
        mutex: Plain,
        reentrant: Reentrant,
        read: Read<false>,
        visible_read: Read<true>,
        read_recursive: ReadAgain,
        upgradable: Upgradable,
        write: Write,
        write_after_a_counted_reader: WriteAfterReader<false>,
        write_after_a_visible_reader: WriteAfterReader<true>,
        api_mutex: ApiMutex,
        api_fair_mutex: ApiFairMutex,
        api_reentrant: ApiReentrant,
        api_read: ApiRead,
        api_read_recursive: ApiReadAgain,
        api_upgradable: ApiUpgradable,
        api_write: ApiWrite,
    }
}
