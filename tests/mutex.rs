//! `Mutex`, `MutexGuard`, `MappedMutexGuard`, `ArcMutexGuard`.

use std::cell::Cell;
use std::fmt::{self, Debug, Display};
use std::hint::black_box;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    ArcMutexGuard, AutoResetEvent, Condvar, Event, MappedMutexGuard, Mutex, MutexGuard, WaitTimeoutResult,
};
use proptest::prelude::*;

use crate::support::{
    Counted, Drops, LIMIT, Sleeper, allocations_during, cases, either, eventually, parties, repeat, rounds,
    shown, watchdog,
};

/// Long enough to be measured, short enough to be waited for.
const SHORT: Duration = Duration::from_millis(15);

/// How to come to the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    Lock,
    Try,
    For(Duration),
    Until(Duration),
}

/// How to part with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Give {
    Drop,
    Fair,
    Bump,
    Unlocked,
    Map,
    MapFair,
    Forget,
    ForgetFair,
    Panic,
}

/// A way through the lock, by a guard that borrows or by one that owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    take: Take,
    arc: bool,
    give: Give,
}

const GIVES: [Give; 9] = [
    Give::Drop,
    Give::Fair,
    Give::Bump,
    Give::Unlocked,
    Give::Map,
    Give::MapFair,
    Give::Forget,
    Give::ForgetFair,
    Give::Panic,
];

fn take<T: ?Sized>(mutex: &Mutex<T>, take: Take) -> Option<MutexGuard<'_, T>> {
    match take {
        Take::Lock => Some(mutex.lock()),
        Take::Try => mutex.try_lock(),
        Take::For(timeout) => mutex.try_lock_for(timeout),
        Take::Until(timeout) => mutex.try_lock_until(Instant::now() + timeout),
    }
}

fn take_arc<T: ?Sized>(mutex: &Arc<Mutex<T>>, take: Take) -> Option<ArcMutexGuard<T>> {
    match take {
        Take::Lock => Some(mutex.lock_arc()),
        Take::Try => mutex.try_lock_arc(),
        Take::For(timeout) => mutex.try_lock_arc_for(timeout),
        Take::Until(timeout) => mutex.try_lock_arc_until(Instant::now() + timeout),
    }
}

/// Unwinds without a message.
fn unwind() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// Runs `section` in the lock, if `way` gets it. Says whether it did.
fn pass<T>(mutex: &Arc<Mutex<T>>, way: Way, section: impl FnOnce(&mut T)) -> bool {
    if way.arc { pass_arc(mutex, way, section) } else { pass_borrowed(mutex, way, section) }
}

fn pass_borrowed<T>(mutex: &Mutex<T>, way: Way, section: impl FnOnce(&mut T)) -> bool {
    let Some(mut guard) = take(mutex, way.take) else {
        return false;
    };
    match way.give {
        Give::Drop => section(&mut guard),
        Give::Fair => {
            section(&mut guard);
            MutexGuard::unlock_fair(guard);
        }
        Give::Bump => {
            MutexGuard::bump(&mut guard);
            section(&mut guard);
        }
        Give::Unlocked => {
            MutexGuard::unlocked(&mut guard, || ());
            section(&mut guard);
            MutexGuard::unlocked_fair(&mut guard, || ());
        }
        Give::Map => section(&mut MutexGuard::map(guard, |value| value)),
        Give::MapFair => {
            let mut mapped = MutexGuard::map(guard, |value| value);
            section(&mut mapped);
            MappedMutexGuard::unlock_fair(mapped);
        }
        Give::Forget => {
            section(&mut guard);
            mem::forget(guard);
            unsafe { mutex.force_unlock() };
        }
        Give::ForgetFair => {
            section(&mut guard);
            mem::forget(guard);
            unsafe { mutex.force_unlock_fair() };
        }
        Give::Panic => {
            let unwound = catch_unwind(AssertUnwindSafe(move || {
                section(&mut guard);
                unwind();
            }));
            assert!(unwound.is_err());
        }
    }
    true
}

fn pass_arc<T>(mutex: &Arc<Mutex<T>>, way: Way, section: impl FnOnce(&mut T)) -> bool {
    let Some(mut guard) = take_arc(mutex, way.take) else {
        return false;
    };
    match way.give {
        Give::Drop => section(&mut guard),
        Give::Fair | Give::MapFair => {
            section(&mut guard);
            ArcMutexGuard::unlock_fair(guard);
        }
        Give::Bump => {
            ArcMutexGuard::bump(&mut guard);
            section(&mut guard);
        }
        Give::Unlocked => {
            ArcMutexGuard::unlocked(&mut guard, || ());
            section(&mut guard);
        }
        Give::Map => {
            section(&mut guard);
            assert!(Arc::ptr_eq(&ArcMutexGuard::into_arc(guard), mutex));
        }
        Give::Forget | Give::ForgetFair => {
            section(&mut guard);
            let share = Arc::as_ptr(ArcMutexGuard::mutex(&guard));
            mem::forget(guard);
            unsafe { mutex.force_unlock() };
            // The guard's share in the mutex, which was forgotten with it.
            unsafe { Arc::decrement_strong_count(share) };
        }
        Give::Panic => {
            let unwound = catch_unwind(AssertUnwindSafe(move || {
                section(&mut guard);
                unwind();
            }));
            assert!(unwound.is_err());
        }
    }
    true
}

/// A value with threads that are certain to stand in its mutex's queue: a notification under the lock moves them
/// there from the condition variable's.
#[derive(Debug, Default)]
struct Line {
    standing: usize,
    served: Vec<usize>,
}

