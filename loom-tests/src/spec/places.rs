//! Where loom says that a thread is blocked: in the caller's line.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use lockwork::{
    AutoResetEvent, Barrier, BoundedBuffer, Condvar, Event, Latch, Mutex, Once, OnceLock, PriorityBuffer,
    ReentrantMutex, RwLock, RwLockUpgradableReadGuard, Semaphore, WaitGroup, wait_any,
};

/// What loom says of a thread that is blocked by `body` indefinitely.
fn report(body: fn()) -> String {
    let mut builder = loom::model::Builder::new();
    builder.location = true;
    let payload = catch_unwind(AssertUnwindSafe(|| builder.check(body))).expect_err("a deadlock");
    *payload.downcast::<String>().expect("a message")
}

#[test]
fn blocked_thread_is_shown_at_the_callers_line() {
    let calls: [(&str, fn()); 20] = [
        ("mutex", || {
            let mutex = Mutex::new(());
            std::mem::forget(mutex.lock());
            let _ = mutex.lock();
        }),
        ("reentrant mutex", || {
            let mutex = Arc::new(ReentrantMutex::new(()));
            let other = Arc::clone(&mutex);
            loom::thread::spawn(move || std::mem::forget(other.lock())).join().unwrap();
            let _ = mutex.lock();
        }),
        ("condvar", || Condvar::new().wait(&mut Mutex::new(()).lock())),
        ("condvar with a condition", || {
            Condvar::new().wait_while(&mut Mutex::new(()).lock(), |()| true);
        }),
        ("read", || {
            let lock = RwLock::new(());
            std::mem::forget(lock.write());
            let _ = lock.read();
        }),
        ("recursive read", || {
            let lock = RwLock::new(());
            std::mem::forget(lock.write());
            let _ = lock.read_recursive();
        }),
        ("upgradable read", || {
            let lock = RwLock::new(());
            std::mem::forget(lock.write());
            let _ = lock.upgradable_read();
        }),
        ("write", || {
            let lock = RwLock::new(());
            std::mem::forget(lock.read());
            let _ = lock.write();
        }),
        ("upgrade", || {
            let lock = RwLock::new(());
            std::mem::forget(lock.read());
            let _ = RwLockUpgradableReadGuard::upgrade(lock.upgradable_read());
        }),
        ("with upgraded", || {
            let lock = RwLock::new(());
            std::mem::forget(lock.read());
            lock.upgradable_read().with_upgraded(|()| ());
        }),
        ("semaphore", || {
            let _ = Semaphore::new(0).acquire();
        }),
        ("event", || Event::new().wait()),
        ("auto-reset event", || AutoResetEvent::new().wait()),
        ("latch", || Latch::new(1).wait()),
        ("wait group", || {
            let group = WaitGroup::new();
            std::mem::forget(group.clone());
            group.wait();
        }),
        ("barrier", || {
            let _ = Barrier::new(2).wait_result();
        }),
        ("once", || Once::new().wait()),
        ("once lock", || {
            let _ = OnceLock::<()>::new().wait();
        }),
        ("get", || {
            let _ = BoundedBuffer::<()>::new(1).get();
        }),
        ("put", || {
            let buffer = PriorityBuffer::new(1);
            buffer.put(1).unwrap();
            let _ = buffer.put(2);
        }),
    ];
    let elsewhere: Vec<_> = calls
        .into_iter()
        .map(|(name, body)| (name, report(body)))
        .filter(|(_, report)| !report.contains("deadlock") || !report.contains(file!()))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

/// The thread of a set waits for several objects in one line.
#[test]
fn selecting_thread_is_shown_at_the_callers_line() {
    let report = report(|| {
        let _ = wait_any((&Event::new(), &AutoResetEvent::new()));
    });
    assert!(report.contains(file!()), "{report}");
}
