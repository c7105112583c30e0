//! `StopSource`, `StopToken` and `StopGuard`.

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{BoundedBuffer, Condvar, Event, Mutex, StopGuard, StopSource, StopToken};

use crate::support::{
    Drops, LIMIT, SHORT, Sleeper, allocations_during, blocks_during, either, parties, repeat, shown, watchdog,
};

/// Counts how often a callback has run.
#[derive(Clone, Debug, Default)]
struct Runs(Arc<AtomicUsize>);

impl Runs {
    fn count(&self) -> usize {
        self.0.load(Relaxed)
    }

    fn callback(&self) -> impl FnOnce() + Send + 'static {
        let runs = self.clone();
        move || _ = runs.0.fetch_add(1, Relaxed)
    }
}

fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    payload.downcast_ref::<&str>().expect("a panic with a message")
}

#[test]
fn stop_is_once_and_for_good() {
    let source = shown(StopSource::new());
    let (token, clone) = (source.token(), source.clone());
    assert!(!source.is_stopped() && !token.is_stopped());
    assert!(!token.wait_for(Duration::ZERO) && !token.wait_until(Instant::now()));
    assert!(source.stop());
    assert!(!clone.stop() && !token.stop() && !token.clone().stop());
    assert!(source.is_stopped() && clone.is_stopped() && token.is_stopped() && source.token().is_stopped());
    token.wait();
    assert!(token.wait_for(Duration::MAX) && token.wait_until(Instant::now()));
    assert!(!StopSource::default().is_stopped() && !StopToken::default().is_stopped());
}

#[test]
fn stop_of_a_token_stops_its_source() {
    let source = shown(StopSource::new());
    assert!(source.token().stop());
    assert!(source.is_stopped());
    let own = StopToken::new();
    assert!(own.clone().stop());
    assert!(own.is_stopped());
}

#[test]
fn dropped_source_stops_nothing() {
    let source = shown(StopSource::new());
    let token = source.token();
    drop(source);
    assert!(!token.wait_for(SHORT));
    assert!(token.stop());
}

#[test]
fn debug_shows_whether_it_is_stopped() {
    let source = shown(StopSource::new());
    let token = source.token();
    let guard = token.on_stop(|| ());
    assert_eq!(
        format!("{source:?} {token:?}"),
        "StopSource { is_stopped: false } StopToken { is_stopped: false }"
    );
    source.stop();
    assert_eq!(
        format!("{source:?} {token:?}"),
        "StopSource { is_stopped: true } StopToken { is_stopped: true }"
    );
    assert_eq!(format!("{guard:?}"), "StopGuard { .. }");
}

