//! `wait_any` and its other forms.

mod alone;
mod fairness;
mod kinds;
mod misuse;
mod queues;
mod waiting;

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use lockwork::{AnySource, Event, First2, GetError, Mutex, wait_any};

use crate::support::Sleeper;

/// Waits for the source and an event that is never set; `fire` runs when it sleeps.
fn wait_for<S: AnySource + Send>(source: S, fire: impl FnOnce() + Send) -> S::Output {
    let (never, sleeper) = (Event::new(), Sleeper::new());
    thread::scope(|s| {
        s.spawn(|| {
            sleeper.until_asleep();
            fire();
        });
        sleeper.about_to_block();
        match wait_any((&never, source)) {
            First2::First(()) => panic!("it is never set"),
            First2::Second(output) => output,
        }
    })
}

type Item = Result<usize, GetError>;

/// Gets items of two buffers as `next` does, until one is closed and empty, and then what is left in both. No
/// thread that notes what it got in `seen` may have seen an item before.
fn get_all<'a, B>(
    buffers: &'a [B; 2],
    seen: &Mutex<BTreeSet<usize>>,
    mut next: impl FnMut() -> Option<First2<Item, Item>>,
) where
    &'a B: IntoIterator<Item = usize>,
{
    let mut mine = Vec::new();
    loop {
        match next() {
            Some(First2::First(Ok(item)) | First2::Second(Ok(item))) => mine.push(item),
            Some(First2::First(Err(_)) | First2::Second(Err(_))) => break,
            None => {}
        }
    }
    for buffer in buffers {
        mine.extend(buffer);
    }
    let mut seen = seen.lock();
    mine.into_iter().for_each(|item| assert!(seen.insert(item), "{item} came twice"));
}

/// Runs `f`, which panics with this message.
#[track_caller]
fn assert_panics<R>(message: &str, f: impl FnOnce() -> R) {
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it should have panicked: {message}");
    };
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    assert_eq!(text, Some(message));
}
