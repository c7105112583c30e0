//! Each body is a program of four to six threads, too many for loom.

use std::sync::Arc;
use std::time::Duration;

use lockwork::{
    AutoResetEvent, Barrier, BoundedBuffer, Condvar, Event, First2, First3, GetTimeoutError, Latch, Mutex,
    OnceLock, PutTimeoutError, ReentrantMutex, RwLock, RwLockUpgradableReadGuard, Semaphore, Shutdown,
    ThreadCell, ThreadLocal, ThreadPool, WaitGroup, as_completed, lock_all, lock_all_for, poison, wait_any,
    wait_any_fair, wait_any_for, wait_first,
};
use shuttle::thread;

/// May pass at any moment in which its thread waits.
const SOON: Duration = Duration::from_secs(1);

/// Runs `body` in random schedules, half of them of few preemptions.
fn run(body: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("SCHEDULES").ok().and_then(|number| number.parse().ok()).unwrap_or(300);
    let body = Arc::new(body);
    let same = Arc::clone(&body);
    shuttle::check_random(move || same(), schedules / 2);
    shuttle::check_pct(move || body(), schedules / 2, 3);
}

fn spawn_all<R: Send + 'static>(
    threads: usize,
    body: impl Fn(usize) -> R + Send + Sync + 'static,
) -> Vec<thread::JoinHandle<R>> {
    let body = Arc::new(body);
    (0..threads)
        .map(|n| {
            let body = Arc::clone(&body);
            thread::spawn(move || body(n))
        })
        .collect()
}

fn join_all<R>(threads: Vec<thread::JoinHandle<R>>) -> Vec<R> {
    threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
}

#[test]
fn buffer_hands_every_item_on_once() {
    run(|| {
        let buffer = Arc::new(BoundedBuffer::new(2));
        let other = Arc::clone(&buffer);
        let consumers = spawn_all(2, move |_| other.iter().collect::<Vec<_>>());
        let other = Arc::clone(&buffer);
        let producers = spawn_all(3, move |n| (0..3).for_each(|k| other.put(n * 3 + k).expect("open")));
        join_all(producers);
        buffer.close();
        let mut seen: Vec<usize> = join_all(consumers).into_iter().flatten().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..9).collect::<Vec<_>>());
    });
}

#[test]
fn buffer_loses_nothing_to_time_outs() {
    run(|| {
        let buffer = Arc::new(BoundedBuffer::new(1));
        let other = Arc::clone(&buffer);
        let producers = spawn_all(2, move |n| match other.put_for(n, SOON) {
            Ok(()) => 1,
            Err(PutTimeoutError::Timeout(_)) => 0,
            Err(PutTimeoutError::Closed(_)) => panic!("no thread has closed it"),
        });
        let other = Arc::clone(&buffer);
        let consumers = spawn_all(2, move |_| match other.get_for(SOON) {
            Ok(_) => 1,
            Err(GetTimeoutError::Timeout) => 0,
            Err(GetTimeoutError::Closed) => panic!("no thread has closed it"),
        });
        let put: usize = join_all(producers).into_iter().sum();
        let got: usize = join_all(consumers).into_iter().sum();
        assert_eq!(buffer.close_now().len(), put - got);
    });
}

#[test]
fn barrier_lets_every_round_out_together() {
    for parties in [2, 3, 5] {
        run(move || {
            let shared = Arc::new((Barrier::new(parties), Mutex::new(0)));
            let leaders: usize = join_all(spawn_all(parties, move |_| {
                let mut led = 0;
                for round in 1..=3 {
                    *shared.1.lock() += 1;
                    led += usize::from(shared.0.wait().is_leader());
                    assert!(*shared.1.lock() >= round * parties);
                }
                led
            }))
            .into_iter()
            .sum();
            assert_eq!(leaders, 3);
        });
    }
}

#[test]
fn barrier_that_times_out_breaks_for_all_or_none() {
    run(|| {
        let barrier = Arc::new(Barrier::new(3));
        let other = Arc::clone(&barrier);
        let came: Vec<bool> = join_all(spawn_all(3, move |_| other.wait_for(SOON).is_ok()));
        assert!(came == [true; 3] || came == [false; 3]);
        assert_eq!(barrier.waiting(), 0);
    });
}

