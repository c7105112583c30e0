//! `Once`, `OnceLock` and `LazyLock`.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Event, LazyLock, Once, OnceLock, OnceState};

use crate::support::{
    Drops, LIMIT, SHORT, Sleeper, allocations_during, message_of, parties, repeat, shown, watchdog,
};

/// Runs `f` in a thread that is asleep in it when this returns.
fn asleep<'scope, R: Send + 'scope>(
    s: &'scope thread::Scope<'scope, '_>,
    f: impl FnOnce() -> R + Send + 'scope,
) -> thread::ScopedJoinHandle<'scope, R> {
    let sleeper = Arc::new(Sleeper::new());
    let watched = Arc::clone(&sleeper);
    let thread = s.spawn(move || {
        watched.about_to_block();
        f()
    });
    sleeper.until_asleep();
    thread
}

// --- Once
// ----------------------------------------------------------------------------------------------------------

#[test]
fn closure_runs_once_in_whatever_thread() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(100) {
                let (once, runs) = (Once::new(), AtomicUsize::new(0));
                thread::scope(|s| {
                    for _ in 0..parties {
                        s.spawn(|| {
                            for _ in 0..3 {
                                once.call_once(|| {
                                    thread::yield_now();
                                    runs.fetch_add(1, Relaxed);
                                });
                                assert_eq!(runs.load(Relaxed), 1);
                            }
                        });
                    }
                });
                assert_eq!(once.state(), OnceState::Done);
            }
        }
    });
}

#[test]
fn states_follow_one_another() {
    let once = Once::default();
    assert_eq!(once.state(), OnceState::New);
    assert!(!once.is_completed());
    let failed = panic::catch_unwind(AssertUnwindSafe(|| {
        once.call_once(|| {
            assert_eq!(once.state(), OnceState::InProgress);
            panic!("half way");
        });
    }));
    assert!(failed.is_err());
    assert_eq!(once.state(), OnceState::Poisoned);
    assert!(once.state().is_poisoned());
    assert!(!once.is_completed());
    let mut seen = None;
    once.call_once_force(|state| {
        assert_eq!(once.state(), OnceState::InProgress);
        seen = Some(*state);
    });
    assert_eq!(seen, Some(OnceState::Poisoned));
    assert_eq!(once.state(), OnceState::Done);
    assert!(once.is_completed());
    assert_eq!(format!("{once:?}"), "Once { state: Done }");
}

#[test]
fn forced_call_of_a_new_one_is_not_told_of_poison() {
    let once = shown(Once::new());
    once.call_once_force(|state| {
        assert_eq!(*state, OnceState::New);
        assert!(!state.is_poisoned());
    });
    once.call_once_force(|_| unreachable!("done already"));
}

#[test]
fn panic_poisons_until_a_forced_call_returns() {
    let once = shown(Once::new());
    for _ in 0..2 {
        assert_eq!(message_of(|| once.call_once_force(|_| panic!("half way"))), "half way");
        for message in [
            message_of(|| once.call_once(|| unreachable!("poisoned"))),
            message_of(|| once.wait()),
            message_of(|| once.wait_for(Duration::ZERO)),
            message_of(|| once.wait_for(Duration::MAX)),
            message_of(|| once.wait_until(Instant::now() + LIMIT)),
        ] {
            assert!(message.starts_with("Once::") && message.contains("poisoned"), "{message}");
        }
    }
    once.call_once_force(|_| {});
    once.call_once(|| unreachable!("done by force"));
    once.wait();
    assert!(once.wait_for(Duration::ZERO));
}

#[test]
fn panic_reaches_those_that_wait_already() {
    watchdog(|| {
        let (once, fail, started) = (Once::new(), Event::new(), Event::new());
        let (once, fail, started) = (&once, &fail, &started);
        thread::scope(|s| {
            let runs = s.spawn(move || {
                message_of(|| {
                    once.call_once(|| {
                        started.set();
                        fail.wait();
                        panic!("half way");
                    });
                })
            });
            started.wait();
            let told = [
                asleep(s, || message_of(|| once.call_once(|| unreachable!("poisoned")))),
                asleep(s, || message_of(|| once.wait())),
                asleep(s, || message_of(|| once.wait_for(LIMIT))),
                asleep(s, || message_of(|| once.wait_until(Instant::now() + LIMIT))),
            ];
            let forced = asleep(s, || once.wait_force());
            fail.set();
            assert_eq!(runs.join().unwrap(), "half way");
            for told in told {
                assert!(told.join().unwrap().contains("poisoned"));
            }
            assert!(!forced.is_finished());
            once.call_once_force(|state| assert!(state.is_poisoned()));
            forced.join().unwrap();
        });
    });
}

