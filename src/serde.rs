//! Locks are serialised as what they guard (feature `serde`), under the lock: reading for [`RwLock`], waiting
//! if need be. A poisoned one is an error.

use ::serde::ser::Error;
use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::mutex::Mutex;
use crate::poison;
use crate::reentrant::ReentrantMutex;
use crate::rwlock::RwLock;

macro_rules! as_payload {
    ($($lock:ty, $this:ident = $take:expr;)+) => { $(
        /// With the feature `serde`: locks, and serialises the value.
        impl<T: ?Sized + Serialize> Serialize for $lock {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $this = self;
                $take.serialize(serializer)
            }
        }

        /// With the feature `serde`: an unlocked lock around the value.
        impl<'de, T: Deserialize<'de>> Deserialize<'de> for $lock {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                T::deserialize(deserializer).map(Self::new)
            }
        }
    )+ };
}

as_payload! {
    Mutex<T>, mutex = mutex.lock();
    RwLock<T>, lock = lock.read();
    ReentrantMutex<T>, mutex = mutex.lock();
    poison::Mutex<T>, mutex = mutex.lock().map_err(|_| S::Error::custom("a poisoned Mutex is not serialised"))?;
    poison::RwLock<T>, lock = lock.read().map_err(|_| S::Error::custom("a poisoned RwLock is not serialised"))?;
}