/// Has `n` threads stand in line for `mutex`, numbered in that order, and then runs `serve` with the lock held. Each
/// calls `turn` with the lock and its number when it has it.
fn in_line(
    mutex: &Mutex<Line>,
    n: usize,
    turn: impl Fn(MutexGuard<'_, Line>, usize) + Sync,
    serve: impl FnOnce(MutexGuard<'_, Line>),
) {
    let called = Condvar::new();
    thread::scope(|s| {
        for number in 0..n {
            let (called, turn) = (&called, &turn);
            s.spawn(move || {
                let mut line = mutex.lock();
                line.standing += 1;
                called.wait(&mut line);
                turn(line, number);
            });
            // The lock can be had again only when the thread has queued.
            eventually(|| mutex.lock().standing > number);
        }
        let line = mutex.lock();
        assert_eq!(called.notify_all(), n);
        serve(line);
    });
    let served = &mut mutex.lock().served;
    served.sort_unstable();
    assert!(served.iter().copied().eq(0..n));
}

// --- Locking and unlocking -----------------------------------------------------------------------------------------

#[test]
fn lock_gives_the_value_and_drop_unlocks() {
    let mutex = Mutex::new(1);
    assert!(!mutex.is_locked());
    let mut guard = mutex.lock();
    assert!(mutex.is_locked());
    *guard += 1;
    assert_eq!(*guard, 2);
    drop(guard);
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.lock(), 2);
}

// CPython: test_acquire_release, test_reacquire.
#[test]
fn lock_again_and_again() {
    let mutex = shown(Mutex::new(0));
    for i in repeat(1000) {
        *mutex.lock() += 1;
        *mutex.lock_arc() += 1;
        assert_eq!(*mutex.try_lock().unwrap(), 2 * (i + 1));
    }
}

// CPython: test_acquire_destroy.
#[test]
fn mutex_goes_right_after_its_guard() {
    let mutex = Mutex::new(Box::new(1));
    drop(mutex.lock());
    drop(mutex);

    let mutex = shown(Mutex::new(Box::new(1)));
    let guard = mutex.lock_arc();
    drop(mutex);
    assert_eq!(**guard, 1);
    drop(guard);
}

// CPython: test_try_acquire, test_try_acquire_contended.
#[test]
fn try_lock_tells_whether_the_lock_is_held() {
    let mutex = shown(Mutex::new(0));
    let guard = mutex.try_lock().expect("it is free");
    assert!(mutex.try_lock().is_none(), "not even for its holder");
    assert!(mutex.try_lock_arc().is_none());
    thread::scope(|s| {
        s.spawn(|| assert!(mutex.try_lock().is_none() && mutex.try_lock_arc().is_none()));
    });
    drop(guard);

    let guard = mutex.try_lock_arc().expect("it is free");
    assert!(mutex.try_lock().is_none());
    assert!(mutex.try_lock_arc().is_none());
    drop(guard);
    assert!(mutex.try_lock().is_some());
}

#[test]
fn every_way_locks_and_unlocks() {
    let mutex = shown(Mutex::new(0));
    let mut passed = 0;
    for take in [Take::Lock, Take::Try, Take::For(SHORT), Take::Until(SHORT)] {
        for arc in either("arc ") {
            for give in cases(GIVES) {
                let way = Way { take, arc, give };
                assert!(pass(&mutex, way, |value| *value += 1), "{way:?}");
                assert!(!mutex.is_locked(), "{way:?}");
                assert_eq!(Arc::strong_count(&mutex), 1, "{way:?}");
                passed += 1;
            }
        }
    }
    assert_eq!(*mutex.lock(), passed);
}

// CPython: test_acquire_contended.
#[test]
fn held_lock_keeps_others_out() {
    watchdog(|| {
        for parties in parties() {
            let (mutex, got_in) = (Mutex::new(()), AtomicUsize::new(0));
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                let guard = mutex.lock();
                for sleeper in &sleepers {
                    s.spawn(|| {
                        sleeper.about_to_block();
                        let _guard = mutex.lock();
                        got_in.fetch_add(1, Relaxed);
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                assert_eq!(got_in.load(Relaxed), 0);
                drop(guard);
            });
            assert_eq!(got_in.load(Relaxed), parties);
            assert!(!mutex.is_locked());
        }
    });
}

// CPython: test_different_thread.
#[test]
fn arc_guard_unlocks_on_another_thread() {
    watchdog(|| {
        let mutex = shown(Mutex::new(1));
        let mut guard = mutex.lock_arc();
        let other = thread::spawn(move || *guard += 1);
        assert_eq!(*mutex.lock(), 2);
        other.join().unwrap();
    });
}

#[test]
fn unlock_is_done_with_the_mutex_at_once() {
    // Whoever has the lock may free the mutex: an unlock must not touch it afterwards.
    watchdog(|| {
        for _ in repeat(2000) {
            let mutex = shown(Mutex::new(0));
            let other = {
                let mutex = Arc::clone(&mutex);
                thread::spawn(move || *mutex.lock() += 1)
            };
            *mutex.lock() += 1;
            if let Some(mutex) = Arc::into_inner(mutex) {
                assert_eq!(mutex.into_inner(), 2);
            }
            other.join().unwrap();
        }
    });
}

// --- Timed ---------------------------------------------------------------------------------------------------------

#[test]
fn zero_and_past_deadlines_try_once() {
    watchdog(|| {
        let mutex = shown(Mutex::new(0));
        let past = Instant::now();
        thread::yield_now();
        assert!(mutex.try_lock_for(Duration::ZERO).is_some());
        assert!(mutex.try_lock_until(past).is_some());
        assert!(mutex.try_lock_arc_for(Duration::ZERO).is_some());
        assert!(mutex.try_lock_arc_until(past).is_some());

        let _guard = mutex.lock();
        assert!(mutex.try_lock_for(Duration::ZERO).is_none());
        assert!(mutex.try_lock_until(past).is_none());
        assert!(mutex.try_lock_arc_for(Duration::ZERO).is_none());
        assert!(mutex.try_lock_arc_until(past).is_none());
    });
}

#[test]
fn max_waits_for_ever() {
    watchdog(|| {
        let mutex = shown(Mutex::new(0));
        *mutex.try_lock_for(Duration::MAX).unwrap() += 1;
        *mutex.try_lock_arc_for(Duration::MAX).unwrap() += 1;

        let nearly = [Duration::MAX - Duration::from_nanos(1), Duration::from_secs(u64::MAX / 2)];
        for timeout in [Duration::MAX, nearly[0], nearly[1]] {
            for arc in either("arc ") {
                let sleeper = Sleeper::new();
                thread::scope(|s| {
                    let guard = mutex.lock();
                    s.spawn(|| {
                        let way = Way { take: Take::For(timeout), arc, give: Give::Drop };
                        sleeper.about_to_block();
                        assert!(pass(&mutex, way, |value| *value += 1));
                    });
                    sleeper.until_asleep();
                    drop(guard);
                });
            }
        }
        assert_eq!(*mutex.lock(), 8);
    });
}

// CPython: test_timeout.
#[test]
fn timeout_takes_the_time_asked_for() {
    watchdog(|| {
        let mutex = shown(Mutex::new(0));
        let _guard = mutex.lock();
        for arc in either("arc ") {
            let way = |take| Way { take, arc, give: Give::Drop };
            let start = Instant::now();
            assert!(!pass(&mutex, way(Take::For(SHORT)), |_| unreachable!()));
            assert!(start.elapsed() >= SHORT);

            let start = Instant::now();
            assert!(!pass(&mutex, way(Take::Until(SHORT)), |_| unreachable!()));
            assert!(start.elapsed() >= SHORT);
        }
    });
}

#[test]
fn timed_waiter_gets_the_lock_before_its_deadline() {
    watchdog(|| {
        let mutex = shown(Mutex::new(0));
        for take in [Take::For(LIMIT), Take::Until(LIMIT)] {
            for arc in either("arc ") {
                for give in [Give::Drop, Give::Fair, Give::Forget, Give::ForgetFair] {
                    let (sleeper, way) = (Sleeper::new(), Way { take, arc, give: Give::Drop });
                    thread::scope(|s| {
                        assert!(pass(&mutex, Way { take: Take::Lock, arc: false, give }, |_| {
                            s.spawn(|| {
                                sleeper.about_to_block();
                                assert!(pass(&mutex, way, |value| *value += 1));
                            });
                            sleeper.until_asleep();
                        }));
                    });
                }
            }
        }
        assert_eq!(*mutex.lock(), 16);
    });
}

// CPython: test_state_after_timeout.
#[test]
fn timeout_leaves_the_lock_usable_for_both() {
    watchdog(|| {
        let (mutex, gave_up) = (Mutex::new(0), AtomicBool::new(false));
        thread::scope(|s| {
            let guard = mutex.lock();
            let other = s.spawn(|| {
                assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none());
                gave_up.store(true, Relaxed);
                *mutex.lock() += 1;
                assert!(mutex.try_lock_for(LIMIT).is_some());
            });
            eventually(|| gave_up.load(Relaxed));
            drop(guard);
            *mutex.lock() += 1;
            other.join().unwrap();
            assert_eq!(*mutex.try_lock_for(Duration::ZERO).expect("nobody has it"), 2);
        });
        assert!(!mutex.is_locked());
    });
}

// CPython: test_thread_leak.
#[test]
fn abandoned_waits_leave_nothing() {
    watchdog(|| {
        for parties in parties() {
            let mutex = Mutex::new(0);
            let mut guard = mutex.lock();
            thread::scope(|s| {
                for party in 0..parties {
                    let mutex = &mutex;
                    s.spawn(move || {
                        for wait in repeat(100) {
                            let timeout = Duration::from_micros(((party + wait) % 7 * 10) as u64);
                            assert!(mutex.try_lock_for(timeout).is_none());
                        }
                    });
                }
            });
            // Nothing to hand the lock to: each of these would be lost to a waiter that is gone.
            MutexGuard::bump(&mut guard);
            MutexGuard::unlocked_fair(&mut guard, || assert!(!mutex.is_locked()));
            *guard += 1;
            MutexGuard::unlock_fair(guard);
            assert!(!mutex.is_locked());
            assert_eq!(*mutex.lock(), 1);
        }
    });
}

#[test]
fn abandoned_waits_do_not_break_the_line() {
    // Waiters that give up stand before, between and behind ones that do not.
    watchdog(|| {
        for round in repeat(30) {
            let (mutex, gave_up) = (Mutex::new(0), AtomicUsize::new(0));
            thread::scope(|s| {
                let guard = mutex.lock();
                for party in 0..9 {
                    let (mutex, gave_up) = (&mutex, &gave_up);
                    s.spawn(move || {
                        if party % 3 == round % 3 {
                            *mutex.lock() += 1;
                        } else {
                            assert!(mutex.try_lock_for(Duration::from_micros(50 * party as u64)).is_none());
                            gave_up.fetch_add(1, Relaxed);
                        }
                    });
                }
                eventually(|| gave_up.load(Relaxed) == 6);
                drop(guard);
            });
            assert_eq!(mutex.into_inner(), 3);
        }
    });
}

#[test]
fn unlocks_and_timeouts_race() {
    // A waiter either gets the lock or reports that it did not, and nobody else misses a turn for it.
    watchdog(|| {
        for parties in parties() {
            let (mutex, got_in) = (Mutex::new(0), AtomicUsize::new(0));
            thread::scope(|s| {
                for party in 0..parties {
                    let (mutex, got_in) = (&mutex, &got_in);
                    s.spawn(move || {
                        for round in repeat(200) {
                            let timeout = Duration::from_micros(((party * 17 + round) % 100) as u64);
                            if let Some(mut guard) = mutex.try_lock_for(timeout) {
                                *guard += 1;
                                got_in.fetch_add(1, Relaxed);
                                spin_for(Duration::from_micros((round % 5 * 5) as u64));
                            }
                        }
                        // Would be left asleep if a wake-up had been lost to one that gave up.
                        *mutex.lock() += 1;
                        got_in.fetch_add(1, Relaxed);
                    });
                }
            });
            assert_eq!(mutex.into_inner(), got_in.into_inner());
        }
    });
}

/// Rounds that several threads begin together, without blocking and without starting threads for each.
#[derive(Debug, Default)]
struct Rounds {
    number: AtomicUsize,
    began: AtomicUsize,
    finished: AtomicUsize,
}

impl Rounds {
    const OVER: usize = usize::MAX;

    /// For each round but the last, which only says that it is over.
    fn follow(&self, mut body: impl FnMut(usize)) {
        for number in 1.. {
            eventually(|| self.number.load(Relaxed) >= number);
            if self.number.load(Relaxed) == Self::OVER {
                return;
            }
            self.began.fetch_add(1, Relaxed);
            body(number);
            self.finished.fetch_add(1, Relaxed);
        }
    }

    /// Begins round `number` and waits until `followers` threads have done so, too.
    fn begin(&self, number: usize, followers: usize) {
        self.number.store(number, Relaxed);
        eventually(|| self.began.load(Relaxed) == number * followers);
    }

    fn finish(&self, number: usize, followers: usize) {
        eventually(|| self.finished.load(Relaxed) == number * followers);
    }
}

#[test]
fn last_unlock_wakes_somebody_whoever_comes_or_goes() {
    // The unlock falls into the moments in which another queues or gives up, and nobody unlocks after it but whom it
    // wakes: a wake-up left to a thread that has just gone would be missed for good.
    watchdog(|| {
        // How long an attempt takes that gives up before it queues: one that takes hardly longer queues and does not
        // park.
        let attempt = {
            let mutex = Mutex::new(());
            let _guard = mutex.lock();
            let once = |_| {
                let start = Instant::now();
                assert!(mutex.try_lock_for(Duration::from_nanos(1)).is_none());
                start.elapsed()
            };
            (0..20).map(once).min().expect("twenty")
        };
        let (mutex, together, unlocked) = (Mutex::new(0), Rounds::default(), AtomicUsize::new(0));
        thread::scope(|s| {
            s.spawn(|| together.follow(|_| *mutex.lock() += 1));
            s.spawn(|| {
                together.follow(|number| {
                    for longer in (0..16).cycle() {
                        let timeout = attempt + Duration::from_nanos(longer * 100);
                        if unlocked.load(Relaxed) == number || mutex.try_lock_for(timeout).is_some() {
                            break;
                        }
                    }
                });
            });
            let (start, mut number) = (Instant::now(), 0);
            while start.elapsed() < Duration::from_millis(500) && number < rounds(5000) {
                number += 1;
                let guard = mutex.lock();
                together.begin(number, 2);
                spin_for(2 * attempt + Duration::from_nanos(number as u64 % 64 * 100));
                unlocked.store(number, Relaxed);
                drop(guard);
                together.finish(number, 2);
            }
            together.number.store(Rounds::OVER, Relaxed);
            assert_eq!(*mutex.lock(), number);
        });
    });
}

// --- Panics --------------------------------------------------------------------------------------------------------

// CPython: test_with.
#[test]
fn panic_while_held_releases_and_does_not_poison() {
    let mutex = shown(Mutex::new(0));
    for arc in either("arc ") {
        let before = *mutex.lock();
        assert!(pass(&mutex, Way { take: Take::Lock, arc, give: Give::Panic }, |value| *value += 1));
        assert!(!mutex.is_locked());
        assert_eq!(*mutex.lock(), before + 1, "the value stays as it was left");
    }
    let thread = {
        let mutex = Arc::clone(&mutex);
        thread::spawn(move || {
            let _mapped = MutexGuard::map(mutex.lock(), |value| value);
            unwind();
        })
    };
    assert!(thread.join().is_err());
    assert_eq!(*mutex.try_lock().expect("released"), 2);
}

#[test]
fn panic_while_held_lets_waiters_in() {
    watchdog(|| {
        for parties in parties() {
            let mutex = Mutex::new(0);
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                let guard = mutex.lock();
                for sleeper in &sleepers {
                    s.spawn(|| {
                        sleeper.about_to_block();
                        *mutex.lock() += 1;
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                let unwound = catch_unwind(AssertUnwindSafe(move || {
                    let _guard = guard;
                    unwind();
                }));
                assert!(unwound.is_err());
            });
            assert_eq!(mutex.into_inner(), parties);
        }
    });
}

#[test]
fn panic_while_mapping_releases() {
    let mutex = Mutex::new((1, 2));
    let unwound = catch_unwind(AssertUnwindSafe(|| MutexGuard::map::<i32, _>(mutex.lock(), |_| unwind())));
    assert!(unwound.is_err());
    assert!(!mutex.is_locked());

    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mapped = MutexGuard::map(mutex.lock(), |pair| &mut pair.0);
        MappedMutexGuard::try_map::<i32, _>(mapped, |_| unwind())
    }));
    assert!(unwound.is_err());
    assert!(!mutex.is_locked());
}