#[test]
fn semaphore_never_gives_more_than_it_has() {
    run(|| {
        let shared = Arc::new((Semaphore::bounded(3), Mutex::new(0)));
        let other = Arc::clone(&shared);
        join_all(spawn_all(5, move |n| {
            let wanted = 1 + n % 3;
            let permit = if n % 2 == 0 {
                Some(other.0.acquire_many(wanted))
            } else {
                other.0.try_acquire_many_for(wanted, SOON)
            };
            let Some(permit) = permit else { return };
            let inside = {
                let mut inside = other.1.lock();
                *inside += wanted;
                *inside
            };
            assert!(inside <= 3);
            *other.1.lock() -= wanted;
            drop(permit);
        }));
        assert_eq!(shared.0.available_permits(), 3);
    });
}

#[test]
fn rwlock_excludes_writers_readers_and_upgraders() {
    run(|| {
        let lock = Arc::new(RwLock::new([0; 2]));
        let other = Arc::clone(&lock);
        let writes: usize = join_all(spawn_all(5, move |n| match n {
            0 => {
                let mut value = other.write();
                value[0] += 1;
                value[1] += 1;
                1
            }
            1 => other.try_write_for(SOON).map_or(0, |mut value| {
                value[0] += 1;
                value[1] += 1;
                1
            }),
            2 => {
                let guard = other.upgradable_read();
                let before = *guard;
                let mut guard = RwLockUpgradableReadGuard::upgrade(guard);
                assert_eq!(*guard, before);
                guard[0] += 1;
                guard[1] += 1;
                1
            }
            _ => {
                for _ in 0..3 {
                    let outer = other.read();
                    let inner = other.read_recursive();
                    assert!(outer[0] == outer[1] && *outer == *inner);
                }
                0
            }
        }))
        .into_iter()
        .sum();
        assert_eq!(*lock.read(), [writes; 2]);
        assert!(lock.try_write().is_some());
    });
}

/// Many that queue, are woken and lose, beside some that come and go, so that a thread that was woken arrives
/// in the middle of another's section under the queue lock, in which work was delegated meanwhile.
#[test]
fn rwlock_wakes_each_that_was_taken_out() {
    run(|| {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writes: usize = join_all(spawn_all(7, move |n| {
            let mut writes = 0;
            for _ in 0..4 {
                if n < 5 {
                    *other.write() += 1;
                    writes += 1;
                } else {
                    drop(other.read());
                }
            }
            writes
        }))
        .into_iter()
        .sum();
        assert_eq!(*lock.read(), writes);
    });
}

#[test]
fn condvar_notifies_each_waiter_once() {
    run(|| {
        let shared = Arc::new((Mutex::new((0, 0)), Condvar::new()));
        let other = Arc::clone(&shared);
        let waiters = spawn_all(4, move |n| {
            let mut value = other.0.lock();
            value.0 += 1;
            if n == 0 {
                while value.1 == 0 {
                    let _ = other.1.wait_for(&mut value, SOON);
                }
            } else {
                other.1.wait_while(&mut value, |value| value.1 == 0);
            }
            value.1 -= 1;
        });
        for _ in 0..4 {
            shared.0.lock().1 += 1;
            shared.1.notify_one();
        }
        shared.1.notify_all();
        join_all(waiters);
        assert_eq!(*shared.0.lock(), (4, 0));
    });
}

#[test]
fn reentrant_and_poisoned_locks_count() {
    run(|| {
        let shared = Arc::new((ReentrantMutex::new(std::cell::Cell::new(0)), poison::Mutex::new(0)));
        let other = Arc::clone(&shared);
        join_all(spawn_all(4, move |_| {
            let outer = other.0.lock();
            let inner = other.0.lock();
            inner.set(outer.get() + 1);
            drop(outer);
            *other.1.lock().expect("no thread panics") += 1;
            drop(inner);
        }));
        assert_eq!(shared.0.lock().get(), 4);
        assert_eq!(*shared.1.lock().expect("no thread panics"), 4);
    });
}