#[test]
fn forced_call_that_waits_runs_after_a_panic() {
    watchdog(|| {
        let (once, fail, started) = (Once::new(), Event::new(), Event::new());
        let (once, fail, started) = (&once, &fail, &started);
        thread::scope(|s| {
            s.spawn(move || {
                message_of(|| {
                    once.call_once(|| {
                        started.set();
                        fail.wait();
                        panic!("half way");
                    });
                })
            });
            started.wait();
            let forced = [(); 2].map(|()| {
                asleep(s, || {
                    let mut was = None;
                    once.call_once_force(|state| was = Some(*state));
                    was
                })
            });
            fail.set();
            let mut was = forced.map(|forced| forced.join().unwrap());
            was.sort_by_key(Option::is_some);
            assert_eq!(was, [None, Some(OnceState::Poisoned)]);
        });
    });
}

#[test]
fn timed_wait_ends_in_time_and_leaves_nothing() {
    watchdog(|| {
        let once = shown(Once::new());
        assert!(!once.wait_for(Duration::ZERO));
        assert!(!once.wait_until(Instant::now()));
        let start = Instant::now();
        assert!(!once.wait_for(SHORT));
        assert!(start.elapsed() >= SHORT);
        assert!(!once.wait_until(Instant::now() + SHORT));
        thread::scope(|s| {
            let waiting = asleep(s, || once.wait_for(Duration::MAX));
            let gives_up = s.spawn(|| once.wait_for(SHORT));
            assert!(!gives_up.join().unwrap());
            once.call_once(|| {});
            assert!(waiting.join().unwrap());
        });
        assert!(once.wait_for(Duration::ZERO));
    });
}

#[test]
fn waits_do_not_begin_anything() {
    watchdog(|| {
        let (once, cell) = (Once::new(), OnceLock::<u8>::new());
        assert!(!once.wait_for(SHORT));
        assert_eq!(cell.wait_for(SHORT), None);
        assert_eq!(once.state(), OnceState::New);
        thread::scope(|s| {
            let waiting = [asleep(s, || once.wait()), asleep(s, || once.wait_force())];
            let value = asleep(s, || *cell.wait());
            once.call_once(|| {});
            cell.set(7).unwrap();
            waiting.into_iter().for_each(|waiting| waiting.join().unwrap());
            assert_eq!(value.join().unwrap(), 7);
        });
    });
}

#[test]
fn reentrant_call_panics_and_names_itself() {
    watchdog(|| {
        let once = shown(Once::new());
        let again: [(&str, &dyn Fn()); 6] = [
            ("Once::call_once:", &|| once.call_once(|| {})),
            ("Once::call_once_force:", &|| once.call_once_force(|_| {})),
            ("Once::wait:", &|| once.wait()),
            ("Once::wait_force:", &|| once.wait_force()),
            ("Once::wait_for:", &|| assert!(once.wait_for(Duration::ZERO))),
            ("Once::wait_until:", &|| assert!(once.wait_until(Instant::now()))),
        ];
        once.call_once(|| {
            for (name, call) in again {
                let message = message_of(call);
                assert!(message.starts_with(name), "{message}");
            }
        });
        assert!(once.is_completed(), "the panics were caught inside");
    });
}

#[test]
fn reentrant_call_by_way_of_another_is_noticed() {
    watchdog(|| {
        let (outer, inner) = (Once::new(), Once::new());
        let message = message_of(|| outer.call_once(|| inner.call_once(|| outer.wait())));
        assert!(message.starts_with("Once::wait:"), "{message}");
        assert!(outer.state().is_poisoned() && inner.state().is_poisoned());
        // What the thread remembers of them is gone: others, and these by force, go their way.
        Once::new().call_once(|| {});
        outer.call_once_force(|_| inner.call_once_force(|_| {}));
        assert!(outer.is_completed() && inner.is_completed());
    });
}

