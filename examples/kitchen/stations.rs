//! The stations of the tour. Each is complete in itself: what it needs, what its threads do, and what must come out.

use std::cell::Cell;
use std::panic;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::{
    Barrier, Condvar, Event, Latch, Mutex, Semaphore, TaskError, ThreadCell, ThreadLocal, ThreadPool,
};

use crate::Told;

/// Longer than anything here takes, on any machine: whoever waits that long waits in vain.
const LONG: Duration = Duration::from_secs(30);

/// One thread at a time changes a value.
pub(crate) fn mutex(cooks: usize) -> Told {
    const EACH: usize = 100;
    let pile = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..cooks {
            scope.spawn(|| {
                for plate in 0..EACH {
                    let mut plates = pile.lock();
                    let seen = *plates;
                    // Without the lock others would put plates here now, and the next line would lose them.
                    if plate % 25 == 0 {
                        thread::yield_now();
                    }
                    *plates = seen + 1;
                }
            });
        }
    });
    let plates = pile.into_inner();
    check(plates == cooks * EACH, || format!("{plates} plates on the pile instead of {}", cooks * EACH))?;
    told([format!("{cooks} cooks put {EACH} plates each on one pile: {plates} are there")])
}

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
    check(result.timed_out(), || "somebody found a dish on the empty pass".into())?;
    told([
        format!("the waiter slept until {cooks} dishes stood on the pass, then took {served};"),
        "a second one waited for a millisecond and went without".into(),
    ])
}

/// Everybody waits for something that happens once.
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
        // A latch is the other way round: one waits for many.
        ready.wait();
        let early = *begun.lock();
        open.set();
        early
    });
    let begun = begun.into_inner();
    check(early == 0 && begun == cooks, || format!("{early} cooks began early, {begun} of {cooks} in all"))?;
    told([format!("{cooks} cooks waited for the doors to open: {early} began before, {begun} after")])
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

/// Each thread finds a value of its own under the same name.
pub(crate) fn local(cooks: usize) -> Told {
    const TASTES: usize = 25;
    // What a cook puts here goes when the cook does; what is put there stays, to be counted.
    let spoon = ThreadCell::new();
    let tasted = ThreadLocal::<Cell<usize>>::new();
    let strange = thread::scope(|scope| {
        let cooks: Vec<_> = (0..cooks)
            .map(|cook| {
                let (spoon, tasted) = (&spoon, &tasted);
                scope.spawn(move || {
                    spoon.set(cook);
                    let taste = |_: &usize| {
                        // The others taste, too, each with the only spoon that there is.
                        thread::yield_now();
                        let count = tasted.get_or_default();
                        count.set(count.get() + 1);
                        spoon.get() != Some(cook)
                    };
                    (0..TASTES).filter(taste).count()
                })
            })
            .collect();
        cooks.into_iter().map(|cook| cook.join().expect("a cook does not panic")).sum::<usize>()
    });
    check(strange == 0 && !spoon.is_set(), || format!("{strange} times a cook had another's spoon"))?;
    let tasted: Vec<usize> = tasted.into_iter().map(Cell::into_inner).collect();
    check(tasted == vec![TASTES; cooks], || format!("tasted {tasted:?} instead of {TASTES} each"))?;
    told([format!("{cooks} cooks tasted {TASTES} times, each with a spoon that no other ever had")])
}

/// Tasks on a fixed number of threads.
pub(crate) fn pool(cooks: usize) -> Told {
    const ORDERS: usize = 12;
    let pool = ThreadPool::builder().threads(cooks).name("cook").build();
    // Whichever cook is through first, the dishes come in the order of the orders.
    let dishes: Vec<usize> = pool.map(0..ORDERS, |order| order * order).collect();
    let should_be: Vec<usize> = (0..ORDERS).map(|order| order * order).collect();
    check(dishes == should_be, || format!("dishes in another order: {dishes:?}"))?;

    // It panics, but says nothing of it on standard error.
    let burnt = pool.submit(|| -> usize { panic::resume_unwind(Box::new("burnt")) });
    let burnt = burnt.map_err(|_| "the pool takes no orders")?.join();
    let why = match burnt {
        Err(TaskError::Panicked(payload)) => payload.downcast_ref::<&str>().copied(),
        _ => None,
    };
    check(why == Some("burnt"), || "nobody was told of the burnt dish".into())?;

    // The cooks are kept busy, so that the last order is still in the queue when it is cancelled.
    let busy = Arc::new(Event::new());
    let mut stirring = Vec::new();
    for _ in 0..cooks {
        let busy = Arc::clone(&busy);
        stirring.push(pool.submit(move || busy.wait()).map_err(|_| "the pool takes no orders")?);
    }
    let late = pool.submit(|| 0).map_err(|_| "the pool takes no orders")?;
    let cancelled = late.cancel();
    busy.set();
    check(cancelled && matches!(late.join(), Err(TaskError::Cancelled)), || {
        "an order was cooked although it was cancelled".into()
    })?;
    let stirred = stirring.into_iter().filter_map(|task| task.join().ok()).count();
    check(stirred == cooks, || format!("{stirred} of {cooks} cooks came back: the burnt dish cost one"))?;
    told([
        format!("{ORDERS} orders on {cooks} threads: the dishes came in the order of the orders;"),
        "one burnt, which only its guest was told; one was cancelled in time".into(),
    ])
}

fn check(good: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(what()) }
}

fn told<const N: usize>(lines: [String; N]) -> Told {
    Ok(lines.into())
}
