//! A session of diagnosis, and the thread that watches: [`start`].

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use super::cycles::{Suspects, cycles};
use super::order::{self, Inversion};
use super::profile;
use super::report::{RelockReport, Report, Stall};
use super::settings::{Order, Relock, Settings};
use super::tables::{self, Shared};
use super::view::{about_to_wait, own_state, states};
use crate::facade::{Ticker, contain, environment, instant_of, nanos, panicking, per_process, print_error};
use crate::mutex::Mutex;
use crate::observe::{self, Called, HOLDS, Kind, Mode, ORDER, PROFILE};

/// The sessions that run.
static SESSIONS: Shared<Vec<Arc<Settings>>> = Shared::new(Vec::new());

per_process! {
    /// Held by a thread that changes them, before the tables.
    static CHANGING: Mutex<()> = Mutex::hidden(());
}

/// Diagnosis that was [started](start). Dropping it ends it: nothing is noted any more but what threads wait
/// for, unless another session runs.
///
/// Dropping it waits for a report that its thread is making, so the sink must not need what the dropping
/// thread holds. A report that another thread began before, of an inversion or of a lock that it waits for
/// itself, may still come afterwards.
#[must_use = "it ends when it is dropped"]
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    /// None if the system has no thread to give, and in a child of a `fork`.
    watch: Option<Ticker>,
}

impl Session {
    /// Lets it run for as long as the process does.
    pub fn forever(mut self) {
        if let Some(watch) = self.watch.take() {
            watch.detach();
        }
        std::mem::forget(self);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Its thread makes no report after this. Not in `inside`: it may be in one.
        self.watch = None;
        change(|sessions| sessions.retain(|settings| !Arc::ptr_eq(settings, &self.settings)));
    }
}

/// Changes which sessions run, and what is noted with it. One thread at a time: one that ends a session could
/// else end what another has begun meanwhile. Returns whether it has: not in a child of a `fork`, where a
/// thread that is not there may be at it.
fn change(f: impl FnOnce(&mut Vec<Arc<Settings>>)) -> bool {
    if tables::lock().is_none() {
        return false;
    }
    let _changing = CHANGING.lock();
    let before = noted();
    SESSIONS.with(f);
    begin_anew(before);
    SESSIONS.with(|sessions| set_level(sessions));
    true
}

/// Sets the level to what the sessions together want noted.
fn set_level(sessions: &[Arc<Settings>]) {
    let level = |settings: &Arc<Settings>| {
        let order = if settings.order == Order::Off { 0 } else { ORDER };
        HOLDS | order | if settings.profile.is_some() { PROFILE } else { 0 }
    };
    observe::set_level(sessions.iter().map(level).fold(0, |all, level| all | level));
}

/// Returns what is to be noted of the order and the waits.
fn noted() -> (Order, bool, Option<NonZeroU32>) {
    (order_mode(), is_any(Order::ReportTimed), profile_rate())
}

/// Begins the order and the profile anew, if they are to be noted otherwise than `before`.
fn begin_anew(before: (Order, bool, Option<NonZeroU32>)) {
    let now = noted();
    if (now.0, now.1) != (before.0, before.1) {
        match now.0 {
            Order::Off => order::forget_all(),
            _ => order::configure(now.0 != Order::Panic, now.1),
        }
    }
    match now.2 {
        Some(one_in) if now.2 != before.2 => profile::configure(one_in),
        None if before.2.is_some() => profile::end(),
        _ => {}
    }
}