#[test]
fn stop_wakes_every_sleeper() {
    watchdog(|| {
        for parties in parties() {
            let (source, sleepers) = (StopSource::new(), Sleeper::several(parties));
            thread::scope(|s| {
                for (index, sleeper) in sleepers.iter().enumerate() {
                    let stop = source.token();
                    s.spawn(move || {
                        sleeper.about_to_block();
                        match index % 3 {
                            0 => stop.wait(),
                            1 => assert!(stop.wait_for(Duration::MAX)),
                            _ => assert!(stop.wait_until(Instant::now() + 2 * LIMIT)),
                        }
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                source.stop();
            });
        }
    });
}

#[test]
fn callbacks_run_in_order_in_the_stopping_thread() {
    watchdog(|| {
        let (source, ran) = (StopSource::new(), shown(Mutex::new(Vec::new())));
        let register = |n: usize| {
            let (token, ran) = (source.token(), Arc::clone(&ran));
            source.token().on_stop(move || {
                assert!(token.is_stopped(), "the token says so before the first callback");
                ran.lock().push((n, thread::current().id()));
            })
        };
        let mut guards: Vec<_> = (0..100).map(register).collect();
        // What is taken back leaves the order of the others alone.
        drop(guards.swap_remove(10));
        guards.push(register(100));
        let stopper = thread::spawn({
            let source = source.clone();
            move || {
                assert!(source.stop());
                thread::current().id()
            }
        });
        let stopper = stopper.join().unwrap();
        let expected: Vec<_> = (0..=100).filter(|&n| n != 10).map(|n| (n, stopper)).collect();
        assert_eq!(*ran.lock(), expected);
    });
}

#[test]
fn sleepers_are_let_go_before_the_callbacks_run() {
    watchdog(|| {
        let (source, woken) = (StopSource::new(), shown(Event::new()));
        let token = source.token();
        let sleeper = thread::spawn({
            let woken = Arc::clone(&woken);
            move || {
                token.wait();
                woken.set();
            }
        });
        let _guard = source.token().on_stop(move || woken.wait());
        assert!(source.stop());
        sleeper.join().unwrap();
    });
}

#[test]
fn callback_after_the_stop_runs_at_once_in_the_calling_thread() {
    let (source, ran) = (StopSource::new(), shown(Mutex::new(None)));
    source.stop();
    let guard = source.token().on_stop({
        let ran = Arc::clone(&ran);
        move || *ran.lock() = Some(thread::current().id())
    });
    assert_eq!(*ran.lock(), Some(thread::current().id()));
    assert_eq!(Arc::strong_count(&ran), 1, "nothing is held any more");
    drop(guard);
}

#[test]
fn second_stop_returns_at_once_while_callbacks_run() {
    watchdog(|| {
        let source = shown(StopSource::new());
        let (begun, go) = (shown(Event::new()), shown(Event::new()));
        let _guard = source.token().on_stop({
            let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
            move || {
                begun.set();
                go.wait();
            }
        });
        let stopper = thread::spawn({
            let source = source.clone();
            move || source.stop()
        });
        begun.wait();
        assert!(!source.stop(), "and did not wait for the callback, which waits for this thread");
        // One that is registered meanwhile runs here, at once.
        let runs = Runs::default();
        drop(source.token().on_stop(runs.callback()));
        assert_eq!(runs.count(), 1);
        go.set();
        assert!(stopper.join().unwrap());
    });
}

#[test]
fn dropped_guard_takes_the_callback_back() {
    let (source, runs, drops) = (StopSource::new(), Runs::default(), Drops::new());
    let guard = source.token().on_stop({
        let (run, value) = (runs.callback(), drops.value());
        move || {
            run();
            drop(value);
        }
    });
    assert_eq!(drops.count(), 0);
    drop(guard);
    assert_eq!(drops.count(), 1, "what it captured is dropped with the guard");
    assert!(source.stop());
    assert_eq!(runs.count(), 0);
}

#[test]
fn dropped_guard_waits_for_a_callback_in_another_thread() {
    watchdog(|| {
        for _ in repeat(20) {
            let (source, drops) = (StopSource::new(), Drops::new());
            let (begun, go) = (shown(Event::new()), shown(Event::new()));
            let guard = source.token().on_stop({
                let (begun, go, value) = (Arc::clone(&begun), Arc::clone(&go), drops.value());
                move || {
                    begun.set();
                    go.wait();
                    drop(value);
                }
            });
            // Registered later, and still running when the first guard's drop returns.
            let (last, end) = (shown(Event::new()), shown(Event::new()));
            let later = source.token().on_stop({
                let (last, end) = (Arc::clone(&last), Arc::clone(&end));
                move || {
                    last.set();
                    end.wait();
                }
            });
            let sleeper = Sleeper::new();
            thread::scope(|s| {
                s.spawn(|| source.stop());
                begun.wait();
                let dropper = s.spawn(|| {
                    sleeper.about_to_block();
                    drop(guard);
                    assert_eq!(drops.count(), 1, "it is over, and holds nothing");
                });
                sleeper.until_asleep();
                assert!(!dropper.is_finished());
                go.set();
                dropper.join().unwrap();
                last.wait();
                end.set();
            });
            drop(later);
        }
    });
}

#[test]
fn guard_dropped_inside_its_callback_returns() {
    watchdog(|| {
        let (source, own, runs) = (StopSource::new(), shown(Mutex::new(None::<StopGuard>)), Runs::default());
        let guard = source.token().on_stop({
            let (own, run) = (Arc::clone(&own), runs.callback());
            move || {
                let guard = own.lock().take();
                assert!(guard.is_some());
                drop(guard);
                run();
            }
        });
        *own.lock() = Some(guard);
        assert!(source.stop());
        assert_eq!(runs.count(), 1);
        assert_eq!(Arc::strong_count(&own), 1);
    });
}

#[test]
fn guard_dropped_after_the_stop_does_nothing() {
    let (source, runs, drops) = (StopSource::new(), Runs::default(), Drops::new());
    let guard = source.token().on_stop({
        let (run, _value) = (runs.callback(), drops.value());
        move || {
            let _value = _value;
            run();
        }
    });
    source.stop();
    assert_eq!((runs.count(), drops.count()), (1, 1), "over, with the guard alive");
    drop(guard);
    assert_eq!((runs.count(), drops.count()), (1, 1));
}

/// A callback may take back those that have not begun, register more, and stop again.
#[test]
fn callback_may_use_source_tokens_and_guards() {
    watchdog(|| {
        let (source, others) = (StopSource::new(), shown(Mutex::new(Vec::new())));
        let (before, taken, at_once) = (Runs::default(), Runs::default(), Runs::default());
        let first = source.token().on_stop(before.callback());
        let second = source.token().on_stop({
            let (source, others, at_once) = (source.clone(), Arc::clone(&others), at_once.clone());
            move || {
                assert!(!source.stop());
                let guards = mem::take(&mut *others.lock());
                assert_eq!(guards.len(), 2, "one that is over, one that has not begun");
                drop(guards);
                let token = source.token();
                let guard = token.on_stop(at_once.callback());
                assert_eq!(at_once.count(), 1, "before it returns");
                mem::forget(guard);
                assert!(token.wait_for(Duration::ZERO));
            }
        });
        let third = source.token().on_stop(taken.callback());
        others.lock().extend([first, third]);
        assert!(source.stop());
        assert_eq!((before.count(), taken.count(), at_once.count()), (1, 0, 1));
        drop(second);
    });
}

#[test]
fn panic_lets_the_other_callbacks_run() {
    watchdog(|| {
        let (source, runs) = (StopSource::new(), Runs::default());
        let guards = [
            source.token().on_stop(runs.callback()),
            source.token().on_stop(|| panic!("the first")),
            source.token().on_stop(runs.callback()),
            source.token().on_stop(|| panic!("the second")),
            source.token().on_stop(runs.callback()),
        ];
        let payload = panic::catch_unwind(|| source.stop()).unwrap_err();
        assert_eq!(message(&*payload), "the first");
        assert_eq!(runs.count(), 3);
        assert!(source.is_stopped() && !source.stop());
        drop(guards);
    });
}

/// A guard's drop that waits for a callback returns when that panics, as when it returns.
#[test]
fn dropped_guard_waits_for_a_callback_that_panics() {
    watchdog(|| {
        let (source, sleeper) = (StopSource::new(), Sleeper::new());
        let (begun, go) = (shown(Event::new()), shown(Event::new()));
        let guard = source.token().on_stop({
            let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
            move || {
                begun.set();
                go.wait();
                panic!("of the callback");
            }
        });
        thread::scope(|s| {
            let stopper = s.spawn(|| source.stop());
            begun.wait();
            let dropper = s.spawn(|| {
                sleeper.about_to_block();
                drop(guard);
            });
            sleeper.until_asleep();
            go.set();
            dropper.join().unwrap();
            assert_eq!(message(&*stopper.join().unwrap_err()), "of the callback");
        });
    });
}

#[test]
fn panic_of_a_callback_after_the_stop_comes_out_of_on_stop() {
    let source = shown(StopSource::new());
    source.stop();
    let register = || drop(source.token().on_stop(|| panic!("at once")));
    let payload = panic::catch_unwind(AssertUnwindSafe(register)).unwrap_err();
    assert_eq!(message(&*payload), "at once");
    assert!(!source.stop());
}

/// The payload of a panic that is not resumed may panic when it is dropped.
#[test]
fn payload_that_panics_hides_no_other_callback() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("of the payload");
        }
    }
    watchdog(|| {
        let (source, runs) = (StopSource::new(), Runs::default());
        let guards = [
            source.token().on_stop(|| panic!("the first")),
            source.token().on_stop(|| panic::panic_any(Bomb)),
            source.token().on_stop(runs.callback()),
        ];
        let payload = panic::catch_unwind(|| source.stop()).unwrap_err();
        assert_eq!(message(&*payload), "the first");
        assert_eq!(runs.count(), 1);
        drop(guards);
    });
}