// --- Unlocking for a while -----------------------------------------------------------------------------------------

#[test]
fn unlocked_unlocks_and_locks_again() {
    let mutex = shown(Mutex::new(1));
    let mut guard = mutex.lock();
    let result = MutexGuard::unlocked(&mut guard, || {
        *mutex.try_lock().expect("unlocked") += 1;
        "result"
    });
    assert_eq!(result, "result");
    assert!(mutex.is_locked());
    assert_eq!(*guard, 2);
    MutexGuard::unlocked_fair(&mut guard, || *mutex.try_lock().expect("unlocked") += 1);
    assert!(mutex.is_locked());
    assert_eq!(*guard, 3);
    drop(guard);

    let mut guard = mutex.lock_arc();
    ArcMutexGuard::unlocked(&mut guard, || *mutex.try_lock().expect("unlocked") += 1);
    assert!(mutex.is_locked());
    assert_eq!(*guard, 4);
    drop(guard);
    assert!(!mutex.is_locked());
}

#[test]
fn unlocked_locks_again_after_a_panic() {
    let mutex = shown(Mutex::new(1));
    let mut guard = mutex.lock();
    let unlocked_panics: [fn(&mut MutexGuard<'_, i32>); 2] = [
        |guard| MutexGuard::unlocked(guard, || unwind()),
        |guard| MutexGuard::unlocked_fair(guard, || unwind()),
    ];
    for unlocked in unlocked_panics {
        assert!(catch_unwind(AssertUnwindSafe(|| unlocked(&mut guard))).is_err());
        assert!(mutex.is_locked());
        assert!(mutex.try_lock().is_none());
        *guard += 1;
    }
    drop(guard);
    assert!(!mutex.is_locked());

    let mut guard = mutex.lock_arc();
    assert!(catch_unwind(AssertUnwindSafe(|| ArcMutexGuard::unlocked(&mut guard, || unwind()))).is_err());
    assert!(mutex.is_locked());
    assert_eq!(*guard, 3);
    drop(guard);
    assert!(!mutex.is_locked());
}

#[test]
fn unlocked_waits_for_the_lock_before_it_returns() {
    watchdog(|| {
        for _ in repeat(100) {
            let (mutex, taken) = (Mutex::new(0), &AtomicBool::new(false));
            thread::scope(|s| {
                let mut guard = mutex.lock();
                s.spawn(|| {
                    let mut guard = mutex.lock();
                    taken.store(true, Relaxed);
                    thread::yield_now();
                    *guard = 1;
                });
                MutexGuard::unlocked(&mut guard, || eventually(|| taken.load(Relaxed)));
                assert_eq!(*guard, 1);
            });
        }
    });
}

// --- Handing over --------------------------------------------------------------------------------------------------

/// Serves the whole line: each hands the lock to the next.
fn pass_on(mut line: MutexGuard<'_, Line>, number: usize) {
    line.served.push(number);
    MutexGuard::unlock_fair(line);
}

#[test]
fn unlock_fair_hands_over_in_order() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(20) {
                let mutex = Mutex::new(Line::default());
                in_line(&mutex, parties, pass_on, |line| {
                    MutexGuard::unlock_fair(line);
                    // The lock is never free before the last of them has had it.
                    let line = mutex.lock();
                    assert!(line.served.iter().copied().eq(0..parties), "{:?}", line.served);
                });
            }
        }
    });
}

