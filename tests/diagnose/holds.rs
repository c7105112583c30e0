//! What threads hold, whatever becomes of the guard.

use std::mem;
use std::sync::Arc;
use std::thread;

use lockwork::diagnose::{Mode, Report, snapshot};
use lockwork::{
    ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockWriteGuard, Condvar, Event, Mutex,
    MutexGuard, ReentrantMutex, RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore,
    SemaphorePermit, lock_all,
};

use crate::support::{eventually, watchdog};
use crate::{find, session, spawn, state_of};
use std::time::Duration;

/// The modes in which the calling thread, which has this name, holds what has this name.
fn modes(thread: &str, name: &str) -> Vec<Mode> {
    let holds = state_of(thread).map(|thread| thread.holds).unwrap_or_default();
    holds.into_iter().filter(|hold| hold.name == Some(name)).map(|hold| hold.mode).collect()
}

fn in_thread(name: &'static str, body: impl FnOnce() + Send + 'static) {
    watchdog(move || {
        let (_session, _reports) = session(None, |_| ());
        thread::scope(|s| spawn(s, name, body).join().unwrap());
    });
}

#[test]
fn guards_come_and_go() {
    const OWN: &str = "guards";
    in_thread(OWN, || {
        let mutex = Mutex::named("m", (1, 2));
        assert_eq!(modes(OWN, "m"), []);
        let mut guard = mutex.lock();
        assert_eq!(modes(OWN, "m"), [Mode::Lock]);
        MutexGuard::unlocked(&mut guard, || assert_eq!(modes(OWN, "m"), []));
        assert_eq!(modes(OWN, "m"), [Mode::Lock]);
        let part = MutexGuard::map(guard, |pair| &mut pair.0);
        assert_eq!(modes(OWN, "m"), [Mode::Lock]);
        drop(part);
        assert_eq!(modes(OWN, "m"), []);
        MutexGuard::unlock_fair(mutex.try_lock().unwrap());
        assert_eq!(modes(OWN, "m"), []);
        mem::forget(mutex.lock());
        assert_eq!(modes(OWN, "m"), [Mode::Lock]);
        // SAFETY: it is locked, and its guard is forgotten.
        unsafe { mutex.force_unlock() };
        assert_eq!(modes(OWN, "m"), []);
        mem::forget(mutex.lock());
        // SAFETY: as above, and the new guard stands in for it.
        drop(unsafe { mutex.make_guard_unchecked() });
        assert_eq!(modes(OWN, "m"), []);

        let lock = RwLock::named("rw", 0);
        mem::forget(lock.write());
        // SAFETY: as above.
        drop(unsafe { lock.make_write_guard_unchecked() });
        assert_eq!(modes(OWN, "rw"), []);
        let reader = lock.read();
        mem::forget(lock.upgradable_read());
        // SAFETY: as above.
        drop(unsafe { lock.make_upgradable_guard_unchecked() });
        assert_eq!(modes(OWN, "rw"), [Mode::Read]);
        drop(reader);
        let writer = lock.write();
        assert_eq!(modes(OWN, "rw"), [Mode::Write]);
        let mut upgradable = RwLockWriteGuard::downgrade_to_upgradable(writer);
        assert_eq!(modes(OWN, "rw"), [Mode::Upgradable]);
        upgradable.with_upgraded(|_| assert_eq!(modes(OWN, "rw"), [Mode::Write]));
        assert_eq!(modes(OWN, "rw"), [Mode::Upgradable]);
        let writer = RwLockUpgradableReadGuard::upgrade(upgradable);
        assert_eq!(modes(OWN, "rw"), [Mode::Write]);
        let reader = RwLockWriteGuard::downgrade(writer);
        let readers = (lock.read(), lock.read_recursive(), reader);
        assert_eq!(modes(OWN, "rw"), [Mode::Read, Mode::Read, Mode::ReadRecursive]);
        drop(readers);
        assert_eq!(modes(OWN, "rw"), []);

        let reentrant = ReentrantMutex::named("re", 0);
        let levels = (reentrant.lock(), reentrant.lock());
        assert_eq!(modes(OWN, "re").len(), 2);
        drop(levels);
        let first = reentrant.lock();
        mem::forget(reentrant.lock());
        // SAFETY: as above.
        drop(unsafe { reentrant.make_guard_unchecked() });
        assert_eq!(modes(OWN, "re").len(), 1);
        drop(first);

        let semaphore = Semaphore::named("s", 5);
        let mut permits = semaphore.acquire_many(3);
        let one = permits.split(1).unwrap();
        assert_eq!(modes(OWN, "s"), [Mode::Permits; 2]);
        permits.merge(one);
        assert_eq!(modes(OWN, "s"), [Mode::Permits]);
        SemaphorePermit::forget(permits);
        assert_eq!(modes(OWN, "s"), []);

        let others = [Mutex::named("a", 0), Mutex::named("a", 0)];
        let guards = lock_all((&others[0], &others[1]));
        assert_eq!(modes(OWN, "a"), [Mode::Lock; 2]);
        drop(guards);
        assert_eq!(modes(OWN, "a"), []);
    });
}

