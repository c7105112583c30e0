//! An end to hangs, and the case in which a test was when it failed or hung.
//!
//! A test runs its body under [`watchdog`], and its loops over [`cases`], [`parties`], [`either`] and
//! [`repeat`]. A lock that is wrapped in [`shown`] is written out, too. The test's name is that of the thread
//! it runs on.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::panic::{self, Location, PanicHookInfo};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::{PARTIES, rounds};

/// After this a case counts as hung, and a wait of a test as lost. No case takes a hundredth of it on a
/// machine that has nothing else to do; on one whose processors others want all the time, some take forty
/// times as long.
pub(crate) const LIMIT: Duration = Duration::from_secs(if cfg!(miri) { 1800 } else { 60 });

/// After this a test counts as hung if no case of it has begun meanwhile. A test of a program leaves the
/// program's own limit, which is longer, to pass first: it knows more of what has gone wrong.
fn limit() -> Duration {
    if env!("CARGO_PKG_NAME") == "lockwork" { LIMIT } else { 5 * LIMIT }
}

type Shown = dyn Debug + Send + Sync;

/// What is known of a test from outside.
#[derive(Debug, Default)]
struct Watch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// One for each loop over cases that the test is in, the outermost first.
    cases: Vec<String>,
    /// The locks of the current case, with the number of loops around them.
    shown: Vec<(usize, Weak<Shown>)>,
    /// How many cases have begun.
    begun: usize,
    /// What there was to say when the test's own thread last panicked.
    at_panic: String,
}

thread_local! {
    /// Of the thread that runs a test's body.
    static WATCH: RefCell<Option<Arc<Watch>>> = const { RefCell::new(None) };
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with what is known of the calling thread, if it runs a test's body.
    fn with_current<R>(body: impl FnOnce(&Self) -> R) -> Option<R> {
        // A thread in its last moments has no variables left.
        WATCH.try_with(|watch| watch.borrow().as_deref().map(body)).ok().flatten()
    }

    /// The case and its locks, as they are just now.
    fn describe(&self) -> String {
        let (mut text, shown) = {
            let state = self.state();
            let cases = state.cases.join(", ");
            (if cases.is_empty() { cases } else { format!("\n  case: {cases}") }, state.shown.clone())
        };
        for lock in shown.iter().filter_map(|(_, lock)| lock.upgrade()) {
            let _ = write!(text, "\n  lock: {lock:?}");
        }
        text
    }
}

/// Has each panic of a test's thread write down where the test was: afterwards its locks are gone.
fn describe_at_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            report(info);
            Watch::with_current(|watch| {
                let description = watch.describe();
                watch.state().at_panic = description;
            });
        }));
    });
}

/// Runs `body` on a thread of its own. A panic in it is the caller's, and so is a hang: as a panic after
/// [`LIMIT`]. Both say in which case the test was, and what its locks looked like.
#[track_caller]
pub(crate) fn watchdog<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    watchdog_of(limit(), body)
}

#[track_caller]
fn watchdog_of<R: Send + 'static>(limit: Duration, body: impl FnOnce() -> R + Send + 'static) -> R {
    describe_at_panics();
    let place = Location::caller();
    // The main thread's name, which it has if tests run one after the other, is none of a test.
    let name = thread::current().name().filter(|name| *name != "main").unwrap_or("a test").to_owned();
    let watch = Arc::new(Watch::default());
    let (finished, wait) = mpsc::channel();
    let watched = {
        let watch = Arc::clone(&watch);
        move || {
            WATCH.set(Some(watch));
            let result = body();
            // The receiver is gone if the limit has passed.
            let _ = finished.send(());
            result
        }
    };
    let thread = thread::Builder::new().name(name.clone()).spawn(watched).expect("a thread to watch");
    let mut begun = 0;
    while wait.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        let now = watch.state().begun;
        assert!(now != begun, "{name} at {place}: hangs, for {limit:?} now{}", describe_in_time(&watch));
        begun = now;
    }
    thread.join().unwrap_or_else(|payload| {
        let at_panic = std::mem::take(&mut watch.state().at_panic);
        eprintln!("{name} at {place} failed{at_panic}");
        panic::resume_unwind(payload)
    })
}

/// What there is to say of a test that hangs. Its locks may hang a thread that looks at them.
fn describe_in_time(watch: &Arc<Watch>) -> String {
    let (said, wait) = mpsc::channel();
    let watch = Arc::clone(watch);
    thread::spawn(move || said.send(watch.describe()));
    wait.recv_timeout(Duration::from_secs(5))
        .unwrap_or_else(|_| "\n  and so does showing its locks".to_owned())
}

