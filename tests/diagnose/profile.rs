//! What a profile counts beside locks that it does not know. More of profiles is in `diagnose-tests`.

use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Mutex, RawMutex, diagnose, lock_api};

use crate::support::{eventually, watchdog};
use crate::{session, spawn, state_of, until_asleep};

/// A lock of `lock_api` has no numbers, and its waits go to no other lock.
#[test]
fn wait_for_a_lock_of_lock_api_is_not_counted_elsewhere() {
    watchdog(|| {
        let (_session, _reports) = session(None, |settings| settings.profile = NonZero::new(1));
        let (untold, lock) = (lock_api::Mutex::<RawMutex, _>::new(()), Mutex::named("beside lock_api", ()));
        thread::scope(|s| {
            let guard = untold.lock();
            let waiter = spawn(s, "waits by lock_api", || {
                drop(untold.lock());
                drop(lock.lock());
            });
            until_asleep("waits by lock_api");
            drop(guard);
            waiter.join().unwrap();
        });
        eventually(|| state_of("waits by lock_api").is_none());
        let profile = diagnose::profile();
        let named: Vec<_> =
            profile.locks().iter().filter(|numbers| numbers.name == Some("beside lock_api")).collect();
        assert_eq!(named.len(), 1, "{named:?}");
        assert_eq!((named[0].acquisitions, named[0].contended), (1, 0));
        let place =
            |numbers: &&diagnose::LockNumbers| numbers.first_used.file().ends_with("diagnose/profile.rs");
        assert_eq!(profile.locks().iter().filter(place).count(), 1, "{:?}", profile.locks());
    });
}

/// No hold seems longer than it was, however the clock ticks meanwhile.
#[test]
fn longest_hold_is_no_longer_than_it_was() {
    watchdog(|| {
        let (_session, _reports) = session(None, |settings| settings.profile = NonZero::new(1));
        let lock = Mutex::named("held for moments", ());
        let (began, mut longest) = (Instant::now(), Duration::ZERO);
        while began.elapsed() < Duration::from_millis(100) {
            let before = Instant::now();
            drop(lock.lock());
            longest = longest.max(before.elapsed());
        }
        let profile = diagnose::profile();
        let numbers =
            profile.locks().iter().find(|numbers| numbers.name == Some("held for moments")).unwrap();
        assert!(numbers.longest_hold <= longest, "{:?}, in truth {longest:?}", numbers.longest_hold);
        assert!(numbers.longest_hold > Duration::ZERO);
    });
}
