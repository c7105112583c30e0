//! Nothing starves at an `RwLock`, is woken too often or kept out by what fails.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{RwLock, RwLockWriteGuard};

use super::{KINDS, Kind, MODES, take, until_a_writer_waits, with_visible_readers};
use crate::locks::Take;
use crate::support::{Sleeper, cases, either, eventually, rounds, spin_for, watchdog};

#[test]
fn overlapping_readers_do_not_starve_writers() {
    watchdog(|| {
        for mode in cases(MODES) {
            for upgradable in either("upgradable ") {
                let (lock, done) = (mode.arc([0; 2]), AtomicBool::new(false));
                let turns = rounds(25);
                thread::scope(|s| {
                    for reader in 0..3 {
                        let (lock, done) = (&lock, &done);
                        s.spawn(move || {
                            // Three at a time, each of which comes back at once: the lock is hardly ever
                            // free.
                            while !done.load(Relaxed) {
                                let kind =
                                    if upgradable && reader == 0 { Kind::Upgradable } else { Kind::Read };
                                let held = take(lock, kind, Take::Lock, false).expect("it waits");
                                spin_for(Duration::from_micros(100));
                                let [one, other] = *held.value();
                                assert_eq!(one, other);
                            }
                        });
                    }
                    let writers: Vec<_> = (0..2)
                        .map(|_| {
                            s.spawn(|| {
                                for _ in 0..turns {
                                    let mut pair = lock.write();
                                    pair[0] += 1;
                                    pair[1] += 1;
                                }
                            })
                        })
                        .collect();
                    for writer in writers {
                        writer.join().unwrap();
                    }
                    done.store(true, Relaxed);
                });
                assert_eq!(*lock.read(), [2 * turns; 2]);
            }
        }
    });
}

#[test]
fn lock_that_was_handed_over_is_held_in_the_waiters_role() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for mode in cases(MODES) {
            for kind in cases(KINDS) {
                let (lock, sleeper, leave) = (mode.arc(0), Sleeper::new(), AtomicBool::new(false));
                thread::scope(|s| {
                    let writer = lock.write();
                    s.spawn(|| {
                        sleeper.about_to_block();
                        let _held = take(&lock, kind, Take::Lock, false);
                        eventually(|| leave.load(Relaxed));
                    });
                    sleeper.until_asleep();
                    RwLockWriteGuard::unlock_fair(writer);
                    // In already, whether awake or not.
                    assert!(lock.is_locked());
                    assert_eq!(lock.is_locked_exclusive(), kind == Kind::Write);
                    leave.store(true, Relaxed);
                });
                assert!(!lock.is_locked());
            }
        }
    });
}

#[test]
fn bump_of_a_reader_lets_the_writer_have_its_turn() {
    watchdog(|| {
        for mode in cases(MODES) {
            for (kind, arc) in cases([(Kind::Read, false), (Kind::Read, true), (Kind::Upgradable, false)]) {
                let (lock, sleeper) = (mode.arc(0), Sleeper::new());
                thread::scope(|s| {
                    let mut held = take(&lock, kind, Take::Lock, arc).expect("it is free");
                    s.spawn(|| {
                        sleeper.about_to_block();
                        *lock.write() += 1;
                    });
                    until_a_writer_waits(&lock);
                    sleeper.until_asleep();
                    eventually(|| {
                        held.bump();
                        *held.value() == 1
                    });
                });
            }
        }
    });
}

/// How many of the `try_read`s of one thread fail, while there is a reader at every moment, and another
/// thread makes tries to write, all of which have to fail.
fn try_reads_that_fail(lock: &RwLock<usize>, tries: usize, failing: impl Fn() + Sync) -> usize {
    let (done, no_tries) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut failed = 0;
    let first = lock.read_recursive();
    let started = AtomicBool::new(false);
    thread::scope(|s| {
        // Hand over hand: the next guard is there before the last is dropped. Recursive, so nothing keeps it
        // out.
        s.spawn(|| {
            let mut guard = lock.read_recursive();
            started.store(true, Relaxed);
            while !no_tries.load(Relaxed) {
                let next = lock.read_recursive();
                drop(mem::replace(&mut guard, next));
            }
        });
        s.spawn(|| {
            while !done.load(Relaxed) {
                failing();
            }
            no_tries.store(true, Relaxed);
        });
        eventually(|| started.load(Relaxed));
        drop(first);
        for _ in 0..tries {
            match lock.try_read() {
                Some(guard) => assert_eq!(*guard, 0),
                None => failed += 1,
            }
        }
        done.store(true, Relaxed);
    });
    failed
}

#[test]
fn try_write_that_fails_keeps_no_reader_out() {
    watchdog(|| {
        for lock in [Arc::new(RwLock::new(0)), with_visible_readers(0)] {
            let failing = || assert!(lock.try_write().is_none(), "a writer beside readers");
            assert_eq!(try_reads_that_fail(&lock, rounds(40_000), failing), 0);
            let failing = || assert!(lock.try_write_for(Duration::ZERO).is_none(), "a writer beside readers");
            assert_eq!(try_reads_that_fail(&lock, rounds(40_000), failing), 0);
        }
    });
}

#[test]
fn try_upgrade_that_fails_keeps_no_reader_out() {
    watchdog(|| {
        for lock in [Arc::new(RwLock::new(0)), with_visible_readers(0)] {
            let failing =
                || assert!(lock.upgradable_read().try_upgrade().is_err(), "a writer beside readers");
            assert_eq!(try_reads_that_fail(&lock, rounds(40_000), failing), 0);
            let failing = || {
                let guard = lock.upgradable_read().try_upgrade_for(Duration::ZERO);
                assert!(guard.is_err(), "a writer beside readers");
            };
            assert_eq!(try_reads_that_fail(&lock, rounds(40_000), failing), 0);
        }
    });
}

