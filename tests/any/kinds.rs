//! Each kind of source, ready and waited for, and each kind of set.

use std::array;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    AutoResetEvent, BoundedBuffer, Event, First1, First2, First3, First4, First5, First6, First7, First8,
    GetError, Latch, PutError, Semaphore, StopSource, ThreadPool, Worker, try_any, wait_any, wait_any_fair,
    wait_any_for, wait_any_until,
};

use super::wait_for;
use crate::support::{LIMIT, SHORT, Sleeper, allocations_during, cases, shown, watchdog};

#[test]
fn each_kind_is_taken_when_it_is_ready() {
    let (event, latch, auto, stop) = (Event::new(), Latch::new(1), AutoResetEvent::new(), StopSource::new());
    let token = stop.token();
    let (semaphore, buffer) = (Semaphore::new(0), BoundedBuffer::new(1));
    let mut item = buffer.putting(7);
    assert!(
        try_any((&event, &latch, &auto, &token, semaphore.acquiring_many(2), buffer.getting())).is_none()
    );
    event.set();
    assert_eq!(try_any((&event,)), Some(First1::First(())));
    assert!(event.is_set());
    latch.count_down();
    assert_eq!(wait_any((&latch,)), First1::First(()));
    auto.set();
    assert_eq!(wait_any((&auto,)), First1::First(()));
    assert!(!auto.is_set(), "the signal is consumed");
    stop.stop();
    assert_eq!(wait_any((&token,)), First1::First(()));
    semaphore.add_permits(3);
    let First1::First(permit) = wait_any((semaphore.acquiring_many(2),));
    assert_eq!((permit.num_permits(), semaphore.available_permits()), (2, 1));
    drop(permit);
    assert_eq!(semaphore.available_permits(), 3);
    assert_eq!(wait_any((&mut item,)), First1::First(Ok(())));
    assert!(item.is_spent());
    assert_eq!(item.into_item(), None);
    assert_eq!(wait_any((buffer.getting(),)), First1::First(Ok(7)));
    assert!(buffer.is_empty());
}

#[test]
fn threads_are_taken_when_they_have_ended_and_keep_their_results() {
    watchdog(|| {
        let (pool, go) = (ThreadPool::new(1), shown(Event::new()));
        let task = pool
            .submit({
                let go = Arc::clone(&go);
                move || {
                    go.wait();
                    3
                }
            })
            .unwrap();
        let worker = Worker::spawn("ends", |stop| {
            stop.wait();
            4
        });
        assert_eq!(wait_any_for((&task, &worker), Duration::ZERO), None);
        worker.stop();
        assert_eq!(wait_any((&task, &worker)), First2::Second(()));
        go.set();
        // The task may have ended by now, and then it comes first.
        assert!(wait_any((&task, &worker, go.as_ref())).index() < 2);
        assert_eq!(wait_any(&[&task]), (0, ()));
        assert_eq!((task.join().unwrap(), worker.join().unwrap()), (3, 4));
    });
}

/// A closed buffer is ready, although no look at its items says so: nothing else is done, neither a task that
/// could be run instead, nor a panic for a request that can never be met.
#[test]
fn closed_buffer_is_taken_before_a_task_is_run_and_a_misuse_told() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        let own = Arc::clone(&pool);
        let outer = pool.submit(move || {
            let (closed, few) = (BoundedBuffer::<u8>::new(1), Semaphore::bounded(1));
            closed.close();
            let inner = own.submit(|| ()).unwrap();
            let first = wait_any((closed.getting(), &inner, few.acquiring_many(2)));
            assert!(matches!(first, First3::First(Err(GetError))));
            assert!(inner.cancel(), "it has not been run");
            let first = wait_any((closed.getting(), few.acquiring_many(2)));
            assert!(matches!(first, First2::First(Err(GetError))));
        });
        outer.unwrap().join().unwrap();
    });
}

/// A pool's only thread that waits for a task behind it runs that task.
#[test]
fn task_of_the_same_pool_is_run_by_the_thread_that_waits_for_it() {
    watchdog(|| {
        let pool = Arc::new(ThreadPool::new(1));
        let stop = Event::new();
        let outer = pool
            .submit({
                let pool = Arc::clone(&pool);
                move || {
                    let inner = pool.submit(|| 5).unwrap();
                    assert_eq!(wait_any((&stop, &inner)), First2::Second(()));
                    inner.join().unwrap()
                }
            })
            .unwrap();
        assert_eq!(outer.join().unwrap(), 5);
    });
}

