//! The primitives as specifications (`loom-spec`) beside the real ones: what a specification costs, that it
//! hides no race and no deadlock, and that it allows whatever the real primitive does.
//!
//! `cargo loom` runs the programs of [`conform`] on the real primitives, `cargo loom-spec` on the
//! specifications. Both compare with the same list of outcomes: the real ones are among it, and the
//! specifications have all of it.
#![allow(clippy::disallowed_types, reason = "what a model comes to is counted outside the model")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as Outside, PoisonError};

/// What a small program may come to.
fn outcomes(
    bound: Option<usize>,
    body: impl Fn() -> String + Send + Sync + 'static,
) -> (usize, BTreeSet<String>) {
    let seen = Arc::new(Outside::new((0, BTreeSet::new())));
    let noted = Arc::clone(&seen);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bound;
    builder.max_branches = 10_000;
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.check(move || {
        let outcome = body();
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.0 += 1;
        noted.1.insert(outcome);
    });
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("{} interleavings", seen.0);
    seen.clone()
}

/// Small programs, and what they may come to.
mod conform {
    use super::outcomes;

    use lockwork::{
        AutoResetEvent, Condvar, Event, First2, Latch, Mutex, MutexGuard, ReentrantMutex, Semaphore,
        wait_any_for,
    };
    use std::sync::Arc;
    use std::time::Duration;

    use loom::thread;

    const SOON: Duration = Duration::from_secs(1);

    /// The real primitive's outcomes are among `allowed`; its specification's are `allowed`.
    fn program(allowed: &[&str], body: impl Fn() -> String + Send + Sync + 'static) {
        let (_, seen) = outcomes(if cfg!(feature = "spec") { None } else { Some(4) }, body);
        let allowed = allowed.iter().map(ToString::to_string).collect();
        if cfg!(feature = "spec") {
            assert_eq!(seen, allowed);
        } else {
            assert!(seen.is_subset(&allowed), "not in the specification: {:?}", &seen - &allowed);
        }
    }

    #[test]
    fn mutex_tried() {
        program(&["busy", "first", "second"], || {
            let mutex = Arc::new(Mutex::new(0));
            let other = Arc::clone(&mutex);
            let locker = thread::spawn(move || *other.lock() += 1);
            let outcome = match mutex.try_lock() {
                None => "busy",
                Some(value) if *value == 0 => "first",
                Some(_) => "second",
            };
            locker.join().unwrap();
            outcome.to_owned()
        });
    }

    #[test]
    fn mutex_tried_by_two_with_deadlines() {
        let allowed = ["0 1", "1 0", "1 2", "2 1"];
        program(&allowed, || {
            let mutex = Arc::new(Mutex::new(0));
            let take = |mutex: &Mutex<i32>| {
                mutex.try_lock_for(SOON).map_or(0, |mut value| {
                    *value += 1;
                    *value
                })
            };
            let other = Arc::clone(&mutex);
            let timed = thread::spawn(move || take(&other));
            let this = take(&mutex);
            let that = timed.join().unwrap();
            assert!(mutex.try_lock().is_some());
            format!("{this} {that}")
        });
    }

    #[test]
    fn mutex_unlocked_fairly() {
        program(&["before", "after", "busy"], || {
            let mutex = Arc::new(Mutex::new(0));
            let guard = mutex.lock();
            let other = Arc::clone(&mutex);
            let waiter = thread::spawn(move || *other.lock() += 1);
            MutexGuard::unlock_fair(guard);
            let outcome = match mutex.try_lock() {
                None => "busy",
                Some(value) if *value == 0 => "before",
                Some(_) => "after",
            };
            waiter.join().unwrap();
            outcome.to_owned()
        });
    }

    #[test]
    fn mutex_bumped() {
        program(&["0", "1"], || {
            let mutex = Arc::new(Mutex::new(0));
            let mut guard = mutex.lock();
            let other = Arc::clone(&mutex);
            let waiter = thread::spawn(move || *other.lock() += 1);
            MutexGuard::bump(&mut guard);
            let outcome = guard.to_string();
            drop(guard);
            waiter.join().unwrap();
            outcome
        });
    }

