//! Calls that no model of another file makes: `docs/models.md` has the list of all that block.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use lockwork::{
    AutoResetEvent, BoundedBuffer, Condvar, Event, Mutex, MutexGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore, ThreadPool,
};

use crate::models::support::{Arc, Plain, SOON, model, model_bounded, patient, reach, thread};

const LONG: &str = "two threads, but several sections";
const THREE: &str = "three threads";
const POOL: &str = "a pool's thread besides";

/// Permits that were merged come back together, those that were split off by themselves.
#[test]
fn merged_and_split_permits_come_back() {
    model(&["waiter parks"], || {
        let semaphore = Arc::new(Semaphore::new(3));
        let mut one = semaphore.acquire();
        one.merge(semaphore.acquire_many(2));
        let two = one.split(2).expect("it has three");
        let other = Arc::clone(&semaphore);
        let waiter = thread::spawn(move || assert_eq!(other.acquire_many(2).num_permits(), 2));
        drop(two);
        waiter.join().unwrap();
        drop(one);
        assert_eq!(semaphore.available_permits(), 3);
    });
}

/// A panic with a permit in hand gives it back, with what was done before.
#[test]
fn panic_with_a_permit_gives_it_back() {
    model(&["waiter parks"], || {
        let shared = Arc::new((Semaphore::new(1), Plain::new(0)));
        let permit = shared.0.acquire();
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let _permit = other.0.acquire();
            assert_eq!(other.1.get(), 1);
        });
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _permit = permit;
            shared.1.set(1);
            resume_unwind(Box::new("inside"));
        }));
        assert!(result.is_err());
        waiter.join().unwrap();
        assert_eq!(shared.0.available_permits(), 1);
    });
}

/// A condition that panics, after a wait or before, leaves the mutex to others and no waiter behind.
#[test]
fn panic_of_a_condition_unlocks() {
    model_bounded(4, LONG, &["after a wait", "before it"], || {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let mut looks = 0;
            let result = catch_unwind(AssertUnwindSafe(|| {
                other.1.wait_while(&mut other.0.lock(), |value| {
                    looks += 1;
                    if *value == 1 {
                        resume_unwind(Box::new("inside"));
                    }
                    true
                });
            }));
            assert!(result.is_err());
            reach(if looks > 1 { "after a wait" } else { "before it" });
        });
        *shared.0.lock() = 1;
        shared.1.notify_one();
        waiter.join().unwrap();
        assert_eq!(*shared.0.try_lock().expect("no thread holds it"), 1);
        assert!(!shared.1.notify_one(), "no thread waits");
    });
}

/// A wait that an event's `set` ended finds it set, as long as none clears it; that of the other kind has
/// taken the signal.
#[test]
fn event_is_set_after_a_wait() {
    model(&["waiter parks"], || {
        let events = Arc::new((Event::new(), AutoResetEvent::new()));
        let others = Arc::clone(&events);
        let waiter = thread::spawn(move || {
            others.0.wait();
            assert!(others.0.is_set());
            others.1.wait();
            assert!(!others.1.is_set());
        });
        events.0.set();
        events.1.set();
        waiter.join().unwrap();
    });
}

/// `unlocked` lets others in and comes back with the lock, also out of a panic.
#[test]
fn mutex_is_unlocked_for_a_while() {
    model_bounded(4, LONG, &["let in", "not yet"], || {
        let mutex = Arc::new(Mutex::new(0));
        let mut guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let locker = thread::spawn(move || *other.lock() += 1);
        MutexGuard::unlocked(&mut guard, || ());
        reach(if *guard == 1 { "let in" } else { "not yet" });
        let result = catch_unwind(AssertUnwindSafe(|| {
            MutexGuard::unlocked(&mut guard, || resume_unwind(Box::new("inside")));
        }));
        assert!(result.is_err());
        *guard += 1;
        drop(guard);
        locker.join().unwrap();
        assert_eq!(*mutex.lock(), 2);
    });
}

/// The same, and the lock is handed to the thread that waits for it.
#[test]
fn mutex_is_unlocked_fairly_for_a_while() {
    model_bounded(4, LONG, &["let in", "not yet", "mutex handed over"], || {
        let mutex = Arc::new(Mutex::new(0));
        let mut guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let locker = thread::spawn(move || *other.lock() += 1);
        let value = MutexGuard::unlocked_fair(&mut guard, || 1);
        reach(if *guard == value { "let in" } else { "not yet" });
        drop(guard);
        locker.join().unwrap();
        assert_eq!(*mutex.lock(), 1);
    });
}

/// A writer and a reader that unlock for a while let a writer in, and come back as what they were.
#[test]
fn writer_and_reader_are_unlocked_for_a_while() {
    model_bounded(3, LONG, &["by the writer", "by the reader", "not yet"], || {
        let lock = Arc::new(RwLock::new(0));
        let mut guard = lock.write();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        RwLockWriteGuard::unlocked(&mut guard, || ());
        let before = *guard;
        let mut guard = RwLockWriteGuard::downgrade(guard);
        RwLockReadGuard::unlocked_fair(&mut guard, || ());
        reach(match (before, *guard) {
            (1, 1) => "by the writer",
            (0, 1) => "by the reader",
            _ => "not yet",
        });
        drop(guard);
        writer.join().unwrap();
        assert_eq!(*lock.try_write().expect("no thread holds it"), 1);
    });
}

