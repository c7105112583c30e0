//! Waiting for something to happen, for others, or for leave.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::{AutoResetEvent, Barrier, Condvar, Event, Latch, Mutex, Semaphore, StopSource, WaitGroup};

use super::{LONG, check, told};
use crate::Told;

/// A thread sleeps until what a mutex guards has become something.
pub(crate) fn condition(cooks: usize) -> Told {
    let pass = Mutex::new(Vec::new());
    let changed = Condvar::new();
    let (served, patience) = thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut dishes = pass.lock();
            // Says whether the time was up, so a dish that never comes is no hang.
            let result = changed.wait_while_for(&mut dishes, |dishes| dishes.len() < cooks, LONG);
            (dishes.drain(..).count(), !result.timed_out())
        });
        for cook in 0..cooks {
            let (pass, changed) = (&pass, &changed);
            scope.spawn(move || {
                pass.lock().push(cook);
                changed.notify_one();
            });
        }
        waiter.join().expect("the waiter does not panic")
    });
    check(patience && served == cooks, || format!("the waiter took {served} dishes of {cooks}"))?;
    // Now the pass is empty, and stays so.
    let mut dishes = pass.lock();
    let result = changed.wait_while_for(&mut dishes, |dishes| dishes.is_empty(), Duration::from_millis(1));
    check(result.timed_out(), || "a cook found a dish on the empty pass".into())?;
    told([format!("the waiter slept until {cooks} dishes stood there; another gave up in time")])
}

/// All threads wait for something that happens once.
pub(crate) fn event(cooks: usize) -> Told {
    let (ready, open) = (Latch::new(cooks), Event::new());
    let begun = Mutex::new(0);
    let early = thread::scope(|scope| {
        for _ in 0..cooks {
            scope.spawn(|| {
                ready.count_down();
                if open.wait_for(LONG) {
                    *begun.lock() += 1;
                }
            });
        }
        // The other way round, one waits for many: see the latch.
        ready.wait();
        let early = *begun.lock();
        open.set();
        early
    });
    let begun = begun.into_inner();
    check(early == 0 && begun == cooks, || format!("{early} cooks began early, {begun} of {cooks} in all"))?;
    told([format!("{cooks} cooks waited for the doors to open: {early} began before, {begun} after")])
}

/// Each setting lets one through.
pub(crate) fn auto_reset(cooks: usize) -> Told {
    let bell = AutoResetEvent::new();
    let (came, one_more) = (Mutex::new(0), Event::new());
    let missed = thread::scope(|scope| {
        for _ in 0..cooks {
            scope.spawn(|| {
                if bell.wait_for(LONG) {
                    *came.lock() += 1;
                    one_more.set();
                }
            });
        }
        let rung = (1..=cooks).filter(|rings| {
            bell.set();
            // Two settings with no wait between would let one cook through: this waits until the bell was
            // heard.
            let heard = one_more.wait_for(LONG);
            one_more.clear();
            !heard || *came.lock() != *rings
        });
        rung.count()
    });
    check(missed == 0 && !bell.is_set(), || format!("{missed} times another number of cooks came"))?;
    told([format!("the bell rang {cooks} times, and each time one of the waiting cooks came")])
}

/// One waits for a number of things.
pub(crate) fn latch(cooks: usize) -> Told {
    let ready = Latch::new(cooks);
    let laid = Mutex::new(0);
    let seen = thread::scope(|scope| {
        for _ in 0..cooks {
            scope.spawn(|| {
                *laid.lock() += 1;
                ready.count_down();
            });
        }
        ready.wait();
        *laid.lock()
    });
    check(seen == cooks && ready.is_open(), || format!("opened with {seen} tables of {cooks}"))?;
    told([format!("the doors stayed shut until {cooks} tables were laid")])
}

