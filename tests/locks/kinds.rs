//! The ways of having a lock.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use lockwork::{poison, *};

use super::{Counter, Held, Lock, Map, Take};

type Api = lock_api::Mutex<RawMutex, Counter>;
type ApiFair = lock_api::Mutex<RawFairMutex, Counter>;
type ApiRwLock = lock_api::RwLock<RawRwLock, Counter>;
type ApiRemutex = lock_api::ReentrantMutex<RawMutex, RawThreadId, Counter>;

/// A guard's own type.
pub(super) trait Guard: Deref<Target = Counter> + Sized {
    fn unlock_fair(self) {}

    fn bump(&mut self) {}

    fn unlocked(&mut self, _fair: bool, _body: impl FnOnce()) -> bool {
        false
    }
}

/// The guard that a lock gives, and that of a part of what it guards, or itself where there is none.
pub(super) trait Whole: Guard {
    type Part: Again;

    fn part(self, by: Map, inside: impl FnOnce()) -> Result<Self::Part, Self>;
}

/// A guard of a part, of which there may be a smaller one.
pub(super) trait Again: Guard {
    fn part(self, by: Map, inside: impl FnOnce()) -> Self;
}

/// One of the types of guards that a way has.
pub(super) enum Any<G: Whole, O> {
    Whole(G),
    Part(G::Part),
    Owned(O),
}

impl<G: Whole, O: Guard> Held for Any<G, O> {
    fn counter(&self) -> &Counter {
        match self {
            Self::Whole(guard) => guard,
            Self::Part(guard) => guard,
            Self::Owned(guard) => guard,
        }
    }

    fn part(self, by: Map, inside: impl FnOnce()) -> Self {
        match self {
            Self::Whole(guard) => guard.part(by, inside).map_or_else(Self::Whole, Self::Part),
            Self::Part(guard) => Self::Part(guard.part(by, inside)),
            Self::Owned(guard) => {
                inside();
                Self::Owned(guard)
            }
        }
    }

    fn unlock_fair(self) {
        match self {
            Self::Whole(guard) => guard.unlock_fair(),
            Self::Part(guard) => guard.unlock_fair(),
            Self::Owned(guard) => guard.unlock_fair(),
        }
    }

    fn bump(&mut self) {
        match self {
            Self::Whole(guard) => guard.bump(),
            Self::Part(guard) => guard.bump(),
            Self::Owned(guard) => guard.bump(),
        }
    }

    fn unlocked(&mut self, fair: bool, body: impl FnOnce()) -> bool {
        match self {
            Self::Whole(guard) => guard.unlocked(fair, body),
            Self::Part(guard) => guard.unlocked(fair, body),
            Self::Owned(guard) => guard.unlocked(fair, body),
        }
    }
}

/// Guards of the whole, which have everything.
macro_rules! guards {
    ($($guard:ty),+ $(,)?) => { $(
        impl Guard for $guard {
            fn unlock_fair(self) {
                <$guard>::unlock_fair(self);
            }

            fn bump(&mut self) {
                <$guard>::bump(self);
            }

            fn unlocked(&mut self, fair: bool, body: impl FnOnce()) -> bool {
                if fair {
                    <$guard>::unlocked_fair(self, body);
                } else {
                    <$guard>::unlocked(self, body);
                }
                true
            }
        }
    )+ };
}