/// So many a thread's list has at most.
const MOST: usize = 1024;

/// Locks one more lock than is noted, and lets the others go: the guard has no entry.
fn without_entry<G>(lock: impl FnOnce() -> G) -> G {
    let others: Vec<Mutex<()>> = (0..MOST).map(|_| Mutex::new(())).collect();
    let _others: Vec<_> = others.iter().map(Mutex::lock).collect();
    lock()
}

/// Whether each guard of what has this name is one that may have gone to another thread. It has one at least.
#[track_caller]
fn shared(thread: &str, name: &str) -> bool {
    let holds = state_of(thread).map(|thread| thread.holds).unwrap_or_default();
    let mut shared = holds.iter().filter(|hold| hold.name == Some(name)).map(|hold| hold.shared);
    let first = shared.next().expect("it holds none");
    assert!(shared.all(|other| other == first));
    first
}

/// An `Arc` guard of which nothing was noted may go to another thread, too, once something is: it would be
/// part of deadlocks that there are not.
#[test]
fn guard_without_entry_is_entered_as_what_it_is() {
    const OWN: &str = "notes late";
    in_thread(OWN, || {
        let again = Duration::from_millis(1);
        let (mutex, condvar) = (Arc::new(Mutex::named("m", 0)), Condvar::new());
        let mut guard = without_entry(|| mutex.lock_arc());
        assert_eq!(modes(OWN, "m"), []);
        ArcMutexGuard::unlocked(&mut guard, || ());
        assert!(shared(OWN, "m"));
        drop(guard);
        let mut guard = without_entry(|| mutex.lock());
        MutexGuard::unlocked(&mut guard, || ());
        assert!(!shared(OWN, "m"));
        let _ = condvar.wait_for(&mut guard, again);
        assert!(!shared(OWN, "m"));
        drop(guard);

        let lock = Arc::new(RwLock::named("rw", 0));
        let reader = ArcRwLockWriteGuard::downgrade(without_entry(|| lock.write_arc()));
        assert!(shared(OWN, "rw"));
        drop(reader);
        let mut reader = without_entry(|| lock.read_arc());
        ArcRwLockReadGuard::unlocked(&mut reader, || ());
        assert!(shared(OWN, "rw"));
        drop(reader);
        let writer = without_entry(|| lock.write_arc());
        let upgradable = ArcRwLockWriteGuard::downgrade_to_upgradable(writer);
        assert!(shared(OWN, "rw"));
        drop(upgradable);
        let mut upgradable = without_entry(|| lock.upgradable_read_arc());
        upgradable.with_upgraded(|_| assert!(shared(OWN, "rw")));
        assert!(shared(OWN, "rw"));
        drop(upgradable);
        let writer = without_entry(|| lock.upgradable_read_arc()).upgrade();
        assert!(shared(OWN, "rw"));
        drop(writer);
        let reader = RwLockWriteGuard::downgrade(without_entry(|| lock.write()));
        assert!(!shared(OWN, "rw"));
        drop(reader);

        // It stays in its thread.
        let reentrant = Arc::new(ReentrantMutex::named("re", 0));
        let mut guard = without_entry(|| reentrant.lock_arc());
        ArcReentrantMutexGuard::unlocked(&mut guard, || ());
        assert!(!shared(OWN, "re"));
    });
}

#[test]
fn many_are_held_at_once_and_released_in_any_order() {
    const OWN: &str = "many";
    in_thread(OWN, || {
        let locks: Vec<Mutex<()>> = (0..100).map(|_| Mutex::named("one of many", ())).collect();
        let mut guards: Vec<_> = locks.iter().map(Mutex::lock).collect();
        for left in (0..100).rev() {
            assert_eq!(modes(OWN, "one of many").len(), left + 1);
            drop(guards.swap_remove(left * 7 % (left + 1)));
            assert_eq!(modes(OWN, "one of many").len(), left);
        }
    });
}

