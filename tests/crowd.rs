//! Far more threads than processors, every way of waiting at once, and foreign park tokens all the time:
//! nothing is lost or given twice, and each primitive is as good as new afterwards.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    AutoResetEvent, Barrier, BoundedBuffer, Condvar, Event, GetTimeoutError, Latch, Mutex, MutexGuard,
    ReentrantMutex, RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore, WaitGroup,
};

use crate::random::Numbers;
use crate::support::{LIMIT, rounds, shown, watchdog};

const CROWD: usize = 64;

/// A time in which some waits end and others do not.
fn soon(numbers: &mut Numbers) -> Duration {
    Duration::from_micros(numbers.below(300) as u64)
}

/// Runs `body` in a crowd of threads, whose number it gets. Meanwhile each of them gets tokens that are not
/// for it.
#[track_caller]
fn crowd(body: impl Fn(usize, &mut Numbers) + Send + Sync + 'static) {
    watchdog(move || {
        let done = AtomicUsize::new(0);
        /// Counts its thread as done also if that panics.
        struct Done<'a>(&'a AtomicUsize);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        thread::scope(|s| {
            let (done, body) = (&done, &body);
            let spawn = |number: usize| {
                s.spawn(move || {
                    let _done = Done(done);
                    body(number, &mut Numbers(number as u64));
                })
            };
            let members: Vec<_> = (0..CROWD).map(spawn).collect();
            for member in members.iter().cycle() {
                if done.load(Relaxed) == CROWD {
                    break;
                }
                member.thread().unpark();
                thread::yield_now();
            }
        });
    });
}

#[test]
fn mutex_counts_every_section() {
    let (mutex, sections) = (shown(Mutex::new(0)), Arc::new(AtomicUsize::new(0)));
    let (shared, counted) = (Arc::clone(&mutex), Arc::clone(&sections));
    crowd(move |_, numbers| {
        for _ in 0..rounds(100) {
            let guard = match numbers.below(5) {
                0 => shared.try_lock(),
                1 => shared.try_lock_for(soon(numbers)),
                2 => shared.try_lock_until(Instant::now() + soon(numbers)),
                _ => Some(shared.lock()),
            };
            let Some(mut guard) = guard else { continue };
            counted.fetch_add(1, Relaxed);
            let value = *guard;
            match numbers.below(8) {
                0 => thread::yield_now(),
                1 => MutexGuard::unlocked(&mut guard, thread::yield_now),
                2 => MutexGuard::bump(&mut guard),
                _ => assert_eq!(*guard, value),
            }
            *guard += 1;
            if numbers.below(4) == 0 {
                MutexGuard::unlock_fair(guard);
            }
        }
    });
    assert_eq!(*mutex.try_lock().expect("all have unlocked"), sections.load(Relaxed));
}

/// Writes a pair in two steps.
fn written<'a>(
    mut pair: RwLockWriteGuard<'a, [usize; 2]>,
    writes: &AtomicUsize,
) -> RwLockWriteGuard<'a, [usize; 2]> {
    writes.fetch_add(1, Relaxed);
    pair[0] += 1;
    thread::yield_now();
    pair[1] += 1;
    pair
}