guards! {
    MutexGuard<'_, Counter>, ArcMutexGuard<Counter>,
    ReentrantMutexGuard<'_, Counter>, ArcReentrantMutexGuard<Counter>,
    RwLockReadGuard<'_, Counter>, ArcRwLockReadGuard<Counter>,
    RwLockUpgradableReadGuard<'_, Counter>, ArcRwLockUpgradableReadGuard<Counter>,
    RwLockWriteGuard<'_, Counter>, ArcRwLockWriteGuard<Counter>,
    lock_api::MutexGuard<'_, RawMutex, Counter>, lock_api::ArcMutexGuard<RawMutex, Counter>,
    lock_api::MutexGuard<'_, RawFairMutex, Counter>, lock_api::ArcMutexGuard<RawFairMutex, Counter>,
    lock_api::ReentrantMutexGuard<'_, RawMutex, RawThreadId, Counter>,
    lock_api::ArcReentrantMutexGuard<RawMutex, RawThreadId, Counter>,
    lock_api::RwLockReadGuard<'_, RawRwLock, Counter>, lock_api::ArcRwLockReadGuard<RawRwLock, Counter>,
    lock_api::RwLockUpgradableReadGuard<'_, RawRwLock, Counter>,
    lock_api::ArcRwLockUpgradableReadGuard<RawRwLock, Counter>,
    lock_api::RwLockWriteGuard<'_, RawRwLock, Counter>, lock_api::ArcRwLockWriteGuard<RawRwLock, Counter>,
}

/// Guards that are dropped and nothing else.
macro_rules! plain_guards {
    ($($guard:ty),+ $(,)?) => { $(impl Guard for $guard {})+ };
}

plain_guards! {
    poison::MutexGuard<'_, Counter>, poison::MappedMutexGuard<'_, Counter>,
    poison::RwLockReadGuard<'_, Counter>, poison::MappedRwLockReadGuard<'_, Counter>,
    poison::RwLockWriteGuard<'_, Counter>, poison::MappedRwLockWriteGuard<'_, Counter>,
}

/// Guards of parts, with the guards that they are made of.
macro_rules! parts {
    ($($guard:ty => $part:ty),+ $(,)?) => { $(
        impl<'a> Whole for $guard {
            type Part = $part;

            fn part(self, by: Map, inside: impl FnOnce()) -> Result<$part, Self> {
                match by {
                    Map::Map => Ok(<$guard>::map(self, |value| {
                        inside();
                        value
                    })),
                    Map::TryMap => <$guard>::try_map(self, |value| {
                        inside();
                        Some(value)
                    }),
                }
            }
        }

        impl<'a> Again for $part {
            fn part(self, by: Map, inside: impl FnOnce()) -> Self {
                match by {
                    Map::Map => <$part>::map(self, |value| {
                        inside();
                        value
                    }),
                    Map::TryMap => {
                        let part = <$part>::try_map(self, |value| {
                            inside();
                            Some(value)
                        });
                        part.unwrap_or_else(|_| unreachable!("there is one"))
                    }
                }
            }
        }
    )+ };
}

parts! {
    MutexGuard<'a, Counter> => MappedMutexGuard<'a, Counter>,
    ReentrantMutexGuard<'a, Counter> => MappedReentrantMutexGuard<'a, Counter>,
    RwLockReadGuard<'a, Counter> => MappedRwLockReadGuard<'a, Counter>,
    RwLockWriteGuard<'a, Counter> => MappedRwLockWriteGuard<'a, Counter>,
    poison::MutexGuard<'a, Counter> => poison::MappedMutexGuard<'a, Counter>,
    poison::RwLockReadGuard<'a, Counter> => poison::MappedRwLockReadGuard<'a, Counter>,
    poison::RwLockWriteGuard<'a, Counter> => poison::MappedRwLockWriteGuard<'a, Counter>,
    lock_api::MutexGuard<'a, RawMutex, Counter> => lock_api::MappedMutexGuard<'a, RawMutex, Counter>,
    lock_api::MutexGuard<'a, RawFairMutex, Counter> => lock_api::MappedMutexGuard<'a, RawFairMutex, Counter>,
    lock_api::ReentrantMutexGuard<'a, RawMutex, RawThreadId, Counter> =>
        lock_api::MappedReentrantMutexGuard<'a, RawMutex, RawThreadId, Counter>,
    lock_api::RwLockReadGuard<'a, RawRwLock, Counter> =>
        lock_api::MappedRwLockReadGuard<'a, RawRwLock, Counter>,
    lock_api::RwLockWriteGuard<'a, RawRwLock, Counter> =>
        lock_api::MappedRwLockWriteGuard<'a, RawRwLock, Counter>,
}