#[test]
fn closed_buffer_is_ready_and_gives_the_item_back() {
    let buffer = shown(BoundedBuffer::new(1));
    buffer.put(1).unwrap();
    let mut second = buffer.putting(2);
    assert_eq!(try_any((&mut second,)), None);
    assert!(!second.is_spent());
    buffer.close();
    assert_eq!(wait_any((&mut second,)), First1::First(Err(PutError(2))));
    assert!(second.is_spent(), "the item went out in the error");
    assert_eq!(wait_any((buffer.getting(),)), First1::First(Ok(1)));
    assert_eq!(wait_any((buffer.getting(),)), First1::First(Err(GetError)));
}

#[test]
fn item_that_was_not_put_may_be_offered_again() {
    watchdog(|| {
        let buffer = shown(BoundedBuffer::new(1));
        buffer.put(String::from("a")).unwrap();
        let mut item = buffer.putting(String::from("b"));
        for _ in 0..3 {
            assert_eq!(wait_any_for((&mut item,), Duration::from_millis(1)), None);
        }
        assert_eq!(buffer.get().unwrap(), "a");
        assert_eq!(wait_any_for((&mut item,), Duration::ZERO), Some(First1::First(Ok(()))));
        assert_eq!(buffer.get().unwrap(), "b");
        assert_eq!(buffer.putting(String::from("c")).into_item().as_deref(), Some("c"));
    });
}

/// The thread waits, another thread makes the source ready, for each kind.
#[test]
fn each_kind_ends_a_wait() {
    watchdog(|| {
        let (event, latch, auto, stop) =
            (Event::new(), Latch::new(1), AutoResetEvent::new(), StopSource::new());
        let token = stop.token();
        wait_for(&event, || event.set());
        wait_for(&latch, || latch.count_down());
        wait_for(&auto, || auto.set());
        assert!(!auto.is_set());
        wait_for(&token, || assert!(stop.stop()));
        let semaphore = shown(Semaphore::new(1));
        let permit = wait_for(semaphore.acquiring_many(3), || semaphore.add_permits(2));
        assert_eq!((permit.num_permits(), semaphore.available_permits()), (3, 0));
        let buffer = shown(BoundedBuffer::new(1));
        assert_eq!(wait_for(buffer.getting(), || buffer.put(5).unwrap()), Ok(5));
        buffer.put(6).unwrap();
        let mut item = buffer.putting(7);
        assert_eq!(wait_for(&mut item, || assert_eq!(buffer.get(), Ok(6))), Ok(()));
        let mut item = buffer.putting(8);
        assert_eq!(wait_for(&mut item, || buffer.close()), Err(PutError(8)));
        assert_eq!(buffer.get(), Ok(7));
        let open = shown(BoundedBuffer::<u8>::new(1));
        assert_eq!(wait_for(open.getting(), || open.close()), Err(GetError));
        let worker = Worker::spawn("ends", |stop| stop.wait());
        wait_for(&worker, || worker.stop());
        let (pool, go) = (ThreadPool::new(1), shown(Event::new()));
        let task = pool
            .submit({
                let go = Arc::clone(&go);
                move || go.wait()
            })
            .unwrap();
        wait_for(&task, || go.set());
    });
}

/// An event that is cleared as soon as it is set, and a chained buffer.
#[test]
fn pulse_lets_it_go_and_large_buffers_take_part() {
    watchdog(|| {
        let (event, never, sleeper) = (Event::new(), AutoResetEvent::new(), Sleeper::new());
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.until_asleep();
                event.set();
                event.clear();
            });
            sleeper.about_to_block();
            assert_eq!(wait_any((&never, &event)), First2::Second(()));
        });
        assert!(!event.is_set());
        let buffer = shown(BoundedBuffer::new(100_000));
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.until_asleep();
                buffer.put(1).unwrap();
            });
            sleeper.about_to_block();
            assert_eq!(wait_any((&event, buffer.getting())), First2::Second(Ok(1)));
        });
    });
}

#[test]
fn tuples_of_each_size_say_which_it_was() {
    let events: [Event; 8] = array::from_fn(|_| Event::new());
    let [a, b, c, d, e, f, g, h] = &events;
    let all = |index: usize| {
        events.iter().for_each(Event::clear);
        events[index].set();
    };
    all(0);
    assert_eq!(wait_any((a,)), First1::First(()));
    all(1);
    assert_eq!(wait_any((a, b)), First2::Second(()));
    all(2);
    assert_eq!(wait_any((a, b, c)), First3::Third(()));
    all(3);
    assert_eq!(wait_any((a, b, c, d)), First4::Fourth(()));
    all(4);
    assert_eq!(wait_any((a, b, c, d, e)), First5::Fifth(()));
    all(5);
    assert_eq!(wait_any((a, b, c, d, e, f)), First6::Sixth(()));
    all(6);
    assert_eq!(wait_any((a, b, c, d, e, f, g)), First7::Seventh(()));
    for index in 0..8 {
        all(index);
        let first = wait_any((a, b, c, d, e, f, g, h));
        assert_eq!(first.index(), index);
        assert_eq!(first == First8::Eighth(()), index == 7);
        assert_eq!(wait_any_fair((a, b, c, d, e, f, g, h)), first);
        let deadline = Instant::now();
        assert_eq!(wait_any_until((a, b, c, d, e, f, g, h), deadline), Some(first));
        assert_eq!(wait_any_for((a, b, c, d, e, f, g, h), Duration::ZERO), Some(first));
        assert_eq!(try_any((a, b, c, d, e, f, g, h)), Some(first));
    }
    const INDEX: usize = First2::<(), u8>::Second(1).index();
    assert_eq!(INDEX, 1);
}