#[test]
fn guard_that_another_thread_drops_is_released() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let lock = Arc::new(Mutex::named("sent away", ()));
        let done = Event::new();
        thread::scope(|s| {
            let guard = spawn(s, "sender", || {
                let guard = lock.lock_arc();
                assert_eq!(modes("sender", "sent away"), [Mode::Lock]);
                guard
            });
            let guard = guard.join().unwrap();
            let left = state_of("sender").expect("it has left something");
            assert!(left.gone && left.holds[0].shared);
            drop(guard);
            eventually(|| state_of("sender").is_none());
            spawn(s, "keeps", || {
                let own = lock.lock_arc();
                thread::spawn(move || drop(own)).join().unwrap();
                assert_eq!(modes("keeps", "sent away"), []);
                let _again = lock.lock();
                assert_eq!(modes("keeps", "sent away"), [Mode::Lock]);
                done.set();
            });
            done.wait();
        });
    });
}

#[test]
fn forgotten_guard_of_an_ended_thread_is_told_of() {
    watchdog(|| {
        let (_session, reports) = session(Some(Duration::from_millis(20)), |_| ());
        let lock = Arc::new(Mutex::named("forgotten", ()));
        thread::scope(|s| spawn(s, "forgetful", || mem::forget(lock.lock())).join().unwrap());
        let own = Arc::clone(&lock);
        let waiter = thread::spawn(move || drop(own.lock()));
        let stall = find(&reports, |report| match report {
            Report::Stall(stall) if stall.wait.name == Some("forgotten") => Some(stall),
            _ => None,
        });
        assert!(stall.holders[0].thread.gone, "{stall}");
        assert!(stall.to_string().contains("by thread \"forgetful\""), "{stall}");
        assert!(stall.to_string().contains("which has ended and will not unlock it"), "{stall}");
        // SAFETY: it is locked, and its guard is forgotten.
        unsafe { lock.force_unlock() };
        waiter.join().unwrap();
        eventually(|| state_of("forgetful").is_none());
    });
}

#[test]
fn nothing_is_noted_without_a_session_and_nothing_stays_behind() {
    watchdog(|| {
        let lock = Mutex::named("across sessions", ());
        let (session_, _reports) = session(None, |_| ());
        let guard = lock.lock();
        drop(session_);
        drop(guard);
        let (_session, _reports) = session(None, |_| ());
        let named = |hold: &lockwork::diagnose::Hold| hold.name == Some("across sessions");
        let threads = lockwork::diagnose::snapshot().threads;
        assert!(!threads.iter().flat_map(|thread| &thread.holds).any(named));
    });
}

/// A guard that was forgotten holds nothing when its lock is gone.
#[test]
fn lock_that_is_gone_is_held_no_more() {
    const OWN: &str = "of a lock that is gone";
    in_thread(OWN, || {
        let mutex = Mutex::named("gone", ());
        mem::forget(mutex.lock());
        assert_eq!(modes(OWN, "gone"), [Mode::Lock]);
        drop(mutex);
        assert_eq!(modes(OWN, "gone"), []);
    });
}

/// A thread that has ended is shown for as long as its guard is locked.
#[test]
fn ended_thread_is_shown_no_longer_than_its_guard() {
    const NAME: &str = "ends before its guard";
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let lock = Arc::new(Mutex::new(()));
        let guard = thread::scope(|s| spawn(s, NAME, || lock.lock_arc()).join().unwrap());
        let is_shown =
            || snapshot().threads.iter().any(|thread| thread.name.as_deref() == Some(NAME) && thread.gone);
        // A scope does not wait for the thread's locals.
        eventually(is_shown);
        drop(guard);
        assert!(!is_shown());
    });
}

/// Nor do permits that were forgotten, when their semaphore is gone, whatever else the thread holds.
#[test]
fn permits_of_a_semaphore_that_is_gone_are_held_no_more() {
    const OWN: &str = "of a semaphore that is gone";
    in_thread(OWN, || {
        for _ in 0..3 {
            let semaphore = Semaphore::named("permits gone", 2);
            mem::forget(semaphore.acquire());
            mem::forget(semaphore.acquire_many(1));
            assert_eq!(modes(OWN, "permits gone"), [Mode::Permits; 2]);
            drop(semaphore);
            assert_eq!(modes(OWN, "permits gone"), []);
        }
    });
}