macro_rules! fair_parts {
    ($($guard:ty),+ $(,)?) => { $(
        impl Guard for $guard {
            fn unlock_fair(self) {
                <$guard>::unlock_fair(self);
            }
        }
    )+ };
}

fair_parts! {
    MappedMutexGuard<'_, Counter>, MappedReentrantMutexGuard<'_, Counter>,
    MappedRwLockReadGuard<'_, Counter>, MappedRwLockWriteGuard<'_, Counter>,
    lock_api::MappedMutexGuard<'_, RawMutex, Counter>, lock_api::MappedMutexGuard<'_, RawFairMutex, Counter>,
    lock_api::MappedReentrantMutexGuard<'_, RawMutex, RawThreadId, Counter>,
    lock_api::MappedRwLockReadGuard<'_, RawRwLock, Counter>,
    lock_api::MappedRwLockWriteGuard<'_, RawRwLock, Counter>,
}

/// There is no part of an upgradable reader's.
macro_rules! no_parts {
    ($($guard:ty),+ $(,)?) => { $(
        impl<'a> Whole for $guard {
            type Part = Self;

            fn part(self, _: Map, inside: impl FnOnce()) -> Result<Self, Self> {
                inside();
                Err(self)
            }
        }

        impl<'a> Again for $guard {
            fn part(self, _: Map, inside: impl FnOnce()) -> Self {
                inside();
                self
            }
        }
    )+ };
}

no_parts! {
    RwLockUpgradableReadGuard<'a, Counter>, lock_api::RwLockUpgradableReadGuard<'a, RawRwLock, Counter>,
}

/// What the locks of `poison` give, poisoned or not: a `Result`.
trait Got<G> {
    fn got(self) -> Option<G>;
}

impl<G> Got<G> for Option<G> {
    fn got(self) -> Option<G> {
        self
    }
}

impl<G> Got<G> for Result<G, PoisonError<G>> {
    fn got(self) -> Option<G> {
        Some(self.unwrap_or_else(PoisonError::into_inner))
    }
}