#[test]
fn fair_unlock_keeps_newcomers_out() {
    watchdog(|| {
        /// Hands over, and runs the second argument while somebody else has the lock.
        type HandOver = fn(MutexGuard<'_, Line>, &mut dyn FnMut());
        let ways: [HandOver; 4] = [
            |line, meanwhile| {
                MutexGuard::unlock_fair(line);
                meanwhile();
            },
            |line, meanwhile| {
                MappedMutexGuard::unlock_fair(MutexGuard::map(line, |line| &mut line.standing));
                meanwhile();
            },
            |line, meanwhile| {
                let mutex = MutexGuard::mutex(&line);
                mem::forget(line);
                unsafe { mutex.force_unlock_fair() };
                meanwhile();
            },
            |mut line, meanwhile| MutexGuard::unlocked_fair(&mut line, meanwhile),
        ];
        for hand_over in ways {
            for _ in repeat(30) {
                let (mutex, go_on) = (Mutex::new(Line::default()), AtomicBool::new(false));
                let turn = |mut line: MutexGuard<'_, Line>, number| {
                    eventually(|| go_on.load(Relaxed));
                    line.served.push(number);
                };
                in_line(&mutex, 1, turn, |line| {
                    hand_over(line, &mut || {
                        assert!(mutex.is_locked());
                        assert!(mutex.try_lock().is_none(), "the lock was never free");
                        go_on.store(true, Relaxed);
                        assert_eq!(mutex.lock().served, [0]);
                    });
                });
            }
        }
    });
}

#[test]
fn arc_guard_hands_over() {
    watchdog(|| {
        for fair in [true, false] {
            for _ in repeat(50) {
                let (mutex, called) = (shown(Mutex::new(Line::default())), Condvar::new());
                thread::scope(|s| {
                    s.spawn(|| {
                        let mut line = mutex.lock();
                        line.standing += 1;
                        called.wait(&mut line);
                        line.served.push(0);
                    });
                    eventually(|| mutex.lock().standing == 1);
                    let mut line = mutex.lock_arc();
                    assert!(called.notify_one());
                    if fair {
                        ArcMutexGuard::unlock_fair(line);
                        line = mutex.lock_arc();
                    } else {
                        ArcMutexGuard::bump(&mut line);
                    }
                    assert_eq!(line.served, [0]);
                });
            }
        }
    });
}

#[test]
fn bump_serves_the_line_first() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(20) {
                let mutex = Mutex::new(Line::default());
                in_line(&mutex, parties, pass_on, |mut line| {
                    assert!(line.served.is_empty());
                    MutexGuard::bump(&mut line);
                    assert!(line.served.iter().copied().eq(0..parties), "{:?}", line.served);
                });

                // Each of these unlocks as usual: only the first is certain to come before the bump returns.
                let mutex = Mutex::new(Line::default());
                let turn = |mut line: MutexGuard<'_, Line>, number| line.served.push(number);
                in_line(&mutex, parties, turn, |mut line| {
                    MutexGuard::bump(&mut line);
                    assert_eq!(line.served.first(), Some(&0));
                });
            }
        }
    });
}

#[test]
fn bump_keeps_the_lock_if_nobody_waits() {
    let mutex = shown(Mutex::new(0));
    let mut guard = mutex.lock();
    for _ in 0..10 {
        *guard += 1;
        MutexGuard::bump(&mut guard);
        assert!(mutex.is_locked());
    }
    drop(guard);
    let mut guard = mutex.lock_arc();
    ArcMutexGuard::bump(&mut guard);
    assert!(mutex.is_locked());
    assert_eq!(*guard, 10);
}

