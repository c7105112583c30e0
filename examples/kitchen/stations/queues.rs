//! From one thread to another: in the order of arrival, of urgency, or the last first; and from one side to
//! the other.

use std::thread;

use lockwork::{
    BoundedBuffer, First3, PriorityBuffer, Semaphore, StackBuffer, StopSource, channel, wait_any,
};

use super::{check, told};
use crate::Told;

/// So many items may wait, and those who bring more wait.
pub(crate) fn buffer(cooks: usize) -> Told {
    const EACH: usize = 20;
    const ROOM: usize = 3;
    let pass = BoundedBuffer::new(ROOM);
    let (sum, most) = thread::scope(|scope| {
        let producers: Vec<_> = (0..cooks)
            .map(|_| scope.spawn(|| (1..=EACH).for_each(|dish| pass.put(dish).expect("the pass is open"))))
            .collect();
        let waiter = scope.spawn(|| {
            let mut most = 0;
            // Until it is closed and empty.
            let sum: usize = (&pass).into_iter().inspect(|_| most = most.max(pass.len())).sum();
            (sum, most)
        });
        producers.into_iter().for_each(|cook| cook.join().expect("a cook does not panic"));
        pass.close();
        waiter.join().expect("the waiter does not panic")
    });
    let should_be = cooks * EACH * (EACH + 1) / 2;
    check(sum == should_be && most <= ROOM, || format!("{sum} instead of {should_be}, {most} at once"))?;
    told([format!("{} dishes went over a pass with room for {ROOM}, and none was dropped", cooks * EACH)])
}

/// The first of several things: an order, a free oven, or the end of the day.
pub(crate) fn first(cooks: usize) -> Told {
    let (orders, ovens, closing) = (BoundedBuffer::new(cooks), Semaphore::new(0), StopSource::new());
    let (served, baked) = thread::scope(|scope| {
        let helper = scope.spawn(|| {
            let token = closing.token();
            let (mut served, mut baked) = (0, 0);
            // In this order of preference, and one thing at a time: what is not taken stays for others.
            loop {
                match wait_any((orders.getting(), ovens.acquiring(), &token)) {
                    First3::First(order) => served += order.expect("the orders are open"),
                    First3::Second(oven) => {
                        oven.forget();
                        baked += 1;
                    }
                    First3::Third(()) => break (served, baked),
                }
            }
        });
        let cooks: Vec<_> = (0..cooks)
            .map(|_| {
                scope.spawn(|| {
                    orders.put(1).expect("the orders are open");
                    ovens.add_permits(1);
                })
            })
            .collect();
        cooks.into_iter().for_each(|cook| cook.join().expect("a cook does not panic"));
        closing.stop();
        helper.join().expect("the helper does not panic")
    });
    check((served, baked) == (cooks, cooks), || format!("{served} orders served, {baked} times baked"))?;
    told([format!("one helper took {served} orders and {baked} ovens as they came, then went home")])
}

/// The most urgent first, or the last first.
pub(crate) fn order(_: usize) -> Told {
    let (tickets, plates) = (PriorityBuffer::new(8), StackBuffer::new(8));
    for urgency in [2, 9, 4] {
        tickets.put(urgency).map_err(|error| error.to_string())?;
        plates.put(urgency).map_err(|error| error.to_string())?;
    }
    tickets.close();
    plates.close();
    let tickets: Vec<u32> = (&tickets).into_iter().collect();
    let plates: Vec<u32> = (&plates).into_iter().collect();
    check(tickets == [9, 4, 2] && plates == [4, 9, 2], || format!("{tickets:?}, {plates:?}"))?;
    told([format!("tickets by urgency: {tickets:?}; plates from the top: {plates:?}")])
}

/// Two sides, of which each learns that the other is gone.
pub(crate) fn channel(cooks: usize) -> Told {
    let (sender, receiver) = channel::bounded(2);
    let calls = thread::scope(|scope| {
        for cook in 0..cooks {
            let sender = sender.clone();
            scope.spawn(move || sender.send(cook).expect("a waiter who listens"));
        }
        // The last sender that goes ends the loop below.
        drop(sender);
        let mut calls: Vec<usize> = receiver.iter().collect();
        calls.sort_unstable();
        calls
    });
    check(calls == (0..cooks).collect::<Vec<_>>(), || format!("{calls:?}"))?;
    told([format!("{cooks} cooks called a dish each; after the last the waiter went, too")])
}