/// The same of the upgradable reader, which is bumped besides.
#[test]
fn upgradable_reader_is_unlocked_and_bumped() {
    model_bounded(3, LONG, &["by unlocking", "by the bump", "not yet"], || {
        let lock = Arc::new(RwLock::new(0));
        let mut guard = lock.upgradable_read();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        RwLockUpgradableReadGuard::unlocked(&mut guard, || ());
        let before = *guard;
        RwLockUpgradableReadGuard::bump(&mut guard);
        reach(match (before, *guard) {
            (1, 1) => "by unlocking",
            (0, 1) => "by the bump",
            _ => "not yet",
        });
        let value = *guard;
        assert!(lock.try_write().is_none());
        assert_eq!(*guard, value);
        drop(guard);
        writer.join().unwrap();
        assert_eq!(*lock.try_write().expect("no thread holds it"), 1);
    });
}

/// The attempts at `with_upgraded`: each writes alone, or not at all and reads on.
#[test]
fn upgradable_reader_attempts_to_be_a_writer_for_a_while() {
    model_bounded(4, LONG, &["at once", "in time", "both", "neither"], || {
        let lock = Arc::new(RwLock::new(0));
        let mut guard = lock.upgradable_read();
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || assert!(*other.read() <= 2));
        let add = |value: &mut i32| *value += 1;
        let at_once = RwLockUpgradableReadGuard::try_with_upgraded(&mut guard, add).is_some();
        let in_time = RwLockUpgradableReadGuard::try_with_upgraded_for(&mut guard, SOON, add).is_some();
        assert_eq!(*guard, i32::from(at_once) + i32::from(in_time));
        reach(match (at_once, in_time) {
            (true, true) => "both",
            (true, false) => "at once",
            (false, true) => "in time",
            (false, false) => "neither",
        });
        drop(guard);
        reader.join().unwrap();
    });
}

/// The guards that own their lock: a writer without a deadline and one with, then a reader.
#[test]
fn rwlock_arc_guards_exclude_each_other() {
    model_bounded(3, LONG, &["waiter parks", "locked", "timed out"], || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || {
            let guard = other.write_arc();
            drop(other);
            let mut guard = guard;
            *guard += 1;
        });
        let locked = lock.try_write_arc_for(SOON).map(|mut value| *value += 1).is_some();
        reach(if locked { "locked" } else { "timed out" });
        drop(lock.upgradable_read_arc());
        let seen = *lock.read_arc();
        assert!(seen >= i32::from(locked));
        writer.join().unwrap();
        assert_eq!(*lock.try_read_arc().expect("no thread holds it"), 1 + i32::from(locked));
    });
}

/// The permits that own their semaphore.
#[test]
fn semaphore_arc_permits_come_back() {
    model_bounded(4, LONG, &["waiter parks", "acquired", "timed out"], || {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = Arc::clone(&semaphore);
        let holder = thread::spawn(move || {
            let permit = other.acquire_arc();
            drop(other);
            drop(permit);
        });
        let permit = semaphore.try_acquire_arc_for(SOON);
        reach(if permit.is_some() { "acquired" } else { "timed out" });
        drop(permit);
        holder.join().unwrap();
        drop(semaphore.try_acquire_many_arc(1).expect("it has come back"));
        assert_eq!(semaphore.available_permits(), 1);
    });
}

/// A timed upgradable read and a timed recursive one against a writer: each is in or leaves nothing.
#[test]
fn timed_upgradable_and_recursive_reads_against_a_writer() {
    model_bounded(3, LONG, &["upgradable", "recursive", "neither"], || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        let upgradable = lock.try_upgradable_read_for(SOON).map(|value| *value);
        let recursive = lock.try_read_recursive_for(SOON).map(|value| *value);
        match (upgradable, recursive) {
            (None, None) => reach("neither"),
            (Some(_), _) => reach("upgradable"),
            (None, Some(_)) => reach("recursive"),
        }
        assert!(upgradable <= recursive || recursive.is_none());
        writer.join().unwrap();
        assert_eq!(*lock.try_write().expect("no thread holds it"), 1);
    });
}

/// `with_upgraded` writes alone, and is a reader again afterwards.
#[test]
fn upgradable_reader_is_a_writer_for_a_while() {
    model_bounded(4, LONG, &["before", "after"], || {
        let lock = Arc::new(RwLock::new(0));
        let mut guard = lock.upgradable_read();
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || {
            let value = *other.read();
            reach(if value == 0 { "before" } else { "after" });
        });
        RwLockUpgradableReadGuard::with_upgraded(&mut guard, |value| *value += 1);
        assert_eq!(*guard, 1);
        drop(guard);
        reader.join().unwrap();
    });
}

