//! A small number for each thread that asks, so that it can have something to itself in a table of the
//! process.

use std::cell::Cell;

use crate::facade::per_process;
use crate::facade::platform::atomic::{
    AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use crate::facade::platform::thread_local;

/// Numbers are below this. More threads than that share some, which costs them speed and nothing else.
pub(crate) const COUNT: usize = 128;

const BITS: usize = usize::BITS as usize;
const WORDS: usize = COUNT / BITS;

per_process! {
    /// One bit for each number that a thread has to itself.
    static TAKEN: [AtomicUsize; WORDS] = [const { AtomicUsize::new(0) }; WORDS];
}
per_process! {
    /// All numbers that a thread has or had are below this.
    static USED: AtomicUsize = AtomicUsize::new(0);
}

const NONE: usize = usize::MAX;

/// Gives the thread's number back.
struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        // What the thread may have left in the table is there for the next, too.
        give_back(LINE.replace(NONE));
    }
}

thread_local! {
    /// Without a destructor: there until the very end of the thread.
    static LINE: Cell<usize> = const { Cell::new(NONE) };
    static AT_END: AtEnd = const { AtEnd };
}

/// Takes the lowest number that no thread has.
fn take() -> Option<usize> {
    TAKEN.iter().zip(0..).find_map(|(word, at)| {
        // Relaxed: carries nothing.
        let taken =
            word.fetch_update(Relaxed, Relaxed, |taken| (taken != usize::MAX).then(|| taken | (taken + 1)));
        taken.ok().map(|taken| at * BITS + taken.trailing_ones() as usize)
    })
}

fn give_back(line: usize) {
    if let Some(word) = TAKEN.get(line / BITS) {
        // Relaxed: carries nothing.
        word.fetch_and(!(1 << (line % BITS)), Relaxed);
    }
}

#[cold]
fn new_line() -> usize {
    let own = take();
    let line = own.unwrap_or_else(|| super::this_thread().get() as usize % COUNT);
    LINE.set(line);
    // SeqCst: in the same order as the exchange by which the thread then enters something, so who is to
    // see that sees the line first (`used`).
    // proof: lines.count
    USED.fetch_max(line + 1, SeqCst);
    // A thread that is at its end already, or whose number is another's, has none to give back.
    if own.is_some() && AT_END.try_with(|_| ()).is_err() {
        give_back(line);
    }
    line
}

/// Returns the calling thread's number. No other thread has it until this one ends, if there are enough.
#[inline]
pub(crate) fn mine() -> usize {
    match LINE.get() {
        NONE => new_line(),
        line => line,
    }
}

/// Returns the first number that no thread has had so far. Behind a
/// [`fence_in_order`](super::atomic::fence_in_order), none is left out whose thread came first.
pub(crate) fn used() -> usize {
    // Relaxed: in order behind the caller's fence.
    // proof: lines.used
    USED.load(Relaxed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Barrier, Mutex};
    use std::thread;

    use super::{COUNT, mine};

    /// As many as there are in the other tests' threads may be gone, so half of them are asked for.
    #[test]
    fn threads_that_come_and_go_leave_each_of_the_others_a_number() {
        const STAY: usize = COUNT / 2;
        let (barrier, numbers) = (Barrier::new(STAY), Mutex::new(BTreeSet::new()));
        thread::scope(|s| {
            for _ in 0..STAY {
                for _ in 0..COUNT {
                    thread::spawn(mine).join().unwrap();
                }
                s.spawn(|| {
                    assert!(numbers.lock().unwrap().insert(mine()), "a number of another thread");
                    assert_eq!(mine(), mine());
                    barrier.wait();
                });
            }
        });
    }
}
