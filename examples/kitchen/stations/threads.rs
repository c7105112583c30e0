//! Threads that are made of all this: a pool, its results as they come, and a worker.

use std::collections::HashMap;
use std::panic;
use std::sync::Arc;
use std::time::Duration;

use lockwork::{AutoResetEvent, Event, TaskError, ThreadPool, Worker, as_completed};

use super::{LONG, check, told};
use crate::Told;

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
    check(why == Some("burnt"), || "no thread was told of the burnt dish".into())?;

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
    told([format!("{ORDERS} orders on {cooks} threads came in order; one burnt, one was cancelled")])
}

/// Results as they come, each with what it was for.
pub(crate) fn completed(cooks: usize) -> Told {
    let pool = ThreadPool::new(cooks);
    let eggs = Arc::new(Event::new());
    let mut dishes = HashMap::new();
    let mut tasks = Vec::new();
    // With one cook they are made one after the other, so the slow one is ordered last.
    for dish in ["toast", "tea", "eggs"] {
        let done = Arc::clone(&eggs);
        let task = pool.submit(move || dish != "eggs" || done.wait_for(LONG));
        let task = task.map_err(|_| "the pool takes no orders")?;
        dishes.insert(task.id(), dish);
        tasks.push(task);
    }
    let mut came = Vec::new();
    for task in as_completed(tasks) {
        came.push(dishes[&task.id()]);
        if came.len() == 2 {
            eggs.set();
        }
        let good = task.join().map_err(|error| error.to_string())?;
        check(good, || "the eggs were never done".into())?;
    }
    check(came.len() == 3 && came[2] == "eggs", || format!("they came as {came:?}"))?;
    told(["tea and toast came when they were ready, the eggs last".into()])
}

/// A thread that is asked to stop and waited for when its handle goes.
pub(crate) fn worker(_: usize) -> Told {
    let ticked = Arc::new(AutoResetEvent::new());
    let tick = Arc::clone(&ticked);
    let timer = Worker::spawn("timer", move |stop| {
        let mut ticks = 0;
        // A clock and a stop in one.
        while !stop.wait_for(Duration::from_millis(1)) {
            ticks += 1;
            tick.set();
        }
        ticks
    });
    let heard = (0..3).filter(|_| ticked.wait_for(LONG)).count();
    timer.stop();
    let ticks: usize = timer.join().map_err(|error| error.to_string())?;
    check(heard == 3 && ticks >= 3, || format!("{heard} of {ticks} ticks were heard"))?;
    told(["a timer ticked beside it all until it was told to stop".into()])
}