/// Keeps the thread busy for `time`.
fn spin_for(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Has seven threads lock `turns` times each, against hogs who hold the lock for `section` at a time and come back
/// for it at once.
fn feed_victims(hogs: usize, section: Duration, turns: usize) {
    const VICTIMS: usize = 7;
    let (mutex, fed, sections) = (&Mutex::new(0), &AtomicUsize::new(0), &AtomicUsize::new(0));
    thread::scope(|s| {
        for _ in 0..hogs {
            s.spawn(move || {
                while fed.load(Relaxed) < VICTIMS {
                    if let Some(mut guard) = mutex.try_lock() {
                        sections.fetch_add(1, Relaxed);
                        spin_for(section);
                        *guard = black_box(*guard);
                    }
                }
            });
        }
        for _ in 0..VICTIMS {
            s.spawn(move || {
                for _ in 0..turns {
                    let seen = sections.load(Relaxed);
                    eventually(|| sections.load(Relaxed) != seen);
                    *mutex.lock() += 1;
                }
                fed.fetch_add(1, Relaxed);
            });
        }
    });
    assert_eq!(*mutex.lock(), VICTIMS * turns);
}

#[test]
fn hogs_do_not_starve_others() {
    // One of the hogs is always there when the other unlocks, long before a waiter has woken up.
    watchdog(|| feed_victims(2, Duration::from_millis(1), rounds(5)));
}

#[test]
fn busy_lock_does_not_starve_others() {
    // Sections and pauses too short to tell apart.
    watchdog(|| feed_victims(1, Duration::ZERO, rounds(50)));
}

#[test]
fn waiter_is_passed_over_a_few_times_only() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for _ in repeat(20) {
            let (mutex, sleeper) = (Mutex::new(false), Sleeper::new());
            thread::scope(|s| {
                let mut guard = mutex.lock();
                s.spawn(|| {
                    sleeper.about_to_block();
                    *mutex.lock() = true;
                });
                let (mut naps, mut passed_over) = (sleeper.until_asleep(), 0);
                let asleep = Instant::now();
                loop {
                    drop(guard);
                    guard = match mutex.try_lock() {
                        Some(guard) if !*guard => guard,
                        // It was faster, or the lock was kept for it.
                        _ => break,
                    };
                    // It wakes up, finds that we have come back, and goes to sleep again.
                    naps = sleeper.until_asleep_again(naps);
                    // Half a millisecond at the head of the queue is what it takes.
                    passed_over += u32::from(asleep.elapsed() > Duration::from_millis(2));
                    assert!(passed_over < 4, "nothing is done for it");
                }
            });
        }
    });
}

#[test]
fn waiter_that_is_passed_over_keeps_its_place() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for _ in repeat(20) {
            let (mutex, sleepers) = (Mutex::new(Vec::new()), [Sleeper::new(), Sleeper::new()]);
            thread::scope(|s| {
                let guard = mutex.lock();
                let naps = [0, 1].map(|number| {
                    let (mutex, sleeper) = (&mutex, &sleepers[number]);
                    s.spawn(move || {
                        sleeper.about_to_block();
                        mutex.lock().push(number);
                    });
                    sleeper.until_asleep()
                });
                drop(guard);
                let Some(guard) = mutex.try_lock() else {
                    return;
                };
                if guard.is_empty() {
                    // The first was woken and has lost.
                    sleepers[0].until_asleep_again(naps[0]);
                    MutexGuard::unlock_fair(guard);
                }
            });
            assert_eq!(mutex.into_inner(), [0, 1]);
        }
    });
}

// --- Guards of parts -----------------------------------------------------------------------------------------------

#[test]
fn map_narrows_and_unlocks_once() {
    let mutex = Mutex::new(((1, 2), "three"));
    let pair = MutexGuard::map(mutex.lock(), |all| &mut all.0);
    assert_eq!(*pair, (1, 2));
    assert!(mutex.is_locked());
    let mut second = MappedMutexGuard::map(pair, |pair| &mut pair.1);
    assert!(mutex.is_locked());
    *second = 4;
    drop(second);
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.lock(), ((1, 4), "three"));

    MappedMutexGuard::unlock_fair(MutexGuard::map(mutex.lock(), |all| &mut all.1));
    assert!(!mutex.is_locked());
}

#[test]
fn try_map_gives_the_guard_back() {
    let mutex = Mutex::new(vec![1, 2]);
    let guard = MutexGuard::try_map(mutex.lock(), |list| list.get_mut(9)).expect_err("no tenth");
    assert!(mutex.is_locked());
    assert_eq!(*guard, [1, 2]);
    let (guard, error) = MutexGuard::try_map_or_err(guard, |list| list.get_mut(9).ok_or("no tenth"))
        .expect_err("still no tenth");
    assert_eq!((guard.len(), error), (2, "no tenth"));

    let list = MutexGuard::try_map(guard, |list| Some(list.as_mut_slice())).expect("a slice");
    let list = MappedMutexGuard::try_map(list, |list| list.get_mut(9)).expect_err("no tenth");
    assert!(mutex.is_locked());
    let (list, error) =
        MappedMutexGuard::try_map_or_err(list, |list| list.get_mut(9).ok_or(9)).expect_err("still no tenth");
    assert_eq!((list.len(), error), (2, 9));
    let mut first =
        MappedMutexGuard::try_map_or_err(list, |list| list.first_mut().ok_or(())).expect("a first");
    *first = 3;
    let first = MappedMutexGuard::try_map(first, |first| Some(first)).expect("itself");
    drop(first);
    assert!(!mutex.is_locked());

    let mut last =
        MutexGuard::try_map_or_err(mutex.lock(), |list| list.last_mut().ok_or(())).expect("a last");
    *last = 4;
    drop(last);
    assert_eq!(mutex.into_inner(), [3, 4]);
}

#[test]
fn mapped_guard_keeps_others_out() {
    watchdog(|| {
        for fair in either("fair ") {
            let (mutex, sleeper) = (Mutex::new((0, 0)), Sleeper::new());
            thread::scope(|s| {
                let mut first = MutexGuard::map(mutex.lock(), |pair| &mut pair.0);
                s.spawn(|| {
                    sleeper.about_to_block();
                    let mut pair = mutex.lock();
                    assert_eq!(pair.0, 1);
                    pair.1 = 2;
                });
                sleeper.until_asleep();
                *first = 1;
                if fair {
                    MappedMutexGuard::unlock_fair(first);
                } else {
                    drop(first);
                }
            });
            assert_eq!(mutex.into_inner(), (1, 2));
        }
    });
}

#[test]
fn guards_know_their_mutex() {
    let mutex = shown(Mutex::new(0));
    let guard = mutex.lock();
    assert!(ptr::eq(MutexGuard::mutex(&guard), &raw const *mutex));
    drop(guard);
    let guard = mutex.lock_arc();
    assert!(Arc::ptr_eq(ArcMutexGuard::mutex(&guard), &mutex));
    assert_eq!(Arc::strong_count(&mutex), 2);
    let back = ArcMutexGuard::into_arc(guard);
    assert!(!mutex.is_locked());
    assert!(Arc::ptr_eq(&back, &mutex));
    assert_eq!(Arc::strong_count(&mutex), 2);
}

#[test]
fn leak_keeps_the_lock() {
    let mutex = Mutex::new(1);
    let value = MutexGuard::leak(mutex.lock());
    *value += 1;
    assert!(mutex.is_locked());
    assert!(mutex.try_lock_for(Duration::from_micros(10)).is_none());
    *value += 1;
    assert_eq!(mutex.into_inner(), 3);
}

#[test]
fn force_unlock_ends_a_forgotten_guard() {
    let mutex = Mutex::new(1);
    mem::forget(mutex.lock());
    assert!(mutex.is_locked());
    unsafe { mutex.force_unlock() };
    assert!(!mutex.is_locked());

    mem::forget(mutex.lock());
    unsafe { mutex.force_unlock_fair() };
    assert!(!mutex.is_locked());

    mem::forget(mutex.lock());
    let mut guard = unsafe { mutex.make_guard_unchecked() };
    *guard = 2;
    assert!(mutex.is_locked());
    drop(guard);
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.lock(), 2);
}