/// Begins to note what threads hold, and to report what `settings` says.
///
/// A thread of its own looks at all that wait, many times a second (`docs/numbers.md` says how often), and
/// reports
///
/// * each wait that is older than [`stall_after`](Settings::stall_after), once, then again at twice that age,
///   and so on: who waits where for what, and who holds it since when and where, and waits for what;
/// * each cycle of threads that wait for each other, at once: the [`deadlocks`](super::deadlocks); one that a
///   time-out ends when it is as old as that.
///
/// A thread that is about to wait for a lock which it holds itself is reported at once by that thread, or
/// panics; [`Relock`] says where not. Several sessions may run; each gets all reports that its settings ask
/// for. There is one order and one profile for all of them: the strictest [`Order`] holds, and the most
/// frequent sampling. Where one that begins or ends changes what holds, what was seen of the order, or
/// measured, is forgotten and begins anew; when the last that takes a profile ends, that is kept.
///
/// In a program that is not to be changed, `LOCKWORK_DIAGNOSE` in the environment starts a session at the
/// first call that may wait, or the first session. It lasts for as long as the process: `stall=10s`, `order`,
/// `order=timed` or `order=panic`, `relock=panic`, `profile=100:waits.pb`, with commas in between, so that a
/// file's name has none. Empty, it starts none. The profile is written to that file as
/// [`write_pprof`](super::Profile::write_pprof) does, once each second, so that of the last second is not in
/// it when the process ends; without a file it is taken for [`profile`](super::profile()) alone.
///
/// After a `fork` the child has no such thread, and is silent.
///
/// # Examples
///
/// A thread that waits for a lock which another holds for too long:
///
/// ```
/// use lockwork::diagnose::{self, Report, Settings};
/// use lockwork::{Event, Mutex};
/// use std::{sync::mpsc, thread, time::Duration};
///
/// static SESSIONS: Mutex<u32> = Mutex::named("sessions", 0);
///
/// let (found, reports) = mpsc::channel();
/// let session = diagnose::start(Settings {
///     stall_after: Some(Duration::from_millis(50)),
///     sink: Box::new(move |report| drop(found.send(report.to_string()))),
///     ..Settings::default()
/// });
/// let guard = SESSIONS.lock();
/// thread::scope(|s| {
///     thread::Builder::new().name("worker".into()).spawn_scoped(s, || *SESSIONS.lock() += 1).unwrap();
///     let report = reports.recv().unwrap();
///     assert!(report.starts_with("thread \"worker\" has waited"), "{report}");
///     assert!(report.contains("in `Mutex::lock` at") && report.contains("for \"sessions\", held for"));
///     drop(guard);
/// });
/// drop(session);
/// ```
pub fn start(settings: Settings) -> Session {
    start_writing(settings, None)
}

/// Starts a session, which writes the profile to the file now and then if there is one.
fn start_writing(settings: Settings, file: Option<PathBuf>) -> Session {
    first();
    // From now on the coarse clock moves: let it be right when the first hold is noted.
    let _ = nanos();
    let settings = Arc::new(settings);
    if !change(|sessions| sessions.push(Arc::clone(&settings))) {
        return Session { settings, watch: None };
    }
    let file = file.map(ProfileFile::new);
    let mut watch = Watching::new(Arc::clone(&settings), file);
    let watch = Ticker::start(move || watch.step(Watching::look));
    if watch.is_none() {
        print_error(&"lockwork: the system gives no thread: waits and deadlocks are not reported");
    }
    Session { settings, watch }
}

/// What the thread of a session remembers.
struct Watching {
    settings: Arc<Settings>,
    file: Option<ProfileFile>,
    /// By thread and call: at which age it is reported next.
    due: BTreeMap<(u64, Instant), Duration>,
    /// The cycles that were reported, by their calls.
    reported: BTreeSet<Vec<(u64, Instant)>>,
    suspects: Suspects,
    /// When it has looked last.
    last: Option<Instant>,
    /// How many of its steps have panicked.
    panics: u32,
}

impl Watching {
    /// How often it looks.
    const TICK: Duration = Duration::from_millis(20);
    const SHORTEST: Duration = Duration::from_millis(1);

    fn new(settings: Arc<Settings>, file: Option<ProfileFile>) -> Self {
        Self {
            settings,
            file,
            due: BTreeMap::new(),
            reported: BTreeSet::new(),
            suspects: Suspects::default(),
            last: None,
            panics: 0,
        }
    }

    /// Looks once, and returns how long to wait for the next look. After a panic, which is reported, that is
    /// ever longer: a fault that stays is not to fill the error stream.
    fn step(&mut self, look: impl FnOnce(&mut Self, Instant)) -> Duration {
        // Moves the coarse clock on, too.
        let now = instant_of(nanos());
        let returned = returns(|| {
            observe::inside(|| look(self, now));
            if self.file.as_mut().is_some_and(|file| !file.write_if_due(now)) {
                self.file = None;
            }
        });
        if !returned {
            let pause = Duration::from_secs(1 << self.panics.min(12));
            self.panics += 1;
            let after = pause.as_secs();
            print_error(&format_args!(
                "lockwork: the thread of a diagnosis session has panicked, which is a fault of this crate: \
                 nothing is reported for {after} s"
            ));
            return pause;
        }
        let stall = self.settings.stall_after.unwrap_or(Self::TICK);
        (stall / 8).clamp(Self::SHORTEST, Self::TICK)
    }

