//! Random programs of operations on a `BoundedBuffer`, against a specification.

use std::collections::VecDeque;
use std::iter::{self};
use std::time::Duration;

use lockwork::{BoundedBuffer, GetTimeoutError, PutTimeoutError, TryGetError, TryPutError};
use proptest::prelude::*;

use super::{past, unannounced};
use crate::random::programs;

/// What a buffer is, seen by one thread.
#[derive(Debug)]
struct Specification {
    capacity: usize,
    queue: VecDeque<u8>,
    closed: bool,
    unfinished: usize,
}

impl Specification {
    fn room(&self) -> usize {
        self.capacity - self.queue.len()
    }

    fn put(&mut self, item: u8) -> Result<(), PutTimeoutError<u8>> {
        if self.closed {
            Err(PutTimeoutError::Closed(item))
        } else if self.room() == 0 {
            Err(PutTimeoutError::Timeout(item))
        } else {
            self.queue.push_back(item);
            self.unfinished += 1;
            Ok(())
        }
    }

    fn get(&mut self) -> Result<u8, GetTimeoutError> {
        let nothing = if self.closed { GetTimeoutError::Closed } else { GetTimeoutError::Timeout };
        self.queue.pop_front().ok_or(nothing)
    }

    fn get_many(&mut self, max: usize) -> Result<Vec<u8>, GetTimeoutError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let first = self.get()?;
        Ok(iter::once(first).chain(iter::from_fn(|| self.queue.pop_front()).take(max - 1)).collect())
    }

    fn close_now(&mut self) -> Vec<u8> {
        self.closed = true;
        self.unfinished = self.unfinished.saturating_sub(self.queue.len());
        self.queue.drain(..).collect()
    }
}

/// Which form of a call: where the plain one would wait, the one that tries once takes its place.
#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Try,
    For,
    Until,
}

#[derive(Clone, Debug)]
enum Step {
    Put(Form, u8),
    PutAll { items: Vec<u8>, announced: bool },
    Get(Form),
    GetMany(Form, usize),
    Iter(usize),
    TaskDone,
    Join(Form),
    Close,
    CloseNow,
}

fn step() -> impl Strategy<Value = Step> {
    let form = || prop_oneof![Just(Form::Plain), Just(Form::Try), Just(Form::For), Just(Form::Until)];
    prop_oneof![
        12 => (form(), any::<u8>()).prop_map(|(form, item)| Step::Put(form, item)),
        6 => (prop::collection::vec(any::<u8>(), 0..100), any::<bool>())
            .prop_map(|(items, announced)| Step::PutAll { items, announced }),
        10 => form().prop_map(Step::Get),
        6 => (form(), 0..12_usize).prop_map(|(form, max)| Step::GetMany(form, max)),
        3 => (0..5_usize).prop_map(Step::Iter),
        8 => Just(Step::TaskDone),
        3 => form().prop_map(Step::Join),
        1 => Just(Step::Close),
        1 => Just(Step::CloseNow),
    ]
}