#[test]
fn data_ptr_points_to_the_value() {
    let mut mutex = Mutex::new(1);
    *mutex.get_mut() = 2;
    let guard = mutex.lock();
    assert!(ptr::eq(mutex.data_ptr(), &raw const *guard));
    unsafe { *mutex.data_ptr() = 3 };
    assert_eq!(*guard, 3);
}

// --- Payloads ------------------------------------------------------------------------------------------------------

trait Animal: Send {
    fn name(&self) -> &str;
    fn rename(&mut self, name: &str);
}

struct Dog {
    name: String,
    _counted: Counted,
}

impl Animal for Dog {
    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: &str) {
        self.name = name.to_owned();
    }
}

#[test]
fn unsized_payloads_behind_references() {
    let drops = Drops::new();
    let dog = Mutex::new(Dog { name: "Rex".to_owned(), _counted: drops.value() });
    let animal: &Mutex<dyn Animal> = &dog;
    animal.lock().rename("Max");
    assert_eq!(animal.try_lock().unwrap().name(), "Max");
    assert_eq!(animal.try_lock_for(SHORT).unwrap().name(), "Max");
    let mut guard: MutexGuard<'_, dyn Animal> = animal.lock();
    assert!(animal.is_locked());
    MutexGuard::bump(&mut guard);
    MutexGuard::unlocked(&mut guard, || animal.lock().rename("Leo"));
    assert_eq!(guard.name(), "Leo");
    drop(guard);
    assert!(!dog.is_locked());
    assert_eq!(drops.count(), 0);
    drop(dog);
    assert_eq!(drops.count(), 1);

    let mut boxed: Box<Mutex<[u8]>> = Box::new(Mutex::new([1, 2, 3]));
    boxed.lock()[1] = 9;
    boxed.get_mut()[0] = 8;
    assert_eq!(boxed.lock().len(), 3);
    assert_eq!(*boxed.lock(), [8, 9, 3]);
    let last = MutexGuard::try_map(boxed.lock(), |list| list.last_mut());
    assert_eq!(*last.unwrap(), 3);
    let tail = MutexGuard::map(boxed.lock(), |list| &mut list[1..]);
    assert_eq!(*tail, [9, 3]);
    assert_eq!(*MappedMutexGuard::map(tail, |tail| &mut tail[1..]), [3]);
    let text: &Mutex<dyn Display> = &Mutex::new(5);
    assert_eq!(text.lock().to_string(), "5");
}

#[test]
fn unsized_payloads_behind_arcs() {
    watchdog(|| {
        let drops = Drops::new();
        let animal: Arc<Mutex<dyn Animal>> =
            Arc::new(Mutex::new(Dog { name: "Rex".to_owned(), _counted: drops.value() }));
        let mut guard: ArcMutexGuard<dyn Animal> = animal.lock_arc();
        assert!(animal.try_lock_arc().is_none());
        assert!(animal.try_lock_arc_for(Duration::ZERO).is_none());
        guard.rename("Max");
        thread::spawn(move || guard.rename("Leo")).join().unwrap();
        assert_eq!(animal.try_lock_arc_for(SHORT).expect("free").name(), "Leo");
        assert_eq!(animal.try_lock_arc_until(Instant::now() + SHORT).expect("free").name(), "Leo");
        let mut guard = animal.lock_arc();
        ArcMutexGuard::bump(&mut guard);
        ArcMutexGuard::unlocked(&mut guard, || animal.lock().rename("Kim"));
        assert_eq!(guard.name(), "Kim");
        let animal_again = ArcMutexGuard::into_arc(guard);
        drop(animal);
        let guard = animal_again.lock_arc();
        drop(animal_again);
        assert_eq!(drops.count(), 0);
        ArcMutexGuard::unlock_fair(guard);
        assert_eq!(drops.count(), 1);

        let list: Arc<Mutex<[u64]>> = shown(Mutex::new([1, 2, 3]));
        let mut guard = list.lock_arc();
        guard.reverse();
        assert_eq!(format!("{guard:?}"), "[3, 2, 1]");
        drop(guard);
        let first = MutexGuard::map(list.lock(), |list| &mut list[0]);
        assert_eq!(*first, 3);
    });
}

#[test]
fn zero_sized_and_overaligned_payloads() {
    #[derive(Debug)]
    #[repr(align(256))]
    struct Far(u8);

    let nothing = Mutex::new(());
    *nothing.lock() = ();
    let far = shown(Mutex::new(Far(1)));
    far.lock().0 += 1;
    assert_eq!(far.data_ptr().addr() % 256, 0);
    let mapped = MutexGuard::map(far.lock(), |far| &mut far.0);
    assert_eq!(*mapped, 2);
    drop(mapped);
    assert_eq!(far.lock_arc().0, 2);
    let list: &Mutex<[Far]> = &Mutex::new([Far(1), Far(2)]);
    assert_eq!(list.lock()[1].0, 2);
}

static NUMBERS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static MANY: [Mutex<usize>; 3] = [const { Mutex::new(0) }; 3];

#[test]
fn statics_need_no_setting_up() {
    watchdog(|| {
        thread::scope(|s| {
            for i in 0..8 {
                s.spawn(move || {
                    NUMBERS.lock().push(i);
                    MANY.iter().for_each(|mutex| *mutex.lock() += 1);
                });
            }
        });
        NUMBERS.lock().sort_unstable();
        assert!(NUMBERS.lock().iter().copied().eq(0..8));
        assert!(MANY.iter().all(|mutex| *mutex.lock() == 8));
    });
}

#[test]
fn values_are_dropped_once() {
    let drops = Drops::new();
    drop(Mutex::new(drops.value()));
    assert_eq!(drops.count(), 1);

    let mutex = Mutex::new(drops.value());
    *mutex.lock() = drops.value();
    assert_eq!(drops.count(), 2, "the value that was replaced");
    let value = mutex.into_inner();
    assert_eq!(drops.count(), 2);
    drop(value);
    assert_eq!(drops.count(), 3);

    let mutex = shown(Mutex::new((drops.value(), drops.value())));
    for give in cases(GIVES) {
        for arc in either("arc ") {
            assert!(pass(&mutex, Way { take: Take::Lock, arc, give }, |_| ()));
        }
    }
    drop(MappedMutexGuard::map(MutexGuard::map(mutex.lock(), |pair| &mut pair.0), |first| first));
    assert_eq!(drops.count(), 3, "guards drop no values");
    let guard = mutex.lock_arc();
    drop(mutex);
    assert_eq!(drops.count(), 3, "the guard keeps the mutex");
    drop(guard);
    assert_eq!(drops.count(), 5);

    let mutex = Mutex::new(drops.value());
    mem::forget(mutex.lock());
    drop(mutex);
    assert_eq!(drops.count(), 6, "locked or not");
}

// --- Traits --------------------------------------------------------------------------------------------------------

#[test]
fn debug_never_blocks() {
    watchdog(|| {
        let mutex = shown(Mutex::new(7));
        assert_eq!(format!("{mutex:?}"), "Mutex { data: 7 }");
        assert!(!mutex.is_locked());
        let guard = mutex.lock();
        assert_eq!(format!("{mutex:?}"), "Mutex { data: <locked> }");
        assert_eq!(format!("{mutex:#?}"), "Mutex {\n    data: <locked>,\n}");
        assert_eq!(format!("{guard:?} {guard}"), "7 7");
        let mapped = MutexGuard::map(guard, |value| value);
        assert_eq!(format!("{mapped:?} {mapped}"), "7 7");
        assert_eq!(format!("{mutex:?}"), "Mutex { data: <locked> }");
        drop(mapped);
        let guard = mutex.lock_arc();
        assert_eq!(format!("{guard:?} {guard:>3}"), "7   7");
        drop(guard);

        let list: &Mutex<[u8]> = &Mutex::new([1, 2]);
        assert_eq!(format!("{list:?}"), "Mutex { data: [1, 2] }");
    });
}

