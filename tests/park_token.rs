//! The token of `std::thread::park` belongs to the code that calls `park`: blocking calls of this crate leave
//! it alone.
//!
//! Nothing here uses anything of `std` that parks between setting a token and looking for it.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use lockwork::{ArcRwLockReadGuard, AutoResetEvent, Condvar, Event, Mutex, RwLock};

use crate::support::{LIMIT, Sleeper, eventually, repeat, rounds, watchdog};

/// Whether the calling thread has its token. Takes it.
fn has_token() -> bool {
    const LONG: Duration = Duration::from_secs(20);
    let start = Instant::now();
    thread::park_timeout(LONG);
    start.elapsed() < LONG
}

fn set_own_token() {
    thread::current().unpark();
}

/// Everything there is to block on.
#[derive(Debug, Default)]
struct Things {
    /// Held from the beginning until the release.
    held: Arc<Mutex<()>>,
    /// Says whether it is time to return. No thread holds it for longer than an instant.
    flag: Mutex<bool>,
    condvar: Condvar,
    event: Event,
    auto: AutoResetEvent,
    /// Write-locked from the beginning until the release.
    written: RwLock<()>,
    /// Read-locked from the beginning until the release: by a reader that is counted, and by one that has a
    /// slot.
    read: [Arc<RwLock<()>>; 2],
    readers: Mutex<[Option<ArcRwLockReadGuard<()>>; 2]>,
    /// Set before the release begins.
    released: AtomicBool,
}

type Action = fn(&Things);

/// A call that blocks, and what ends it.
struct Call {
    name: &'static str,
    block: Action,
    release: Action,
}

fn unlock(things: &Things) {
    // The guard was forgotten by `Things::new`, or by the last to get the lock.
    unsafe { things.held.force_unlock() };
}

fn notify(things: &Things) {
    *things.flag.lock() = true;
    eventually(|| things.condvar.notify_one());
}

fn unlock_write(things: &Things) {
    // The guard was forgotten by `Things::new`, or by the last to get the lock.
    unsafe { things.written.force_unlock_write() };
}

fn leave(things: &Things) {
    *things.readers.lock() = [None, None];
}

const CALLS: [Call; 20] = [
    Call { name: "lock", block: |things| mem::forget(things.held.lock()), release: unlock },
    Call {
        name: "lock, fair",
        block: |things| mem::forget(things.held.lock()),
        release: |things| unsafe { things.held.force_unlock_fair() },
    },
    Call {
        name: "try_lock_for",
        block: |things| mem::forget(things.held.try_lock_for(LIMIT).expect("time enough")),
        release: unlock,
    },
    Call {
        name: "try_lock_until",
        block: |things| {
            mem::forget(things.held.try_lock_until(Instant::now() + LIMIT).expect("time enough"));
        },
        release: unlock,
    },
    Call {
        name: "lock_arc",
        block: |things| {
            drop(things.held.lock_arc());
            mem::forget(things.held.lock());
        },
        release: unlock,
    },
    Call {
        name: "Condvar::wait",
        block: |things| things.condvar.wait(&mut things.flag.lock()),
        release: notify,
    },
    Call {
        name: "Condvar::wait_for",
        block: |things| assert!(!things.condvar.wait_for(&mut things.flag.lock(), LIMIT).timed_out()),
        release: notify,
    },
    Call {
        name: "Condvar::wait_while",
        block: |things| things.condvar.wait_while(&mut things.flag.lock(), |flag| !*flag),
        release: |things| {
            *things.flag.lock() = true;
            things.condvar.notify_all();
        },
    },
    Call { name: "Event::wait", block: |things| things.event.wait(), release: |things| things.event.set() },
    Call {
        name: "Event::wait_for",
        block: |things| assert!(things.event.wait_for(LIMIT)),
        release: |things| things.event.set(),
    },
    Call {
        name: "AutoResetEvent::wait",
        block: |things| things.auto.wait(),
        release: |things| things.auto.set(),
    },
    Call {
        name: "AutoResetEvent::wait_for",
        block: |things| assert!(things.auto.wait_for(LIMIT)),
        release: |things| things.auto.set(),
    },
    Call { name: "read", block: |things| drop(things.written.read()), release: unlock_write },
    Call {
        name: "read, fair",
        block: |things| drop(things.written.read()),
        release: |things| unsafe { things.written.force_unlock_write_fair() },
    },
    Call {
        name: "try_read_recursive_for",
        block: |things| drop(things.written.try_read_recursive_for(LIMIT).expect("time enough")),
        release: unlock_write,
    },
    Call {
        name: "upgradable_read",
        block: |things| drop(things.written.upgradable_read()),
        release: unlock_write,
    },
    Call {
        name: "write behind a writer",
        block: |things| drop(things.written.write()),
        release: unlock_write,
    },
    Call {
        name: "write behind a counted reader",
        block: |things| drop(things.read[0].write()),
        release: leave,
    },
    Call {
        name: "write behind a visible reader",
        block: |things| drop(things.read[1].write()),
        release: leave,
    },
    Call {
        name: "upgrade",
        block: |things| drop(things.read[1].upgradable_read().upgrade()),
        release: leave,
    },
];

