//! `assert_held` and `assert_nothing_held`.

use std::sync::Arc;
use std::thread;

use lockwork::{Mutex, ReentrantMutex, RwLock, Semaphore, assert_held, assert_nothing_held, poison};

use crate::session;
use crate::support::{message_of, watchdog};

#[test]
fn assertions_say_what_is_wrong() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let mutex = Mutex::named("asserted", 0);
        let message = message_of(|| assert_held(&mutex));
        assert_eq!(message, "assert_held: this thread does not hold the Mutex \"asserted\"");
        let guard = mutex.lock();
        assert_held(&mutex);
        thread::scope(|s| {
            s.spawn(|| assert!(message_of(|| assert_held(&mutex)).contains("does not hold")));
        });
        let message = message_of(assert_nothing_held);
        assert!(
            message.starts_with("assert_nothing_held: this thread holds `Mutex::lock` of \"asserted\" at ")
        );
        assert!(message.contains("asserts.rs:"), "{message}");
        drop(guard);
        assert_nothing_held();
        let lock = RwLock::new(0);
        let readers = (lock.read(), lock.read());
        assert_held(&lock);
        drop(readers);
        let lock = poison::Mutex::new(0);
        let guard = lock.lock().unwrap();
        assert_held(&lock);
        drop(guard);
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire();
        assert!(message_of(assert_nothing_held).contains("Semaphore::acquire"));
        drop(permit);
        assert_nothing_held();
    });
}

/// The guard of another thread's lock may have come here.
#[test]
fn what_this_thread_may_hold_counts_as_held() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let (mutex, lock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
        let guards = (mutex.lock_arc(), lock.read_arc());
        // This thread reads as well.
        let own = lock.read();
        thread::scope(|s| {
            s.spawn(|| {
                let guards = guards;
                assert_held(&*mutex);
                assert_held(&*lock);
                drop(guards);
                assert!(message_of(|| assert_held(&*mutex)).contains("does not hold"));
            });
        });
        drop(own);
        let writer = lock.write();
        thread::scope(|s| {
            s.spawn(|| assert!(message_of(|| assert_held(&*lock)).contains("does not hold")));
        });
        drop(writer);
    });
}

/// What may have gone to another thread does not count.
#[test]
fn what_another_thread_may_hold_does_not_count() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let (mutex, lock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
        let semaphore = Arc::new(Semaphore::new(2));
        let given = (mutex.lock_arc(), lock.read_arc(), semaphore.acquire_arc());
        thread::scope(|s| {
            let (done, end) = std::sync::mpsc::channel::<()>();
            s.spawn(move || {
                let _given = given;
                end.recv().unwrap_err();
            });
            assert_nothing_held();
            drop(done);
        });
        let reentrant = Arc::new(ReentrantMutex::new(0));
        let _guard = reentrant.lock_arc();
        assert!(message_of(assert_nothing_held).contains("ReentrantMutex::lock"));
    });
}