/// An iterator over cases that notes which one the test is in.
#[derive(Debug)]
pub(crate) struct Cases<I> {
    cases: I,
    label: &'static str,
    /// How many loops are around this one.
    depth: usize,
}

impl<I: Iterator<Item: Debug>> Iterator for Cases<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let case = self.cases.next()?;
        Watch::with_current(|watch| {
            let mut state = watch.state();
            let depth = self.depth;
            state.cases.truncate(depth);
            state.cases.push(format!("{}{case:?}", self.label));
            state.shown.retain(|(of, _)| *of <= depth);
            state.begun += 1;
        });
        Some(case)
    }
}

impl<I> Drop for Cases<I> {
    fn drop(&mut self) {
        Watch::with_current(|watch| watch.state().cases.truncate(self.depth));
    }
}

fn labelled<I: Iterator<Item: Debug>>(label: &'static str, cases: I) -> Cases<I> {
    let depth = Watch::with_current(|watch| watch.state().cases.len()).unwrap_or(0);
    Cases { cases, label, depth }
}

/// The cases of a test, for a `for` loop: a failure and a hang name the one that the test is in.
pub(crate) fn cases<I: IntoIterator<Item: Debug>>(cases: I) -> Cases<I::IntoIter> {
    labelled("", cases.into_iter())
}

/// Each number of [`PARTIES`].
pub(crate) fn parties() -> Cases<impl Iterator<Item = usize>> {
    labelled("parties ", PARTIES.into_iter())
}

/// Without `what` and with it.
pub(crate) fn either(what: &'static str) -> Cases<impl Iterator<Item = bool>> {
    labelled(what, [false, true].into_iter())
}

/// The numbers of `n` repetitions, or fewer where each costs more.
pub(crate) fn repeat(n: usize) -> Cases<impl Iterator<Item = usize>> {
    labelled("round ", 0..rounds(n))
}

/// A lock that failures and hangs of the current case write out.
pub(crate) fn shown<L: Debug + Send + Sync + 'static>(lock: L) -> Arc<L> {
    let lock = Arc::new(lock);
    Watch::with_current(|watch| {
        let weak: Weak<L> = Arc::downgrade(&lock);
        let mut state = watch.state();
        let depth = state.cases.len();
        state.shown.push((depth, weak));
    });
    lock
}

/// Waits for something that other threads bring about, without blocking on anything.
#[track_caller]
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "waited {LIMIT:?} in vain");
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use lockwork::Mutex;

    use super::*;

    #[test]
    fn watchdog_returns_what_the_body_returns() {
        assert_eq!(watchdog(|| 7), 7);
    }

    #[test]
    #[should_panic(expected = "of the body")]
    fn watchdog_passes_panics_on() {
        watchdog(|| panic!("of the body"));
    }

    #[test]
    fn hang_names_test_and_case_and_shows_the_lock() {
        static GO_ON: AtomicBool = AtomicBool::new(false);
        let hang = panic::catch_unwind(|| {
            watchdog_of(Duration::from_millis(50), || {
                for fair in either("fair ") {
                    for parties in parties() {
                        let lock = shown(Mutex::new(parties));
                        let _guard = lock.lock();
                        if fair && parties == 3 {
                            eventually(|| GO_ON.load(Relaxed));
                        }
                    }
                }
            });
        });
        GO_ON.store(true, Relaxed);
        let message = *hang.expect_err("it hangs").downcast::<String>().expect("a message");
        let name = thread::current().name().filter(|name| *name != "main").unwrap_or("a test").to_owned();
        assert!(message.starts_with(&format!("{name} at ")), "{message}");
        assert!(
            message.ends_with("\n  case: fair true, parties 3\n  lock: Mutex { data: <locked> }"),
            "{message}"
        );
    }

    #[test]
    fn failure_notes_its_case_and_the_lock_before_the_lock_goes() {
        let told = watchdog(|| {
            let _ = panic::catch_unwind(|| {
                for round in repeat(300) {
                    let lock = shown(Mutex::new(round));
                    let mut guard = lock.lock();
                    *guard += 1;
                    drop(guard);
                    assert!(*lock.lock() < 3);
                }
            });
            Watch::with_current(|watch| watch.state().at_panic.clone())
        });
        assert_eq!(told.unwrap(), "\n  case: round 2\n  lock: Mutex { data: 3 }");
    }

    #[test]
    fn cases_that_are_over_are_forgotten() {
        let told = watchdog(|| {
            for _ in cases(["one"]) {
                let _ = shown(Mutex::new(1));
            }
            let mut told = Vec::new();
            for _ in cases(["other"]) {
                told.extend(Watch::with_current(Watch::describe));
            }
            told.extend(Watch::with_current(Watch::describe));
            told
        });
        assert_eq!(told, ["\n  case: \"other\"", ""]);
    }
}