#[test]
fn rwlock_shows_no_half_written_value() {
    let (lock, writes) = (shown(RwLock::new([0; 2])), Arc::new(AtomicUsize::new(0)));
    let (shared, counted) = (Arc::clone(&lock), Arc::clone(&writes));
    crowd(move |_, numbers| {
        let write = |guard| written(guard, &counted);
        for _ in 0..rounds(60) {
            let soon = soon(numbers);
            let read = match numbers.below(12) {
                0 => shared.try_read(),
                1 => shared.try_read_for(soon),
                2 => shared.try_read_recursive_for(soon),
                3..6 => Some(shared.read()),
                6 => shared.try_write_for(soon).map(|guard| RwLockWriteGuard::downgrade(write(guard))),
                7 => Some(RwLockWriteGuard::downgrade(write(shared.write()))),
                8 => shared.try_upgradable_read_for(soon).map(RwLockUpgradableReadGuard::downgrade),
                9 => match shared.upgradable_read().try_upgrade_for(soon) {
                    Ok(guard) => Some(RwLockWriteGuard::downgrade(write(guard))),
                    Err(guard) => Some(guard.downgrade()),
                },
                10 => {
                    let guard = write(shared.upgradable_read().upgrade());
                    Some(RwLockWriteGuard::downgrade_to_upgradable(guard).downgrade())
                }
                _ => {
                    drop(write(shared.write()));
                    None
                }
            };
            if let Some(pair) = read {
                let [one, other] = *pair;
                thread::yield_now();
                assert_eq!((one, other), (pair[1], pair[0]), "no thread writes while another reads");
            }
        }
    });
    assert_eq!(*lock.try_write().expect("all have unlocked"), [writes.load(Relaxed); 2]);
}

#[test]
fn reentrant_mutex_is_free_when_all_have_left() {
    let mutex = Arc::new(ReentrantMutex::new(AtomicUsize::new(0)));
    let shared = Arc::clone(&mutex);
    crowd(move |_, numbers| {
        for _ in 0..rounds(60) {
            let outer = match numbers.below(3) {
                0 => shared.try_lock_for(soon(numbers)),
                _ => Some(shared.lock()),
            };
            let Some(outer) = outer else { continue };
            let before = outer.load(Relaxed);
            let inner = shared.try_lock_for(Duration::ZERO).expect("it has the lock");
            thread::yield_now();
            assert_eq!(shared.hold_count(), 2);
            drop(outer);
            inner.store(before + 1, Relaxed);
            assert_eq!(inner.load(Relaxed), before + 1);
        }
        assert_eq!(shared.hold_count(), 0);
    });
    assert!(mutex.try_lock().is_some());
}

#[test]
fn condvar_loses_no_token() {
    // Each thread puts tokens down and takes as many, some of them in the last moment before it gives up.
    let (tokens, there) = (shown(Mutex::new(0_usize)), shown(Condvar::new()));
    let shared = Arc::clone(&tokens);
    crowd(move |number, numbers| {
        let turns = rounds(40);
        if number % 2 == 0 {
            for _ in 0..turns {
                *shared.lock() += 1;
                match numbers.below(4) {
                    0 => _ = there.notify_all(),
                    1 => _ = there.notify_many(2),
                    _ => _ = there.notify_one(),
                }
                if numbers.below(4) == 0 {
                    thread::yield_now();
                }
            }
            return;
        }
        let mut taken = 0;
        while taken < turns {
            let mut tokens = shared.lock();
            if numbers.below(2) == 0 {
                there.wait_while(&mut tokens, |tokens| *tokens == 0);
            } else if there.wait_while_for(&mut tokens, |tokens| *tokens == 0, soon(numbers)).timed_out() {
                continue;
            }
            *tokens -= 1;
            taken += 1;
        }
    });
    assert_eq!(*tokens.lock(), 0);
}

#[test]
fn semaphore_has_all_permits_again() {
    const PERMITS: usize = 5;
    let (semaphore, held) = (shown(Semaphore::bounded(PERMITS)), AtomicUsize::new(0));
    let shared = Arc::clone(&semaphore);
    crowd(move |_, numbers| {
        for _ in 0..rounds(60) {
            let n = 1 + numbers.below(PERMITS);
            let permit = match numbers.below(4) {
                0 => shared.try_acquire_many(n),
                1 => shared.try_acquire_many_for(n, soon(numbers)),
                2 => shared.try_acquire_many_until(n, Instant::now() + soon(numbers)),
                _ => Some(shared.acquire_many(n)),
            };
            let Some(mut permit) = permit else { continue };
            assert!(held.fetch_add(n, Relaxed) + n <= PERMITS);
            thread::yield_now();
            held.fetch_sub(n, Relaxed);
            match numbers.below(3) {
                0 => drop(permit.split(n / 2)),
                1 => {
                    permit.forget();
                    shared.add_permits(n);
                }
                _ => {}
            }
        }
    });
    assert_eq!(semaphore.available_permits(), PERMITS);
    assert!(semaphore.try_add_permits(1).is_err());
}

