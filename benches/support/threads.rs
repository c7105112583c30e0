//! Threads that run tasks.

use std::sync::mpsc;
use std::thread;

/// A fixed number of threads and a queue of tasks.
pub(crate) trait Pool: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// A task that was submitted.
    type Task<T: Send + 'static>;
    /// So many threads, which have nothing to do.
    fn new(threads: usize) -> Self;
    /// Has `f` run, without waiting for it.
    fn detach(&self, f: impl FnOnce() + Send + 'static);
    /// Has `f` run, for a caller that waits for it.
    fn submit<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> Self::Task<T>;
    /// Waits for it.
    fn join<T: Send + 'static>(task: Self::Task<T>) -> T;
    /// Has `f` run, and waits for it.
    fn run<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> T {
        Self::join(self.submit(f))
    }
}

/// Threads that divide work among each other.
pub(crate) trait Divide: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// So many threads, which have nothing to do.
    fn new(threads: usize) -> Self;
    /// Calls `leaf` so many times: each task has half of them done by another, and does the rest itself.
    fn halve(&self, leaves: usize, leaf: &(impl Fn() + Sync));
}

impl Pool for lockwork::ThreadPool {
    const NAME: &'static str = super::OURS;
    type Task<T: Send + 'static> = lockwork::Task<T>;

    fn new(threads: usize) -> Self {
        Self::new(threads)
    }

    fn detach(&self, f: impl FnOnce() + Send + 'static) {
        drop(self.submit(f));
    }

    fn submit<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> Self::Task<T> {
        self.submit(f).expect("an open pool")
    }

    fn join<T: Send + 'static>(task: Self::Task<T>) -> T {
        task.join().expect("a task that does not panic")
    }
}

impl Divide for lockwork::ThreadPool {
    const NAME: &'static str = super::OURS;

    fn new(threads: usize) -> Self {
        Self::new(threads)
    }

    fn halve(&self, leaves: usize, leaf: &(impl Fn() + Sync)) {
        fn part(pool: &lockwork::ThreadPool, leaves: usize, leaf: &(impl Fn() + Sync)) {
            if leaves == 1 {
                return leaf();
            }
            pool.scope(|s| {
                s.spawn(|| part(pool, leaves / 2, leaf));
                part(pool, leaves - leaves / 2, leaf);
            });
        }
        self.scope(|s| {
            s.spawn(|| part(self, leaves, leaf));
        });
    }
}

/// Has no results: who wants one makes a channel for it.
impl Pool for threadpool::ThreadPool {
    const NAME: &'static str = "threadpool";
    type Task<T: Send + 'static> = mpsc::Receiver<T>;

    fn new(threads: usize) -> Self {
        Self::new(threads)
    }

    fn detach(&self, f: impl FnOnce() + Send + 'static) {
        self.execute(f);
    }

    fn submit<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> Self::Task<T> {
        let (give, take) = mpsc::channel();
        self.execute(move || _ = give.send(f()));
        take
    }

    fn join<T: Send + 'static>(task: Self::Task<T>) -> T {
        task.recv().expect("a task that does not panic")
    }
}

fn rayon(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

/// `spawn` has no results, either. Waiting at once is what it has `install` for.
impl Pool for rayon::ThreadPool {
    const NAME: &'static str = "rayon";
    type Task<T: Send + 'static> = mpsc::Receiver<T>;

    fn new(threads: usize) -> Self {
        rayon(threads)
    }

    fn detach(&self, f: impl FnOnce() + Send + 'static) {
        self.spawn(f);
    }

    fn submit<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> Self::Task<T> {
        let (give, take) = mpsc::channel();
        self.spawn(move || _ = give.send(f()));
        take
    }

    fn join<T: Send + 'static>(task: Self::Task<T>) -> T {
        task.recv().expect("a task that does not panic")
    }

    fn run<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> T {
        self.install(f)
    }
}

impl Divide for rayon::ThreadPool {
    const NAME: &'static str = "rayon";

    fn new(threads: usize) -> Self {
        rayon(threads)
    }

    fn halve(&self, leaves: usize, leaf: &(impl Fn() + Sync)) {
        fn part(leaves: usize, leaf: &(impl Fn() + Sync)) {
            if leaves == 1 {
                return leaf();
            }
            rayon::join(|| part(leaves - leaves / 2, leaf), || part(leaves / 2, leaf));
        }
        self.install(|| part(leaves, leaf));
    }
}

/// A thread for each task, however many were asked for.
pub(crate) struct Std;

impl Pool for Std {
    const NAME: &'static str = "std thread::spawn";
    type Task<T: Send + 'static> = thread::JoinHandle<T>;

    fn new(_: usize) -> Self {
        Self
    }

    fn detach(&self, f: impl FnOnce() + Send + 'static) {
        thread::spawn(f);
    }

    fn submit<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> Self::Task<T> {
        thread::spawn(f)
    }

    fn join<T: Send + 'static>(task: Self::Task<T>) -> T {
        task.join().expect("a task that does not panic")
    }
}

impl Divide for Std {
    const NAME: &'static str = "std thread::scope";

    fn new(_: usize) -> Self {
        Self
    }

    fn halve(&self, leaves: usize, leaf: &(impl Fn() + Sync)) {
        if leaves == 1 {
            return leaf();
        }
        thread::scope(|s| {
            s.spawn(|| self.halve(leaves / 2, leaf));
            self.halve(leaves - leaves / 2, leaf);
        });
    }
}

/// The expression for each [`Pool`].
macro_rules! each_pool {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            lockwork::ThreadPool,
            threadpool::ThreadPool,
            rayon::ThreadPool,
            $crate::support::threads::Std,
        )
    };
}
pub(crate) use each_pool;

/// The expression for each [`Divide`].
macro_rules! each_divide {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            lockwork::ThreadPool,
            rayon::ThreadPool,
            $crate::support::threads::Std,
        )
    };
}
pub(crate) use each_divide;