#[test]
fn another_thread_that_waits_is_not_taken_for_the_initialiser() {
    watchdog(|| {
        let once = shown(Once::new());
        thread::scope(|s| {
            let mut waiting = None;
            once.call_once(|| waiting = Some(asleep(s, || once.wait())));
            waiting.unwrap().join().unwrap();
        });
    });
}

#[test]
#[cfg_attr(feature = "diagnose", ignore = "what a thread tells of its waits is allocated once")]
fn waiting_allocates_nothing() {
    watchdog(|| {
        let (once, cell) = (Once::new(), OnceLock::new());
        // The handle that `std` makes once for a thread.
        let _ = thread::current();
        let count = allocations_during(|| {
            assert!(!once.wait_for(SHORT));
            once.call_once(|| {});
            once.wait();
            assert_eq!(cell.wait_for(SHORT), None);
            assert_eq!(cell.get_or_init(|| 1), &1);
        });
        assert_eq!(count, 0);
    });
}

// --- OnceLock
// ------------------------------------------------------------------------------------------------------

#[test]
fn cell_is_empty_then_full() {
    let mut cell = OnceLock::new();
    assert_eq!(cell.get(), None);
    assert_eq!(cell.get_mut(), None);
    assert_eq!(format!("{cell:?}"), "OnceLock(<uninit>)");
    assert_eq!(cell.get_or_init(|| 92), &92);
    assert_eq!(cell.get_or_init(|| unreachable!("full")), &92);
    assert_eq!(cell.set(1), Err(1));
    assert_eq!(cell.try_insert(1), Err((&92, 1)));
    *cell.get_mut().unwrap() += 1;
    assert_eq!(format!("{cell:?}"), "OnceLock(93)");
    assert_eq!(cell.take(), Some(93));
    assert_eq!(cell.take(), None);
    assert_eq!(cell.get(), None);
    assert_eq!(cell.try_insert(5), Ok(&5));
    assert_eq!(cell.into_inner(), Some(5));
    assert_eq!(OnceLock::<u8>::new().into_inner(), None);
}

#[test]
fn cells_are_cloned_and_compared_by_value() {
    let (empty, full) = (OnceLock::default(), OnceLock::from("ada".to_owned()));
    assert_eq!(empty.clone(), empty);
    assert_eq!(full.clone(), full);
    assert_ne!(empty, full);
    assert_eq!(full.clone().into_inner().as_deref(), Some("ada"));
    full.clone_into(&mut empty.clone());
}

#[test]
fn one_of_many_values_stays_and_the_others_come_back() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(100) {
                let cell = shown(OnceLock::new());
                let kept: usize = thread::scope(|s| {
                    let setters: Vec<_> = (0..parties)
                        .map(|id| {
                            let cell = &cell;
                            s.spawn(move || match cell.set(Box::new(id)) {
                                Ok(()) => 1,
                                Err(back) => {
                                    assert_eq!(*back, id);
                                    assert_ne!(cell.get(), Some(&back));
                                    0
                                }
                            })
                        })
                        .collect();
                    setters.into_iter().map(|setter| setter.join().unwrap()).sum()
                });
                assert_eq!(kept, 1);
            }
        }
    });
}

#[test]
fn failed_initialisation_leaves_the_cell_empty() {
    let cell = shown(OnceLock::new());
    assert_eq!(cell.get_or_try_init(|| Err("no")), Err("no"));
    assert_eq!(cell.get(), None);
    assert_eq!(message_of(|| cell.get_or_init(|| panic!("half way"))), "half way");
    assert_eq!(cell.get(), None);
    assert_eq!(message_of(|| cell.get_or_try_init(|| -> Result<_, ()> { panic!("half way") })), "half way");
    assert_eq!(cell.get_or_try_init(|| Ok::<_, ()>(1)), Ok(&1));
    assert_eq!(cell.get_or_try_init(|| Err("there already")), Ok(&1));
}

