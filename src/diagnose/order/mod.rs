//! The order in which threads take locks: the first acquisition against an order that was seen before is
//! found, although no thread hangs.
//!
//! A thread that holds locks and is about to wait for another has a *chain*: what it holds, and how, and what
//! it wants, and how. A chain that was checked is [known] by its number, for which no lock is taken.
//! One that was not puts an edge into the [graph] from *each* lock that is held, and a [cycle](graph::Found)
//! that comes about is an [`Inversion`].
//!
//! | what a thread does | edges | held afterwards |
//! |---|---|---|
//! | locks, by a call that waits | from all that it holds to the lock | yes |
//! | by a call with a time-out | the same, marked: a cycle of which they are a part ends by itself, and is reported on request | yes |
//! | by `try_` | none | yes |
//! | `read` | as `write`: it queues behind a writer that waits | yes, with other readers |
//! | `read_recursive` | those that matter if a writer holds the lock | yes, with other readers |
//! | upgrades | from all others: readers alone are waited for | yes, alone |
//! | enters a reentrant mutex again | none | yes |
//! | waits at a condition variable | to its mutex, which is let go and taken again, from all others | |
//! | locks by an `Arc` guard | from all that it holds to the lock | no: the guard may have gone elsewhere |
//! | `lock_all` | to each of the set, from what was held before: none of the set is held while it waits | yes |
//!
//! Two locks with classes of different rank need no order that was seen before: the one of the lower rank
//! comes first.

mod graph;
mod inversion;
mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;

use super::tables::Shared;
use crate::facade::atomic::{AtomicU32, Ordering::Relaxed};
use crate::facade::{known_thread, per_process};
use crate::observe::{Called, Kind, Label, Mode, own_chain, own_holds};
use graph::{Found, Graph, Hold, Link, Rules, Step, Want};
pub use inversion::{Acquisition, Inversion, Opposite};
use known::Chain;

/// What is remembered of an edge: where the one lock was taken and the other wanted, by which calls, in which
/// thread.
#[derive(Clone, Copy, Debug)]
struct Sight {
    held_at: &'static Location<'static>,
    wanted_at: &'static Location<'static>,
    held: Mode,
    wanted: Mode,
    thread: u64,
}

struct State {
    graph: Graph<Sight>,
    /// What the locks are that have come to be known here and are not gone.
    labels: BTreeMap<u64, (Kind, Label)>,
    /// Pairs of classes, by their addresses, that were reported.
    ranks: BTreeSet<(usize, usize)>,
    rules: Rules,
}

static STATE: Shared<State> = Shared::new(State {
    graph: Graph::new(),
    labels: BTreeMap::new(),
    ranks: BTreeSet::new(),
    rules: Rules { timed: false, keep: true },
});

per_process! {
    /// Whether there may be anything to forget.
    static USED: AtomicU32 = AtomicU32::new(0);
}

/// Begins anew: nothing was seen. `keep` says whether a thread whose inversion is reported goes on, and the
/// inversion is to be reported once; `timed` whether cycles are reported that a time-out ends.
pub(super) fn configure(keep: bool, timed: bool) {
    let rules = Rules { timed, keep };
    STATE.with(|state| {
        *state = State { graph: Graph::new(), labels: BTreeMap::new(), ranks: BTreeSet::new(), rules };
        known::forget_all();
    });
}

/// Forgets what was seen: the order is not watched any more.
pub(super) fn forget_all() {
    STATE.with(|state| {
        let rules = Rules { ..state.rules };
        *state = State { graph: Graph::new(), labels: BTreeMap::new(), ranks: BTreeSet::new(), rules };
        known::forget_all();
        // Relaxed: a thread that adds something just now stores it anew, and else nothing is left to forget.
        USED.store(0, Relaxed);
    });
}

fn chain(held: u64, wanted: u64, mode: Mode, timed: bool) -> Chain {
    Chain::new(held, wanted, (mode as u64) << 1 | u64::from(timed))
}

/// Returns whether a chain was checked.
#[inline]
pub(super) fn is_known(held: u64, wanted: u64, mode: Mode, timed: bool) -> bool {
    chain(held, wanted, mode, timed).is_known()
}

/// Checks the order for a thread that holds something and is about to lock by a call that may wait, which is
/// not known yet. Returns all that is wrong with it.
pub(super) fn acquiring(new: &Called, timed: bool) -> Vec<Inversion> {
    check(new, timed, chain(own_chain(), new.id, new.mode, timed))
}

/// Forgets a lock that is gone.
pub(super) fn forget(id: u64) {
    // Relaxed: the thread that has used the lock last knows that it was used.
    if USED.load(Relaxed) != 0 {
        STATE.with(|state| {
            if state.labels.remove(&id).is_some() {
                state.graph.remove(id);
            }
        });
    }
}

fn hold(mode: Mode) -> Hold {
    match mode {
        Mode::Read | Mode::ReadRecursive => Hold::Shared,
        Mode::Upgradable => Hold::Upgradable,
        _ => Hold::Exclusive,
    }
}

fn want(mode: Mode) -> Want {
    match mode {
        Mode::ReadRecursive => Want::Recursive,
        Mode::Upgrade => Want::Upgrade,
        _ => Want::Queued,
    }
}

/// What is wrong with taking `wanted` while `held` is.
enum Wrong {
    Ranks(u32, u32),
    Cycle(Vec<Step<Sight>>, BTreeMap<u64, (Kind, Label)>),
}

