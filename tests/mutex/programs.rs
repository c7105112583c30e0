//! Random programs of operations on a `Mutex`, against a specification and in several threads.

use std::fmt::Debug;
use std::hint::black_box;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{ArcMutexGuard, MappedMutexGuard, Mutex, MutexGuard};
use proptest::prelude::*;

use crate::locks::Take;
use crate::random::programs;
use crate::support::{parties, rounds, shown, unwind, watchdog};

/// How to part with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Give {
    Drop,
    Fair,
    Bump,
    Unlocked,
    Map,
    MapFair,
    Forget,
    ForgetFair,
    Panic,
}

/// A way through the lock, by a guard that borrows or by one that owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    take: Take,
    arc: bool,
    give: Give,
}

const GIVES: [Give; 9] = [
    Give::Drop,
    Give::Fair,
    Give::Bump,
    Give::Unlocked,
    Give::Map,
    Give::MapFair,
    Give::Forget,
    Give::ForgetFair,
    Give::Panic,
];

fn take<T: ?Sized>(mutex: &Mutex<T>, take: Take) -> Option<MutexGuard<'_, T>> {
    match take {
        Take::Lock => Some(mutex.lock()),
        Take::Try => mutex.try_lock(),
        Take::For(timeout) => mutex.try_lock_for(timeout),
        Take::Until(timeout) => mutex.try_lock_until(Instant::now() + timeout),
    }
}

fn take_arc<T: ?Sized>(mutex: &Arc<Mutex<T>>, take: Take) -> Option<ArcMutexGuard<T>> {
    match take {
        Take::Lock => Some(mutex.lock_arc()),
        Take::Try => mutex.try_lock_arc(),
        Take::For(timeout) => mutex.try_lock_arc_for(timeout),
        Take::Until(timeout) => mutex.try_lock_arc_until(Instant::now() + timeout),
    }
}

/// Runs `section` in the lock, if `way` gets it. Says whether it did.
fn pass<T>(mutex: &Arc<Mutex<T>>, way: Way, section: impl FnOnce(&mut T)) -> bool {
    if way.arc { pass_arc(mutex, way, section) } else { pass_borrowed(mutex, way, section) }
}

fn pass_borrowed<T>(mutex: &Mutex<T>, way: Way, section: impl FnOnce(&mut T)) -> bool {
    let Some(mut guard) = take(mutex, way.take) else {
        return false;
    };
    match way.give {
        Give::Drop => section(&mut guard),
        Give::Fair => {
            section(&mut guard);
            MutexGuard::unlock_fair(guard);
        }
        Give::Bump => {
            MutexGuard::bump(&mut guard);
            section(&mut guard);
        }
        Give::Unlocked => {
            MutexGuard::unlocked(&mut guard, || ());
            section(&mut guard);
            MutexGuard::unlocked_fair(&mut guard, || ());
        }
        Give::Map => section(&mut MutexGuard::map(guard, |value| value)),
        Give::MapFair => {
            let mut mapped = MutexGuard::map(guard, |value| value);
            section(&mut mapped);
            MappedMutexGuard::unlock_fair(mapped);
        }
        Give::Forget => {
            section(&mut guard);
            mem::forget(guard);
            unsafe { mutex.force_unlock() };
        }
        Give::ForgetFair => {
            section(&mut guard);
            mem::forget(guard);
            unsafe { mutex.force_unlock_fair() };
        }
        Give::Panic => {
            let unwound = catch_unwind(AssertUnwindSafe(move || {
                section(&mut guard);
                unwind();
            }));
            assert!(unwound.is_err());
        }
    }
    true
}

fn pass_arc<T>(mutex: &Arc<Mutex<T>>, way: Way, section: impl FnOnce(&mut T)) -> bool {
    let Some(mut guard) = take_arc(mutex, way.take) else {
        return false;
    };
    match way.give {
        Give::Drop => section(&mut guard),
        Give::Fair | Give::MapFair => {
            section(&mut guard);
            ArcMutexGuard::unlock_fair(guard);
        }
        Give::Bump => {
            ArcMutexGuard::bump(&mut guard);
            section(&mut guard);
        }
        Give::Unlocked => {
            ArcMutexGuard::unlocked(&mut guard, || ());
            section(&mut guard);
        }
        Give::Map => {
            section(&mut guard);
            assert!(Arc::ptr_eq(&ArcMutexGuard::into_arc(guard), mutex));
        }
        Give::Forget | Give::ForgetFair => {
            section(&mut guard);
            let share = Arc::as_ptr(ArcMutexGuard::mutex(&guard));
            mem::forget(guard);
            unsafe { mutex.force_unlock() };
            // The guard's share in the mutex, which was forgotten with it.
            unsafe { Arc::decrement_strong_count(share) };
        }
        Give::Panic => {
            let unwound = catch_unwind(AssertUnwindSafe(move || {
                section(&mut guard);
                unwind();
            }));
            assert!(unwound.is_err());
        }
    }
    true
}