    #[test]
    fn reentrant_mutex_tried_with_a_deadline() {
        program(&["locked", "timed out"], || {
            let mutex = Arc::new(ReentrantMutex::new(()));
            let outer = mutex.lock();
            let other = Arc::clone(&mutex);
            let timed = thread::spawn(move || other.try_lock_for(SOON).is_some());
            drop(mutex.lock());
            drop(outer);
            if timed.join().unwrap() { "locked" } else { "timed out" }.to_owned()
        });
    }

    #[test]
    fn condvar_with_a_deadline() {
        program(&["false false", "true true"], || {
            let shared = Arc::new((Mutex::new(()), Condvar::new()));
            let other = Arc::clone(&shared);
            let timed = thread::spawn(move || {
                let mut guard = other.0.lock();
                !other.1.wait_for(&mut guard, SOON).timed_out()
            });
            let told = shared.1.notify_one();
            format!("{told} {}", timed.join().unwrap())
        });
    }

    #[test]
    fn condvar_with_a_condition_and_a_deadline() {
        program(&["met", "timed out"], || {
            let shared = Arc::new((Mutex::new(false), Condvar::new()));
            let other = Arc::clone(&shared);
            let timed = thread::spawn(move || {
                let mut set = other.0.lock();
                other.1.wait_while_for(&mut set, |set| !*set, SOON).timed_out()
            });
            *shared.0.lock() = true;
            shared.1.notify_one();
            if timed.join().unwrap() { "timed out" } else { "met" }.to_owned()
        });
    }

    #[test]
    fn semaphore_tried() {
        program(&["false", "true"], || {
            let semaphore = Arc::new(Semaphore::new(0));
            let other = Arc::clone(&semaphore);
            let adder = thread::spawn(move || other.add_permits(1));
            let taken = semaphore.try_acquire().is_some();
            adder.join().unwrap();
            taken.to_string()
        });
    }

    /// Two permits for one that wants both and one that barges.
    #[test]
    fn semaphore_with_a_deadline() {
        let allowed = ["both false 0", "none false 2", "none true 1"];
        program(&allowed, || {
            let semaphore = Arc::new(Semaphore::new(1));
            let other = Arc::clone(&semaphore);
            let timed = thread::spawn(move || {
                let permits = other.try_acquire_many_for(2, SOON);
                permits.map(lockwork::SemaphorePermit::forget).is_some()
            });
            semaphore.add_permits(1);
            let one = semaphore.try_acquire().map(lockwork::SemaphorePermit::forget).is_some();
            let both = timed.join().unwrap();
            let left = semaphore.available_permits();
            format!("{} {one} {left}", if both { "both" } else { "none" })
        });
    }

    #[test]
    fn semaphore_forgotten() {
        program(&["false 1", "true 0"], || {
            let semaphore = Arc::new(Semaphore::new(1));
            let other = Arc::clone(&semaphore);
            let taker =
                thread::spawn(move || other.try_acquire().map(lockwork::SemaphorePermit::forget).is_some());
            let forgotten = semaphore.forget_permits(1);
            format!("{} {forgotten}", taker.join().unwrap())
        });
    }

    /// A selecting thread takes one of two, or its time is up; what it does not take is kept.
    #[test]
    fn first_of_a_signal_and_a_permit() {
        let allowed = ["permit: true 0", "signal: false 1", "time: true 1"];
        program(&allowed, || {
            let shared = Arc::new((AutoResetEvent::new(), Semaphore::new(0)));
            let other = Arc::clone(&shared);
            let waker = thread::spawn(move || {
                other.0.set();
                other.1.add_permits(1);
            });
            let first = match wait_any_for((&shared.0, shared.1.acquiring()), SOON) {
                Some(First2::First(())) => "signal",
                Some(First2::Second(permit)) => {
                    permit.forget();
                    "permit"
                }
                None => "time",
            };
            waker.join().unwrap();
            format!("{first}: {} {}", shared.0.is_set(), shared.1.available_permits())
        });
    }

