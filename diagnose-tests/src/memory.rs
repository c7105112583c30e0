//! What is kept follows what is alive: locks that are gone and threads that have ended leave nothing behind.
//! And a thread that allocates before it sleeps is woken all the same.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use std::{env, fs, thread};

use lockwork::Mutex;
use lockwork::diagnose::{self, Order};

use crate::support::Watched;

/// Counts the bytes that are allocated and not freed yet.
struct Counting;

static ALIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator, with a number beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALIVE.fetch_add(layout.size(), Relaxed);
        if PARKS.replace(false) {
            park_in_allocator();
        }
        // SAFETY: this function's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: this function's contract.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Whether the thread's next allocation parks, as one that waits for a lock of the allocator may.
    static PARKS: Cell<bool> = const { Cell::new(false) };
}

static IS_IN_ALLOCATOR: AtomicBool = AtomicBool::new(false);
static IS_WOKEN: AtomicBool = AtomicBool::new(false);

/// Takes the wake-up that was meant for the lock.
fn park_in_allocator() {
    IS_IN_ALLOCATOR.store(true, Relaxed);
    while !IS_WOKEN.load(Relaxed) {
        thread::yield_now();
    }
    thread::park();
}

/// Uses so many locks, one after the other, under one that stays.
fn use_locks(outer: &Mutex<()>, locks: usize) {
    for _ in 0..locks {
        let (first, second) = (Mutex::new(()), Mutex::new(()));
        let _outer = outer.lock();
        drop((first.lock(), second.lock()));
    }
}

#[test]
fn locks_that_are_gone_leave_nothing_behind() {
    let watched = Watched::by(|settings| lockwork::diagnose::Settings {
        order: Order::Report,
        profile: std::num::NonZero::new(1),
        ..settings
    });
    let outer = Mutex::named("outer", ());
    use_locks(&outer, 1_000);
    let before = ALIVE.load(Relaxed);
    use_locks(&outer, 100_000);
    // Fewer than before, perhaps.
    let more = ALIVE.load(Relaxed).saturating_sub(before);
    // What other tests' threads allocate meanwhile is counted, too.
    assert!(more < 100_000, "{more} bytes for 100000 locks");
    assert!(watched.reports().is_empty());
}

/// Locks of `lock_api` have no numbers, so nothing is kept of them, by whatever they end.
#[test]
fn locks_of_lock_api_leave_nothing_behind() {
    type Untold = lockwork::lock_api::Mutex<lockwork::RawMutex, ()>;
    let watched = Watched::profile();
    let locks: Vec<Untold> = (0..1_000).map(|_| Untold::new(())).collect();
    let before = ALIVE.load(Relaxed);
    for lock in &locks {
        let guard = lock.lock();
        assert!(lock.try_lock_for(Duration::from_micros(1)).is_none());
        drop(guard);
    }
    let more = ALIVE.load(Relaxed).saturating_sub(before);
    assert!(more < 100_000, "{more} bytes for {} locks", locks.len());
    assert!(watched.reports().is_empty());
}

/// What a thread tells before it sleeps is allocated once, and that may take the token by which it is woken.
#[test]
fn thread_that_was_woken_while_it_allocated_does_not_sleep() {
    // No session: the thread has nothing to tell until it sleeps.
    let _turn = Watched::order().end();
    let lock = Arc::new(Mutex::new(()));
    let guard = lock.lock();
    let (done, end) = mpsc::channel();
    let own = Arc::clone(&lock);
    // Its name is what is allocated.
    let waiter = thread::Builder::new().name("allocates".to_owned()).spawn(move || {
        PARKS.set(true);
        drop(own.lock());
        done.send(PARKS.get()).unwrap();
    });
    let waiter = waiter.unwrap();
    while !IS_IN_ALLOCATOR.load(Relaxed) {
        assert!(!waiter.is_finished(), "it has not slept");
        thread::yield_now();
    }
    drop(guard);
    IS_WOKEN.store(true, Relaxed);
    let parks = end.recv_timeout(Duration::from_secs(60)).expect("it sleeps although it was woken");
    assert!(!parks);
    waiter.join().unwrap();
}

/// Has so many threads lock, one after the other.
fn run_threads(lock: &Arc<Mutex<usize>>, threads: usize) {
    for _ in 0..threads {
        let lock = Arc::clone(lock);
        let body = move || {
            let inner = Mutex::new(());
            *lock.lock() += 1;
            drop((lock.lock(), inner.lock()));
        };
        thread::Builder::new().name("one of many".to_owned()).spawn(body).unwrap().join().unwrap();
    }
}

/// The pages that the process has in memory, where the system tells.
fn pages() -> Option<usize> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    text.split(' ').nth(1)?.parse().ok()
}

/// `LOCKWORK_TESTS_THREADS=1000000` runs it with as many.
#[test]
fn threads_that_have_ended_leave_nothing_behind() {
    let threads = env::var("LOCKWORK_TESTS_THREADS").map_or(50_000, |threads| threads.parse().unwrap());
    let watched = Watched::order();
    let lock = Arc::new(Mutex::named("of many threads", 0));
    run_threads(&lock, 1_000);
    let (before, pages_before) = (ALIVE.load(Relaxed), pages());
    run_threads(&lock, threads);
    let more = ALIVE.load(Relaxed).saturating_sub(before);
    let more_pages = pages().zip(pages_before).map_or(0, |(now, before)| now.saturating_sub(before));
    println!("{threads} threads: {more} bytes and {more_pages} pages more");
    assert!(more < 100_000, "{more} bytes for {threads} threads");
    assert!(more_pages < 1_000, "{more_pages} pages for {threads} threads");
    assert_eq!(*lock.lock(), threads + 1_000);
    let left = diagnose::snapshot()
        .threads
        .into_iter()
        .filter(|thread| thread.name.as_deref() == Some("one of many"));
    assert_eq!(left.count(), 0);
    assert!(watched.reports().is_empty());
}