#[test]
fn events_latches_and_groups_end_their_waits() {
    run(|| {
        let shared = Arc::new((Event::new(), Latch::new(3)));
        let group = WaitGroup::new();
        let (other, member) = (Arc::clone(&shared), group.clone());
        let threads = spawn_all(3, move |_| {
            let _member = member.clone();
            other.0.wait();
            other.1.count_down();
        });
        shared.0.set();
        shared.0.clear();
        // Those who came too late for that.
        while !shared.1.wait_for(SOON) {
            shared.0.set();
        }
        join_all(threads);
        group.wait();
    });
}

#[test]
fn pool_runs_every_task_once_and_drains() {
    run(|| {
        let pool = ThreadPool::new(2);
        let ran = Arc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let ran = Arc::clone(&ran);
                pool.submit(move || {
                    *ran.lock() += 1;
                    n * n
                })
                .expect("not shut down")
            })
            .collect();
        pool.shutdown(Shutdown::Drain);
        let squares: Vec<i32> = tasks.into_iter().map(|task| task.join().expect("ran")).collect();
        assert_eq!(squares, [0, 1, 4, 9]);
        pool.join();
        assert_eq!(*ran.lock(), 4);
    });
}

/// Each result comes once: in the order in which the tasks end, or in that of the items.
#[test]
fn results_come_as_completed_and_in_order() {
    run(|| {
        let pool = ThreadPool::new(2);
        let tasks: Vec<_> = (0..3).map(|n| pool.submit(move || n).expect("not shut down")).collect();
        let mut ended: Vec<i32> = as_completed(tasks).map(|task| task.join().expect("ran")).collect();
        ended.sort_unstable();
        assert_eq!(ended, [0, 1, 2]);
        assert!(pool.map([1, 2, 3], |n| n * n).eq([1, 4, 9]));
        assert!(pool.map_ahead(1, [1, 2, 3], |n| n + 1).eq([2, 3, 4]));
        pool.shutdown(Shutdown::Drain);
        pool.join();
    });
}

/// One of the tasks waits for what comes after the wait for any of them: with a thread for each it never lies
/// above that wait on the same stack.
#[test]
fn wait_for_any_leaves_tasks_to_free_threads() {
    run(|| {
        for slow_is_first in [true, false] {
            let pool = Arc::new(ThreadPool::new(3));
            let (own, go) = (Arc::clone(&pool), Arc::new(Event::new()));
            let task = pool.submit(move || {
                let until = Arc::clone(&go);
                let slow = || own.submit(move || until.wait()).unwrap();
                let fast = || own.submit(|| ()).unwrap();
                let (tasks, expected) = if slow_is_first {
                    ([slow(), fast()], 1)
                } else {
                    let fast = fast();
                    ([fast, slow()], 0)
                };
                assert_eq!(wait_first(&tasks), Some(expected));
                go.set();
            });
            task.unwrap().join().unwrap();
        }
    });
}

/// Tasks that wait for each other need a thread each: every one that is called calls the next.
#[test]
fn pool_has_a_thread_for_each_task_that_waits() {
    run(|| {
        let pool = ThreadPool::new(3);
        let barrier = Arc::new(Barrier::new(3));
        for _ in 0..2 {
            let meet = || {
                let barrier = Arc::clone(&barrier);
                pool.submit(move || {
                    barrier.wait();
                })
                .unwrap()
            };
            let tasks = [meet(), meet(), meet()];
            tasks.into_iter().for_each(|task| task.join().unwrap());
        }
    });
}

#[test]
fn thread_values_stay_with_their_threads() {
    run(|| {
        let shared = Arc::new((ThreadCell::new(), ThreadLocal::new()));
        let other = Arc::clone(&shared);
        join_all(spawn_all(4, move |n| {
            assert_eq!(other.0.replace(n), None);
            other.1.get_or(|| n);
            thread::yield_now();
            assert_eq!((other.0.get(), other.1.get()), (Some(n), Some(&n)));
        }));
        assert!(!shared.0.is_set());
        let Ok(shared) = Arc::try_unwrap(shared) else { return };
        let mut all: Vec<usize> = shared.1.into_iter().collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
    });
}