fn run(step: Step, buffer: &BoundedBuffer<u8>, spec: &mut Specification) {
    let can_wait_for_room = !spec.closed && spec.room() == 0;
    let can_wait_for_item = !spec.closed && spec.queue.is_empty();
    match step {
        Step::Put(form, item) => {
            let put = match form {
                Form::Plain if !can_wait_for_room => buffer.put(item).map_err(PutTimeoutError::from),
                Form::Plain | Form::Try => buffer.try_put(item).map_err(|error| match error {
                    TryPutError::Full(item) => PutTimeoutError::Timeout(item),
                    TryPutError::Closed(item) => PutTimeoutError::Closed(item),
                }),
                Form::For => buffer.put_for(item, Duration::ZERO),
                Form::Until => buffer.put_until(item, past()),
            };
            assert_eq!(put, spec.put(item));
        }
        Step::PutAll { mut items, announced } => {
            if !spec.closed {
                items.truncate(spec.room());
            }
            let mut left = items.iter().copied();
            let put = if announced {
                buffer.put_all(left.by_ref())
            } else {
                buffer.put_all(unannounced(left.by_ref()))
            };
            match put {
                Ok(put) => {
                    assert_eq!(put, items.len());
                    items.iter().for_each(|&item| spec.put(item).unwrap());
                }
                Err(error) => {
                    assert!(spec.closed && error.put == 0 && !error.rest.is_empty());
                    assert!(error.rest.into_iter().chain(left).eq(items.iter().copied()));
                }
            }
        }
        Step::Get(form) => {
            let got = match form {
                Form::Plain if !can_wait_for_item => buffer.get().map_err(GetTimeoutError::from),
                Form::Plain | Form::Try => buffer.try_get().map_err(|error| match error {
                    TryGetError::Empty => GetTimeoutError::Timeout,
                    TryGetError::Closed => GetTimeoutError::Closed,
                }),
                Form::For => buffer.get_for(Duration::ZERO),
                Form::Until => buffer.get_until(past()),
            };
            assert_eq!(got, spec.get());
        }
        Step::GetMany(form, max) => {
            let mut out = Vec::new();
            let got = match form {
                Form::Plain if !can_wait_for_item => {
                    buffer.get_many(&mut out, max).map_err(GetTimeoutError::from)
                }
                Form::Plain | Form::Try => buffer.try_get_many(&mut out, max).map_err(|error| match error {
                    TryGetError::Empty => GetTimeoutError::Timeout,
                    TryGetError::Closed => GetTimeoutError::Closed,
                }),
                Form::For => buffer.get_many_for(&mut out, max, Duration::ZERO),
                Form::Until => buffer.get_many_until(&mut out, max, past()),
            };
            let expected = spec.get_many(max);
            assert_eq!(got, expected.as_ref().map(Vec::len).map_err(|&error| error));
            assert_eq!(out, expected.unwrap_or_default());
        }
        Step::Iter(n) => {
            let expected: Vec<_> = iter::from_fn(|| spec.get().ok()).take(n).collect();
            if spec.closed {
                assert!(buffer.iter().take(n).eq(expected));
            } else {
                assert!(buffer.try_iter().take(n).eq(expected));
            }
        }
        Step::TaskDone => {
            assert_eq!(buffer.try_task_done().is_ok(), spec.unfinished > 0);
            spec.unfinished = spec.unfinished.saturating_sub(1);
        }
        Step::Join(form) => {
            let joined = match form {
                Form::Plain if spec.unfinished == 0 => {
                    buffer.join();
                    true
                }
                Form::Until => buffer.join_until(past()),
                Form::Plain | Form::Try | Form::For => buffer.join_for(Duration::ZERO),
            };
            assert_eq!(joined, spec.unfinished == 0);
        }
        Step::Close => {
            buffer.close();
            spec.closed = true;
        }
        Step::CloseNow => assert_eq!(buffer.close_now(), spec.close_now()),
    }
    assert_eq!(buffer.len(), spec.queue.len());
    assert_eq!(buffer.is_empty(), spec.queue.is_empty());
    assert_eq!(buffer.is_full(), spec.room() == 0);
    assert_eq!(buffer.is_closed(), spec.closed);
    assert_eq!(buffer.unfinished(), spec.unfinished);
}

proptest! {
    #![proptest_config(programs(256))]

    #[test]
    fn one_thread_sees_what_the_specification_says(
        capacity in prop_oneof![1..10_usize, 60..150_usize],
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let buffer = BoundedBuffer::new(capacity);
        let mut spec = Specification { capacity, queue: VecDeque::new(), closed: false, unfinished: 0 };
        for step in steps {
            run(step, &buffer, &mut spec);
        }
        prop_assert!(buffer.try_iter().eq(spec.queue));
    }
}