#[test]
fn auto_reset_event_lets_one_through_for_each_set() {
    // A signal is on its way or kept, and the thread that got it passes it on: there is always exactly one.
    let (signal, inside) = (shown(AutoResetEvent::new()), AtomicBool::new(false));
    let shared = Arc::clone(&signal);
    signal.set();
    crowd(move |_, numbers| {
        for _ in 0..rounds(60) {
            let through = match numbers.below(4) {
                0 => shared.try_wait(),
                1 => shared.wait_for(soon(numbers)),
                2 => shared.wait_until(Instant::now() + soon(numbers)),
                _ => {
                    shared.wait();
                    true
                }
            };
            if through {
                assert!(!inside.swap(true, Relaxed), "two have got one signal");
                if numbers.below(2) == 0 {
                    thread::yield_now();
                }
                inside.store(false, Relaxed);
                shared.set();
            }
        }
    });
    assert!(signal.try_wait() && !signal.try_wait());
}

#[test]
fn event_releases_all_waiters_at_a_pulse() {
    let (event, left) = (Event::new(), AtomicUsize::new(CROWD - 1));
    crowd(move |number, numbers| {
        if number == 0 {
            while left.load(Relaxed) != 0 {
                event.set();
                event.clear();
                thread::yield_now();
            }
            return;
        }
        for _ in 0..rounds(10) {
            if numbers.below(2) == 0 {
                event.wait();
            } else {
                let soon = soon(numbers);
                let start = Instant::now();
                assert!(event.wait_for(soon) || start.elapsed() >= soon);
            }
        }
        left.fetch_sub(1, Relaxed);
    });
}

#[test]
fn barrier_is_usable_after_any_mess() {
    const PARTIES: usize = 3;
    let barrier = shown(Barrier::new(PARTIES));
    let (shared, leaders, others) = (Arc::clone(&barrier), AtomicUsize::new(0), AtomicUsize::new(0));
    let leaders = Arc::new([leaders, others]);
    let counts = Arc::clone(&leaders);
    crowd(move |_, numbers| {
        for _ in 0..rounds(60) {
            let result = match numbers.below(20) {
                0 => {
                    shared.abort();
                    continue;
                }
                1 => {
                    shared.reset();
                    continue;
                }
                2..10 => shared.wait_until(Instant::now() + soon(numbers)),
                _ => shared.wait_for(soon(numbers)),
            };
            match result {
                Ok(met) => {
                    assert_eq!(met.is_leader(), met.index() == PARTIES - 1);
                    counts[usize::from(!met.is_leader())].fetch_add(1, Relaxed);
                }
                // One thread must end what `abort` began.
                Err(_) if numbers.below(4) == 0 => shared.reset(),
                Err(_) => {}
            }
        }
    });
    let [leaders, others] = [0, 1].map(|which| leaders[which].load(Relaxed));
    assert_eq!(others, leaders * (PARTIES - 1), "a round has one leader and a result for each member");
    barrier.reset();
    assert_eq!((barrier.waiting(), barrier.is_broken()), (0, false));
    thread::scope(|s| (0..PARTIES).for_each(|_| _ = s.spawn(|| barrier.wait_for(LIMIT).expect("all come"))));
}

#[test]
fn latches_and_groups_open_once_for_all() {
    let (latch, group) = (Latch::new(CROWD), Mutex::new(Some(WaitGroup::new())));
    let arrived = AtomicUsize::new(0);
    crowd(move |number, numbers| {
        let member = group.lock().as_ref().expect("not taken before all have come").clone();
        arrived.fetch_add(1, Relaxed);
        latch.count_down();
        while numbers.below(3) != 0 && !latch.wait_for(soon(numbers)) {}
        latch.wait();
        assert_eq!(arrived.load(Relaxed), CROWD);
        if number == 0 {
            // The group's first handle, so that the crowd's own are all that is left.
            *group.lock() = None;
        }
        while numbers.below(3) != 0 && !member.wait_for(soon(numbers)) {}
        member.wait();
    });
}

