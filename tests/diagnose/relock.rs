//! A thread that locks a lock which it holds.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::diagnose::{Relock, Report, ThreadState, snapshot};
use lockwork::{Mutex, MutexGuard, ReentrantMutex, RwLock, RwLockUpgradableReadGuard};

use crate::support::{eventually, message_of, watchdog};
use crate::{find, session};

#[test]
fn relock_panics_where_it_is_to() {
    watchdog(|| {
        let (_session, reports) = session(None, |settings| settings.relock = Relock::Panic);
        let mutex = Mutex::named("locked twice", 0);
        let guard = mutex.lock();
        let line = line!() - 1;
        let message = message_of(|| drop(mutex.lock()));
        assert!(message.contains("waits for itself: `Mutex::lock` at "), "{message}");
        assert!(message.contains(&format!("relock.rs:{}", line + 2)), "{message}");
        assert!(
            message.ends_with(&format!(
                "for \"locked twice\", which it has locked by `lock` at {}:{line}",
                file!()
            )),
            "{message}"
        );
        find(&reports, |report| {
            matches!(report, Report::Relock(found) if found.wait.name == Some("locked twice")).then_some(())
        });
        // It has no end either.
        let message = message_of(|| drop(mutex.try_lock_for(Duration::MAX)));
        assert!(message.contains("waits for itself: `Mutex::lock` at "), "{message}");
        drop(guard);
        assert!(mutex.try_lock().is_some(), "nothing is left of the call");

        let lock = RwLock::named("written twice", 0);
        let writer = lock.write();
        assert!(message_of(|| drop(lock.read())).contains("`RwLock::read`"));
        assert!(message_of(|| drop(lock.write())).contains("`RwLock::write`"));
        drop(writer);
        let reader = lock.read();
        assert!(message_of(|| drop(lock.write())).contains("which it has locked by `read`"));
        let upgradable = lock.upgradable_read();
        assert!(message_of(|| drop(RwLockUpgradableReadGuard::upgrade(upgradable))).contains("upgrade"));
        drop(reader);
        assert!(lock.try_write().is_some());
    });
}

/// What is no wait for oneself is not reported.
#[test]
fn what_goes_on_is_no_relock() {
    watchdog(|| {
        let (_session, reports) = session(None, |settings| settings.relock = Relock::Panic);
        let mutex = Mutex::named("fine", 0);
        let mut guard = mutex.lock();
        assert!(mutex.try_lock().is_none());
        assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none(), "it goes on when the time is up");
        MutexGuard::unlocked(&mut guard, || drop(mutex.lock()));
        drop(guard);
        let reentrant = ReentrantMutex::named("fine", 0);
        let _levels = (reentrant.lock(), reentrant.lock());
        let lock = RwLock::named("fine", 0);
        let upgradable = lock.upgradable_read();
        drop(RwLockUpgradableReadGuard::upgrade(upgradable));
        let _readers = (lock.read(), lock.read_recursive());
        // Its guard is another thread's by now.
        let shared = Arc::new(Mutex::named("fine", 0));
        let guard = shared.lock_arc();
        let other = thread::spawn(move || {
            let waits =
                |thread: &ThreadState| thread.waits.as_ref().is_some_and(|wait| wait.name == Some("fine"));
            eventually(|| snapshot().threads.iter().any(waits));
            drop(guard);
        });
        drop(shared.lock());
        other.join().unwrap();
        let own =
            |report: &Report| matches!(report, Report::Relock(found) if found.wait.name == Some("fine"));
        assert!(!reports.try_iter().any(|report| own(&report)));
    });
}