#[test]
fn forgotten_guard_keeps_the_callback_until_the_stop() {
    let (source, runs, drops) = (StopSource::new(), Runs::default(), Drops::new());
    mem::forget(source.token().on_stop({
        let (run, value) = (runs.callback(), drops.value());
        move || {
            let _value = value;
            run();
        }
    }));
    assert_eq!((runs.count(), drops.count()), (0, 0));
    assert!(source.stop());
    assert_eq!((runs.count(), drops.count()), (1, 1));
}

#[test]
fn callback_of_a_forgotten_guard_goes_with_the_last_source_and_token() {
    let (source, drops, runs) = (StopSource::new(), Drops::new(), Runs::default());
    let (token, clone) = (source.token(), source.clone());
    for _ in 0..3 {
        let (run, value) = (runs.callback(), drops.value());
        mem::forget(token.on_stop(move || {
            let _value = value;
            run();
        }));
    }
    drop(source);
    drop(clone);
    assert_eq!(drops.count(), 0);
    drop(token);
    assert_eq!((runs.count(), drops.count()), (0, 3));
}

/// As in a vector: what remains is dropped although one destructor panics.
#[test]
fn capture_that_panics_when_dropped_leaves_no_other_behind() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("of the capture");
        }
    }
    watchdog(|| {
        let (token, drops) = (StopToken::new(), Drops::new());
        mem::forget(token.on_stop({
            let bomb = Bomb;
            move || drop(bomb)
        }));
        let guard = token.on_stop({
            let value = drops.value();
            move || drop(value)
        });
        let payload = panic::catch_unwind(AssertUnwindSafe(|| drop(token))).unwrap_err();
        assert_eq!(message(&*payload), "of the capture");
        assert_eq!(drops.count(), 1);
        drop(guard);
    });
}

