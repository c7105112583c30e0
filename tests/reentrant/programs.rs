//! Random programs of operations on a `ReentrantMutex`, against a number of levels.

use std::cell::Cell;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use lockwork::ReentrantMutex;
use proptest::prelude::*;

use super::{WAYS, take};
use crate::random::programs;
use crate::support::{elsewhere, shown, unwind};

#[derive(Clone, Copy, Debug)]
enum Step {
    Take(usize),
    Drop(usize),
    Fair(usize),
    Bump(usize),
    Unlocked(usize, bool),
    Panic(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..WAYS).prop_map(Step::Take),
        2 => any::<usize>().prop_map(Step::Drop),
        1 => any::<usize>().prop_map(Step::Fair),
        1 => any::<usize>().prop_map(Step::Bump),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(index, fair)| Step::Unlocked(index, fair)),
        1 => (0..WAYS).prop_map(Step::Panic),
    ]
}

/// The specification: a number of levels.
fn follow(program: Vec<Step>) {
    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
    let mut levels = Vec::new();
    for step in program {
        let at = |index: usize| (!levels.is_empty()).then(|| index % levels.len());
        match step {
            Step::Take(way) => levels.push(take(&mutex, way, Duration::ZERO).expect("free or ours")),
            Step::Drop(index) => drop(at(index).map(|index| levels.remove(index))),
            Step::Fair(index) => {
                if let Some(index) = at(index) {
                    levels.remove(index).unlock_fair();
                }
            }
            Step::Bump(index) => {
                if let Some(index) = at(index) {
                    levels[index].bump();
                }
            }
            Step::Unlocked(index, fair) => {
                if let Some(index) = at(index) {
                    let depth = levels.len();
                    levels[index].unlocked(fair, || assert_eq!(mutex.hold_count(), depth - 1));
                }
            }
            Step::Panic(way) => {
                let unwound = catch_unwind(AssertUnwindSafe(|| {
                    let _level = take(&mutex, way, Duration::ZERO);
                    unwind();
                }));
                assert!(unwound.is_err());
            }
        }
        assert_eq!(mutex.hold_count(), levels.len());
        assert_eq!(mutex.is_locked(), !levels.is_empty());
    }
    let free = elsewhere(|| mutex.try_lock().is_some());
    assert_eq!(free, levels.is_empty());
    drop(levels);
    assert!(!mutex.is_locked());
    Arc::into_inner(mutex).expect("guards are gone");
}

proptest! {
    #![proptest_config(programs(200))]

    #[test]
    fn programs_follow_the_specification(program in prop::collection::vec(steps(), 0..40)) {
        follow(program);
    }
}
