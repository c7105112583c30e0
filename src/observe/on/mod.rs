//! What there is with the feature: see the [module's page](super).

mod call;
mod held;
mod label;
mod parked;
mod slots;
mod view;

use std::panic::Location;

pub(crate) use call::{Call, Called, Subject};
use call::{Parts, Which};
pub(crate) use held::{Held, HeldHere, release_forgotten};
pub use label::LockClass;
pub(crate) use label::{Identity, Label};
pub(crate) use parked::{Parked, Waited};
use slots::{Contended, may_hold, set_contended, take_contended};
pub(crate) use slots::{inside, inside_anyway, own_chain};
pub(crate) use view::{Holding, ThreadView, Waiting, own_holds, threads};

use super::{Kind, Mode};
use crate::OBSERVER;
use crate::facade::atomic::{AtomicU32, Ordering::Relaxed};
use crate::facade::{Deadline, per_process};

/// Guards have entries.
pub(crate) const HOLDS: u32 = 1;
/// The order of acquisitions is watched.
pub(crate) const ORDER: u32 = 2;
/// Waits are measured.
pub(crate) const PROFILE: u32 = 4;
/// The environment was not asked yet.
const UNREAD: u32 = 8;

per_process! {
    static LEVEL: AtomicU32 = AtomicU32::new(UNREAD);
}

/// Returns what is noted now: some of [`HOLDS`], [`ORDER`] and [`PROFILE`].
#[inline]
pub(crate) fn level() -> u32 {
    // Relaxed: what is noted begins and ends at about that time.
    LEVEL.load(Relaxed)
}

/// Returns whether the environment was not asked yet, and no level was set.
pub(crate) fn is_unread() -> bool {
    level() & UNREAD != 0
}

/// Sets what is noted. For one caller at a time.
pub(crate) fn set_level(level: u32) {
    // Relaxed: as above.
    LEVEL.store(level, Relaxed);
}

/// What becomes of what is noted. Each is called in the thread concerned, as code of diagnosis
/// ([`inside`]).
pub(crate) trait Observer {
    /// Asks the environment and sets the level, before all other calls.
    fn first(&self);
    /// Returns whether [`acquiring`](Self::acquiring) would find nothing new for a thread of this chain.
    /// Takes no lock and allocates nothing.
    fn is_known(&self, held: u64, wanted: u64, mode: Mode, timed: bool) -> bool;
    /// Notes that a thread that holds something is about to lock by a call that may wait, for a limited time
    /// or not.
    fn acquiring(&self, new: &Called, timed: bool);
    /// Notes that a call for a lock could not go on at once. The result comes back with the thread's next
    /// [`acquired`](Self::acquired) or [`gave_up`](Self::gave_up), be that of the same call or of another.
    fn contended(&self, new: &Called, timed: bool) -> u64;
    /// Notes that a thread has locked; it has slept before or not.
    fn acquired(&self, new: &Called, token: u64, parked: bool);
    /// Notes that a call got nothing before its time-out.
    fn gave_up(&self, new: &Called, token: u64, parked: bool);
    /// Notes that a thread is about to unlock.
    fn releasing(&self, holding: &Holding);
    /// Notes that there will be no more calls about this object.
    fn gone(&self, id: u64);
}

#[cold]
fn first() {
    // None at the thread's end: another thread may ask.
    let _ = inside(|| OBSERVER.first());
}