/// The initialiser fails in one thread after another, by turns with an error and with a panic; the last
/// succeeds.
#[test]
fn each_failure_lets_the_next_waiter_try() {
    watchdog(|| {
        for parties in parties() {
            let (cell, tried, started, go) =
                (OnceLock::new(), AtomicUsize::new(0), Event::new(), Event::new());
            let attempt = || {
                let turn = tried.fetch_add(1, Relaxed) + 1;
                started.set();
                go.wait();
                match turn {
                    _ if turn == parties => Ok(turn),
                    _ if turn % 2 == 0 => Err(turn),
                    _ => panic!("half way"),
                }
            };
            let attempt = &attempt;
            thread::scope(|s| {
                let waiting = asleep(s, || *cell.wait());
                s.spawn(|| message_or(|| cell.get_or_try_init(attempt).copied()));
                started.wait();
                let others: Vec<_> = (1..parties)
                    .map(|_| asleep(s, || message_or(|| cell.get_or_try_init(attempt).copied())))
                    .collect();
                go.set();
                for other in others {
                    let _ = other.join().unwrap();
                }
                assert_eq!(waiting.join().unwrap(), parties);
            });
            assert_eq!(tried.load(Relaxed), parties, "each tried once");
            assert_eq!(cell.get(), Some(&parties));
        }
    });
}

fn message_or<R>(f: impl FnOnce() -> R) -> Option<R> {
    panic::catch_unwind(AssertUnwindSafe(f)).ok()
}

#[test]
fn waits_for_a_value_outlive_failures() {
    watchdog(|| {
        let cell = shown(OnceLock::new());
        thread::scope(|s| {
            let waiting = [
                asleep(s, || cell.wait_for(LIMIT)),
                asleep(s, || cell.wait_for(Duration::MAX)),
                asleep(s, || cell.wait_until(Instant::now() + LIMIT)),
                asleep(s, || Some(cell.wait())),
            ];
            assert_eq!(cell.get_or_try_init(|| Err(())), Err(()));
            assert_eq!(message_of(|| cell.get_or_init(|| panic!("half way"))), "half way");
            assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
            cell.set(7).unwrap();
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), Some(&7));
            }
        });
        assert_eq!(cell.wait_for(Duration::ZERO), Some(&7));
        assert_eq!(cell.wait_until(Instant::now()), Some(&7));
    });
}

#[test]
fn timed_wait_for_a_value_ends_in_time() {
    watchdog(|| {
        let cell = shown(OnceLock::<u8>::new());
        assert_eq!(cell.wait_for(Duration::ZERO), None);
        let start = Instant::now();
        assert_eq!(cell.wait_for(SHORT), None);
        assert_eq!(cell.wait_until(start + 2 * SHORT), None);
        assert!(start.elapsed() >= 2 * SHORT);
    });
}

#[test]
fn reentrant_initialisation_panics_and_the_outer_completes() {
    watchdog(|| {
        let cell = shown(OnceLock::new());
        let again: [(&str, &dyn Fn()); 7] = [
            ("OnceLock::get_or_init:", &|| _ = cell.get_or_init(|| Box::new(1))),
            ("OnceLock::get_or_try_init:", &|| _ = cell.get_or_try_init(|| Ok::<_, ()>(Box::new(1)))),
            ("OnceLock::set:", &|| _ = cell.set(Box::new(1))),
            ("OnceLock::try_insert:", &|| _ = cell.try_insert(Box::new(1))),
            ("OnceLock::wait:", &|| _ = cell.wait()),
            ("OnceLock::wait_for:", &|| _ = cell.wait_for(Duration::ZERO)),
            ("OnceLock::wait_until:", &|| _ = cell.wait_until(Instant::now())),
        ];
        let value = cell.get_or_init(|| {
            assert_eq!(cell.get(), None);
            for (name, call) in again {
                let message = message_of(call);
                assert!(message.starts_with(name), "{message}");
            }
            Box::new(92)
        });
        assert_eq!(**value, 92);
    });
}

/// once_cell 2019-0017: an initialiser that initialised its own cell freed a value to which a reference
/// existed. spin 2023-0031: one that failed or panicked left a value that was dropped though never made.
#[test]
fn every_value_is_dropped_once() {
    watchdog(|| {
        let drops = Drops::new();
        let mut made = 0;
        let mut value = || {
            made += 1;
            drops.value()
        };
        drop(OnceLock::from(value()));
        let mut cell = OnceLock::new();
        let _ = cell.set(value());
        drop(cell.set(value()));
        drop(cell.take());
        let failed: Result<_, ()> = cell.get_or_try_init(|| Err(()));
        assert!(failed.is_err());
        let first = value();
        assert_eq!(
            message_of(|| {
                cell.get_or_init(|| {
                    drop(first);
                    panic!("half way")
                });
            }),
            "half way"
        );
        cell.get_or_init(&mut value);
        drop(message_of(|| *OnceLock::new().get_or_init(|| -> u8 { panic!("with nothing made") })));
        let inner = cell.into_inner();
        assert!(inner.is_some());
        drop(inner);
        drop(OnceLock::<crate::support::Counted>::new());
        let captured = value();
        let lazy = LazyLock::new(move || drop(captured));
        drop(lazy);
        let captured = value();
        let lazy: LazyLock<u8, _> = LazyLock::new(move || {
            let _captured = captured;
            panic!("half way")
        });
        drop(message_of(|| *lazy));
        drop(lazy);
        let second = value();
        let lazy = LazyLock::new(move || second);
        LazyLock::force(&lazy);
        drop(lazy);
        assert_eq!(drops.count(), made);
    });
}

