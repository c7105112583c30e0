//! The threads that do the work. They live as long as the program, and those of one run begin together.

use crate::waits::Waits;
use crossbeam_utils::CachePadded;
use std::cell::Cell;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A run that has not ended so long after it should have hangs.
const HANG: Duration = Duration::from_secs(60);

/// More threads than any workload has.
const MOST: usize = 64;

/// How long a run takes, and whether it times the waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
    pub(crate) timed_waits: bool,
}

/// What one contender did in one run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// Between the two looks at everything else.
    pub(crate) elapsed: Duration,
    /// What each thread counted.
    pub(crate) counts: Vec<u64>,
    /// Processor time of the whole process, user and system; none where the system does not tell.
    pub(crate) cpu: Option<Duration>,
    /// The waits that were timed.
    pub(crate) waits: Waits,
}

/// A run as what is compared.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) operations: f64,
    pub(crate) elapsed: Duration,
    /// Least over most served thread, among threads that do the same.
    pub(crate) fairness: Option<f64>,
    pub(crate) cpu: Option<Duration>,
    pub(crate) waits: Waits,
}

impl Run {
    /// All threads do the same, and each of their operations counts.
    pub(crate) fn of_equals(self) -> Round {
        let all = 0..self.counts.len();
        self.of_groups(all.clone(), &[all])
    }

    /// The threads go in step, so one of them counts for all.
    pub(crate) fn in_step(self) -> Round {
        self.of_groups(0..1, &[])
    }

    /// Those whose operations count, and those that are to be served alike.
    pub(crate) fn of_groups(self, counted: Range<usize>, equals: &[Range<usize>]) -> Round {
        let share = |group: &Range<usize>| {
            let counts = &self.counts[group.clone()];
            let (least, most) = (counts.iter().min()?, counts.iter().max()?);
            (counts.len() > 1).then(|| *least as f64 / (*most).max(1) as f64)
        };
        Round {
            operations: self.counts[counted].iter().sum::<u64>() as f64,
            elapsed: self.elapsed,
            fairness: equals.iter().filter_map(share).reduce(f64::min),
            cpu: self.cpu,
            waits: self.waits,
        }
    }
}

const WARMING_UP: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// What a thread sees of the run it takes part in.
pub(crate) struct Worker<'a> {
    /// From 0.
    pub(crate) index: usize,
    /// How many of them.
    pub(crate) threads: usize,
    /// The run's.
    pub(crate) plan: Plan,
    board: &'a Board,
    done: Cell<u64>,
}

impl Worker<'_> {
    /// Whether the run goes on.
    #[inline]
    pub(crate) fn runs(&self) -> bool {
        self.board.phase.load(Ordering::Relaxed) != OVER
    }

    /// Whether what happens now does not count yet.
    #[inline]
    pub(crate) fn warms_up(&self) -> bool {
        self.board.phase.load(Ordering::Relaxed) == WARMING_UP
    }

    /// So many operations more. No other thread writes to the line this is written to.
    #[inline]
    pub(crate) fn count(&self, operations: u64) {
        self.done.set(self.done.get() + operations);
        self.board.counts[self.index].store(self.done.get(), Ordering::Relaxed);
    }

    /// Repeats the operation until the run is over, and looks up only after every so many.
    #[inline]
    pub(crate) fn repeat(&self, each: u32, mut operation: impl FnMut()) {
        while self.runs() {
            for _ in 0..each {
                operation();
            }
            self.count(u64::from(each));
        }
    }

    /// Reports what it has timed.
    pub(crate) fn report(&self, waits: &Waits) {
        self.board.waits.lock().unwrap().add(waits);
    }
}

/// What all threads of a run share. What they look at all the time is on lines of its own.
struct Board {
    phase: CachePadded<AtomicU8>,
    counts: Vec<CachePadded<AtomicU64>>,
    waits: Mutex<Waits>,
    progress: Mutex<Progress>,
    changed: Condvar,
    panicked: AtomicBool,
}

#[derive(Default)]
struct Progress {
    /// At the start.
    ready: usize,
    /// Let go.
    started: bool,
    /// Through.
    finished: usize,
}