impl<G> Got<G> for Result<G, TryLockError<G>> {
    fn got(self) -> Option<G> {
        match self {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

fn until(timeout: Duration) -> Instant {
    Instant::now() + timeout
}

/// Takes `$lock` by one of the calls that are listed for locking, trying and trying in time.
macro_rules! by {
    ($lock:expr, $how:expr, $take:ident, $try:ident, $for:ident, $until:ident) => {
        match $how {
            Take::Lock => Some($lock.$take()),
            Take::Try => $lock.$try().got(),
            Take::For(timeout) => $lock.$for(timeout).got(),
            Take::Until(timeout) => $lock.$until(until(timeout)).got(),
        }
    };
    (poison: $lock:expr, $how:expr, $take:ident, $try:ident, $for:ident, $until:ident) => {
        match $how {
            Take::Lock => $lock.$take().got(),
            Take::Try => $lock.$try().got(),
            Take::For(timeout) => $lock.$for(timeout).got(),
            Take::Until(timeout) => $lock.$until(until(timeout)).got(),
        }
    };
}

/// Ways that keep out a thread that has the same lock in the same way.
macro_rules! exclusive {
    ($($way:ident: $of:ty, $guard:ty, $owned:ty, $name:literal,
        [$($calls:ident),+], [$($arc_calls:ident),+], $try:ident;)+) => { $(
        pub(super) struct $way;

        impl Lock for $way {
            type Of = $of;
            type Held<'a> = Any<$guard, $owned>;
            type Obstacle<'a> = Any<$guard, $owned>;

            const NAME: &'static str = $name;

            fn take(lock: &Arc<$of>, how: Take, owned: bool) -> Option<Self::Held<'_>> {
                if owned {
                    by!(lock, how, $($arc_calls),+).map(Any::Owned)
                } else {
                    by!(lock, how, $($calls),+).map(Any::Whole)
                }
            }

            fn obstruct(lock: &Arc<$of>, how: Take) -> Option<Self::Obstacle<'_>> {
                Self::take(lock, how, false)
            }

            fn is_free(lock: &$of) -> bool {
                lock.$try().is_some()
            }

            fn into_inner(lock: $of) -> Counter {
                lock.into_inner()
            }
        }
    )+ };
}

exclusive! {
    Plain: Mutex<Counter>, MutexGuard<'a, Counter>, ArcMutexGuard<Counter>, "Mutex",
        [lock, try_lock, try_lock_for, try_lock_until],
        [lock_arc, try_lock_arc, try_lock_arc_for, try_lock_arc_until], try_lock;
    Reentrant: ReentrantMutex<Counter>, ReentrantMutexGuard<'a, Counter>, ArcReentrantMutexGuard<Counter>,
        "ReentrantMutex", [lock, try_lock, try_lock_for, try_lock_until],
        [lock_arc, try_lock_arc, try_lock_arc_for, try_lock_arc_until], try_lock;
    Write: RwLock<Counter>, RwLockWriteGuard<'a, Counter>, ArcRwLockWriteGuard<Counter>, "RwLock",
        [write, try_write, try_write_for, try_write_until],
        [write_arc, try_write_arc, try_write_arc_for, try_write_arc_until], try_write;
    ApiMutex: Api, lock_api::MutexGuard<'a, RawMutex, Counter>, lock_api::ArcMutexGuard<RawMutex, Counter>,
        "Mutex", [lock, try_lock, try_lock_for, try_lock_until],
        [lock_arc, try_lock_arc, try_lock_arc_for, try_lock_arc_until], try_lock;
    ApiFairMutex: ApiFair, lock_api::MutexGuard<'a, RawFairMutex, Counter>,
        lock_api::ArcMutexGuard<RawFairMutex, Counter>, "Mutex",
        [lock, try_lock, try_lock_for, try_lock_until],
        [lock_arc, try_lock_arc, try_lock_arc_for, try_lock_arc_until], try_lock;
    ApiReentrant: ApiRemutex, lock_api::ReentrantMutexGuard<'a, RawMutex, RawThreadId, Counter>,
        lock_api::ArcReentrantMutexGuard<RawMutex, RawThreadId, Counter>, "ReentrantMutex",
        [lock, try_lock, try_lock_for, try_lock_until],
        [lock_arc, try_lock_arc, try_lock_arc_for, try_lock_arc_until], try_lock;
    ApiWrite: ApiRwLock, lock_api::RwLockWriteGuard<'a, RawRwLock, Counter>,
        lock_api::ArcRwLockWriteGuard<RawRwLock, Counter>, "RwLock",
        [write, try_write, try_write_for, try_write_until],
        [write_arc, try_write_arc, try_write_arc_for, try_write_arc_until], try_write;
}

/// Roles in a reader-writer lock, with what is in the way of each: a writer for the most.
macro_rules! roles {
    ($($way:ident $(<$visible:ident>)?: $of:ty, $guard:ty, $owned:ty, shared $shared:literal, seen $seen:literal,
        [$($calls:ident),+], [$($arc_calls:ident),+],
        obstacle $obstacle:ty, $obstacle_owned:ty, shared $shared_obstacle:literal, [$($obstacle_calls:ident),+];)+) => { $(
        pub(super) struct $way $(<const $visible: bool>)?;

        impl $(<const $visible: bool>)? Lock for $way $(<$visible>)? {
            type Of = $of;
            type Held<'a> = Any<$guard, $owned>;
            type Obstacle<'a> = Any<$obstacle, $obstacle_owned>;

            const SHARED: bool = $shared;
            const SHARED_OBSTACLE: bool = $shared_obstacle;
            const SEEN: bool = $seen;
            const NAME: &'static str = "RwLock";

            $(
                fn set_up(lock: &$of) {
                    // After some reads in a row readers are visible in slots; a write ends whatever there is
                    // of a row.
                    if $visible {
                        (0..32).for_each(|_| drop(lock.read()));
                    } else {
                        drop(lock.write());
                    }
                }
            )?

            fn take(lock: &Arc<$of>, how: Take, owned: bool) -> Option<Self::Held<'_>> {
                if owned {
                    by!(lock, how, $($arc_calls),+).map(Any::Owned)
                } else {
                    by!(lock, how, $($calls),+).map(Any::Whole)
                }
            }

            fn obstruct(lock: &Arc<$of>, how: Take) -> Option<Self::Obstacle<'_>> {
                by!(lock, how, $($obstacle_calls),+).map(Any::Whole)
            }

            fn is_free(lock: &$of) -> bool {
                lock.try_write().is_some()
            }

            fn into_inner(lock: $of) -> Counter {
                lock.into_inner()
            }
        }
    )+ };
}

