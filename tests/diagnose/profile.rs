//! What a profile counts beside locks that it does not know. More of profiles is in `diagnose-tests`.

use std::num::NonZero;
use std::thread;

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