    #[test]
    fn event_pulsed() {
        program(&["false", "true"], || {
            let event = Arc::new(Event::new());
            let other = Arc::clone(&event);
            let timed = thread::spawn(move || other.wait_for(SOON));
            event.set();
            event.clear();
            timed.join().unwrap().to_string()
        });
    }

    #[test]
    fn auto_reset_event_tried_by_two() {
        program(&["false true false", "true false false"], || {
            let event = Arc::new(AutoResetEvent::new());
            let other = Arc::clone(&event);
            let timed = thread::spawn(move || other.wait_for(SOON));
            event.set();
            let this = event.try_wait();
            let that = timed.join().unwrap();
            format!("{this} {that} {}", event.is_set())
        });
    }

    #[test]
    fn latch_with_a_deadline() {
        program(&["false", "true"], || {
            let latch = Arc::new(Latch::new(1));
            let other = Arc::clone(&latch);
            let timed = thread::spawn(move || other.wait_for(SOON));
            latch.count_down();
            timed.join().unwrap().to_string()
        });
    }
}

/// What a specification costs, and what it finds.
#[cfg(feature = "spec")]
mod alone {
    use super::outcomes;

    use lockwork::{BoundedBuffer, Condvar, Event, Mutex, Semaphore, ThreadPool};
    use std::sync::Arc;
    use std::time::Duration;

    use loom::cell::UnsafeCell;
    use loom::thread;

    fn count(body: impl Fn() + Send + Sync + 'static) -> usize {
        let (count, _) = outcomes(None, move || {
            body();
            String::new()
        });
        count
    }

    fn lockers(threads: usize, times: usize) -> usize {
        count(move || {
            let mutex = Arc::new(Mutex::new(0));
            let add = move |mutex: &Mutex<usize>| (0..times).for_each(|_| *mutex.lock() += 1);
            let others: Vec<_> = (1..threads)
                .map(|_| {
                    let mutex = Arc::clone(&mutex);
                    thread::spawn(move || add(&mutex))
                })
                .collect();
            add(&mutex);
            for other in others {
                other.join().unwrap();
            }
            assert_eq!(*mutex.lock(), threads * times);
        })
    }

    /// loom's own mutex has 4, 14 and 94.
    #[test]
    fn mutex_costs_about_what_looms_own_does() {
        for (threads, times, most) in [(2, 1, 12), (2, 2, 42), (3, 1, 282)] {
            let count = lockers(threads, times);
            assert!(count <= most, "{threads} threads, {times} times: {count} interleavings");
        }
    }

    /// loom's own pair has 8.
    #[test]
    fn condvar_costs_about_what_looms_own_does() {
        let count = count(|| {
            let shared = Arc::new((Mutex::new(false), Condvar::new()));
            let other = Arc::clone(&shared);
            let waiter = thread::spawn(move || {
                let mut set = other.0.lock();
                other.1.wait_while(&mut set, |set| !*set);
            });
            *shared.0.lock() = true;
            shared.1.notify_one();
            waiter.join().unwrap();
        });
        assert!(count <= 24, "{count} interleavings");
    }

    /// Three threads, unbounded.
    #[test]
    fn three_threads_finish() {
        let _ = count(|| {
            let shared = Arc::new((BoundedBuffer::new(1), Mutex::new(0), Event::new()));
            let other = Arc::clone(&shared);
            let getter = thread::spawn(move || {
                let got = other.0.get().unwrap();
                *other.1.lock() += got;
                other.2.set();
            });
            let other = Arc::clone(&shared);
            let watcher = thread::spawn(move || {
                other.2.wait();
                assert_eq!(*other.1.lock(), 7);
            });
            shared.0.put(7).unwrap();
            getter.join().unwrap();
            watcher.join().unwrap();
        });
    }

    /// A plain value that only what the specification publishes protects.
    struct Plain(UnsafeCell<usize>);

    // SAFETY: whether accesses are ordered is what the models find out.
    unsafe impl Sync for Plain {}

    impl Plain {
        fn set(&self, value: usize) {
            // SAFETY: ordered, or loom reports it.
            self.0.with_mut(|old| unsafe { *old = value });
        }
    }

