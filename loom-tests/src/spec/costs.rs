//! What a specification costs, and what it finds.

use super::outcomes;

use lockwork::{
    Barrier, BoundedBuffer, Condvar, Event, First2, Mutex, Once, RwLock, Semaphore, ThreadPool, wait_any,
};
use std::sync::Arc;
use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

fn count(body: impl Fn() + Send + Sync + 'static) -> usize {
    let (count, _) = outcomes(None, move || {
        body();
        String::new()
    });
    count
}

/// As many interleavings as the same program has on loom's own types, times three at most. Where they have no
/// step for an unlock, a lock is never seen to be held between two steps, and less is explored: there it may
/// be more.
fn compare(name: &str, own: usize, looms: usize) {
    compare_times(3, name, own, looms);
}

fn compare_times(most: usize, name: &str, own: usize, looms: usize) {
    eprintln!("{name}: {own}, on loom's own types {looms}");
    assert!(own <= most * looms, "{name}: {own} interleavings, on loom's own types {looms}");
}

/// A number of threads, the model's own among them, that all do the same to something shared.
fn crowd<T: Send + Sync + 'static>(threads: usize, make: fn() -> T, each: fn(&T)) -> usize {
    count(move || {
        let shared = Arc::new(make());
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || each(&shared))
            })
            .collect();
        each(&shared);
        for other in others {
            other.join().unwrap();
        }
    })
}

/// This thread does `first`, and a number of others `each`.
fn beside<T: Send + Sync + 'static>(others: usize, make: fn() -> T, first: fn(&T), each: fn(&T)) {
    let shared = Arc::new(make());
    let others: Vec<_> = (0..others)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || each(&shared))
        })
        .collect();
    first(&shared);
    for other in others {
        other.join().unwrap();
    }
}

#[test]
fn mutex_costs_about_what_looms_own_does() {
    type Looms = loom::sync::Mutex<usize>;
    let (make, looms): (fn() -> Mutex<usize>, fn() -> Looms) = (|| Mutex::new(0), || Looms::new(0));
    compare(
        "mutex, 2 threads, once",
        crowd(2, make, |mutex| *mutex.lock() += 1),
        crowd(2, looms, |mutex| *mutex.lock().unwrap() += 1),
    );
    compare(
        "mutex, 2 threads, twice",
        crowd(2, make, |mutex| (0..2).for_each(|_| *mutex.lock() += 1)),
        crowd(2, looms, |mutex| (0..2).for_each(|_| *mutex.lock().unwrap() += 1)),
    );
    compare(
        "mutex, 3 threads, once",
        crowd(3, make, |mutex| *mutex.lock() += 1),
        crowd(3, looms, |mutex| *mutex.lock().unwrap() += 1),
    );
}

#[test]
fn rwlock_costs_about_what_looms_own_does() {
    type Looms = loom::sync::RwLock<usize>;
    let (make, looms): (fn() -> RwLock<usize>, fn() -> Looms) = (|| RwLock::new(0), || Looms::new(0));
    compare(
        "rwlock, 2 threads write once",
        crowd(2, make, |lock| *lock.write() += 1),
        crowd(2, looms, |lock| *lock.write().unwrap() += 1),
    );
    // A writer that waits for readers keeps others out, so that it comes is a step of its own.
    compare_times(
        5,
        "rwlock, 2 threads read, then write",
        crowd(2, make, |lock| {
            let value = *lock.read();
            *lock.write() = value + 1;
        }),
        crowd(2, looms, |lock| {
            let value = *lock.read().unwrap();
            *lock.write().unwrap() = value + 1;
        }),
    );
    compare(
        "rwlock, 2 threads read twice",
        crowd(2, make, |lock| (0..2).for_each(|_| assert_eq!(*lock.read(), 0))),
        crowd(2, looms, |lock| (0..2).for_each(|_| assert_eq!(*lock.read().unwrap(), 0))),
    );
    compare(
        "rwlock, 3 threads read once",
        crowd(3, make, |lock| assert_eq!(*lock.read(), 0)),
        crowd(3, looms, |lock| assert_eq!(*lock.read().unwrap(), 0)),
    );
    for (most, name, readers) in
        [(3, "rwlock, 1 thread writes, 1 reads", 1), (6, "rwlock, 1 thread writes, 2 read", 2)]
    {
        let own =
            count(move || beside(readers, make, |lock| *lock.write() += 1, |lock| assert!(*lock.read() < 2)));
        let looms = count(move || {
            let read = |lock: &Looms| assert!(*lock.read().unwrap() < 2);
            beside(readers, looms, |lock| *lock.write().unwrap() += 1, read);
        });
        compare_times(most, name, own, looms);
    }
    compare(
        "rwlock, 3 threads write once",
        crowd(3, make, |lock| *lock.write() += 1),
        crowd(3, looms, |lock| *lock.write().unwrap() += 1),
    );
}