/// The value that `take` or a failed `set` gives back is dropped by the caller, who may use the cell in its
/// destructor.
#[test]
fn values_given_back_are_dropped_outside() {
    struct Uses<'a>(&'a OnceLock<u8>, &'a Cell<u32>);
    impl Drop for Uses<'_> {
        fn drop(&mut self) {
            let _ = self.0.set(1);
            assert_eq!(self.0.wait_for(Duration::ZERO), Some(&1));
            self.1.set(self.1.get() + 1);
        }
    }
    let (other, dropped) = (OnceLock::new(), Cell::new(0));
    let mut cell = OnceLock::from(Uses(&other, &dropped));
    drop(cell.set(Uses(&other, &dropped)));
    drop(cell.take());
    // A closure that is not needed goes the same way.
    let unused = Uses(&other, &dropped);
    cell.get_or_init(|| Uses(&other, &dropped));
    cell.get_or_init(move || unused);
    assert_eq!(dropped.get(), 3);
}

/// A value may refer to what is dropped before the cell.
#[test]
fn value_may_die_before_its_cell() {
    let cell = OnceLock::new();
    {
        let name = String::from("ada");
        cell.set(&name).unwrap();
    }
}

#[test]
fn cells_are_as_small_as_they_can_be() {
    let word = size_of::<usize>();
    assert_eq!(size_of::<Once>(), word);
    assert_eq!(size_of::<OnceLock<Box<u8>>>(), 2 * word);
    assert_eq!(size_of::<OnceLock<String>>(), word + size_of::<String>());
    assert_eq!(size_of::<LazyLock<String>>(), word + size_of::<String>());
}

// --- LazyLock
// ------------------------------------------------------------------------------------------------------

static LAZY: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut numbers = vec![1, 1];
    numbers.extend_from_within(..);
    numbers
});

#[test]
fn lazy_static_is_made_when_it_is_used() {
    assert_eq!(thread::spawn(|| LAZY.len()).join().unwrap(), 4);
    assert_eq!(LazyLock::get(&LAZY).map(Vec::len), Some(4));
}

#[test]
fn lazy_value_is_made_once_by_one_of_many() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(100) {
                let runs = AtomicUsize::new(0);
                let lazy = LazyLock::new(|| runs.fetch_add(1, Relaxed) + 1);
                assert_eq!(format!("{lazy:?}"), "LazyLock(<uninit>)");
                thread::scope(|s| {
                    for _ in 0..parties {
                        s.spawn(|| assert_eq!(*lazy, 1));
                    }
                });
                assert_eq!(format!("{lazy:?}"), "LazyLock(1)");
                assert_eq!(runs.load(Relaxed), 1);
            }
        }
    });
}

#[test]
fn exclusive_borrows_need_no_lock() {
    let mut lazy = LazyLock::new(|| vec![1]);
    assert_eq!(LazyLock::get_mut(&mut lazy), None);
    lazy.push(2);
    LazyLock::force_mut(&mut lazy).push(3);
    LazyLock::get_mut(&mut lazy).unwrap().push(4);
    assert_eq!(*lazy, [1, 2, 3, 4]);
    assert_eq!(LazyLock::into_inner(lazy).ok(), Some(vec![1, 2, 3, 4]));
    let untouched = LazyLock::new(|| 1);
    assert_eq!(LazyLock::into_inner(untouched).map_err(|f| f()), Err(1));
    assert_eq!(*LazyLock::<u32>::default(), 0);
}