#[test]
fn slices_say_which_it_was() {
    let latches: Vec<Latch> = [2, 1, 0, 0].map(Latch::new).into();
    let set: Vec<&Latch> = latches.iter().collect();
    assert_eq!(wait_any(&set), (2, ()));
    assert_eq!(wait_any(set.as_slice()), (2, ()));
    assert_eq!(wait_any(&[&latches[1], &latches[3]]), (1, ()));
    assert_eq!(try_any(&set[..2]), None);
    let semaphores: [Semaphore; 3] = array::from_fn(Semaphore::new);
    let permit = {
        let set: Vec<_> = semaphores.iter().map(Semaphore::acquiring).collect();
        wait_any(&set)
    };
    assert_eq!((permit.0, semaphores[1].available_permits()), (1, 0));
    drop(permit);
    let buffers: [BoundedBuffer<u8>; 3] = array::from_fn(|_| BoundedBuffer::new(1));
    buffers[0].put(1).unwrap();
    let mut items: Vec<_> = buffers.iter().map(|buffer| buffer.putting(9)).collect();
    assert_eq!(wait_any(&mut items[..]), (1, Ok(())));
    assert_eq!(wait_any(&mut [buffers[2].putting(3)]), (0, Ok(())));
    assert_eq!(items.iter().map(|item| item.is_spent()).collect::<Vec<_>>(), [false, true, false]);
    let set = buffers.each_ref().map(BoundedBuffer::getting);
    assert_eq!([wait_any(&set), wait_any(&set), wait_any(&set)], [(0, Ok(1)), (1, Ok(9)), (2, Ok(3))]);
}

/// Sets of many sources wait, too, and the last of them ends the wait.
#[test]
fn slice_of_many_waits() {
    watchdog(|| {
        for len in cases([1, 2, 8, 9, 40]) {
            let events: Vec<Event> = (0..len).map(|_| Event::new()).collect();
            let set: Vec<&Event> = events.iter().collect();
            let sleeper = Sleeper::new();
            thread::scope(|s| {
                s.spawn(|| {
                    sleeper.until_asleep();
                    events[len - 1].set();
                });
                sleeper.about_to_block();
                assert_eq!(wait_any(&set), (len - 1, ()));
            });
        }
    });
}

#[test]
fn call_without_time_takes_what_is_ready_and_waits_for_nothing() {
    let semaphore = shown(Semaphore::new(1));
    let past = Instant::now() - Duration::from_millis(1);
    let start = Instant::now();
    let permit = wait_any_until((semaphore.acquiring(),), past);
    assert!(permit.is_some());
    assert!(wait_any_until((semaphore.acquiring(),), past).is_none());
    assert!(wait_any_for((semaphore.acquiring(),), Duration::ZERO).is_none());
    assert!(try_any((semaphore.acquiring(),)).is_none());
    assert!(wait_any_for((semaphore.acquiring(),), SHORT).is_none());
    assert!(start.elapsed() >= SHORT && start.elapsed() < LIMIT);
    assert!(wait_any((semaphore.acquiring_many(0),)).index() == 0);
}

#[test]
fn tuples_and_short_slices_do_not_allocate() {
    watchdog(|| {
        let events: [Event; 8] = array::from_fn(|_| Event::new());
        let (semaphore, buffer) = (Semaphore::new(0), BoundedBuffer::<u8>::new(1));
        let set: Vec<&Event> = events.iter().collect();
        let mut item = buffer.putting(1);
        // Whatever a thread allocates at its first wait.
        assert!(wait_any_for((&events[0], semaphore.acquiring(), buffer.getting()), SHORT / 5).is_none());
        let allocations = allocations_during(|| {
            assert!(wait_any_for((&events[0], semaphore.acquiring(), buffer.getting()), SHORT / 5).is_none());
            assert!(wait_any_for(&set, SHORT / 5).is_none());
            events[7].set();
            assert_eq!(wait_any(&set), (7, ()));
            assert_eq!(wait_any_fair(&set), (7, ()));
        });
        assert_eq!(allocations, 0);
        assert_eq!(wait_any((&mut item,)), First1::First(Ok(())));
    });
}
