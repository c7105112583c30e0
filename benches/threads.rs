//! A task there and back, and several at once, with one thread to run them.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::threads::{Pool, each_pool};
use support::{Group, compare};

fn round_trip(criterion: &mut Criterion) {
    fn contender<P: Pool>(group: &mut Group<'_>) {
        let pool = P::new(1);
        group.bench_function(P::NAME, |b| b.iter(|| pool.run(|| 1)));
    }
    compare(criterion, "threads/round trip", each_pool!(P => contender::<P>));
}

fn joined(criterion: &mut Criterion) {
    fn contender<P: Pool>(group: &mut Group<'_>) {
        let pool = P::new(1);
        group.bench_function(P::NAME, |b| {
            b.iter(|| {
                let tasks: Vec<_> = (0..32).map(|n| pool.submit(move || n)).collect();
                tasks.into_iter().map(P::join).sum::<i32>()
            });
        });
    }
    compare(criterion, "threads/32 joined", each_pool!(P => contender::<P>));
}

criterion_group!(benches, round_trip, joined);
criterion_main!(benches);
