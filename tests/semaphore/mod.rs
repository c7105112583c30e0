//! `Semaphore`.

mod acquire;
mod bounds;
mod order;
mod permits;
mod programs;

use std::time::{Duration, Instant};

use lockwork::{Semaphore, SemaphorePermit};

use crate::support::LIMIT;

const MAX: usize = Semaphore::MAX_PERMITS;

/// The forms of an acquisition that ends when there are permits.
const ACQUIRES: [for<'a> fn(&'a Semaphore, usize) -> SemaphorePermit<'a>; 5] = [
    |semaphore, n| if n == 1 { semaphore.acquire() } else { semaphore.acquire_many(n) },
    |semaphore, n| semaphore.acquire_many(n),
    |semaphore, n| semaphore.try_acquire_many_for(n, LIMIT).expect("in time"),
    |semaphore, n| semaphore.try_acquire_many_for(n, Duration::MAX).expect("no time limit"),
    |semaphore, n| semaphore.try_acquire_many_until(n, Instant::now() + LIMIT).expect("in time"),
];
