//! Feature `serde`: locks are what they guard.

use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use lockwork::{Mutex, ReentrantMutex, RwLock, poison};
use serde::de::value::{Error, StrDeserializer, U32Deserializer};
use serde::de::{Deserialize, IntoDeserializer};
use serde::ser::Serialize;

use crate::support::{Sleeper, watchdog};

/// What a value is serialised as, by the one serializer that serde itself has.
struct Text<'a, T: ?Sized>(&'a T);

impl<T: ?Sized + Serialize> fmt::Display for Text<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

fn text<T: ?Sized + Serialize>(value: &T) -> String {
    Text(value).to_string()
}

#[test]
fn locks_are_serialised_as_their_value() {
    assert_eq!(text(&Mutex::new(1)), "1");
    assert_eq!(text(&RwLock::new("two")), "two");
    assert_eq!(text(&ReentrantMutex::new(Cell::new(3))), "3");
    assert_eq!(text(&poison::Mutex::new(4)), "4");
    assert_eq!(text(&poison::RwLock::new(5)), "5");
    let lock = RwLock::new(6);
    let _reader = lock.read();
    assert_eq!(text(&lock), "6", "one reader more");
    let mutex: &Mutex<[u8]> = &Mutex::new([]);
    // A sequence is more than this serializer can do: that it gets there is what counts.
    assert!(fmt::Write::write_fmt(&mut String::new(), format_args!("{}", Text(mutex))).is_err());
}

#[test]
fn values_are_deserialised_into_locks() {
    let number = || -> U32Deserializer<Error> { 7u32.into_deserializer() };
    assert_eq!(Mutex::<u64>::deserialize(number()).unwrap().into_inner(), 7);
    assert_eq!(RwLock::<u64>::deserialize(number()).unwrap().into_inner(), 7);
    assert_eq!(ReentrantMutex::<u64>::deserialize(number()).unwrap().into_inner(), 7);
    assert_eq!(poison::Mutex::<u64>::deserialize(number()).unwrap().into_inner().unwrap(), 7);
    assert_eq!(poison::RwLock::<u64>::deserialize(number()).unwrap().into_inner().unwrap(), 7);
    let wrong: StrDeserializer<'_, Error> = "seven".into_deserializer();
    assert!(Mutex::<u64>::deserialize(wrong).is_err());
}

#[test]
fn serialising_waits_for_the_lock() {
    watchdog(|| {
        let (mutex, sleeper) = (Mutex::new(1), Sleeper::new());
        thread::scope(|s| {
            let mut guard = mutex.lock();
            let other = s.spawn(|| {
                sleeper.about_to_block();
                text(&mutex)
            });
            sleeper.until_asleep();
            *guard = 2;
            drop(guard);
            assert_eq!(other.join().unwrap(), "2");
        });
    });
}

#[test]
fn poisoned_lock_is_an_error() {
    let (mutex, lock) = (poison::Mutex::new(1), poison::RwLock::new(1));
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let _guards = (mutex.lock(), lock.write());
        panic!("with both");
    }));
    assert!(result.is_err());
    let failed = |value: &dyn fmt::Display| {
        let mut text = String::new();
        fmt::Write::write_fmt(&mut text, format_args!("{value}")).is_err()
    };
    assert!(failed(&Text(&mutex)) && failed(&Text(&lock)));
}