    fn look(&mut self, now: Instant) {
        let passed =
            self.last.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let threads = states();
        let waiting = || threads.iter().filter(|thread| thread.waits.is_some());
        if waiting().next().is_none() {
            self.due.clear();
            self.reported.clear();
            self.suspects.clear();
            return;
        }
        let cycles = cycles();
        self.reported.retain(|reported| cycles.iter().any(|cycle| &cycle.calls() == reported));
        self.suspects.look(&cycles, passed);
        for cycle in cycles {
            if self.suspects.is_new(&cycle) {
                continue;
            }
            // One that a time-out ends is a matter of how long it lasts.
            if cycle.until.is_some() && self.settings.stall_after.is_none_or(|limit| cycle.age(now) < limit) {
                continue;
            }
            if self.reported.insert(cycle.calls()) {
                self.report(&Report::Deadlock(cycle));
            }
        }
        let Some(limit) = self.settings.stall_after else { return };
        let mut due = BTreeMap::new();
        for thread in waiting() {
            let Some(wait) = &thread.waits else { continue };
            // An idle thread of a pool waits for nothing that should have come.
            if (wait.kind, wait.mode) == (Kind::Pool, Mode::Get) {
                continue;
            }
            let key = (thread.id, wait.since);
            let age = now.saturating_duration_since(wait.since);
            let mut next = self.due.get(&key).copied().unwrap_or(limit);
            if age >= next {
                if let Some(stall) = Stall::of(thread, &threads) {
                    self.report(&Report::Stall(stall));
                }
                while age >= next {
                    next = next.checked_mul(2).filter(|next| !next.is_zero()).unwrap_or(Duration::MAX);
                }
            }
            due.insert(key, next);
        }
        self.due = due;
    }

    fn report(&self, report: &Report) {
        report_to(&self.settings, report);
    }
}

/// Where the profile goes of a program that knows nothing of it.
struct ProfileFile {
    path: PathBuf,
    due: Option<Instant>,
}

impl ProfileFile {
    const INTERVAL: Duration = Duration::from_secs(1);

    fn new(path: PathBuf) -> Self {
        Self { path, due: None }
    }

    /// Returns whether there is any use in trying again.
    fn write_if_due(&mut self, now: Instant) -> bool {
        match self.due {
            Some(due) if now < due => return true,
            None => {}
            Some(_) => {
                if let Err(error) = self.write() {
                    let path = self.path.display();
                    print_error(&format_args!("lockwork: LOCKWORK_DIAGNOSE: {path}: {error}"));
                    return false;
                }
            }
        }
        self.due = Some(now + Self::INTERVAL);
        true
    }

    /// Writes another file in the place of the last, so that a program that reads it finds a whole one at any
    /// time.
    fn write(&self) -> io::Result<()> {
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let mut bytes = Vec::new();
        profile::profile().write_pprof(&mut bytes)?;
        fs::write(&new, bytes)?;
        fs::rename(&new, &self.path)
    }
}

/// Runs `f`. Its panic ends here, and what that was made with. Returns whether there was none.
fn returns(f: impl FnOnce()) -> bool {
    let mut returned = false;
    contain(|| {
        f();
        returned = true;
    });
    returned
}

/// Gives a report to one session.
fn report_to(settings: &Settings, report: &Report) {
    if !returns(|| (settings.sink)(report)) {
        print_error(&"lockwork: the sink of a diagnosis session has panicked");
    }
}

/// Returns the sessions that run now. None in a child of a fork.
fn sessions() -> Vec<Arc<Settings>> {
    SESSIONS.with(|sessions| sessions.clone()).unwrap_or_default()
}

/// Gives a report to the sessions that `want` it.
pub(super) fn report(report: &Report, want: impl Fn(&Settings) -> bool) {
    for settings in sessions().iter().filter(|settings| want(settings)) {
        report_to(settings, report);
    }
}

/// Returns what the strictest of the sessions does about the order.
#[allow(dead_code, reason = "of the order and the profile")]
pub(super) fn order_mode() -> Order {
    let strictest =
        [Order::Panic, Order::ReportTimed, Order::Report].into_iter().find(|&order| is_any(order));
    strictest.unwrap_or(Order::Off)
}

/// Returns whether this is what a session does about the order.
fn is_any(order: Order) -> bool {
    sessions().iter().any(|settings| settings.order == order)
}

/// Returns of how many contended waits one is measured.
#[allow(dead_code, reason = "of the order and the profile")]
pub(super) fn profile_rate() -> Option<NonZeroU32> {
    sessions().iter().filter_map(|settings| settings.profile).min()
}

/// Reports an inversion, or panics with it.
#[cold]
pub(super) fn tell_inversion(inversion: Box<Inversion>) {
    let timed = inversion.timed;
    let found = Report::Inversion(inversion);
    report(&found, |settings| match settings.order {
        Order::Off => false,
        Order::ReportTimed => true,
        Order::Report | Order::Panic => !timed,
    });
    // A second panic would end the process, and hide the first.
    assert!(timed || panicking() || order_mode() != Order::Panic, "{found}");
}

