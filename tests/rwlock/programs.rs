//! Random programs of operations on an `RwLock`, against a specification.

use std::fmt::Debug;
use std::mem;
use std::sync::Arc;

use lockwork::RwLock;
use proptest::prelude::*;

use super::{Held, Kind, kinds, take, tries};
use crate::locks::Take;
use crate::random::programs;
use crate::support::{shown, watchdog};

/// What one thread may do with a lock and the guards it has.
#[derive(Clone, Copy, Debug)]
enum Step {
    Take(Kind, Take, bool),
    /// These have one of the guards, by number.
    Drop(usize),
    Fair(usize),
    Map(usize),
    Bump(usize),
    Unlocked(usize, bool),
    Downgrade(usize),
    ToUpgradable(usize),
    Upgrade(usize, Take),
    WithUpgraded(usize, Take, usize),
    Write(usize, usize),
    Forget(usize),
    /// So many reads in a row.
    Reads(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    let which = 0..100_usize;
    prop_oneof![
        10 => (kinds(), tries(), any::<bool>()).prop_map(|(kind, how, arc)| Step::Take(kind, how, arc)),
        5 => which.clone().prop_map(Step::Drop),
        2 => which.clone().prop_map(Step::Fair),
        1 => which.clone().prop_map(Step::Map),
        1 => which.clone().prop_map(Step::Bump),
        2 => (which.clone(), any::<bool>()).prop_map(|(which, fair)| Step::Unlocked(which, fair)),
        2 => which.clone().prop_map(Step::Downgrade),
        2 => which.clone().prop_map(Step::ToUpgradable),
        3 => (which.clone(), tries()).prop_map(|(which, how)| Step::Upgrade(which, how)),
        2 => (which.clone(), tries(), 0..100_usize)
            .prop_map(|(which, how, value)| Step::WithUpgraded(which, how, value)),
        3 => (which.clone(), 0..100_usize).prop_map(|(which, value)| Step::Write(which, value)),
        1 => which.prop_map(Step::Forget),
        2 => (1..20_usize).prop_map(Step::Reads),
    ]
}

/// The specification: who is in. No thread waits, as there is one only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Inside {
    readers: usize,
    upgradable: bool,
    writer: bool,
}

impl Inside {
    fn admits(self, kind: Kind) -> bool {
        match kind {
            Kind::Read | Kind::Again => !self.writer,
            Kind::Upgradable => !self.writer && !self.upgradable,
            Kind::Write => self == Self::default(),
        }
    }

    fn come(&mut self, kind: Kind) {
        match kind {
            Kind::Read | Kind::Again => self.readers += 1,
            Kind::Upgradable => self.upgradable = true,
            Kind::Write => self.writer = true,
        }
    }

    fn leave(&mut self, kind: Kind) {
        match kind {
            Kind::Read | Kind::Again => self.readers -= 1,
            Kind::Upgradable => self.upgradable = false,
            Kind::Write => self.writer = false,
        }
    }
}

/// Takes one of them out, to be put back if it goes on.
fn pick<T>(list: &mut Vec<T>, which: usize) -> Option<T> {
    if list.is_empty() { None } else { Some(list.swap_remove(which % list.len())) }
}

fn follow(program: Vec<Step>) {
    let lock = shown(RwLock::new(0));
    let (mut hands, mut inside, mut value, mut leaked) = (Vec::new(), Inside::default(), 0, 0);
    for step in program {
        match step {
            Step::Take(kind, how, arc) => {
                let held = take(&lock, kind, how, arc);
                assert_eq!(held.is_some(), inside.admits(kind), "{step:?} {inside:?}");
                if let Some(held) = held {
                    inside.come(kind);
                    hands.push(held);
                }
            }
            Step::Reads(n) => {
                for _ in 0..n {
                    assert_eq!(lock.try_read().is_some(), inside.admits(Kind::Read), "{inside:?}");
                }
            }
            Step::Drop(which)
            | Step::Fair(which)
            | Step::Map(which)
            | Step::Bump(which)
            | Step::Unlocked(which, _)
            | Step::Downgrade(which)
            | Step::ToUpgradable(which)
            | Step::Upgrade(which, _)
            | Step::WithUpgraded(which, ..)
            | Step::Write(which, _)
            | Step::Forget(which) => {
                let Some(mut held) = pick(&mut hands, which) else { continue };
                let before = held.kind();
                let kept = match step {
                    Step::Drop(_) => None,
                    Step::Fair(_) => {
                        held.unlock_fair();
                        None
                    }
                    Step::Forget(_) => {
                        leaked += usize::from(matches!(
                            held,
                            Held::ArcRead(_) | Held::ArcUpgradable(_) | Held::ArcWrite(_)
                        ));
                        mem::forget(held);
                        // It stays in.
                        continue;
                    }
                    Step::Map(_) => Some(held.map()),
                    Step::Bump(_) => {
                        held.bump();
                        Some(held)
                    }
                    Step::Unlocked(_, fair) => {
                        let mut outside = inside;
                        outside.leave(before);
                        held.unlocked(fair, || {
                            assert_eq!(lock.try_write().is_some(), outside.admits(Kind::Write));
                            assert_eq!(
                                lock.try_upgradable_read().is_some(),
                                outside.admits(Kind::Upgradable)
                            );
                        });
                        Some(held)
                    }
                    Step::Downgrade(_) => Some(held.downgrade()),
                    Step::ToUpgradable(_) => Some(held.downgrade_to_upgradable()),
                    Step::Upgrade(_, how) => {
                        let held = held.upgrade(how);
                        if before == Kind::Upgradable {
                            assert_eq!(held.kind() == Kind::Write, inside.readers == 0);
                        }
                        Some(held)
                    }
                    Step::WithUpgraded(_, how, new) => {
                        let upgraded = held.with_upgraded(how, |value| *value = new).is_some();
                        assert_eq!(upgraded, before == Kind::Upgradable && inside.readers == 0);
                        if upgraded {
                            value = new;
                        }
                        Some(held)
                    }
                    _ => {
                        if let (Step::Write(_, new), Some(place)) = (step, held.value_mut()) {
                            *place = new;
                            value = new;
                        }
                        Some(held)
                    }
                };
                inside.leave(before);
                if let Some(held) = kept {
                    inside.come(held.kind());
                    hands.push(held);
                }
            }
        }
        assert!(hands.iter().all(|held| *held.value() == value));
        assert_eq!(lock.is_locked(), inside != Inside::default(), "{step:?} {inside:?}");
        assert_eq!(lock.is_locked_exclusive(), inside.writer, "{step:?} {inside:?}");
        assert_eq!(format!("{lock:?}").contains("<locked>"), inside.writer);
    }
    drop(hands);
    // Forgotten owning guards have forgotten their shares in the lock.
    let lock = Arc::into_raw(lock);
    (0..leaked).for_each(|_| unsafe { Arc::decrement_strong_count(lock) });
    let lock = Arc::into_inner(unsafe { Arc::from_raw(lock) }).expect("the last");
    assert_eq!(lock.into_inner(), value);
}

proptest! {
    #![proptest_config(programs(256))]

    #[test]
    fn programs_match_the_specification(program in prop::collection::vec(steps(), 0..80)) {
        watchdog(|| follow(program));
    }
}