#[test]
fn debug_releases_after_a_panic() {
    struct Shy;

    impl Debug for Shy {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            unwind()
        }
    }

    let mutex = Mutex::new(Shy);
    assert!(catch_unwind(|| format!("{mutex:?}")).is_err());
    assert!(!mutex.is_locked());
}

#[test]
fn default_and_from() {
    assert_eq!(*Mutex::<u32>::default().lock(), 0);
    assert_eq!(*Mutex::from("text").lock(), "text");
    let mutex: Mutex<Vec<u8>> = vec![1].into();
    assert_eq!(mutex.into_inner(), [1]);
}

#[test]
fn sizes() {
    const WORD: usize = size_of::<usize>();
    assert!(size_of::<Mutex<()>>() <= WORD);
    assert!(size_of::<Mutex<usize>>() <= 2 * WORD);
    assert!(size_of::<Condvar>() <= WORD);
    assert!(size_of::<Event>() <= 2 * WORD);
    assert!(size_of::<AutoResetEvent>() <= 2 * WORD);
    assert!(size_of::<MutexGuard<'_, u8>>() <= WORD);
    assert!(size_of::<MappedMutexGuard<'_, u8>>() <= 2 * WORD);
    assert!(size_of::<ArcMutexGuard<u8>>() <= WORD);
    assert!(size_of::<Option<MutexGuard<'_, u8>>>() <= WORD);
    assert!(size_of::<WaitTimeoutResult>() == 1);
}

// --- At the edges of a thread --------------------------------------------------------------------------------------

static LAST_WORDS: Mutex<usize> = Mutex::new(0);
static SAYING_THEM: Sleeper = Sleeper::new();

struct Speaker;

impl Drop for Speaker {
    fn drop(&mut self) {
        // No assertions: nobody could catch their panic here.
        let timed_out = LAST_WORDS.try_lock_for(Duration::from_micros(10)).is_none();
        SAYING_THEM.about_to_block();
        *LAST_WORDS.lock() += if timed_out { 1 } else { 100 };
    }
}

thread_local! {
    static SPEAKER: Cell<Option<Speaker>> = const { Cell::new(None) };
}

#[test]
fn lock_in_a_thread_local_destructor() {
    watchdog(|| {
        let guard = LAST_WORDS.lock();
        let thread = thread::spawn(|| SPEAKER.set(Some(Speaker)));
        SAYING_THEM.until_asleep();
        drop(guard);
        thread.join().unwrap();
        assert_eq!(*LAST_WORDS.lock(), 1);
    });
}

#[test]
fn contended_lock_never_allocates() {
    watchdog(|| {
        let mutex = shown(Mutex::new(0));
        let ways = [Take::Lock, Take::For(LIMIT), Take::Until(LIMIT)].map(|take| (take, false));
        let arc_ways = ways.map(|(take, _)| (take, true));
        let (sleepers, warm): ([_; 6], _) =
            (std::array::from_fn(|_| Sleeper::new()), &AtomicBool::new(false));
        thread::scope(|s| {
            let mut guard = mutex.lock();
            s.spawn(|| {
                assert!(mutex.try_lock_for(Duration::from_micros(10)).is_none());
                warm.store(true, Relaxed);
                for ((take, arc), sleeper) in ways.into_iter().chain(arc_ways).zip(&sleepers) {
                    let way = Way { take, arc, give: Give::Drop };
                    // Until the other has it again.
                    eventually(|| mutex.is_locked());
                    sleeper.about_to_block();
                    let allocations = allocations_during(|| {
                        assert!(pass(&mutex, way, |value| *value += 1));
                    });
                    assert_eq!(allocations, 0, "{way:?}");
                }
            });
            eventually(|| warm.load(Relaxed));
            for (turn, sleeper) in sleepers.iter().enumerate() {
                sleeper.until_asleep();
                let allocations = allocations_during(|| {
                    // Ends when the other has had it, by a turn of its own or by ours being later.
                    while *guard <= turn {
                        MutexGuard::bump(&mut guard);
                    }
                });
                assert_eq!(allocations, 0);
            }
        });
        assert_eq!(*mutex.lock(), 6);

        let allocations = allocations_during(|| {
            let guard = mutex.lock();
            assert!(mutex.try_lock_for(Duration::from_micros(100)).is_none());
            drop(guard);
        });
        assert_eq!(allocations, 0, "a wait that gives up");
    });
}

// --- Programs ------------------------------------------------------------------------------------------------------

/// A counter that is wrong as soon as two threads are in the lock at once.
fn count_slowly(counter: &mut usize) {
    let seen = black_box(*counter);
    if seen % 64 == 0 {
        thread::yield_now();
    }
    *counter = seen + 1;
}

/// A way of all ways, by number. Fair ones are rare: each costs a switch of threads.
fn any_way(n: usize) -> Way {
    let take = match n % 5 {
        0 | 1 => Take::Lock,
        2 => Take::Try,
        3 => Take::For(Duration::from_micros((n % 97) as u64)),
        _ => Take::Until(Duration::from_micros((n % 89) as u64)),
    };
    let give = if n % 13 == 0 { GIVES[n / 13 % GIVES.len()] } else { [Give::Drop, Give::Map][n / 5 % 2] };
    Way { take, arc: n % 3 == 0, give }
}

#[test]
fn stress_with_every_way() {
    watchdog(|| {
        for parties in parties() {
            let (mutex, passed) = (shown(Mutex::new(0)), AtomicUsize::new(0));
            thread::scope(|s| {
                for party in 0..parties {
                    let (mutex, passed) = (&mutex, &passed);
                    s.spawn(move || {
                        let mut mine = 0;
                        for round in repeat(1500) {
                            mine += usize::from(pass(mutex, any_way(party * 31 + round), count_slowly));
                        }
                        passed.fetch_add(mine, Relaxed);
                    });
                }
            });
            assert!(!mutex.is_locked());
            assert_eq!(*mutex.lock(), passed.into_inner(), "with {parties} parties");
            assert_eq!(Arc::strong_count(&mutex), 1);
        }
    });
}

#[test]
fn stress_with_one_lock_for_each_party() {
    // Many short sections and nothing else, which is where a lost wake-up would show.
    watchdog(|| {
        for parties in parties() {
            let mutex = Mutex::new(0);
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| (0..rounds(10_000)).for_each(|_| count_slowly(&mut mutex.lock())));
                }
            });
            assert_eq!(mutex.into_inner(), parties * rounds(10_000));
        }
    });
}

fn takes() -> impl Strategy<Value = Take> {
    let timeout = prop_oneof![Just(0), 0_u64..200].prop_map(Duration::from_micros);
    prop_oneof![
        3 => Just(Take::Lock),
        2 => Just(Take::Try),
        2 => timeout.clone().prop_map(Take::For),
        1 => timeout.prop_map(Take::Until),
    ]
}

fn ways() -> impl Strategy<Value = Way> {
    (takes(), any::<bool>(), prop::sample::select(GIVES.to_vec())).prop_map(|(take, arc, give)| Way {
        take,
        arc,
        give,
    })
}

/// What one thread may do to a mutex over `(u64, u64)`.
#[derive(Clone, Copy, Debug)]
enum Step {
    Take(Take, bool),
    Drop,
    Fair,
    Map,
    MapNothing,
    Write(u64),
    Bump,
    Unlocked(u64),
}