#[test]
fn panic_poisons_a_lazy_value() {
    let lazy: LazyLock<u8> = LazyLock::new(|| panic!("half way"));
    assert_eq!(message_of(|| *lazy), "half way");
    assert_eq!(LazyLock::get(&lazy), None);
    for message in [
        message_of(|| *lazy),
        message_of(|| *LazyLock::force(&lazy)),
        message_of(|| LazyLock::wait_for(&lazy, Duration::ZERO)),
        message_of(|| LazyLock::wait_until(&lazy, Instant::now() + LIMIT)),
    ] {
        assert!(message.starts_with("LazyLock::") && message.contains("poisoned"), "{message}");
    }
    let mut lazy = lazy;
    assert_eq!(LazyLock::get_mut(&mut lazy), None);
    assert!(message_of(|| *LazyLock::force_mut(&mut lazy)).starts_with("LazyLock::force_mut:"));
    assert!(message_of(|| LazyLock::into_inner(lazy)).starts_with("LazyLock::into_inner:"));
}

#[test]
fn timed_use_waits_for_another_or_makes_the_value() {
    watchdog(|| {
        let (started, go) = (Event::new(), Event::new());
        let lazy = LazyLock::new(|| {
            started.set();
            go.wait();
            7
        });
        thread::scope(|s| {
            let makes = s.spawn(|| LazyLock::wait_for(&lazy, Duration::ZERO));
            started.wait();
            assert_eq!(LazyLock::wait_for(&lazy, Duration::ZERO), None);
            assert_eq!(LazyLock::wait_for(&lazy, SHORT), None);
            assert_eq!(LazyLock::wait_until(&lazy, Instant::now() + SHORT), None);
            let waits = asleep(s, || LazyLock::wait_for(&lazy, LIMIT));
            go.set();
            assert_eq!(makes.join().unwrap(), Some(&7), "run to its end past the deadline");
            assert_eq!(waits.join().unwrap(), Some(&7));
        });
        assert_eq!(LazyLock::wait_for(&lazy, Duration::ZERO), Some(&7));
    });
}

static SELF_REFERENCE: LazyLock<usize> = LazyLock::new(|| {
    let uses: [fn() -> usize; 4] = [
        || *SELF_REFERENCE,
        || *LazyLock::force(&SELF_REFERENCE),
        || LazyLock::wait_for(&SELF_REFERENCE, Duration::ZERO).copied().unwrap_or(0),
        || LazyLock::wait_until(&SELF_REFERENCE, Instant::now()).copied().unwrap_or(0),
    ];
    assert_eq!(LazyLock::get(&SELF_REFERENCE), None);
    uses.into_iter().filter(|f| message_of(f).starts_with("LazyLock::")).count()
});

#[test]
fn function_that_uses_its_own_value_panics() {
    watchdog(|| {
        assert_eq!(*SELF_REFERENCE, 4);
    });
}

// --- all
// -----------------------------------------------------------------------------------------------------------

/// What readers see was written before, in whatever way they learn that it is there.
#[test]
fn readers_see_whole_values() {
    watchdog(|| {
        for _ in repeat(200) {
            let cell = shown(OnceLock::new());
            let (sender, receiver) = mpsc::channel();
            for reader in 0..4 {
                let (cell, sender) = (Arc::clone(&cell), sender.clone());
                thread::spawn(move || {
                    let value: &Vec<usize> = match reader {
                        0 => cell.wait(),
                        1 => cell.wait_for(LIMIT).expect("in time"),
                        2 => cell.get_or_init(|| vec![7; 7]),
                        _ => loop {
                            match cell.get() {
                                Some(value) => break value,
                                None => thread::yield_now(),
                            }
                        },
                    };
                    sender.send(value.clone()).unwrap();
                });
            }
            drop(sender);
            assert!(receiver.iter().all(|value| value == [7; 7]));
        }
    });
}

/// `std`'s names from one `use` line.
#[test]
fn poison_module_has_them_too() {
    use lockwork::poison::{Barrier, LazyLock, Once, OnceLock, OnceState};
    static CELL: OnceLock<u8> = OnceLock::new();
    static ONCE: Once = Once::new();
    static LAZY: LazyLock<u8> = LazyLock::new(|| 1);
    ONCE.call_once_force(|state: &OnceState| assert!(!state.is_poisoned()));
    assert_eq!(CELL.get_or_init(|| *LAZY), &1);
    assert!(Barrier::new(1).wait().is_leader());
}
