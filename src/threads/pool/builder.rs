//! [`ThreadPoolBuilder`]: how a pool comes to be.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::ThreadPool;
use super::shared::{Hook, Kept, Shared, State};
use crate::condvar::Condvar;
use crate::event::{AutoResetEvent, Event};
use crate::facade::{TimeLimit, threads, unique_number};
use crate::mutex::Mutex;
use crate::observe::Call;
use crate::threads::ending::Ending;
use crate::threads::queue::Queue;

/// Where threads wait for the pool that they are going to be of, which knows them all from the beginning.
struct Start {
    open: Event,
    /// None if there is to be no pool.
    pool: Mutex<Option<Arc<Shared>>>,
}

impl Start {
    fn wait(&self) -> Option<Arc<Shared>> {
        self.open.wait_within(TimeLimit::never(Call::none()));
        self.pool.lock().clone()
    }
}

impl ThreadPool {
    /// Makes a pool of `threads` threads, with a queue without limit.
    ///
    /// # Panics
    ///
    /// Panics if `threads` is 0, or if the system gives no thread.
    #[must_use]
    #[track_caller]
    pub fn new(threads: usize) -> Self {
        assert!(threads != 0, "ThreadPool::new: the number of threads must not be 0");
        match Self::builder().threads(threads).try_build() {
            Ok(pool) => pool,
            Err(error) => panic!("ThreadPool::new: the system gives no thread: {error}"),
        }
    }

    /// Begins a pool with other than the usual properties.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::builder().threads(1).name("disk").build();
    /// let name = pool.submit(|| std::thread::current().name().map(str::to_owned)).unwrap();
    /// assert_eq!(name.join().unwrap().unwrap(), "disk-0");
    /// ```
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder {
            threads: None,
            name: None,
            queue_capacity: None,
            stack_size: None,
            on_start: None,
        }
    }
}

/// Properties of a [`ThreadPool`] to be, see [`ThreadPool::builder`].
#[derive(Clone)]
#[must_use = "a builder makes no pool until it is told to"]
pub struct ThreadPoolBuilder {
    threads: Option<usize>,
    name: Option<String>,
    queue_capacity: Option<usize>,
    stack_size: Option<usize>,
    on_start: Option<Hook>,
}

impl ThreadPoolBuilder {
    /// Sets the number of threads. Without this, as many as the system says can run at once.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets the name of the threads: this, a hyphen, and their number from 0. Without this, `pool`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets how many tasks may wait in the queue; a thread that submits more waits. Without this, any number.
    pub fn queue_capacity(mut self, capacity: usize) -> Self {
        self.queue_capacity = Some(capacity);
        self
    }

    /// Sets the size of each thread's stack, in bytes. Without this, what `std` gives a thread.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets what each thread does before its first task.
    ///
    /// If it panics, the pool is of no use, and is shut down as by
    /// [`Shutdown::Cancel`](crate::Shutdown::Cancel): queued tasks are cancelled, and no more are taken.
    /// [`ThreadPool::join`] resumes the panic.
    ///
    /// ```
    /// use lockwork::{Mutex, ThreadPool};
    /// use std::sync::Arc;
    ///
    /// let started = Arc::new(Mutex::new(0));
    /// let hook = { let started = Arc::clone(&started); move || *started.lock() += 1 };
    /// let pool = ThreadPool::builder().threads(3).on_start(hook).build();
    /// pool.join();
    /// assert_eq!(*started.lock(), 3);
    /// ```
    pub fn on_start<F>(mut self, f: F) -> Self
    where
        F: Fn() + Send + Sync + 'static,
    {
        self.on_start = Some(Arc::new(f));
        self
    }

    /// Makes the pool and its threads.
    ///
    /// # Panics
    ///
    /// Panics if the number of threads or the capacity is 0, if the name has a zero byte in it, or if the
    /// system gives no thread.
    #[must_use]
    #[track_caller]
    pub fn build(self) -> ThreadPool {
        match self.try_build() {
            Ok(pool) => pool,
            Err(error) => panic!("ThreadPoolBuilder::build: the system gives no thread: {error}"),
        }
    }

    /// Makes the pool and its threads.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread. Those it gave before are gone then.
    ///
    /// # Panics
    ///
    /// Panics if the number of threads or the capacity is 0, or if the name has a zero byte in it.
    #[track_caller]
    pub fn try_build(self) -> io::Result<ThreadPool> {
        let threads = self.threads.unwrap_or_else(threads::parallelism);
        assert!(threads != 0, "ThreadPoolBuilder::threads: the number of threads must not be 0");
        let capacity = self.queue_capacity.unwrap_or(usize::MAX);
        assert!(capacity != 0, "ThreadPoolBuilder::queue_capacity: the capacity must not be 0");
        let name = self.name.as_deref().unwrap_or("pool");
        assert!(!name.contains('\0'), "ThreadPoolBuilder::name: a name must not have a zero byte in it");
        let start = Arc::new(Start { open: Event::new(), pool: Mutex::hidden(None) });
        let mut handles = Vec::new();
        for number in 0..threads {
            let (waiting, on_start) = (Arc::clone(&start), self.on_start.clone());
            match threads::Handle::spawn(format!("{name}-{number}"), self.stack_size, move || {
                let pool = waiting.wait();
                // It has the pool, which should end with its threads.
                drop(waiting);
                if let Some(pool) = pool {
                    pool.work(number, on_start);
                }
            }) {
                Ok(handle) => handles.push(handle),
                Err(error) => {
                    start.open.set();
                    handles.into_iter().for_each(threads::Handle::join);
                    return Err(error);
                }
            }
        }
        let state = State {
            queue: Queue::new(),
            closed: false,
            kept: Kept::None,
            // All of them, so that the pool has something to do until each has looked at the queue.
            alive: threads,
            busy: if self.on_start.is_some() { threads } else { 0 },
            idle: Vec::with_capacity(threads),
            wake_pending: false,
            epoch: 0,
            broken: None,
        };
        let shared = Arc::new(Shared {
            number: unique_number(),
            capacity,
            workers: handles.iter().map(threads::Handle::id).collect(),
            wake_events: (0..threads).map(|_| AutoResetEvent::new()).collect(),
            state: Mutex::hidden(state),
            room: Condvar::new(),
            kept_room: Condvar::new(),
            quiescent: Condvar::new(),
        });
        *start.pool.lock() = Some(Arc::clone(&shared));
        start.open.set();
        Ok(ThreadPool { shared, ending: Ending::of(handles), threads })
    }
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("threads", &self.threads)
            .field("name", &self.name)
            .field("queue_capacity", &self.queue_capacity)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}
