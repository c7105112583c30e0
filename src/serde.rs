//! Locks serialise as the value they guard (feature `serde`), under the lock: reading for [`RwLock`], waiting
//! if need be. A poisoned one is an error.

use ::serde::ser::Error;
use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::mutex::Mutex;
use crate::poison;
use crate::reentrant::ReentrantMutex;
use crate::rwlock::RwLock;

/// A lock, and the call that locks it for reading; of one that may be poisoned also its name.
macro_rules! as_payload {
    ($($lock:ty: $read:ident $(, $name:literal)?;)+) => { $(
        /// With the feature `serde`: locks, and serialises the value.
        impl<T: ?Sized + Serialize> Serialize for $lock {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let guard = self.$read();
                $(
                    let poisoned = |_| S::Error::custom(concat!("a poisoned ", $name, " is not serialised"));
                    let guard = guard.map_err(poisoned)?;
                )?
                guard.serialize(serializer)
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
    Mutex<T>: lock;
    RwLock<T>: read;
    ReentrantMutex<T>: lock;
    poison::Mutex<T>: lock, "Mutex";
    poison::RwLock<T>: read, "RwLock";
}
