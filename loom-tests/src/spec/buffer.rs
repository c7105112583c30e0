//! The buffers.

use super::two;

use lockwork::{BoundedBuffer, First2, PriorityBuffer, wait_any_for};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(1);

fn one() -> BoundedBuffer<i32> {
    BoundedBuffer::new(1)
}

fn put(buffer: &BoundedBuffer<i32>, item: i32) -> String {
    buffer.put_for(item, SOON).is_ok().to_string()
}

fn got<E: std::fmt::Debug>(result: Result<i32, E>) -> String {
    result.map_or_else(|error| format!("{error:?}"), |item| item.to_string())
}

#[test]
fn getting_tried() {
    two(&["true 1", "true Empty"], one, |buffer| put(buffer, 1), |buffer| got(buffer.try_get()));
}

#[test]
fn got_with_a_deadline() {
    two(&["true 1", "true Timeout"], one, |buffer| put(buffer, 1), |buffer| got(buffer.get_for(SOON)));
}

#[test]
fn two_putters_with_deadlines() {
    let allowed = ["false true 2", "true false 1", "true true 2"];
    two(
        &allowed,
        one,
        |buffer| put(buffer, 1),
        |buffer| {
            let own = put(buffer, 2);
            format!("{own} {}", got(buffer.get()))
        },
    );
}

#[test]
fn closed_while_one_puts_and_gets() {
    let allowed = ["0 1", "0 closed", "1 1"];
    two(
        &allowed,
        one,
        |buffer| {
            buffer.close();
            buffer.len().to_string()
        },
        |buffer| {
            let _ = buffer.put(1);
            buffer.get().map_or_else(|_| "closed".to_owned(), |item| item.to_string())
        },
    );
}

/// A place may be kept for the putter that waits: then it is full to others, and nothing is in it yet.
#[test]
fn room_made_beside_a_putter_that_waits() {
    let allowed = ["true 1 true Ok(3)", "true 1 false Ok(2)", "true 1 false Err(Empty)"];
    two(
        &allowed,
        || {
            let buffer = one();
            buffer.put(1).unwrap();
            buffer
        },
        |buffer| buffer.put(2).is_ok().to_string(),
        |buffer| {
            let got = buffer.get().unwrap();
            let put = buffer.try_put(3).is_ok();
            format!("{got} {put} {:?}", buffer.try_get())
        },
    );
}

/// The same of an item and a getter.
#[test]
fn item_put_beside_a_getter_that_waits() {
    let allowed = ["2 Ok(1) 0", "1 Err(Empty) 0", "1 Err(Empty) 1"];
    two(
        &allowed,
        one,
        |buffer| buffer.get().unwrap().to_string(),
        |buffer| {
            buffer.put(1).unwrap();
            let got = buffer.try_get();
            let len = buffer.len();
            if got.is_ok() {
                buffer.put(2).unwrap();
            }
            format!("{got:?} {len}")
        },
    );
}

#[test]
fn closed_while_one_waits() {
    two(
        &["true Closed", "true Timeout"],
        one,
        |buffer| {
            buffer.close();
            buffer.is_closed().to_string()
        },
        |buffer| got(buffer.get_for(SOON)),
    );
}

#[test]
fn many_at_once() {
    let allowed = ["2 [1, 2]"];
    two(
        &allowed,
        || BoundedBuffer::new(2),
        |buffer| buffer.put_all([1, 2]).unwrap().to_string(),
        |buffer| {
            let mut out = Vec::new();
            buffer.get_many(&mut out, 2).unwrap();
            format!("{out:?}")
        },
    );
}

#[test]
fn items_go_through_one_place() {
    two(
        &["2 [1, 2]"],
        one,
        |buffer| buffer.put_all([1, 2]).unwrap().to_string(),
        |buffer| {
            let items = [buffer.get(), buffer.get()].map(Result::unwrap);
            format!("{items:?}")
        },
    );
}

#[test]
fn first_item_of_two_buffers() {
    let allowed = ["true 1", "true time"];
    two(
        &allowed,
        || (one(), BoundedBuffer::<i32>::new(1)),
        |buffers| put(&buffers.0, 1),
        |buffers| match wait_any_for((buffers.0.getting(), buffers.1.getting()), SOON) {
            Some(First2::First(item)) => got(item),
            Some(First2::Second(item)) => got(item),
            None => "time".to_owned(),
        },
    );
}

#[test]
fn finished_work_is_joined() {
    two(
        &["true true", "true false"],
        one,
        |buffer| {
            buffer.put(1).unwrap();
            buffer.get().unwrap();
            buffer.task_done();
            true.to_string()
        },
        |buffer| buffer.join_for(SOON).to_string(),
    );
}

#[test]
fn most_urgent_first() {
    let allowed = ["true 1", "true 2"];
    two(
        &allowed,
        || PriorityBuffer::new(2),
        |buffer| (buffer.put(1).is_ok() && buffer.put(2).is_ok()).to_string(),
        |buffer| got(buffer.get()),
    );
}