/// Each thread locks all, beginning elsewhere; some nest two, and some give up at times.
#[test]
fn lockers_of_all_get_on_in_any_order() {
    run(|| {
        let locks = Arc::new([const { Mutex::new(0) }; 3]);
        let other = Arc::clone(&locks);
        let threads = spawn_all(6, move |n| {
            let set: [&Mutex<usize>; 3] = std::array::from_fn(|place| &other[(n + place) % 3]);
            match n % 3 {
                0 => lock_all(&set).into_iter().for_each(|mut value| *value += 1),
                1 => loop {
                    let Some(guards) = lock_all_for((set[2], set[1], set[0]), SOON) else { continue };
                    let (mut a, mut b, mut c) = guards;
                    (*a, *b, *c) = (*a + 1, *b + 1, *c + 1);
                    break;
                },
                _ => {
                    let _outer = other[2].lock();
                    let _inner = other[0].lock();
                }
            }
        });
        join_all(threads);
        assert!(locks.iter().all(|lock| *lock.lock() == 4));
    });
}

/// Initialisers fail until the last; those that only wait have its value.
#[test]
fn failed_initialisers_leave_the_cell_to_the_next() {
    run(|| {
        let cell = Arc::new(OnceLock::new());
        let tried = Arc::new(Mutex::new(0));
        let other = Arc::clone(&cell);
        let waiting =
            spawn_all(
                2,
                move |n| if n == 0 { *other.wait() } else { other.wait_for(SOON).map_or(3, |v| *v) },
            );
        let other = Arc::clone(&cell);
        let trying = spawn_all(3, move |_| {
            other
                .get_or_try_init(|| {
                    let mut tried = tried.lock();
                    *tried += 1;
                    if *tried == 3 { Ok(3) } else { Err(()) }
                })
                .is_ok()
        });
        assert_eq!(join_all(trying).into_iter().filter(|made| *made).count(), 1);
        assert_eq!(join_all(waiting), [3, 3]);
    });
}

/// Three threads that select, one of them with a time-out, beside a plain one: signals, permits and items are
/// conserved.
#[test]
fn selecting_threads_spend_each_thing_once() {
    run(|| {
        let shared = Arc::new((AutoResetEvent::new(), Semaphore::new(0), BoundedBuffer::new(1)));
        let other = Arc::clone(&shared);
        let selecting = spawn_all(3, move |n| {
            let set = (&other.0, other.1.acquiring(), other.2.getting());
            let first = match n {
                0 => Some(wait_any(set)),
                1 => Some(wait_any_fair(set)),
                _ => wait_any_for(set, SOON),
            };
            match first {
                Some(First3::First(())) => (1, 0, 0),
                Some(First3::Second(permit)) => {
                    permit.forget();
                    (0, 1, 0)
                }
                Some(First3::Third(item)) => (0, 0, item.expect("open")),
                None => (0, 0, 0),
            }
        });
        let other = Arc::clone(&shared);
        let wakers = spawn_all(3, move |n| match n {
            0 => other.0.set(),
            1 => other.1.add_permits(1),
            _ => other.2.put(1).expect("open"),
        });
        join_all(wakers);
        let taken = join_all(selecting)
            .into_iter()
            .fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
        let left = (usize::from(shared.0.is_set()), shared.1.available_permits(), shared.2.len());
        assert_eq!((taken.0 + left.0, taken.1 + left.1, taken.2 + left.2), (1, 1, 1));
    });
}

/// Threads that select among two buffers, putting and getting, with time-outs in between: each item comes
/// once.
#[test]
fn selecting_threads_lose_no_item() {
    run(|| {
        let buffers = Arc::new([BoundedBuffer::new(1), BoundedBuffer::new(1)]);
        let other = Arc::clone(&buffers);
        let producers = spawn_all(2, move |n| {
            for item in [2 * n, 2 * n + 1] {
                let (mut one, mut two) = (other[0].putting(item), other[1].putting(item));
                while wait_any_for((&mut one, &mut two), SOON).is_none() {}
                assert_ne!(one.is_spent(), two.is_spent());
            }
        });
        let other = Arc::clone(&buffers);
        let consumers = spawn_all(2, move |_| {
            [(); 2].map(|()| match wait_any((other[1].getting(), other[0].getting())) {
                First2::First(item) | First2::Second(item) => item.expect("open"),
            })
        });
        join_all(producers);
        let mut seen: Vec<usize> = join_all(consumers).into_iter().flatten().collect();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3]);
    });
}