/// How often a writer that waits for a reader for half a second is woken, while so many other threads do
/// `disturb` again and again.
fn naps_of_a_waiting_writer(lock: &RwLock<usize>, threads: usize, disturb: impl Fn() + Sync) -> u64 {
    let (done, writer) = (AtomicBool::new(false), Sleeper::new());
    let (writer, done, disturb) = (&writer, &done, &disturb);
    thread::scope(|s| {
        let reader = lock.read();
        let naps = s.spawn(move || {
            writer.about_to_block();
            *lock.write() += 1;
            // It is gone before it is looked at otherwise.
            naps_so_far()
        });
        writer.until_asleep();
        for _ in 0..threads {
            s.spawn(move || {
                while !done.load(Relaxed) {
                    disturb();
                }
            });
        }
        thread::sleep(Duration::from_millis(500));
        done.store(true, Relaxed);
        drop(reader);
        naps.join().unwrap()
    })
}

/// How often the calling thread has gone to sleep in its life.
fn naps_so_far() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("procfs");
    let field =
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("procfs");
    field.trim().parse().expect("a number")
}

#[test]
fn writer_that_waits_for_long_is_woken_a_few_times_only() {
    // It looks for itself five times in half a second, if the reader is visible, and is woken once.
    const ENOUGH: u64 = 10;
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for visible in either("visible ") {
            let lock = if visible { with_visible_readers(0) } else { Arc::new(RwLock::new(0)) };
            let naps = naps_of_a_waiting_writer(&lock, 1, || drop(lock.try_read()));
            assert!(naps < ENOUGH, "woken {naps} times by readers that do not come in");
            for threads in cases([1, 2]) {
                let naps = naps_of_a_waiting_writer(&lock, threads, || drop(lock.read_recursive()));
                assert!(naps < ENOUGH, "woken {naps} times by readers that come and go");
                let naps = naps_of_a_waiting_writer(&lock, threads, || {
                    let guards: Vec<_> = (0..20).map(|_| lock.read_recursive()).collect();
                    drop(guards);
                });
                assert!(naps < ENOUGH, "woken {naps} times by readers that come and go together");
            }
        }
    });
}

/// How long it takes, from a writer's unlock on, until the last of `n` readers that waited for it is in.
fn time_until_all_are_in(n: usize) -> Duration {
    let lock = Arc::new(RwLock::new(0));
    let (coming, inside) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let writer = lock.write();
    let readers: Vec<_> = (0..n)
        .map(|_| {
            let (lock, coming, inside) = (Arc::clone(&lock), Arc::clone(&coming), Arc::clone(&inside));
            let read = move || {
                coming.fetch_add(1, Relaxed);
                let value = lock.read();
                inside.fetch_add(1, Relaxed);
                assert_eq!(*value, 0);
            };
            thread::Builder::new().stack_size(64 * 1024).spawn(read).expect("a thread")
        })
        .collect();
    eventually(|| coming.load(Relaxed) == n && lock.try_read().is_none());
    let start = Instant::now();
    drop(writer);
    eventually(|| inside.load(Relaxed) == n);
    let time = start.elapsed();
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    assert!(lock.try_write().is_some());
    time
}

#[test]
fn thousands_of_readers_come_in_soon_after_a_writer() {
    watchdog(|| {
        for n in if cfg!(miri) { [3, 16, 40] } else { [16, 1000, 3000] } {
            let time = time_until_all_are_in(n);
            // Many times what it takes on a machine that has nothing else to do.
            let limit = Duration::from_secs(1) + Duration::from_millis(n as u64);
            assert!(cfg!(miri) || time < limit, "{n} readers: {time:?}");
        }
    });
}

/// How many of `tries` calls succeed, beside a thread that holds the lock for 10 ms again and again.
fn successes_beside<G>(hold: impl Fn() -> G + Sync, tries: usize, attempt: impl Fn() -> bool) -> usize {
    let done = AtomicBool::new(false);
    let held = AtomicUsize::new(0);
    let mut successes = 0;
    thread::scope(|s| {
        s.spawn(|| {
            while !done.load(Relaxed) {
                let guard = hold();
                held.fetch_add(1, Relaxed);
                thread::sleep(Duration::from_millis(10));
                drop(guard);
            }
        });
        eventually(|| held.load(Relaxed) != 0);
        successes = (0..tries).filter(|_| attempt()).count();
        done.store(true, Relaxed);
    });
    successes
}

#[test]
fn timed_waiters_get_their_turn_beside_long_sections() {
    const TRIES: usize = 20;
    // One section and what is left of another, and some time to wake up.
    const TIMEOUT: Duration = Duration::from_millis(25);
    if cfg!(miri) {
        return;
    }
    watchdog(|| {
        let lock = RwLock::new(0);
        let enough = |name: &str, successes: usize| {
            assert!(successes >= TRIES * 3 / 4, "{name}: {successes} of {TRIES}");
        };
        let write = || lock.write();
        enough("a writer", successes_beside(write, TRIES, || lock.try_write_for(TIMEOUT).is_some()));
        enough("a reader", successes_beside(write, TRIES, || lock.try_read_for(TIMEOUT).is_some()));
        let upgradable = || lock.try_upgradable_read_for(TIMEOUT).is_some();
        enough("an upgradable reader", successes_beside(write, TRIES, upgradable));
        let hold = || lock.upgradable_read();
        enough(
            "a writer beside them",
            successes_beside(hold, TRIES, || lock.try_write_for(TIMEOUT).is_some()),
        );
    });
}
