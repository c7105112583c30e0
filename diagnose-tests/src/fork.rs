//! A child of a `fork` is silent, and none of its calls waits for what the parent's threads had locked.
#![allow(unsafe_code, reason = "`std` has no `fork`")]

use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::diagnose::{self, Order, Settings, ThreadState};
use lockwork::{Event, Mutex};

use crate::support::Watched;

unsafe extern "C" {
    safe fn fork() -> i32;
    unsafe fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    safe fn kill(pid: i32, signal: i32) -> i32;
    safe fn _exit(code: i32) -> !;
}

/// `WNOHANG` and `SIGKILL`, on all systems that have them.
const AT_ONCE: i32 = 1;
const KILL: i32 = 9;
const LIMIT: Duration = Duration::from_secs(60);

static REPORTS: AtomicU32 = AtomicU32::new(0);

/// Takes two locks in both orders, waits for longer than is reported, and looks at all there is. Returns how
/// many reports have come of it.
fn faults() -> u32 {
    let before = REPORTS.load(Relaxed);
    let (a, b) = (Mutex::named("a", ()), Mutex::named("b", ()));
    drop((a.lock(), b.lock()));
    drop((b.lock(), a.lock()));
    assert!(!Event::new().wait_for(Duration::from_millis(200)));
    let _ = (diagnose::snapshot(), diagnose::deadlocks(), diagnose::profile());
    REPORTS.load(Relaxed) - before
}

/// The exit code of a child, which is killed if it does not end.
fn exit_code(child: i32) -> Option<i32> {
    let begun = Instant::now();
    let mut status = 0;
    // SAFETY: a child of this process, and a place for a number.
    while unsafe { waitpid(child, &raw mut status, AT_ONCE) } == 0 {
        if begun.elapsed() > LIMIT {
            kill(child, KILL);
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
    // As `WIFEXITED` and `WEXITSTATUS` have it.
    (status & 0x7f == 0).then_some(status >> 8 & 0xff)
}

/// Whether a thread is shown that waits for what has this name.
fn is_waited_for(name: &str) -> bool {
    let waits = |thread: &ThreadState| thread.waits.as_ref().is_some_and(|wait| wait.name == Some(name));
    diagnose::snapshot().threads.iter().any(waits)
}

/// Returns 0, or what is wrong with what is shown in a child.
fn check_snapshot() -> i32 {
    let (lock, event) = (Mutex::named("held in the child", ()), Event::named("in the child"));
    let _held = lock.lock();
    let holds = |thread: &ThreadState| thread.holds.iter().any(|hold| hold.name == Some("held in the child"));
    if !diagnose::snapshot().threads.iter().any(holds) {
        return 2;
    }
    thread::scope(|s| {
        s.spawn(|| event.wait());
        while !is_waited_for("in the child") {
            thread::yield_now();
        }
        let shows_parent = is_waited_for("in the parent");
        event.set();
        i32::from(shows_parent)
    })
}

/// The parent's threads are not there in the child.
#[test]
fn snapshot_in_a_child_has_its_own_threads() {
    let _watched = Watched::order();
    let event = Event::named("in the parent");
    thread::scope(|s| {
        s.spawn(|| event.wait());
        while !is_waited_for("in the parent") {
            thread::yield_now();
        }
        let child = fork();
        if child == 0 {
            _exit(check_snapshot());
        }
        let code = exit_code(child);
        event.set();
        assert_eq!(
            code,
            Some(0),
            "1: it shows a thread of the parent; 2: it does not show what it holds itself; none: it hung"
        );
    });
}

#[test]
fn child_of_a_fork_is_silent_and_goes_on() {
    let watched = Watched::by(|settings| Settings {
        order: Order::Report,
        stall_after: Some(Duration::from_millis(5)),
        profile: std::num::NonZero::new(1),
        sink: Box::new(|_| _ = REPORTS.fetch_add(1, Relaxed)),
        ..settings
    });
    let parent = process::id();
    let child = fork();
    if child == 0 {
        let reports = faults();
        // Nor has it one of its own: there is nothing that it could tell.
        let another = format!("{:?}", diagnose::start(Settings::default()));
        if !another.contains("watch: None") {
            _exit(2);
        }
        // Its thread is not there.
        drop(watched);
        _exit(if process::id() != parent && reports == 0 { 0 } else { 1 });
    }
    assert!(child > 0, "no child");
    assert_eq!(
        exit_code(child),
        Some(0),
        "1: it has reported; 2: it has a thread that watches; none: it hung"
    );
    assert!(faults() >= 2, "the parent reports an inversion and a long wait");
}