/// Bumping a guard of a reader-writer lock lets a writer in, in the middle of a read or a write.
#[test]
fn bumped_reader_and_writer_let_a_writer_in() {
    model_bounded(3, LONG, &["let in"], || {
        let lock = Arc::new(RwLock::new(0));
        let mut guard = lock.write();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        RwLockWriteGuard::bump(&mut guard);
        if *guard == 1 {
            reach("let in");
        }
        let mut guard = RwLockWriteGuard::downgrade(guard);
        RwLockReadGuard::bump(&mut guard);
        assert!(*guard <= 1);
        drop(guard);
        writer.join().unwrap();
        assert_eq!(*lock.try_write().expect("no thread holds it"), 1);
    });
}

/// `close_now` against a put: the item comes back by one of the two.
#[test]
fn close_now_against_put_loses_nothing() {
    model_bounded(4, LONG, &["put", "refused"], || {
        let buffer = Arc::new(BoundedBuffer::new(2));
        buffer.put(0).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.put(1).is_ok());
        let left = buffer.close_now();
        let put = putter.join().unwrap();
        assert_eq!(left, if put { vec![0, 1] } else { vec![0] });
        assert!(buffer.is_empty());
        reach(if put { "put" } else { "refused" });
    });
}

/// A timed join of a buffer against its last `task_done`.
#[test]
fn timed_join_of_a_buffer() {
    model_bounded(3, LONG, &["joined", "timed out"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(1).unwrap();
        let other = Arc::clone(&buffer);
        let worker = thread::spawn(move || {
            assert_eq!(other.get(), Ok(1));
            other.task_done();
        });
        let joined = buffer.join_for(SOON);
        if joined {
            assert_eq!(buffer.unfinished(), 0);
        }
        worker.join().unwrap();
        assert!(buffer.join_for(SOON), "nothing is unfinished");
        reach(if joined { "joined" } else { "timed out" });
    });
}

/// Many at once, with a deadline and without waiting: each item comes out once, in order.
#[test]
fn many_are_got_with_a_deadline_and_without() {
    model_bounded(3, LONG, &["all", "some", "none"], || {
        let buffer = Arc::new(BoundedBuffer::new(2));
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || {
            other.put(1).unwrap();
            other.put(2).unwrap();
        });
        let mut got = Vec::new();
        let first = buffer.get_many_for(&mut got, 2, SOON).unwrap_or(0);
        reach(["none", "some", "all"][first]);
        putter.join().unwrap();
        while got.len() < 2 {
            assert!(buffer.try_get_many(&mut got, 2).is_ok());
        }
        assert_eq!(got, [1, 2]);
        assert!(buffer.try_get_many(&mut got, 2).is_err());
    });
}

/// A pool whose queue may be full: taken at once, or refused and the closure comes back.
#[test]
fn submitting_to_a_full_pool() {
    model_bounded(3, POOL, &["taken", "refused"], || {
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).build();
        drop(pool.submit(|| ()).unwrap());
        reach(if pool.try_submit(|| ()).is_ok() { "taken" } else { "refused" });
    });
}

/// A task that is cancelled while it is queued makes room at once.
#[test]
fn cancelled_task_makes_room() {
    model_bounded(3, POOL, &["cancelled", "ran"], || {
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).build();
        let first = pool.submit(|| ()).unwrap();
        let cancelled = first.cancel();
        if cancelled {
            assert!(pool.try_submit(|| ()).is_ok(), "there is room");
        }
        reach(if cancelled { "cancelled" } else { "ran" });
    });
}

/// A writer that was woken and has lost is put before a recursive reader, and does not hold it up when
/// readers have the lock.
#[test]
fn recursive_reader_behind_a_writer_that_lost_comes_in() {
    let states = ["recursive reader let in past a writer that lost"];
    model_bounded(3, THREE, &states, || {
        patient();
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || drop(other.read_recursive()));
        drop(guard);
        let guard = RwLockWriteGuard::downgrade(lock.write());
        reader.join().unwrap();
        drop(guard);
        writer.join().unwrap();
    });
}

/// The lock is handed to the first waiter although there is a designated waker, which then waits for its
/// turn.
#[test]
fn rwlock_waiter_behind_one_that_does_not_come_is_served() {
    model_bounded(3, THREE, &["rwlock handed over past a designated waker"], || {
        lockwork::internals::set_turns(true);
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let writers = [(); 2].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *lock.write() += 1)
        });
        drop(guard);
        let barged = lock.try_write().map(|mut value| *value += 1).is_some();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(*lock.try_read().expect("no thread holds it"), 2 + usize::from(barged));
    });
}

/// A reader behind a designated waker that does not come is let in by others that pass it and leave: the one
/// that leaves first, or the last.
#[test]
fn rwlock_reader_behind_one_that_does_not_come_is_let_in() {
    let states = [
        "readers counted in past a designated waker",
        "readers counted in beside others past a designated waker",
    ];
    model_bounded(3, THREE, &states, || {
        lockwork::internals::set_turns(true);
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || assert!(*other.read() <= 1));
        drop(guard);
        let passing = [lock.try_read(), lock.try_read()];
        for guard in passing {
            drop(guard);
        }
        reader.join().unwrap();
        writer.join().unwrap();
        assert_eq!(*lock.try_write().expect("no thread holds it"), 1);
    });
}
