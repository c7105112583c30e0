//! What all of them need: a watch that is theirs alone, and what it has reported.

use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use lockwork::diagnose::{self, Inversion, Order, Report, Session, Settings};

/// There is one watch in a process, so tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A watch, and what it has reported.
pub(crate) struct Watched {
    reports: Arc<Mutex<Vec<Report>>>,
    _session: Session,
    _turn: MutexGuard<'static, ()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    pub(crate) fn by(settings: impl FnOnce(Settings) -> Settings) -> Self {
        let turn = lock(&TURN);
        let reports: Arc<Mutex<Vec<Report>>> = Arc::default();
        let sink = {
            let reports = Arc::clone(&reports);
            move |report: &Report| lock(&reports).push(report.clone())
        };
        let session = diagnose::start(settings(Settings { sink: Box::new(sink), ..Settings::default() }));
        Self { reports, _session: session, _turn: turn }
    }

    /// Watches the order.
    pub(crate) fn order() -> Self {
        Self::by(|settings| Settings { order: Order::Report, ..settings })
    }

    /// Measures all waits.
    pub(crate) fn profile() -> Self {
        Self::by(|settings| Settings { profile: NonZero::new(1), ..settings })
    }

    /// Ends the watch. No other test begins one while what is returned is there.
    pub(crate) fn end(self) -> MutexGuard<'static, ()> {
        let Self { _session: session, _turn: turn, .. } = self;
        drop(session);
        turn
    }

    pub(crate) fn reports(&self) -> Vec<Report> {
        lock(&self.reports).clone()
    }

    /// The inversions that were reported since the last call.
    pub(crate) fn inversions(&self) -> Vec<Inversion> {
        let inversion = |report| match report {
            Report::Inversion(inversion) => Some(*inversion),
            _ => None,
        };
        lock(&self.reports).drain(..).filter_map(inversion).collect()
    }

    /// The one inversion that was reported since the last call.
    pub(crate) fn inversion(&self) -> Inversion {
        let mut found = self.inversions();
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    }
}

/// Runs `f` in a thread of that name, to its end.
pub(crate) fn in_thread<R: Send>(name: &str, f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|s| {
        let thread = thread::Builder::new().name(name.to_owned()).spawn_scoped(s, f).expect("a thread");
        thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    })
}