roles! {
    Read<VISIBLE>: RwLock<Counter>, RwLockReadGuard<'a, Counter>, ArcRwLockReadGuard<Counter>, shared true, seen true,
        [read, try_read, try_read_for, try_read_until],
        [read_arc, try_read_arc, try_read_arc_for, try_read_arc_until],
        obstacle RwLockWriteGuard<'a, Counter>, ArcRwLockWriteGuard<Counter>, shared false,
        [write, try_write, try_write_for, try_write_until];
    ReadAgain: RwLock<Counter>, RwLockReadGuard<'a, Counter>, ArcRwLockReadGuard<Counter>, shared true, seen true,
        [read_recursive, try_read_recursive, try_read_recursive_for, try_read_recursive_until],
        [read_recursive_arc, try_read_recursive_arc, try_read_recursive_arc_for, try_read_recursive_arc_until],
        obstacle RwLockWriteGuard<'a, Counter>, ArcRwLockWriteGuard<Counter>, shared false,
        [write, try_write, try_write_for, try_write_until];
    Upgradable: RwLock<Counter>, RwLockUpgradableReadGuard<'a, Counter>, ArcRwLockUpgradableReadGuard<Counter>,
        shared false, seen true,
        [upgradable_read, try_upgradable_read, try_upgradable_read_for, try_upgradable_read_until],
        [upgradable_read_arc, try_upgradable_read_arc, try_upgradable_read_arc_for, try_upgradable_read_arc_until],
        obstacle RwLockWriteGuard<'a, Counter>, ArcRwLockWriteGuard<Counter>, shared false,
        [write, try_write, try_write_for, try_write_until];
    WriteAfterReader<VISIBLE>: RwLock<Counter>, RwLockWriteGuard<'a, Counter>, ArcRwLockWriteGuard<Counter>,
        shared false, seen false, [write, try_write, try_write_for, try_write_until],
        [write_arc, try_write_arc, try_write_arc_for, try_write_arc_until],
        obstacle RwLockReadGuard<'a, Counter>, ArcRwLockReadGuard<Counter>, shared true,
        [read, try_read, try_read_for, try_read_until];
    ApiRead: ApiRwLock, lock_api::RwLockReadGuard<'a, RawRwLock, Counter>,
        lock_api::ArcRwLockReadGuard<RawRwLock, Counter>, shared true, seen true,
        [read, try_read, try_read_for, try_read_until],
        [read_arc, try_read_arc, try_read_arc_for, try_read_arc_until],
        obstacle lock_api::RwLockWriteGuard<'a, RawRwLock, Counter>,
        lock_api::ArcRwLockWriteGuard<RawRwLock, Counter>, shared false,
        [write, try_write, try_write_for, try_write_until];
    ApiReadAgain: ApiRwLock, lock_api::RwLockReadGuard<'a, RawRwLock, Counter>,
        lock_api::ArcRwLockReadGuard<RawRwLock, Counter>, shared true, seen true,
        [read_recursive, try_read_recursive, try_read_recursive_for, try_read_recursive_until],
        [read_arc_recursive, try_read_recursive_arc, try_read_arc_recursive_for, try_read_arc_recursive_until],
        obstacle lock_api::RwLockWriteGuard<'a, RawRwLock, Counter>,
        lock_api::ArcRwLockWriteGuard<RawRwLock, Counter>, shared false,
        [write, try_write, try_write_for, try_write_until];
    ApiUpgradable: ApiRwLock, lock_api::RwLockUpgradableReadGuard<'a, RawRwLock, Counter>,
        lock_api::ArcRwLockUpgradableReadGuard<RawRwLock, Counter>, shared false, seen true,
        [upgradable_read, try_upgradable_read, try_upgradable_read_for, try_upgradable_read_until],
        [upgradable_read_arc, try_upgradable_read_arc, try_upgradable_read_arc_for, try_upgradable_read_arc_until],
        obstacle lock_api::RwLockWriteGuard<'a, RawRwLock, Counter>,
        lock_api::ArcRwLockWriteGuard<RawRwLock, Counter>, shared false,
        [write, try_write, try_write_for, try_write_until];
}