    /// One thread writes and does `first`; the other writes if `second` says so.
    fn race<T: Send + Sync + 'static>(make: fn() -> T, first: fn(&T), second: fn(&T) -> bool) {
        let _ = count(move || {
            let shared = Arc::new((make(), Plain(UnsafeCell::new(0))));
            let other = Arc::clone(&shared);
            let writer = thread::spawn(move || {
                other.1.set(1);
                first(&other.0);
            });
            if second(&shared.0) {
                shared.1.set(2);
            }
            writer.join().unwrap();
        });
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn failed_try_lock_publishes_nothing() {
        race(|| Mutex::new(()), |mutex| std::mem::forget(mutex.lock()), |mutex| mutex.try_lock().is_none());
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn is_locked_publishes_nothing() {
        race(
            || Mutex::new(false),
            |mutex| *mutex.lock() = true,
            |mutex| !mutex.is_locked() || mutex.is_locked(),
        );
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn locking_publishes_nothing_to_who_asks() {
        race(|| Mutex::new(()), |mutex| drop(mutex.lock()), |mutex| mutex.is_locked());
    }

    #[test]
    fn unlocking_publishes() {
        race(|| Mutex::new(false), |mutex| *mutex.lock() = true, |mutex| *mutex.lock());
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn available_permits_publish_nothing() {
        race(
            || Semaphore::new(0),
            |semaphore| semaphore.add_permits(1),
            |semaphore| semaphore.available_permits() == 1,
        );
    }

    #[test]
    fn acquired_permits_publish() {
        race(
            || Semaphore::new(0),
            |semaphore| semaphore.add_permits(1),
            |semaphore| semaphore.try_acquire().is_some(),
        );
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn clearing_does_not_publish_to_a_wait() {
        race(
            || {
                let event = Event::new();
                event.set();
                event
            },
            Event::clear,
            |event| !event.is_set(),
        );
    }

    #[test]
    fn setting_publishes() {
        race(Event::new, Event::set, Event::is_set);
    }

    /// What the pool does has no atomics: its longer models are on the specifications, and bounded.
    fn both(body: impl Fn() -> bool + Send + Sync + 'static) {
        let (_, seen) = outcomes(Some(3), move || body().to_string());
        assert_eq!(seen.len(), 2, "in time, and not");
    }

    /// A submission with a deadline to a full pool: taken, or the closure comes back.
    #[test]
    fn submitting_with_a_deadline() {
        both(|| {
            let pool = ThreadPool::builder().threads(1).queue_capacity(1).build();
            drop(pool.submit(|| ()).unwrap());
            pool.submit_for(|| (), Duration::from_secs(1)).is_ok()
        });
    }

    /// A timed join of a pool: everything has run by then, or the time was up.
    #[test]
    fn timed_join_of_a_pool() {
        both(|| {
            let pool = ThreadPool::new(1);
            let ran = Arc::new(Plain(UnsafeCell::new(0)));
            let task = Arc::clone(&ran);
            drop(pool.submit(move || task.set(1)).unwrap());
            let joined = pool.join_for(Duration::from_secs(1));
            if joined {
                ran.set(2);
            }
            joined
        });
    }

    /// A notification without the lock that comes too early is lost.
    #[test]
    #[should_panic(expected = "deadlock")]
    fn lost_wake_up_is_a_deadlock() {
        let _ = count(|| {
            let shared = Arc::new((Mutex::new(()), Condvar::new()));
            let other = Arc::clone(&shared);
            let waiter = thread::spawn(move || other.1.wait(&mut other.0.lock()));
            shared.1.notify_one();
            waiter.join().unwrap();
        });
    }

    /// One panic, although guards are dropped by it.
    #[test]
    #[should_panic(expected = "deadlock")]
    fn lock_order_is_a_deadlock() {
        let _ = count(|| {
            let locks = Arc::new((Mutex::new(0), Mutex::new(0)));
            let others = Arc::clone(&locks);
            let other = thread::spawn(move || {
                let _first = others.0.lock();
                let _second = others.1.lock();
            });
            let _second = locks.1.lock();
            let _first = locks.0.lock();
            other.join().unwrap();
        });
    }
}