/// One waits until all are gone, however many there are.
pub(crate) fn group(cooks: usize) -> Told {
    let washed = Arc::new(Mutex::new(0));
    let group = WaitGroup::new();
    for _ in 0..cooks {
        let (washed, member) = (Arc::clone(&washed), group.clone());
        // No thread joins them: a member that is dropped is enough, also by a panic.
        drop(thread::spawn(move || {
            *washed.lock() += 1;
            drop(member);
        }));
    }
    check(group.wait_for(LONG), || "some cook never left".into())?;
    let washed = *washed.lock();
    check(washed == cooks, || format!("{washed} pots were washed of {cooks}"))?;
    told([format!("{cooks} cooks left when their pot was washed; the light after the last")])
}

/// So many threads at a time.
pub(crate) fn semaphore(cooks: usize) -> Told {
    const OVENS: usize = 2;
    const EACH: usize = 3;
    let ovens = Semaphore::new(OVENS);
    // In use, most at once, cakes.
    let seen = Mutex::new((0, 0, 0));
    thread::scope(|scope| {
        for _ in 0..cooks {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let _oven = ovens.acquire();
                    {
                        let mut seen = seen.lock();
                        seen.0 += 1;
                        seen.1 = seen.1.max(seen.0);
                    }
                    // It bakes, and the others look for an oven.
                    thread::yield_now();
                    let mut seen = seen.lock();
                    seen.0 -= 1;
                    seen.2 += 1;
                }
            });
        }
    });
    let (_, most, cakes) = seen.into_inner();
    check(most <= OVENS && cakes == cooks * EACH, || {
        format!("{cakes} cakes of {}, {most} at once in {OVENS} ovens", cooks * EACH)
    })?;
    check(ovens.available_permits() == OVENS, || "an oven is still taken".into())?;
    told([format!("{cakes} cakes in {OVENS} ovens: all baked, never more than {OVENS} at once")])
}

/// Threads meet before each goes on.
pub(crate) fn barrier(cooks: usize) -> Told {
    const COURSES: usize = 3;
    let (plates, served) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(Vec::new())));
    // The last to arrive does this for all, while the others still wait.
    let together = Barrier::with_action(cooks, {
        let (plates, served) = (Arc::clone(&plates), Arc::clone(&served));
        move || served.lock().push(*plates.lock())
    });
    let bells = thread::scope(|scope| {
        let cooks: Vec<_> = (0..cooks)
            .map(|_| {
                scope.spawn(|| {
                    let mut bells = 0;
                    for _ in 0..COURSES {
                        *plates.lock() += 1;
                        bells += usize::from(together.wait().is_leader());
                    }
                    bells
                })
            })
            .collect();
        cooks.into_iter().map(|cook| cook.join().expect("a cook does not panic")).sum::<usize>()
    });
    let served = served.lock();
    let should_be: Vec<usize> = (1..=COURSES).map(|course| course * cooks).collect();
    check(*served == should_be && bells == COURSES, || {
        format!("plates after each course: {served:?} instead of {should_be:?}")
    })?;
    told([format!("{COURSES} courses, each served when all {cooks} cooks had their plate ready")])
}

/// Threads are asked to stop, and what blocks is told.
pub(crate) fn stop(cooks: usize) -> Told {
    let closing = StopSource::new();
    let orders = Arc::new(lockwork::BoundedBuffer::<usize>::new(1));
    // A cook that waits for an order sees no token: closing the buffer is what wakes it up.
    let guard = closing.token().on_stop({
        let orders = Arc::clone(&orders);
        move || orders.close()
    });
    let went = thread::scope(|scope| {
        let cooks: Vec<_> = (0..cooks)
            .map(|cook| {
                let (token, orders) = (closing.token(), &orders);
                // Half of them wait for an order, the others for the token itself.
                scope.spawn(move || if cook % 2 == 0 { orders.get().is_err() } else { token.wait_for(LONG) })
            })
            .collect();
        closing.stop();
        cooks.into_iter().filter_map(|cook| cook.join().ok()).filter(|went| *went).count()
    });
    drop(guard);
    check(went == cooks, || format!("{went} cooks went home of {cooks}"))?;
    told([format!("closing time: {cooks} cooks went home, also those who waited for an order")])
}