type Job = Arc<dyn Fn(&Worker<'_>) + Send + Sync>;

/// Threads that wait for something to do.
pub(crate) struct Runner {
    board: Arc<Board>,
    workers: Vec<mpsc::Sender<(Job, usize, Plan)>>,
    /// What runs now, for the message if it hangs.
    pub(crate) doing: String,
}

impl Runner {
    /// None yet; they come when they are needed, and stay.
    pub(crate) fn new() -> Self {
        let board = Board {
            phase: CachePadded::new(AtomicU8::new(OVER)),
            counts: (0..MOST).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
            waits: Mutex::default(),
            progress: Mutex::default(),
            changed: Condvar::new(),
            panicked: AtomicBool::new(false),
        };
        Self { board: Arc::new(board), workers: Vec::new(), doing: String::new() }
    }

    fn start_worker(&mut self) {
        let (worker, jobs) = mpsc::channel::<(Job, usize, Plan)>();
        let (board, index) = (Arc::clone(&self.board), self.workers.len());
        assert!(index < MOST, "more than {MOST} threads");
        thread::spawn(move || {
            for (job, threads, plan) in jobs {
                board.start();
                let worker = Worker { index, threads, plan, board: &board, done: Cell::new(0) };
                if panic::catch_unwind(AssertUnwindSafe(|| job(&worker))).is_err() {
                    board.panicked.store(true, Ordering::Relaxed);
                }
                drop(job);
                board.finish();
            }
        });
        self.workers.push(worker);
    }

    /// Runs the job on so many threads, and looks at them at the beginning and at the end of the time.
    pub(crate) fn run(
        &mut self,
        threads: usize,
        plan: Plan,
        job: impl Fn(&Worker<'_>) + Send + Sync + 'static,
    ) -> Run {
        while self.workers.len() < threads {
            self.start_worker();
        }
        let board = Arc::clone(&self.board);
        board.phase.store(WARMING_UP, Ordering::Relaxed);
        board.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        *board.waits.lock().unwrap() = Waits::default();
        *board.progress.lock().unwrap() = Progress::default();
        let job: Job = Arc::new(job);
        for worker in &self.workers[..threads] {
            worker.send((Arc::clone(&job), threads, plan)).expect("it waits for jobs");
        }
        drop(job);
        self.until(|progress| progress.ready == threads);
        board.progress.lock().unwrap().started = true;
        board.changed.notify_all();

        thread::sleep(plan.warm_up);
        board.phase.store(MEASURING, Ordering::Relaxed);
        let before = board.look();
        thread::sleep(plan.time);
        let after = board.look();
        board.phase.store(OVER, Ordering::Relaxed);
        self.until(|progress| progress.finished == threads);

        Run {
            elapsed: after.0 - before.0,
            counts: (0..threads).map(|thread| after.2[thread] - before.2[thread]).collect(),
            cpu: after.1.zip(before.1).map(|(after, before)| after.saturating_sub(before)),
            waits: std::mem::take(&mut *board.waits.lock().unwrap()),
        }
    }

    /// Waits until the threads have come so far, and gives up with a message where it would wait
    /// indefinitely.
    fn until(&self, mut reached: impl FnMut(&Progress) -> bool) {
        let guard = self.board.progress.lock().unwrap();
        let (progress, result) =
            self.board.changed.wait_timeout_while(guard, HANG, |progress| !reached(progress)).unwrap();
        if self.board.panicked.load(Ordering::Relaxed) {
            fail(&format!("{}: a thread has panicked", self.doing));
        }
        if result.timed_out() {
            fail(&format!(
                "{}: not over {HANG:?} after its time; {} threads have come to its end",
                self.doing, progress.finished
            ));
        }
    }
}

/// Ends the program although threads of it hang.
fn fail(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(1)
}

impl Board {
    /// Of a worker: waits until all are there.
    fn start(&self) {
        let mut progress = self.progress.lock().unwrap();
        progress.ready += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(progress, |progress| !progress.started).unwrap());
    }

    fn finish(&self) {
        self.progress.lock().unwrap().finished += 1;
        self.changed.notify_all();
    }

    fn look(&self) -> (Instant, Option<Duration>, Vec<u64>) {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        (Instant::now(), process_time(), counts)
    }
}

#[cfg(unix)]
fn clock(id: rustix::time::ClockId) -> Option<Duration> {
    rustix::time::clock_gettime(id).try_into().ok()
}

/// Processor time of this process so far.
#[cfg(unix)]
fn process_time() -> Option<Duration> {
    clock(rustix::time::ClockId::ProcessCPUTime)
}

/// Processor time of the calling thread so far.
#[cfg(unix)]
pub(crate) fn thread_time() -> Option<Duration> {
    clock(rustix::time::ClockId::ThreadCPUTime)
}

#[cfg(not(unix))]
fn process_time() -> Option<Duration> {
    None
}

#[cfg(not(unix))]
pub(crate) fn thread_time() -> Option<Duration> {
    None
}