impl Call<'_> {
    /// Notes a call that is about to lock. To be called before anything has changed: it may panic.
    #[inline(always)]
    pub(crate) fn acquiring(&self, timed: bool) {
        self.acquires(timed, 0);
    }

    /// Tells of a call that is about to unlock what the thread holds, and to lock it again. To be called
    /// while it is held and entered: it may panic.
    #[inline(always)]
    pub(crate) fn acquiring_again(&self) {
        self.acquires(false, 1);
    }

    /// Notes a call for a lock that the thread holds `given_up` times and will not when it waits.
    #[inline(always)]
    fn acquires(&self, timed: bool, given_up: usize) {
        let level = level();
        if level & (ORDER | UNREAD) != 0 && (level & UNREAD != 0 || may_hold()) {
            let (which, meta, place) = self.to_parts();
            Self::tell_acquiring(which, meta, place, timed, given_up);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_acquiring(
        which: Which<'_>,
        meta: u64,
        place: &'static Location<'static>,
        timed: bool,
        given_up: usize,
    ) {
        if level() & UNREAD != 0 {
            first();
        }
        let Which::Object(identity) = which else { return };
        let held = own_chain();
        let is_known = || OBSERVER.is_known(held, identity.known(), Parts::of(meta).mode, timed);
        if level() & ORDER == 0 || held == 0 || is_known() {
            return;
        }
        let call = Call::from_parts(which, meta, place);
        let Some(called) = call.subject().0.filter(|_| call.is_for_lock()) else { return };
        let levels = || own_holds().filter(|hold| hold.called.same(&called)).count();
        let again = called.kind == Kind::ReentrantMutex && levels() > given_up;
        // There is no order with what is given up itself.
        let alone = given_up != 0 && own_holds().all(|hold| hold.called.same(&called));
        if !again && !alone {
            inside(|| OBSERVER.acquiring(&called, timed));
        }
    }

    /// Notes a call that could not go on at once. To be called before the thread queues: it may panic.
    #[inline(always)]
    pub(crate) fn contended(&self, timed: bool) {
        if level() != 0 && !self.is_unknown() {
            let (which, meta, place) = self.to_parts();
            Self::tell_contended(which, meta, place, timed);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_contended(which: Which<'_>, meta: u64, place: &'static Location<'static>, timed: bool) {
        if level() & UNREAD != 0 {
            first();
        }
        if level() & (HOLDS | PROFILE) == 0 {
            return;
        }
        if which.id().is_none() {
            return;
        }
        let call = Call::from_parts(which, meta, place);
        // Whatever the thread waited for before is over.
        set_contended(Contended::NONE);
        let Some(called) = call.subject().0.filter(|_| call.is_for_lock()) else { return };
        let token = inside(|| OBSERVER.contended(&called, timed)).unwrap_or(0);
        set_contended(Contended { token, parked: false });
    }

    /// Notes a call without a limit that could not go on at once, and returns its deadline. What it is
    /// made of goes by registers.
    #[inline(always)]
    pub(crate) fn endless(self) -> Deadline {
        let (which, meta, place) = self.to_parts();
        Self::endless_of(which, meta, place)
    }

    #[cold]
    #[inline(never)]
    fn endless_of(which: Which<'_>, meta: u64, place: &'static Location<'static>) -> Deadline {
        let call = Call::from_parts(which, meta, place);
        call.contended(false);
        Deadline::NEVER.of_call(&call)
    }

    /// Notes such a call that got nothing before its time-out.
    #[inline(always)]
    pub(crate) fn gave_up(&self) {
        if level() & PROFILE != 0 && !self.is_unknown() {
            let (which, meta, place) = self.to_parts();
            Self::tell_gave_up(which, meta, place);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_gave_up(which: Which<'_>, meta: u64, place: &'static Location<'static>) {
        let Contended { token, parked } = take_contended();
        let call = Call::from_parts(which, meta, place);
        if let Some(called) = call.subject().0.filter(|_| call.is_for_lock()) {
            inside(|| OBSERVER.gave_up(&called, token, parked));
        }
    }
}

#[cold]
#[inline(never)]
fn tell_acquired(which: Which<'_>, meta: u64, place: &'static Location<'static>) {
    let Contended { token, parked } = take_contended();
    let call = Call::from_parts(which, meta, place);
    if let Some(called) = call.subject().0.filter(|_| call.is_for_lock()) {
        inside(|| OBSERVER.acquired(&called, token, parked));
    }
}

fn releasing(holding: &Holding) {
    inside(|| OBSERVER.releasing(holding));
}

#[cold]
fn gone(id: u64) {
    held::release_gone(id);
    // Also at the thread's end, and in code of diagnosis: what is kept of the object is to go with it.
    if inside(|| OBSERVER.gone(id)).is_none() {
        OBSERVER.gone(id);
    }
}

/// Returns whether what threads hold is known.
#[inline]
pub(crate) fn is_checked() -> bool {
    level() & HOLDS != 0
}

/// Panics unless the calling thread holds the lock.
#[track_caller]
pub(crate) fn assert_held_by_caller(kind: Kind, identity: &Identity, is_locked: bool) {
    let id = identity.known();
    let is = |hold: &Holding| hold.called.kind == kind && hold.called.id == id;
    if id != 0 && own_holds().any(|hold| is(&hold)) {
        return;
    }
    // Readers share it, and an `Arc` guard may have come here from the thread that locked.
    let keeps_out = |hold: &Holding| is(hold) && hold.called.mode.is_exclusive() && !hold.called.shared;
    let held_by_others = id != 0 && threads().iter().flat_map(|thread| &thread.holds).any(keeps_out);
    // Else it may have been locked by this thread before anything was known.
    if !is_locked || held_by_others {
        let (kind, name) = (kind.name(), identity.label().name());
        let name = name.map_or_else(String::new, |name| format!(" \"{name}\""));
        panic!("assert_held: this thread does not hold the {kind}{name}");
    }
}

/// Panics if the calling thread holds a lock or permits, other than by what may have gone to another thread.
#[track_caller]
pub(crate) fn assert_no_lock_held() {
    let is_own = |hold: &Holding| {
        (hold.called.kind.is_lock() || hold.called.kind == Kind::Semaphore) && !hold.called.shared
    };
    if let Some(hold) = own_holds().find(is_own) {
        panic!("assert_nothing_held: this thread holds {}", hold.called);
    }
}

/// Returns all that hold the object: the thread, and how.
pub(crate) fn holders_of(kind: Kind, id: u64) -> Vec<(ThreadView, Holding)> {
    let mut found = Vec::new();
    for thread in threads() {
        for hold in &thread.holds {
            if hold.called.kind == kind && hold.called.id == id {
                found.push((thread.clone(), *hold));
            }
        }
    }
    found
}
