//! A panic names the call that the user made: each documented one, but for those that take millions of
//! threads or of guards, which unit tests of their modules see to.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockwork::{
    AccessError, Barrier, BoundedBuffer, GetError, Mutex, OverRelease, PutAllError, PutError, Semaphore,
    SubmitError, TaskDoneError, ThreadCell, ThreadPool, Worker, lock_all, lock_all_for, lock_all_until,
    try_lock_all,
};

fn message(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().expect("a text").to_string(),
    }
}

/// The message of the panic that `call` is.
fn panics(name: &str, call: impl FnOnce()) -> String {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(()) => panic!("{name} does not panic"),
        Err(payload) => message(payload),
    }
}

/// What `call` panics with in a thread of the pool that it is given.
fn in_pool(call: impl FnOnce(&ThreadPool) + Send + 'static) {
    let pool = Arc::new(ThreadPool::new(1));
    let own = Arc::clone(&pool);
    let result = pool.submit(move || call(&own)).unwrap().join();
    if let Err(error) = result {
        std::panic::resume_unwind(error.into_panic().expect("it ran"));
    }
}

#[test]
fn panics_name_the_call_that_was_made() {
    let none = || Arc::new(Semaphore::bounded(0));
    let used = || {
        let cell = Arc::new(ThreadCell::new());
        cell.set(1);
        cell
    };
    let used: &dyn Fn(fn(&ThreadCell<i32>)) = &|call| {
        let cell = used();
        cell.with(|_| call(&cell));
    };
    let two = [Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1))];
    let max = Semaphore::MAX_PERMITS;
    let mutex = Mutex::new(1);
    let calls: &[(&str, &dyn Fn())] = &[
        ("Semaphore::new", &|| drop(Semaphore::new(max + 1))),
        ("Semaphore::bounded", &|| drop(Semaphore::bounded(max + 1))),
        ("Semaphore::acquire", &|| drop(none().acquire())),
        ("Semaphore::acquire_many", &|| drop(none().acquire_many(2))),
        ("Semaphore::acquire_arc", &|| drop(none().acquire_arc())),
        ("Semaphore::acquire_many_arc", &|| drop(none().acquire_many_arc(2))),
        ("Semaphore::add_permits", &|| none().add_permits(1)),
        ("SemaphorePermit::merge", &|| two[0].acquire().merge(two[1].acquire())),
        ("ArcSemaphorePermit::merge", &|| two[0].acquire_arc().merge(two[1].acquire_arc())),
        ("BoundedBuffer::new", &|| drop(BoundedBuffer::<u8>::new(0))),
        ("BoundedBuffer::task_done", &|| BoundedBuffer::<u8>::new(1).task_done()),
        ("Barrier::wait", &|| {
            let barrier = Barrier::new(2);
            barrier.abort();
            barrier.wait();
        }),
        ("ThreadCell::with", &|| ThreadCell::<u8>::new().with(|_| ())),
        ("ThreadCell::set", &|| used(|cell| cell.set(2))),
        ("ThreadCell::replace", &|| used(|cell| _ = cell.replace(2))),
        ("ThreadCell::take", &|| used(|cell| _ = cell.take())),
        ("ThreadPool::new", &|| drop(ThreadPool::new(0))),
        ("ThreadPoolBuilder::threads", &|| drop(ThreadPool::builder().threads(0).build())),
        ("ThreadPoolBuilder::queue_capacity", &|| drop(ThreadPool::builder().queue_capacity(0).build())),
        ("ThreadPoolBuilder::name", &|| drop(ThreadPool::builder().name("\0").try_build())),
        ("ThreadPool::join", &|| in_pool(|pool| pool.join())),
        ("ThreadPool::join_for", &|| in_pool(|pool| _ = pool.join_for(Duration::ZERO))),
        ("ThreadPool::join_until", &|| in_pool(|pool| _ = pool.join_until(Instant::now()))),
        ("ThreadPool::map_ahead", &|| drop(ThreadPool::new(1).map_ahead(0, [1], |item| item))),
        ("lock_all", &|| drop(lock_all((&mutex, &mutex)))),
        ("lock_all_for", &|| drop(lock_all_for((&mutex, &mutex), Duration::MAX))),
        ("lock_all_until", &|| drop(lock_all_until((&mutex, &mutex), Instant::now()))),
        ("try_lock_all", &|| drop(try_lock_all((&mutex, &mutex)))),
        ("Worker::spawn", &|| drop(Worker::spawn("\0", |_| ()))),
        ("Worker::try_spawn", &|| drop(Worker::try_spawn("\0", |_| ()))),
    ];
    for (name, call) in calls {
        let message = panics(name, call);
        let rest = message.strip_prefix(name);
        assert!(rest.is_some_and(|rest| rest.starts_with([':', ' '])), "{name}: {message}");
    }
}

/// `unwrap` shows an error by its `Debug`, which says why.
#[test]
fn unwrapped_errors_say_why() {
    struct Opaque;
    fn unwrap<E: Debug>(error: E) {
        std::iter::once(error).try_for_each(Err).unwrap();
    }
    let calls: &[(&str, &dyn Fn())] = &[
        ("closed", &|| unwrap(PutError(Opaque))),
        ("closed", &|| unwrap(PutAllError { put: 0, rest: vec![Opaque] })),
        ("closed", &|| unwrap(GetError)),
        ("shut down", &|| unwrap(SubmitError(Opaque))),
        ("more tasks reported done", &|| unwrap(TaskDoneError)),
        ("more permits released", &|| unwrap(OverRelease)),
        ("none was set", &|| unwrap(AccessError)),
    ];
    for (why, call) in calls {
        let message = panics(why, call);
        assert!(message.contains(why), "{why}: {message}");
    }
}