/// What it has in its hands.
#[derive(Debug)]
enum Hands<'a> {
    Empty,
    Guard(MutexGuard<'a, (u64, u64)>),
    Mapped(MappedMutexGuard<'a, u64>),
    Arc(ArcMutexGuard<(u64, u64)>),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (takes(), any::<bool>()).prop_map(|(take, arc)| Step::Take(take, arc)),
        2 => Just(Step::Drop),
        1 => Just(Step::Fair),
        1 => Just(Step::Map),
        1 => Just(Step::MapNothing),
        2 => any::<u64>().prop_map(Step::Write),
        1 => Just(Step::Bump),
        1 => any::<u64>().prop_map(Step::Unlocked),
    ]
}

/// Does one step and says what is in the hands afterwards.
fn step_on<'a>(mutex: &'a Arc<Mutex<(u64, u64)>>, step: Step, hands: Hands<'a>) -> Hands<'a> {
    match (step, hands) {
        (Step::Take(how, arc), hands) => {
            let new = match arc {
                true => take_arc(mutex, how).map(Hands::Arc),
                false => take(mutex, how).map(Hands::Guard),
            };
            assert_eq!(new.is_some(), matches!(hands, Hands::Empty));
            new.unwrap_or(hands)
        }
        (Step::Fair, Hands::Guard(guard)) => {
            MutexGuard::unlock_fair(guard);
            Hands::Empty
        }
        (Step::Fair, Hands::Mapped(guard)) => {
            MappedMutexGuard::unlock_fair(guard);
            Hands::Empty
        }
        (Step::Fair, Hands::Arc(guard)) => {
            ArcMutexGuard::unlock_fair(guard);
            Hands::Empty
        }
        (Step::Drop | Step::Fair, _) => Hands::Empty,
        (Step::Map, Hands::Guard(guard)) => Hands::Mapped(MutexGuard::map(guard, |pair| &mut pair.0)),
        (Step::Map, Hands::Mapped(guard)) => Hands::Mapped(MappedMutexGuard::map(guard, |first| first)),
        (Step::MapNothing, Hands::Guard(guard)) => {
            Hands::Guard(MutexGuard::try_map(guard, |_| None::<&mut ()>).expect_err("nothing"))
        }
        (Step::MapNothing, Hands::Mapped(guard)) => {
            Hands::Mapped(MappedMutexGuard::try_map(guard, |_| None::<&mut ()>).expect_err("nothing"))
        }
        (Step::Write(new), mut hands) => {
            match &mut hands {
                Hands::Empty => {}
                Hands::Guard(guard) => guard.0 = new,
                Hands::Mapped(guard) => **guard = new,
                Hands::Arc(guard) => guard.0 = new,
            }
            hands
        }
        (Step::Bump, mut hands) => {
            match &mut hands {
                Hands::Guard(guard) => MutexGuard::bump(guard),
                Hands::Arc(guard) => ArcMutexGuard::bump(guard),
                Hands::Empty | Hands::Mapped(_) => {}
            }
            hands
        }
        (Step::Unlocked(new), mut hands) => {
            let write = || mutex.try_lock().expect("unlocked").1 = new;
            match &mut hands {
                Hands::Empty => write(),
                Hands::Guard(guard) => MutexGuard::unlocked(guard, write),
                Hands::Arc(guard) => ArcMutexGuard::unlocked(guard, write),
                Hands::Mapped(_) => {}
            }
            hands
        }
        (Step::Map | Step::MapNothing, hands) => hands,
    }
}

/// The specification: a value, and what is in the hands of the one thread there is.
fn follow(program: Vec<Step>) {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Held {
        No,
        Whole,
        Part,
        Arc,
    }

    let mutex = shown(Mutex::new((0, 0)));
    let (mut hands, mut held, mut value) = (Hands::Empty, Held::No, (0, 0));
    for mut step in program {
        if let Step::Take(how @ Take::Lock, _) = &mut step {
            if held != Held::No {
                // It would wait for itself for ever.
                *how = Take::Try;
            }
        }
        hands = step_on(&mutex, step, hands);
        match (step, held) {
            (Step::Take(_, arc), Held::No) => held = if arc { Held::Arc } else { Held::Whole },
            (Step::Drop | Step::Fair, _) => held = Held::No,
            (Step::Map, Held::Whole) => held = Held::Part,
            (Step::Write(new), Held::Whole | Held::Part | Held::Arc) => value.0 = new,
            (Step::Unlocked(new), Held::No | Held::Whole | Held::Arc) => value.1 = new,
            _ => {}
        }

        let (seen, holds) = match &hands {
            Hands::Empty => (*mutex.try_lock().expect("free"), Held::No),
            Hands::Guard(guard) => (**guard, Held::Whole),
            Hands::Mapped(guard) => ((**guard, value.1), Held::Part),
            Hands::Arc(guard) => (**guard, Held::Arc),
        };
        assert_eq!((seen, holds), (value, held));
        assert_eq!(mutex.is_locked(), held != Held::No);
        let locked = format!("{mutex:?}") == "Mutex { data: <locked> }";
        assert_eq!(locked, held != Held::No);
    }
    drop(hands);
    assert!(!mutex.is_locked());
    assert_eq!(Arc::into_inner(mutex).expect("guards are gone").into_inner(), value);
}

/// Every way that got the lock counts once, whatever the others do.
fn follow_at_once(programs: Vec<Vec<Way>>) {
    let (mutex, passed) = (shown(Mutex::new(0)), AtomicUsize::new(0));
    thread::scope(|s| {
        for program in programs {
            let (mutex, passed) = (&mutex, &passed);
            s.spawn(move || {
                for way in program {
                    let got_in = pass(mutex, way, count_slowly);
                    assert!(got_in || way.take != Take::Lock);
                    passed.fetch_add(usize::from(got_in), Relaxed);
                }
            });
        }
    });
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.lock(), passed.into_inner());
    assert_eq!(Arc::strong_count(&mutex), 1);
}

fn settings(cases: usize) -> ProptestConfig {
    let cases = u32::try_from(rounds(cases)).expect("few");
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings(256))]

    #[test]
    fn programs_match_the_specification(program in prop::collection::vec(steps(), 0..60)) {
        follow(program);
    }
}

proptest! {
    #![proptest_config(settings(64))]

    #[test]
    fn programs_of_threads_count_right(
        programs in prop::collection::vec(prop::collection::vec(ways(), 1..40), 2..=3)
    ) {
        watchdog(|| follow_at_once(programs));
    }
}

/// A holder that locks again at once after each section lets a waiter in that has been the first for half a millisecond.
#[test]
fn waiter_that_has_stood_first_for_long_is_handed_the_lock() {
    watchdog(|| {
        for take in cases([Take::Lock, Take::For(LIMIT)]) {
            for round in repeat(20) {
                let mutex = Mutex::new(0);
                let sleeper = Sleeper::new();
                let mut guard = mutex.lock();
                thread::scope(|scope| {
                    scope.spawn(|| {
                        sleeper.about_to_block();
                        match take {
                            Take::For(time) => *mutex.try_lock_for(time).expect("handed over") += 1,
                            _ => *mutex.lock() += 1,
                        }
                    });
                    sleeper.until_asleep();
                    thread::sleep(Duration::from_millis(1));
                    drop(guard);
                    guard = mutex.lock();
                    assert_eq!(*guard, 1, "round {round}: the waiter was passed over");
                    drop(guard);
                });
            }
        }
    });
}