/// The locks of `poison`, whose guards borrow and know no fairness. A panic with one of them poisons and
/// releases.
macro_rules! poisoning {
    ($($way:ident: $of:ty, $guard:ty, shared $shared:literal, $name:literal, [$($calls:ident),+],
        obstacle $obstacle:ty, [$($obstacle_calls:ident),+];)+) => { $(
        pub(super) struct $way;

        impl Lock for $way {
            type Of = $of;
            type Held<'a> = Any<$guard, $guard>;
            type Obstacle<'a> = Any<$obstacle, $obstacle>;

            const SHARED: bool = $shared;
            const SEEN: bool = $shared;
            const OWNED: bool = false;
            const NAME: &'static str = $name;

            fn take(lock: &Arc<$of>, how: Take, _: bool) -> Option<Self::Held<'_>> {
                by!(poison: lock, how, $($calls),+).map(Any::Whole)
            }

            fn obstruct(lock: &Arc<$of>, how: Take) -> Option<Self::Obstacle<'_>> {
                by!(poison: lock, how, $($obstacle_calls),+).map(Any::Whole)
            }

            fn is_free(lock: &$of) -> bool {
                by!(poison: lock, Take::Try, $($obstacle_calls),+).is_some()
            }

            fn into_inner(lock: $of) -> Counter {
                lock.into_inner().unwrap_or_else(PoisonError::into_inner)
            }

            fn debug(data: &str) -> String {
                format!("{} {{ data: {data}, poisoned: false, .. }}", Self::NAME)
            }
        }
    )+ };
}

poisoning! {
    PoisonMutex: poison::Mutex<Counter>, poison::MutexGuard<'a, Counter>, shared false, "Mutex",
        [lock, try_lock, try_lock_for, try_lock_until],
        obstacle poison::MutexGuard<'a, Counter>, [lock, try_lock, try_lock_for, try_lock_until];
    PoisonRead: poison::RwLock<Counter>, poison::RwLockReadGuard<'a, Counter>, shared true, "RwLock",
        [read, try_read, try_read_for, try_read_until],
        obstacle poison::RwLockWriteGuard<'a, Counter>, [write, try_write, try_write_for, try_write_until];
    PoisonWrite: poison::RwLock<Counter>, poison::RwLockWriteGuard<'a, Counter>, shared false, "RwLock",
        [write, try_write, try_write_for, try_write_until],
        obstacle poison::RwLockWriteGuard<'a, Counter>, [write, try_write, try_write_for, try_write_until];
}
