//! Sees from outside that a thread is parked.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

use super::watch::eventually;

/// Lets other threads see that one has gone to sleep, as far as the system tells.
///
/// A thread that has called [`about_to_block`](Self::about_to_block) does nothing but the one call that may
/// block. So a thread that sees it asleep knows that it is parked in that call.
#[derive(Debug, Default)]
pub(crate) struct Sleeper(AtomicU32);

impl Sleeper {
    /// Whether [`until_asleep`](Self::until_asleep) is sure of what it says. Elsewhere it lets some time
    /// pass, and what is tested must hold, too, if the thread was late.
    pub(crate) const SURE: bool = cfg!(all(target_os = "linux", not(miri)));

    const RUNNING: u32 = 0;
    const UNKNOWN: u32 = u32::MAX;

    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(Self::RUNNING))
    }

    pub(crate) fn several(n: usize) -> Vec<Self> {
        (0..n).map(|_| Self::new()).collect()
    }

    /// Of the thread that is to be watched: the last thing before the call that may block.
    pub(crate) fn about_to_block(&self) {
        let id = if Self::SURE {
            let link = std::fs::read_link("/proc/thread-self").expect("procfs");
            let id = link.file_name().and_then(|id| id.to_str()).and_then(|id| id.parse().ok());
            id.expect("a thread id")
        } else {
            Self::UNKNOWN
        };
        self.0.store(id, Relaxed);
    }

    /// Waits until the thread sleeps, or is gone. Returns how often it has gone to sleep in its life.
    #[track_caller]
    pub(crate) fn until_asleep(&self) -> u64 {
        self.until_asleep_again(0)
    }

    #[track_caller]
    pub(crate) fn until_all_asleep(sleepers: &[Self]) {
        for sleeper in sleepers {
            sleeper.until_asleep();
        }
    }

    /// [`until_asleep`](Self::until_asleep) of a thread that had gone to sleep `naps` times when it was woken
    /// up.
    #[track_caller]
    pub(crate) fn until_asleep_again(&self, naps: u64) -> u64 {
        eventually(|| self.0.load(Relaxed) != Self::RUNNING);
        if !Self::SURE {
            (0..100).for_each(|_| thread::yield_now());
            return naps + 1;
        }
        let status = format!("/proc/self/task/{}/status", self.0.load(Relaxed));
        let mut seen = naps;
        eventually(|| {
            let Ok(status) = std::fs::read_to_string(&status) else {
                return true;
            };
            let field =
                |name| status.lines().find_map(|line| line.strip_prefix(name)).expect("procfs").trim();
            seen = field("voluntary_ctxt_switches:").parse().expect("a number");
            field("State:").starts_with('S') && seen > naps
        });
        seen
    }
}

#[test]
fn sleeper_is_seen_asleep() {
    let (sleeper, asleep) = (Sleeper::new(), AtomicU32::new(0));
    thread::scope(|s| {
        let parked = s.spawn(|| {
            sleeper.about_to_block();
            while asleep.load(Relaxed) == 0 {
                thread::park();
            }
        });
        sleeper.until_asleep();
        asleep.store(1, Relaxed);
        parked.thread().unpark();
    });
}