#[cold]
fn check(new: &Called, timed: bool, chain: Chain) -> Vec<Inversion> {
    // Before the lock of the tables, as it allocates.
    let held: Vec<Called> = own_holds()
        .map(|holding| holding.called)
        .filter(|held| held.kind.is_lock() && !held.shared && !held.same(new))
        .collect();
    let thread = known_thread().map_or(0, std::num::NonZeroU64::get);
    let wrong = STATE.with(|state| {
        let wrong = state.check(&held, new, timed, thread);
        if wrong.is_empty() || state.rules.keep {
            chain.learn();
        }
        wrong
    });
    let inversion = |(held, wrong)| match wrong {
        Wrong::Ranks(of_held, of_new) => Inversion::of_ranks(&held, new, of_held, of_new, timed),
        Wrong::Cycle(steps, labels) => Inversion::of_cycle(&held, new, &steps, &labels, timed),
    };
    wrong.into_iter().flatten().map(inversion).collect()
}

impl State {
    /// Adds what is seen for the first time. Returns the locks that are held and should not be: all of them,
    /// as what has closed a cycle is not told again.
    fn check(&mut self, held: &[Called], new: &Called, timed: bool, thread: u64) -> Vec<(Called, Wrong)> {
        let mut found = Vec::new();
        for &held in held {
            let wrong =
                self.check_ranks(&held, new, timed).or_else(|| self.check_order(&held, new, timed, thread));
            found.extend(wrong.map(|wrong| (held, wrong)));
        }
        found
    }

    fn check_ranks(&mut self, held: &Called, new: &Called, timed: bool) -> Option<Wrong> {
        let (of_held, of_new) = (held.class()?, new.class()?);
        let wrong = of_held.rank() > of_new.rank() && (!timed || self.rules.timed);
        if !wrong {
            return None;
        }
        let pair = ((&raw const *of_held).addr(), (&raw const *of_new).addr());
        let is_new = !self.rules.keep || self.ranks.insert(pair);
        is_new.then_some(Wrong::Ranks(of_held.rank(), of_new.rank()))
    }

    fn check_order(&mut self, held: &Called, new: &Called, timed: bool, thread: u64) -> Option<Wrong> {
        // Relaxed: read by a thread that drops a lock of which it knows this.
        USED.store(1, Relaxed);
        for called in [held, new] {
            self.labels.insert(called.id, (called.kind, called.label));
        }
        let link = Link { hold: hold(held.mode), want: want(new.mode), timed };
        let sight =
            Sight { held_at: held.place, wanted_at: new.place, held: held.mode, wanted: new.mode, thread };
        match self.graph.insert(held.id, new.id, link, sight, self.rules) {
            Found::Nothing => None,
            Found::Cycle(steps) => {
                let ids = steps.iter().flat_map(|step| [step.from, step.to]);
                let labels = ids.filter_map(|id| Some((id, *self.labels.get(&id)?))).collect();
                Some(Wrong::Cycle(steps, labels))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::panic::Location;

    use proptest::prelude::*;

    use super::graph::tests::Brute;
    use super::{Graph, Link, Rules, State, hold, want};
    use crate::observe::{Called, Kind, Label, Mode};

    const LOCKS: u64 = 6;
    const HELD: [Mode; 4] = [Mode::Read, Mode::ReadRecursive, Mode::Upgradable, Mode::Write];
    const WANTED: [Mode; 5] = [Mode::Read, Mode::ReadRecursive, Mode::Upgradable, Mode::Write, Mode::Upgrade];

    fn called(id: u64, mode: Mode) -> Called {
        let place = Location::caller();
        Called { id, kind: Kind::RwLock, mode, count: 1, shared: false, label: Label::None, place }
    }

    /// Makes what a thread holds, what it wants, and whether for a limited time.
    fn acquisition() -> impl Strategy<Value = (Vec<Called>, Called, bool)> {
        let wanted = (0..LOCKS, prop::sample::select(&WANTED[..]));
        let held = prop::collection::btree_map(1..LOCKS, prop::sample::select(&HELD[..]), 1..4);
        (wanted, held, prop::bool::weighted(0.2)).prop_map(|((id, mode), held, timed)| {
            let held = held.into_iter().map(|(by, mode)| called((id + by) % LOCKS, mode)).collect();
            (held, called(id, mode), timed)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 4 } else { 400 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Each lock that is held and closes a cycle is told, whichever others are held.
        #[test]
        fn wrong_acquisitions_are_those_that_trying_every_path_finds(
            acquisitions in prop::collection::vec(acquisition(), 0..40),
            keep in any::<bool>(),
        ) {
            let rules = Rules { timed: false, keep };
            let (labels, ranks) = (BTreeMap::new(), BTreeSet::new());
            let (mut state, mut brute) = (State { graph: Graph::new(), labels, ranks, rules }, Brute::default());
            for (held, new, timed) in acquisitions {
                let mut expected = held.clone();
                expected.retain(|held| {
                    let link = Link { hold: hold(held.mode), want: want(new.mode), timed };
                    brute.insert(held.id, new.id, link, rules)
                });
                let found = state.check(&held, &new, timed, 0);
                let ids: Vec<u64> = found.iter().map(|(held, _)| held.id).collect();
                prop_assert_eq!(ids, expected.iter().map(|held| held.id).collect::<Vec<_>>(), "{:?}", new);
            }
        }
    }
}
