//! What a profile counts beside locks that it does not know. More of profiles is in `diagnose-tests`.

use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Mutex, RawMutex, ReentrantMutex, RwLock, RwLockUpgradableReadGuard, diagnose, lock_api};

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
        // Those of other tests, which may run meanwhile, have names.
        let mut of_this_file = profile.locks().iter().filter(place);
        assert!(of_this_file.all(|numbers| numbers.name.is_some()), "{:?}", profile.locks());
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

/// Where the lock of this name was taken by those on whose account a thread has waited most, and for how
/// long; by the place where it waited.
fn mostly_held_at(name: &str, waited_at: u32) -> (u32, Duration) {
    let profile = diagnose::profile();
    let entries = profile.entries().iter();
    let mut of_it = entries.filter(|entry| entry.name == Some(name) && entry.waited_at.line() == waited_at);
    let most = of_it.next().unwrap_or_else(|| panic!("no wait at {waited_at}: {profile:?}"));
    (most.held_at.map_or(0, |place| place.line()), most.total)
}

/// Sleeps for as long as a wait is to count.
fn nap() {
    thread::sleep(Duration::from_millis(50));
}

#[test]
fn wait_for_an_upgradable_reader_is_charged_to_it_and_not_to_a_reader() {
    watchdog(|| {
        let (_session, _reports) = session(None, |settings| settings.profile = NonZero::new(1));
        for timed in [false, true] {
            let lock = RwLock::named(if timed { "upgradable, timed" } else { "upgradable" }, ());
            let (guard, at) = (lock.upgradable_read(), line!());
            thread::scope(|s| spawn(s, "reads", || drop(lock.read())).join().unwrap());
            let waited_at = thread::scope(|s| {
                let waiter = spawn(s, "wants to be upgradable", || {
                    if timed {
                        assert!(lock.try_upgradable_read_for(Duration::from_millis(50)).is_none());
                        return line!() - 1;
                    }
                    drop(lock.upgradable_read());
                    line!() - 1
                });
                if !timed {
                    until_asleep("wants to be upgradable");
                    nap();
                    drop(guard);
                    return waiter.join().unwrap();
                }
                let waited_at = waiter.join().unwrap();
                drop(guard);
                waited_at
            });
            let name = if timed { "upgradable, timed" } else { "upgradable" };
            assert_eq!(mostly_held_at(name, waited_at).0, at, "timed: {timed}");
        }
    });
}

#[test]
fn wait_for_upgradable_readers_is_charged_to_them_in_turn() {
    watchdog(|| {
        let (_session, _reports) = session(None, |settings| settings.profile = NonZero::new(1));
        let lock = RwLock::named("upgradable in turn", ());
        thread::scope(|s| {
            let first = lock.upgradable_read();
            let second = spawn(s, "second in turn", || {
                let (guard, at) = (lock.upgradable_read(), line!());
                thread::sleep(Duration::from_millis(100));
                drop(guard);
                at
            });
            until_asleep("second in turn");
            let third = spawn(s, "third in turn", || {
                drop(lock.upgradable_read());
                line!() - 1
            });
            until_asleep("third in turn");
            drop(first);
            let (second, third) = (second.join().unwrap(), third.join().unwrap());
            assert_eq!(mostly_held_at("upgradable in turn", third).0, second);
        });
    });
}

#[test]
fn wait_of_an_upgrade_is_charged_to_the_reader() {
    watchdog(|| {
        let (_session, _reports) = session(None, |settings| settings.profile = NonZero::new(1));
        let lock = RwLock::named("upgraded", ());
        let (reader, at) = (lock.read(), line!());
        thread::scope(|s| {
            let waiter = spawn(s, "upgrades in vain", || {
                let upgradable = lock.upgradable_read();
                let limit = Duration::from_millis(50);
                let result = RwLockUpgradableReadGuard::try_upgrade_for(upgradable, limit);
                assert!(result.is_err());
                line!() - 2
            });
            assert_eq!(mostly_held_at("upgraded", waiter.join().unwrap()).0, at);
        });
        drop(reader);
    });
}

/// What a thread locks again it holds already.
#[test]
fn wait_for_a_reentrant_mutex_is_charged_to_its_outer_level() {
    watchdog(|| {
        let (_session, _reports) = session(None, |settings| settings.profile = NonZero::new(1));
        let lock = ReentrantMutex::named("entered again", ());
        thread::scope(|s| {
            let (outer, at) = (lock.lock(), line!());
            let waiter = spawn(s, "waits for all levels", || {
                drop(lock.lock());
                line!() - 1
            });
            until_asleep("waits for all levels");
            for _ in 0..10 {
                thread::sleep(Duration::from_millis(9));
                drop(lock.lock());
            }
            drop(outer);
            assert_eq!(mostly_held_at("entered again", waiter.join().unwrap()).0, at);
        });
    });
}