/// A counter that is wrong as soon as two threads are in the lock at once.
fn count_slowly(counter: &mut usize) {
    let seen = black_box(*counter);
    if seen % 64 == 0 {
        thread::yield_now();
    }
    *counter = seen + 1;
}

#[test]
fn stress_with_one_lock_for_each_party() {
    // Many short sections and nothing else, which is where a lost wake-up would show.
    watchdog(|| {
        for parties in parties() {
            let mutex = Mutex::new(0);
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| (0..rounds(10_000)).for_each(|_| count_slowly(&mut mutex.lock())));
                }
            });
            assert_eq!(mutex.into_inner(), parties * rounds(10_000));
        }
    });
}

fn takes() -> impl Strategy<Value = Take> {
    let timeout = prop_oneof![Just(0), 0_u64..200].prop_map(Duration::from_micros);
    prop_oneof![
        3 => Just(Take::Lock),
        2 => Just(Take::Try),
        2 => timeout.clone().prop_map(Take::For),
        1 => timeout.prop_map(Take::Until),
    ]
}

fn ways() -> impl Strategy<Value = Way> {
    (takes(), any::<bool>(), prop::sample::select(GIVES.to_vec())).prop_map(|(take, arc, give)| Way {
        take,
        arc,
        give,
    })
}

/// What one thread may do to a mutex over `(u64, u64)`.
#[derive(Clone, Copy, Debug)]
enum Step {
    Take(Take, bool),
    Drop,
    Fair,
    Map,
    MapNothing,
    Write(u64),
    Bump,
    Unlocked(u64),
}

/// What it has in its hands.
#[derive(Debug)]
enum Hands<'a> {
    Empty,
    Guard(MutexGuard<'a, (u64, u64)>),
    Mapped(MappedMutexGuard<'a, u64>),
    Arc(ArcMutexGuard<(u64, u64)>),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (takes(), any::<bool>()).prop_map(|(take, arc)| Step::Take(take, arc)),
        2 => Just(Step::Drop),
        1 => Just(Step::Fair),
        1 => Just(Step::Map),
        1 => Just(Step::MapNothing),
        2 => any::<u64>().prop_map(Step::Write),
        1 => Just(Step::Bump),
        1 => any::<u64>().prop_map(Step::Unlocked),
    ]
}

/// Does one step and says what is in the hands afterwards.
fn step_on<'a>(mutex: &'a Arc<Mutex<(u64, u64)>>, step: Step, hands: Hands<'a>) -> Hands<'a> {
    match (step, hands) {
        (Step::Take(how, arc), hands) => {
            let new = match arc {
                true => take_arc(mutex, how).map(Hands::Arc),
                false => take(mutex, how).map(Hands::Guard),
            };
            assert_eq!(new.is_some(), matches!(hands, Hands::Empty));
            new.unwrap_or(hands)
        }
        (Step::Fair, Hands::Guard(guard)) => {
            MutexGuard::unlock_fair(guard);
            Hands::Empty
        }
        (Step::Fair, Hands::Mapped(guard)) => {
            MappedMutexGuard::unlock_fair(guard);
            Hands::Empty
        }
        (Step::Fair, Hands::Arc(guard)) => {
            ArcMutexGuard::unlock_fair(guard);
            Hands::Empty
        }
        (Step::Drop | Step::Fair, _) => Hands::Empty,
        (Step::Map, Hands::Guard(guard)) => Hands::Mapped(MutexGuard::map(guard, |pair| &mut pair.0)),
        (Step::Map, Hands::Mapped(guard)) => Hands::Mapped(MappedMutexGuard::map(guard, |first| first)),
        (Step::MapNothing, Hands::Guard(guard)) => {
            Hands::Guard(MutexGuard::try_map(guard, |_| None::<&mut ()>).expect_err("nothing"))
        }
        (Step::MapNothing, Hands::Mapped(guard)) => {
            Hands::Mapped(MappedMutexGuard::try_map(guard, |_| None::<&mut ()>).expect_err("nothing"))
        }
        (Step::Write(new), mut hands) => {
            match &mut hands {
                Hands::Empty => {}
                Hands::Guard(guard) => guard.0 = new,
                Hands::Mapped(guard) => **guard = new,
                Hands::Arc(guard) => guard.0 = new,
            }
            hands
        }
        (Step::Bump, mut hands) => {
            match &mut hands {
                Hands::Guard(guard) => MutexGuard::bump(guard),
                Hands::Arc(guard) => ArcMutexGuard::bump(guard),
                Hands::Empty | Hands::Mapped(_) => {}
            }
            hands
        }
        (Step::Unlocked(new), mut hands) => {
            let write = || mutex.try_lock().expect("unlocked").1 = new;
            match &mut hands {
                Hands::Empty => write(),
                Hands::Guard(guard) => MutexGuard::unlocked(guard, write),
                Hands::Arc(guard) => ArcMutexGuard::unlocked(guard, write),
                Hands::Mapped(_) => {}
            }
            hands
        }
        (Step::Map | Step::MapNothing, hands) => hands,
    }
}