/// Calls that give up by themselves.
const TIMED: [(&str, Action); 10] = [
    ("try_lock_for", |things| assert!(things.held.try_lock_for(BRIEF).is_none())),
    ("try_lock_until", |things| assert!(things.held.try_lock_until(Instant::now() + BRIEF).is_none())),
    ("Condvar::wait_for", |things| {
        assert!(things.condvar.wait_for(&mut things.flag.lock(), BRIEF).timed_out())
    }),
    ("Condvar::wait_while_for", |things| {
        assert!(things.condvar.wait_while_for(&mut things.flag.lock(), |flag| !*flag, BRIEF).timed_out());
    }),
    ("Event::wait_for", |things| assert!(!things.event.wait_for(BRIEF))),
    ("AutoResetEvent::wait_for", |things| assert!(!things.auto.wait_for(BRIEF))),
    ("try_read_for", |things| assert!(things.written.try_read_for(BRIEF).is_none())),
    ("try_write_for, counted", |things| assert!(things.read[0].try_write_for(BRIEF).is_none())),
    ("try_write_for, visible", |things| assert!(things.read[1].try_write_for(BRIEF).is_none())),
    ("try_upgrade_for", |things| {
        assert!(things.read[1].upgradable_read().try_upgrade_for(BRIEF).is_err());
    }),
];

const BRIEF: Duration = Duration::from_millis(2);

impl Things {
    fn new() -> Self {
        let things = Self::default();
        mem::forget(things.held.lock());
        mem::forget(things.written.write());
        // After so many reads in a row readers use slots.
        (0..32).for_each(|_| drop(things.read[1].read()));
        *things.readers.lock() = things.read.each_ref().map(|lock| Some(lock.read_arc()));
        things
    }

    fn release(&self, call: &Call) {
        self.released.store(true, Relaxed);
        (call.release)(self);
    }

    /// Blocks in `call` and sees that it does not return before it may.
    fn block(&self, call: &Call) {
        (call.block)(self);
        assert!(self.released.load(Relaxed), "{}: returned too early", call.name);
    }
}

#[test]
fn token_set_before_a_call_is_there_afterwards() {
    watchdog(|| {
        for call in &CALLS {
            for _ in repeat(20) {
                let (things, sleeper) = (Things::new(), Sleeper::new());
                thread::scope(|s| {
                    s.spawn(|| {
                        set_own_token();
                        sleeper.about_to_block();
                        things.block(call);
                        assert!(has_token(), "{}", call.name);
                    });
                    sleeper.until_asleep();
                    things.release(call);
                });
            }
        }
    });
}

