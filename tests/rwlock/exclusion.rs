//! Who may be in an `RwLock` together, and who keeps whom out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::ArcRwLockUpgradableReadGuard;

use super::{BRIEF, Held, KINDS, Kind, MODES, open_to, take};
use crate::locks::Take;
use crate::support::{SHORT, Sleeper, cases, either, eventually, parties, watchdog};

/// What may be in at the same time.
fn get_on(held: Kind, new: Kind) -> bool {
    use Kind::{Upgradable, Write};
    held != Write && new != Write && !(held == Upgradable && new == Upgradable)
}

#[test]
fn every_kind_keeps_the_right_ones_out() {
    for mode in cases(MODES) {
        let lock = mode.arc(0);
        for (held_kind, held_arc) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
            for (new, arc) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
                mode.set_up(&lock);
                let held = take(&lock, held_kind, Take::Lock, held_arc).expect("it is free");
                for how in [
                    Take::Try,
                    Take::For(Duration::ZERO),
                    Take::Until(Duration::ZERO),
                    Take::For(BRIEF),
                    Take::Until(BRIEF),
                ] {
                    let got = take(&lock, new, how, arc).is_some();
                    assert_eq!(got, get_on(held_kind, new), "{mode:?} {held_kind:?} {new:?} {how:?}");
                    // From another thread as from its own.
                    let other =
                        thread::scope(|s| s.spawn(|| take(&lock, new, how, arc).is_some()).join().unwrap());
                    assert_eq!(other, got, "{mode:?} {held_kind:?} {new:?} {how:?}");
                    if cfg!(miri) {
                        break;
                    }
                }
                drop(held);
                assert!(!lock.is_locked());
            }
        }
    }
}

#[test]
fn every_change_of_role_leaves_the_lock_free() {
    type Out = fn(Held<'_, usize>);
    let outs: [(&str, Out); 2] = [
        ("downgrade", |held| drop(held.downgrade())),
        ("to and fro", |held| {
            let held = held.downgrade_to_upgradable().upgrade(Take::Lock).downgrade_to_upgradable();
            drop(held.upgrade(Take::Try).downgrade());
        }),
    ];
    for mode in cases(MODES) {
        let (lock, mut written) = (mode.arc(0), 0);
        for kind in cases(KINDS) {
            for how in cases([Take::Lock, Take::Try, Take::For(SHORT), Take::Until(SHORT)]) {
                for arc in either("arc ") {
                    for (name, out) in outs {
                        mode.set_up(&lock);
                        let mut held = take(&lock, kind, how, arc).expect("it is free");
                        if let Some(value) = held.value_mut() {
                            *value += 1;
                            written += 1;
                        }
                        assert_eq!(*held.value(), written);
                        assert!(lock.is_locked());
                        out(held);
                        assert!(!lock.is_locked(), "{mode:?} {kind:?} {how:?} {arc} {name}");
                        assert_eq!(open_to(&lock), [true; 3], "{mode:?} {kind:?} {how:?} {arc} {name}");
                        assert_eq!(Arc::strong_count(&lock), 1, "{mode:?} {kind:?} {how:?} {arc} {name}");
                    }
                }
            }
        }
        assert_eq!(*lock.read(), written);
    }
}

#[test]
fn readers_are_in_together() {
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                let (lock, inside) = (mode.lock(7), AtomicUsize::new(0));
                let upgradable = lock.upgradable_read();
                thread::scope(|s| {
                    for _ in 0..parties {
                        s.spawn(|| {
                            let reader = lock.read();
                            inside.fetch_add(1, Relaxed);
                            eventually(|| inside.load(Relaxed) == parties);
                            assert_eq!(*reader, 7);
                        });
                    }
                });
                assert_eq!(*upgradable, 7);
                drop(upgradable);
                assert!(!lock.is_locked());
            }
        }
    });
}

#[test]
fn readers_keep_a_writer_out_until_the_last_has_left() {
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                let (lock, leave) = (mode.lock(0), AtomicUsize::new(0));
                let (inside, written, sleeper) =
                    (AtomicUsize::new(0), AtomicBool::new(false), Sleeper::new());
                thread::scope(|s| {
                    for party in 0..parties {
                        let (lock, leave, inside) = (&lock, &leave, &inside);
                        s.spawn(move || {
                            let reader = lock.read();
                            inside.fetch_add(1, Relaxed);
                            eventually(|| leave.load(Relaxed) > party);
                            assert_eq!(*reader, 0);
                        });
                    }
                    eventually(|| inside.load(Relaxed) == parties);
                    s.spawn(|| {
                        sleeper.about_to_block();
                        *lock.write() = 1;
                        written.store(true, Relaxed);
                    });
                    sleeper.until_asleep();
                    for leaving in 0..parties {
                        assert!(!written.load(Relaxed));
                        assert!(lock.is_locked());
                        assert!(!lock.is_locked_exclusive(), "it waits");
                        leave.store(leaving + 1, Relaxed);
                    }
                });
                assert!(written.load(Relaxed));
                assert!(!lock.is_locked());
            }
        }
    });
}

#[test]
fn arc_guards_unlock_on_another_thread() {
    watchdog(|| {
        for mode in cases(MODES) {
            for kind in cases(KINDS) {
                let lock = mode.arc(1);
                let held = take(&lock, kind, Take::Lock, true);
                let other = match held {
                    Some(Held::ArcRead(guard)) => thread::spawn(move || assert_eq!(*guard, 1)),
                    Some(Held::ArcUpgradable(guard)) => {
                        thread::spawn(move || *ArcRwLockUpgradableReadGuard::upgrade(guard) = 1)
                    }
                    Some(Held::ArcWrite(mut guard)) => thread::spawn(move || *guard = 1),
                    _ => unreachable!("owning guards"),
                };
                *lock.write() += 1;
                other.join().unwrap();
                assert!(!lock.is_locked());
                assert!([1, 2].contains(&*lock.read()));
            }
        }
    });
}

#[test]
fn lock_goes_right_after_its_guard() {
    for mode in cases(MODES) {
        let lock = mode.lock(Box::new(1));
        drop(lock.read());
        drop(lock);

        for kind in cases(KINDS) {
            let lock = mode.arc(1);
            let weak = Arc::downgrade(&lock);
            let guard = match take(&lock, kind, Take::Lock, true) {
                Some(Held::ArcRead(guard)) => Held::ArcRead(guard),
                Some(Held::ArcUpgradable(guard)) => Held::ArcUpgradable(guard),
                Some(Held::ArcWrite(guard)) => Held::ArcWrite(guard),
                _ => unreachable!("owning guards"),
            };
            drop(lock);
            assert_eq!(*guard.value(), 1);
            drop(guard);
            assert!(weak.upgrade().is_none());
        }
    }
}