/// A callback that owns a token and its own guard goes with the guard's drop: nothing is left of the cycle.
#[test]
fn cycle_is_broken_by_the_guard() {
    let drops = Drops::new();
    let (token, value) = (StopToken::new(), drops.value());
    let guard = token.on_stop({
        let token = token.clone();
        move || {
            assert!(token.is_stopped());
            drop(value);
        }
    });
    drop(token);
    assert_eq!(drops.count(), 0, "it has a token of its own");
    drop(guard);
    assert_eq!(drops.count(), 1);
}

#[test]
fn guard_may_be_dropped_by_another_thread() {
    watchdog(|| {
        let (source, runs) = (StopSource::new(), Runs::default());
        let guard = source.token().on_stop(runs.callback());
        thread::spawn(move || drop(guard)).join().unwrap();
        assert!(source.stop());
        assert_eq!(runs.count(), 0);
    });
}

/// Registrations, drops of guards and stops at once: each callback runs once or never, never after its
/// guard's drop, and nothing is left of it.
#[test]
fn races_run_each_callback_once_or_take_it_back() {
    watchdog(|| {
        for parties in parties() {
            for round in repeat(50) {
                let (source, drops) = (StopSource::new(), Drops::new());
                let (stops, go) = (AtomicUsize::new(0), Event::new());
                thread::scope(|s| {
                    for who in 0..parties {
                        let (token, drops, go) = (source.token(), &drops, &go);
                        s.spawn(move || {
                            go.wait();
                            for n in 0..20 {
                                let runs = Runs::default();
                                let (run, value) = (runs.callback(), drops.value());
                                let guard = token.on_stop(move || {
                                    let _value = value;
                                    run();
                                });
                                if (round + who + n) % 7 == 0 {
                                    thread::yield_now();
                                }
                                drop(guard);
                                let count = runs.count();
                                assert!(count <= 1, "it ran {count} times");
                                assert_eq!(Arc::strong_count(&runs.0), 1, "the callback is gone");
                            }
                        });
                    }
                    for _ in 0..2 {
                        let (source, stops, go) = (&source, &stops, &go);
                        s.spawn(move || {
                            go.wait();
                            if round % 2 == 0 {
                                thread::yield_now();
                            }
                            stops.fetch_add(usize::from(source.stop()), Relaxed);
                        });
                    }
                    go.set();
                });
                assert_eq!(stops.into_inner(), 1);
                assert_eq!(drops.count(), 20 * parties);
            }
        }
    });
}