#[test]
fn token_is_there_after_a_call_that_need_not_wait() {
    for call in &CALLS {
        let things = Things::new();
        if call.name.starts_with("Condvar::wait") {
            if call.name != "Condvar::wait_while" {
                // These always wait.
                continue;
            }
            *things.flag.lock() = true;
        }
        things.release(call);
        set_own_token();
        things.block(call);
        assert!(has_token(), "{}", call.name);
    }
}

#[test]
fn token_is_there_after_a_timeout() {
    watchdog(|| {
        let things = Things::new();
        for (name, call) in TIMED {
            for _ in repeat(3) {
                set_own_token();
                let start = Instant::now();
                call(&things);
                assert!(start.elapsed() >= BRIEF, "{name}: the token has cut it short");
                assert!(has_token(), "{name}");
            }
        }
    });
}

#[test]
fn foreign_token_that_comes_during_a_call_is_there_afterwards() {
    watchdog(|| {
        for call in &CALLS {
            for round in repeat(24) {
                let (things, sleeper) = (Things::new(), Sleeper::new());
                thread::scope(|s| {
                    let waiter = s.spawn(|| {
                        sleeper.about_to_block();
                        things.block(call);
                        assert!(has_token(), "{}", call.name);
                    });
                    sleeper.until_asleep();
                    // Just before the release, or long enough before for the waiter to have gone to sleep
                    // again, or just before it does.
                    waiter.thread().unpark();
                    (0..round % 3).for_each(|_| thread::yield_now());
                    things.release(call);
                });
            }
        }
    });
}

#[test]
fn foreign_token_that_comes_during_a_timed_call_is_there_afterwards() {
    watchdog(|| {
        for (name, call) in TIMED {
            for _ in repeat(5) {
                let (things, sleeper) = (Things::new(), Sleeper::new());
                thread::scope(|s| {
                    let waiter = s.spawn(|| {
                        sleeper.about_to_block();
                        call(&things);
                        assert!(has_token(), "{name}");
                    });
                    sleeper.until_asleep();
                    waiter.thread().unpark();
                });
            }
        }
    });
}

/// Runs `body` on a thread that gets foreign tokens all the time.
fn hammered(body: impl FnOnce() + Send) {
    /// Ends the hammering also if `body` panics.
    struct Done<'a>(&'a AtomicBool);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }

    let done = AtomicBool::new(false);
    thread::scope(|s| {
        let hammered = s.spawn(|| {
            let _done = Done(&done);
            body();
        });
        let hammered: &Thread = hammered.thread();
        while !done.load(Relaxed) {
            hammered.unpark();
            thread::yield_now();
        }
    });
}

#[test]
fn foreign_tokens_end_no_call_early() {
    watchdog(|| {
        for call in &CALLS {
            for round in repeat(15) {
                let (things, began) = (Things::new(), AtomicBool::new(false));
                thread::scope(|s| {
                    s.spawn(|| {
                        hammered(|| {
                            began.store(true, Relaxed);
                            things.block(call);
                        });
                    });
                    eventually(|| began.load(Relaxed));
                    (0..round * 10).for_each(|_| thread::yield_now());
                    things.release(call);
                });
            }
        }
    });
}

#[test]
fn foreign_tokens_end_no_timed_call_early() {
    watchdog(|| {
        for (name, call) in TIMED {
            hammered(|| {
                let things = Things::new();
                for _ in repeat(3) {
                    let start = Instant::now();
                    call(&things);
                    assert!(start.elapsed() >= BRIEF, "{name}");
                }
            });
        }
    });
}

#[test]
fn hammered_threads_exclude_each_other() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let turns = rounds(300);
        let play = |me: usize| {
            for _ in 0..turns {
                let mut turn = mutex.lock();
                condvar.wait_while(&mut turn, |turn| *turn % 2 != me);
                *turn += 1;
                condvar.notify_one();
            }
        };
        thread::scope(|s| {
            s.spawn(|| hammered(|| play(0)));
            s.spawn(|| hammered(|| play(1)));
        });
        assert_eq!(mutex.into_inner(), 2 * turns);
    });
}
