//! What a thread parks on: a `Notify` of loom's.

use std::sync::Arc;

use loom::sync::Notify;
use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{Deadline, LIVES};

#[derive(Debug)]
pub(crate) struct Parker(Arc<Token>);

#[derive(Debug)]
struct Token {
    notify: Notify,
    /// Whether the wake-up was there before the deadline. In models of one life it would decide nothing.
    woken: Option<AtomicBool>,
}

impl Parker {
    pub(crate) fn new() -> Self {
        let woken = (LIVES.get() > 1).then(|| AtomicBool::new(false));
        Self(Arc::new(Token { notify: Notify::new(), woken }))
    }

    /// Stands in another node of the same thread for the one that is parked.
    pub(crate) fn stand_in(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Blocks, without a deadline until the notification, with loom's one spurious return; with a deadline
    /// until it passes, which is now or when the others have had their turn. The caller looks at its own
    /// state first, so a wake-up that came in that turn is found; a thread that no thread will ever wake
    /// times out and is no deadlock. A wake-up that came before the deadline passed leaves it unpassed if it
    /// has another life.
    #[track_caller]
    pub(crate) fn park(&self, deadline: &Deadline) {
        match deadline {
            Deadline::Never => self.0.notify.wait(),
            Deadline::Finite { passed, .. } => {
                // loom's only choice between two ways on: a notification that is there already is consumed at
                // once, or the return is spurious, and spurious returns yield.
                let now_or_later = Notify::new();
                now_or_later.notify();
                now_or_later.wait();
                // Relaxed: nothing orders this look against the store, so loom explores both values, one of
                // which says that the time was up before.
                match &self.0.woken {
                    Some(woken) if woken.load(Relaxed) => deadline.spend(),
                    _ => passed.set(true),
                }
            }
        }
    }

    pub(crate) fn unparker(&self) -> Unparker {
        Unparker(Arc::clone(&self.0))
    }
}

pub(crate) struct Unparker(Arc<Token>);

impl Unparker {
    #[track_caller]
    pub(crate) fn unpark(self) {
        if let Some(woken) = &self.0.woken {
            // Relaxed: see `park`.
            woken.store(true, Relaxed);
        }
        self.0.notify.notify();
    }
}