#[test]
fn buffer_gives_each_item_once() {
    let (buffer, taken) = (BoundedBuffer::new(3), Mutex::new(Vec::new()));
    let (taken, putters) = (Arc::new(taken), AtomicUsize::new(CROWD / 2));
    let all = Arc::clone(&taken);
    crowd(move |number, numbers| {
        let turns = rounds(60);
        if number % 2 == 0 {
            for turn in 0..turns {
                let mut item = number * turns + turn;
                loop {
                    let result = match numbers.below(3) {
                        0 => buffer.try_put(item).map_err(|error| error.into_inner()),
                        1 => buffer.put_for(item, soon(numbers)).map_err(|error| error.into_inner()),
                        _ => buffer.put(item).map_err(|error| error.into_inner()),
                    };
                    match result {
                        Ok(()) => break,
                        Err(back) => item = back,
                    }
                }
            }
            if putters.fetch_sub(1, Relaxed) == 1 {
                buffer.close();
            }
            return;
        }
        let mut mine = Vec::new();
        loop {
            match numbers.below(4) {
                0 => match buffer.get_for(soon(numbers)) {
                    Ok(item) => mine.push(item),
                    Err(GetTimeoutError::Timeout) => {}
                    Err(GetTimeoutError::Closed) => break,
                },
                1 => match buffer.get_many(&mut mine, 2) {
                    Ok(count) => assert!((1..=2).contains(&count)),
                    Err(_) => break,
                },
                2 => mine.extend(buffer.try_get()),
                _ => match buffer.get() {
                    Ok(item) => mine.push(item),
                    Err(_) => break,
                },
            }
        }
        all.lock().append(&mut mine);
    });
    let mut taken = Arc::into_inner(taken).expect("all have gone").into_inner();
    taken.sort_unstable();
    let turns = rounds(60);
    let put = (0..CROWD).step_by(2).flat_map(|number| (0..turns).map(move |turn| number * turns + turn));
    assert!(taken.into_iter().eq(put));
}

/// Panics with guards, permits and memberships in hand, in a crowd that waits for them.
#[test]
fn panics_release_what_their_threads_hold() {
    let (mutex, lock) = (shown(Mutex::new(())), shown(RwLock::new(())));
    let (semaphore, condvar) = (shown(Semaphore::bounded(2)), Condvar::new());
    let (m, l, p) = (Arc::clone(&mutex), Arc::clone(&lock), Arc::clone(&semaphore));
    crowd(move |_, numbers| {
        for _ in 0..rounds(20) {
            let which = numbers.below(6);
            let soon = soon(numbers);
            let result = panic::catch_unwind(AssertUnwindSafe(|| {
                // No message: there would be thousands.
                let unwind = || panic::resume_unwind(Box::new(()));
                match which {
                    0 => {
                        let _guard = m.lock();
                        unwind();
                    }
                    1 => {
                        let mut guard = m.lock();
                        let _ = condvar.wait_while_for(&mut guard, |()| unwind(), soon);
                    }
                    2 => {
                        let _guard = l.write();
                        unwind();
                    }
                    3 => {
                        let mut guard = l.upgradable_read();
                        guard.with_upgraded(|()| unwind());
                    }
                    4 => {
                        let _guard = l.read();
                        unwind();
                    }
                    _ => {
                        let _permit = p.acquire_many(2);
                        unwind();
                    }
                }
            }));
            assert!(result.is_err());
        }
    });
    assert!(mutex.try_lock().is_some() && lock.try_write().is_some());
    assert_eq!(semaphore.available_permits(), 2);
}