/// The last token goes while a guard is dropped: the callback is dropped once, before the guard's drop
/// returns.
#[test]
fn last_token_and_guard_dropped_at_once() {
    watchdog(|| {
        for _ in repeat(300) {
            let (token, drops, go) = (StopToken::new(), Drops::new(), shown(Event::new()));
            let value = drops.value();
            let guard = token.on_stop(move || drop(value));
            thread::scope(|s| {
                let start = &go;
                s.spawn(move || {
                    start.wait();
                    drop(token);
                });
                s.spawn(|| {
                    go.wait();
                    drop(guard);
                    assert_eq!(drops.count(), 1);
                });
                go.set();
            });
            assert_eq!(drops.count(), 1);
        }
    });
}

#[test]
fn condition_variable_is_left_at_the_stop() {
    watchdog(|| {
        for parties in parties() {
            for asleep in either("asleep ") {
                let source = shown(StopSource::new());
                let shared = Arc::new((Mutex::new(0), Condvar::new()));
                let sleepers = Sleeper::several(parties);
                thread::scope(|s| {
                    for sleeper in &sleepers {
                        let (stop, shared) = (source.token(), Arc::clone(&shared));
                        s.spawn(move || {
                            let _wake = stop.on_stop({
                                let shared = Arc::clone(&shared);
                                move || {
                                    drop(shared.0.lock());
                                    shared.1.notify_all();
                                }
                            });
                            let mut value = shared.0.lock();
                            sleeper.about_to_block();
                            shared.1.wait_while(&mut value, |value| *value == 0 && !stop.is_stopped());
                            assert_eq!(*value, 0);
                        });
                    }
                    if asleep {
                        Sleeper::until_all_asleep(&sleepers);
                    }
                    assert!(source.stop());
                });
            }
        }
    });
}

#[test]
fn buffer_is_closed_by_the_stop() {
    watchdog(|| {
        let (source, buffer) = (StopSource::new(), shown(BoundedBuffer::new(1)));
        let close = Arc::clone(&buffer);
        let _close = source.token().on_stop(move || close.close());
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            let taken = s.spawn(|| {
                sleeper.about_to_block();
                buffer.iter().sum::<u32>()
            });
            sleeper.until_asleep();
            buffer.put(3).unwrap();
            source.stop();
            assert_eq!(taken.join().unwrap(), 3, "what was put is still taken");
        });
    });
}

/// The first stop of several at once is one of them, and each returns when it may.
#[test]
fn one_of_many_stops_is_the_first() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(50) {
                let (source, runs) = (StopSource::new(), Runs::default());
                let _guard = source.token().on_stop(runs.callback());
                let firsts = AtomicUsize::new(0);
                thread::scope(|s| {
                    for _ in 0..parties {
                        s.spawn(|| {
                            if source.stop() {
                                firsts.fetch_add(1, Relaxed);
                                assert_eq!(runs.count(), 1, "before it returns");
                            }
                        });
                    }
                });
                assert_eq!((firsts.into_inner(), runs.count()), (1, 1));
            }
        }
    });
}

#[test]
fn waits_and_stops_allocate_nothing() {
    let source = shown(StopSource::new());
    let token = source.token();
    let allocations = allocations_during(|| {
        let clone = token.clone();
        assert!(!clone.wait_for(Duration::from_millis(1)));
        assert!(source.stop() && !source.stop());
        clone.wait();
    });
    // The thread's handle, which std makes once.
    assert!(allocations <= 1, "{allocations} allocations");
}