/// Reports a thread that is about to wait for itself, or panics.
pub(super) fn check_relock(new: &Called) {
    if !new.kind.is_lock() || new.kind == Kind::ReentrantMutex {
        return;
    }
    let blocks = |held: &Called| {
        let itself = new.mode == Mode::Upgrade && held.mode == Mode::Upgradable;
        held.same(new) && !held.shared && !itself && held.mode.excludes(new.mode)
    };
    // Each call that waits comes here: what it holds is looked through as it is.
    let Some(held) = observe::own_holds().find(|hold| blocks(&hold.called)) else { return };
    let thread = own_state(None);
    let Some(hold) = thread.holds.iter().find(|hold| hold.number == held.number).cloned() else { return };
    let found = Report::Relock(RelockReport { wait: about_to_wait(new), hold, thread });
    report(&found, |_| true);
    // Also in another panic: the end of the process is better than a wait without end.
    assert!(sessions().iter().all(|settings| settings.relock != Relock::Panic), "{found}");
}

/// Asks the environment, if no thread has yet.
pub(super) fn first() {
    // Whatever it says: others are not to ask again.
    let asks = SESSIONS.with(|sessions| {
        let asks = observe::is_unread();
        if asks {
            set_level(sessions);
        }
        asks
    });
    if asks != Some(true) {
        return;
    }
    let Some(words) = environment("LOCKWORK_DIAGNOSE").filter(|words| !words.trim().is_empty()) else {
        return;
    };
    let mut settings = Settings { stall_after: None, ..Settings::default() };
    let mut file = None;
    for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        if !apply(&mut settings, &mut file, word) {
            print_error(&format_args!("lockwork: LOCKWORK_DIAGNOSE: \"{word}\" is not understood"));
        }
    }
    start_writing(settings, file).forever();
}

/// Changes the settings as one word of the environment says. False if it is not understood.
fn apply(settings: &mut Settings, file: &mut Option<PathBuf>, word: &str) -> bool {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    match (key, value) {
        ("stall", "") => settings.stall_after = Some(Duration::from_secs(10)),
        ("stall", value) => match duration(value) {
            None => return false,
            limit => settings.stall_after = limit,
        },
        ("order", "" | "report") => settings.order = Order::Report,
        ("order", "timed") => settings.order = Order::ReportTimed,
        ("order", "panic") => settings.order = Order::Panic,
        ("relock", "report") => settings.relock = Relock::Report,
        ("relock", "panic") => settings.relock = Relock::Panic,
        ("profile", value) => {
            let (rate, path) = value.split_once(':').unwrap_or((value, ""));
            match rate.parse() {
                Ok(rate) => settings.profile = Some(rate),
                Err(_) if rate.is_empty() => settings.profile = NonZeroU32::new(100),
                Err(_) => return false,
            }
            *file = (!path.is_empty()).then(|| PathBuf::from(path));
        }
        _ => return false,
    }
    true
}

/// Reads `10s`, `500ms`, `2m`, `1.5s`, or seconds without a unit.
fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Watching, duration};
    use crate::diagnose::{Order, Relock, Settings};

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("10s"), Some(Duration::from_secs(10)));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!((duration("s"), duration("10 h"), duration("-1s")), (None, None, None));
    }

    /// Each panic of a look is reported, and the thread looks again.
    #[test]
    fn watch_goes_on_after_a_panic() {
        let mut watch = Watching::new(Arc::new(Settings::default()), None);
        let mut step = |panics: bool| watch.step(|_, _| assert!(!panics, "planted"));
        assert_eq!(step(false), Watching::TICK);
        assert_eq!(step(true), Duration::from_secs(1));
        assert_eq!(step(true), Duration::from_secs(2));
        assert_eq!(step(false), Watching::TICK);
    }

    #[test]
    fn words_of_the_environment_are_read() {
        let (mut settings, mut file) = (Settings::default(), None);
        let mut apply = |settings: &mut Settings, word| {
            let known = super::apply(settings, &mut file, word);
            (known, file.clone())
        };
        for word in ["stall=250ms", "order=panic", "relock=panic", "profile=7"] {
            assert_eq!(apply(&mut settings, word), (true, None), "{word}");
        }
        assert_eq!(settings.stall_after, Some(Duration::from_millis(250)));
        assert_eq!((settings.order, settings.relock), (Order::Panic, Relock::Panic));
        assert_eq!(settings.profile.map(std::num::NonZero::get), Some(7));
        assert_eq!(apply(&mut settings, "profile=:a/b.pb"), (true, Some(PathBuf::from("a/b.pb"))));
        assert_eq!(settings.profile.map(std::num::NonZero::get), Some(100));
        assert_eq!(apply(&mut settings, "profile=9:c:\\d"), (true, Some(PathBuf::from("c:\\d"))));
        assert_eq!(settings.profile.map(std::num::NonZero::get), Some(9));
        assert!(apply(&mut settings, "order=timed").0);
        assert_eq!(settings.order, Order::ReportTimed);
        for word in ["stall=soon", "ordre", "order=maybe", "profile=0"] {
            assert!(!apply(&mut settings, word).0, "{word}");
        }
    }
}