#[test]
fn condvar_costs_about_what_looms_own_does() {
    let own = count(|| {
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
    let looms = count(|| {
        let shared = Arc::new((loom::sync::Mutex::new(false), loom::sync::Condvar::new()));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let mut set = other.0.lock().unwrap();
            while !*set {
                set = other.1.wait(set).unwrap();
            }
        });
        *shared.0.lock().unwrap() = true;
        shared.1.notify_one();
        waiter.join().unwrap();
    });
    compare("condvar, one waits and one notifies", own, looms);
}

/// loom has no barrier with more than a name in common, no once and no buffer. What they cost is printed.
#[test]
fn others_finish() {
    eprintln!("barrier, 2 threads meet");
    let _ = crowd(2, || Barrier::new(2), |barrier| assert!(barrier.wait_result().is_ok()));
    eprintln!("barrier, 3 threads meet");
    let _ = crowd(3, || Barrier::new(3), |barrier| assert!(barrier.wait_result().is_ok()));
    eprintln!("once, 2 threads call");
    let _ = crowd(2, Once::new, |once| once.call_once(|| ()));
    eprintln!("once, 3 threads call");
    let _ = crowd(3, Once::new, |once| once.call_once(|| ()));
    eprintln!("semaphore, 3 threads of one permit");
    let _ = crowd(3, || Semaphore::new(1), |semaphore| drop(semaphore.acquire()));
    eprintln!("buffer, 2 threads put and get");
    let _ = crowd(
        2,
        || BoundedBuffer::new(1),
        |buffer| {
            buffer.put(1).unwrap();
            buffer.get().unwrap();
        },
    );
}

/// Three threads, unbounded, in far less than ten seconds.
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

/// Three threads, one of which waits for the first of what the two others do, unbounded.
#[test]
fn first_of_two_finishes() {
    let _ = count(|| {
        let shared = Arc::new((Event::new(), BoundedBuffer::new(1)));
        let other = Arc::clone(&shared);
        let getter = thread::spawn(move || match wait_any((&other.0, other.1.getting())) {
            First2::First(()) => None,
            First2::Second(item) => item.ok(),
        });
        let other = Arc::clone(&shared);
        let stopper = thread::spawn(move || other.0.set());
        shared.1.put(7).unwrap();
        let got = getter.join().unwrap();
        stopper.join().unwrap();
        assert_eq!(shared.1.len(), usize::from(got.is_none()));
    });
}

/// A task of a pool runs and is joined, unbounded.
#[test]
fn completion_of_a_task_finishes() {
    let _ = count(|| {
        let pool = ThreadPool::new(1);
        let task = pool.submit(|| 7).unwrap();
        assert_eq!(task.join().unwrap(), 7);
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
    race(|| Mutex::new(false), |mutex| *mutex.lock() = true, |mutex| !mutex.is_locked() || mutex.is_locked());
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

/// Two threads of a pool, and two tasks, one of which waits for the other: a thread that takes the first and
/// leaves the second wakes another for it.
#[test]
fn tasks_that_wait_for_each_other_have_a_thread_each() {
    let _ = outcomes(Some(3), || {
        let pool = ThreadPool::new(2);
        let event = Arc::new(Event::new());
        let other = Arc::clone(&event);
        let waits = pool.submit(move || other.wait()).unwrap();
        let sets = pool.submit(move || event.set()).unwrap();
        waits.join().unwrap();
        sets.join().unwrap();
        String::new()
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

/// What loom does not see, for the documents: of the loads before a store it remembers the last one alone.
/// Here the other thread's own load hides this thread's, and the orders of this one and the store are not
/// both explored. The specifications have no loads.
#[test]
fn loom_forgets_a_load_behind_another() {
    let outcomes = |looks: bool| {
        outcomes(None, move || {
            let value = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
            let other = Arc::clone(&value);
            let storer = thread::spawn(move || {
                if looks {
                    other.load(Relaxed);
                }
                other.store(1, Relaxed);
            });
            let seen = value.load(Relaxed);
            storer.join().unwrap();
            seen.to_string()
        })
    };
    let both = ["0", "1"].map(str::to_owned).into();
    assert_eq!(outcomes(false).1, both);
    assert_eq!(outcomes(true).1, ["0".to_owned()].into());
}