/// A token that lives long, as that of a process, keeps nothing of the callbacks that have come and gone.
#[test]
fn callbacks_that_were_taken_back_leave_no_memory_behind() {
    let token = StopToken::new();
    drop(token.on_stop(|| ()));
    let ((), blocks) = blocks_during(|| {
        for _ in 0..10 {
            let guards: Vec<_> = (0..1000).map(|n: usize| token.on_stop(move || _ = n)).collect();
            drop(guards);
        }
    });
    assert!(blocks <= 1, "{blocks} blocks are left");
}

/// A chain of sources, each with a callback that stops the next, up to `last`. Returns the first.
fn chain(length: usize, last: StopSource, ran: &Arc<Mutex<Vec<usize>>>) -> StopSource {
    let mut next = last;
    for number in (0..length).rev() {
        let (source, ran) = (StopSource::new(), Arc::clone(ran));
        let callback = move || {
            ran.lock().push(number);
            // The only source: it is gone when the callback is over.
            assert!(next.stop());
        };
        mem::forget(source.token().on_stop(callback));
        next = source;
    }
    next
}

/// Runs `f` on a thread of a small stack.
fn with_small_stack(f: impl FnOnce() + Send + 'static) {
    watchdog(move || {
        thread::Builder::new().stack_size(128 * 1024).spawn(f).unwrap().join().unwrap();
    });
}

const LONG: usize = if cfg!(miri) { 100 } else { 100_000 };

#[test]
fn chain_of_stops_needs_constant_stack() {
    with_small_stack(|| {
        let ran = Arc::default();
        assert!(chain(LONG, StopSource::new(), &ran).stop());
        assert!(ran.lock().iter().copied().eq(0..LONG));
        // Once more: the thread has left no trace of it.
        ran.lock().clear();
        assert!(chain(8, StopSource::new(), &ran).stop());
        assert!(ran.lock().iter().copied().eq(0..8));
    });
}

#[test]
fn chain_that_is_dropped_needs_constant_stack() {
    with_small_stack(|| {
        let ran = Arc::default();
        drop(chain(LONG, StopSource::new(), &ran));
        assert_eq!((ran.lock().len(), Arc::strong_count(&ran)), (0, 1), "nothing ran, nothing is left");
        let source = shown(StopSource::new());
        let mut guard = None;
        for _ in 0..LONG {
            let (before, ran) = (guard.take(), Arc::clone(&ran));
            guard = Some(source.token().on_stop(move || drop((before, ran))));
        }
        assert_eq!(Arc::strong_count(&ran), LONG + 1);
        drop(guard);
        assert_eq!(Arc::strong_count(&ran), 1);
    });
}

#[test]
fn nested_stop_runs_its_callbacks_before_it_returns() {
    watchdog(|| {
        let (outer, inner, runs) = (StopSource::new(), StopSource::new(), Runs::default());
        let inner_guard = inner.token().on_stop(runs.callback());
        let outer_guard = outer.token().on_stop({
            let runs = runs.clone();
            move || {
                assert!(inner.stop());
                assert_eq!(runs.count(), 1);
            }
        });
        assert!(outer.stop());
        assert_eq!(runs.count(), 1);
        drop((inner_guard, outer_guard));
    });
}

#[test]
fn panic_at_the_end_of_a_long_chain_comes_out_of_the_first_stop() {
    with_small_stack(|| {
        let (ran, last, runs) = (Arc::default(), StopSource::new(), Runs::default());
        mem::forget(last.token().on_stop(|| panic!("of the last")));
        mem::forget(last.token().on_stop(runs.callback()));
        let first = chain(100, last, &ran);
        mem::forget(first.token().on_stop(runs.callback()));
        let payload = panic::catch_unwind(AssertUnwindSafe(|| first.stop())).unwrap_err();
        assert_eq!(message(&*payload), "of the last");
        assert_eq!((ran.lock().len(), runs.count()), (100, 2));
    });
}