/// The specification: a value, and what is in the hands of the one thread there is.
fn follow(program: Vec<Step>) {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Held {
        No,
        Whole,
        Part,
        Arc,
    }

    let mutex = shown(Mutex::new((0, 0)));
    let (mut hands, mut held, mut value) = (Hands::Empty, Held::No, (0, 0));
    for mut step in program {
        if let Step::Take(how @ Take::Lock, _) = &mut step {
            if held != Held::No {
                // It would wait for itself indefinitely.
                *how = Take::Try;
            }
        }
        hands = step_on(&mutex, step, hands);
        match (step, held) {
            (Step::Take(_, arc), Held::No) => held = if arc { Held::Arc } else { Held::Whole },
            (Step::Drop | Step::Fair, _) => held = Held::No,
            (Step::Map, Held::Whole) => held = Held::Part,
            (Step::Write(new), Held::Whole | Held::Part | Held::Arc) => value.0 = new,
            (Step::Unlocked(new), Held::No | Held::Whole | Held::Arc) => value.1 = new,
            _ => {}
        }

        let (seen, holds) = match &hands {
            Hands::Empty => (*mutex.try_lock().expect("free"), Held::No),
            Hands::Guard(guard) => (**guard, Held::Whole),
            Hands::Mapped(guard) => ((**guard, value.1), Held::Part),
            Hands::Arc(guard) => (**guard, Held::Arc),
        };
        assert_eq!((seen, holds), (value, held));
        assert_eq!(mutex.is_locked(), held != Held::No);
        let locked = format!("{mutex:?}") == "Mutex { data: <locked> }";
        assert_eq!(locked, held != Held::No);
    }
    drop(hands);
    assert!(!mutex.is_locked());
    assert_eq!(Arc::into_inner(mutex).expect("guards are gone").into_inner(), value);
}

/// Every way that got the lock counts once, whatever the others do.
fn follow_at_once(programs: Vec<Vec<Way>>) {
    let (mutex, passed) = (shown(Mutex::new(0)), AtomicUsize::new(0));
    thread::scope(|s| {
        for program in programs {
            let (mutex, passed) = (&mutex, &passed);
            s.spawn(move || {
                for way in program {
                    let got_in = pass(mutex, way, count_slowly);
                    assert!(got_in || way.take != Take::Lock);
                    passed.fetch_add(usize::from(got_in), Relaxed);
                }
            });
        }
    });
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.lock(), passed.into_inner());
    assert_eq!(Arc::strong_count(&mutex), 1);
}

proptest! {
    #![proptest_config(programs(256))]

    #[test]
    fn programs_match_the_specification(program in prop::collection::vec(steps(), 0..60)) {
        follow(program);
    }
}

proptest! {
    #![proptest_config(programs(64))]

    #[test]
    fn programs_of_threads_count_right(
        programs in prop::collection::vec(prop::collection::vec(ways(), 1..40), 2..=3)
    ) {
        watchdog(|| follow_at_once(programs));
    }
}
