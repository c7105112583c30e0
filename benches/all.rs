//! Two mutexes at once, on one thread.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::all::{Two, each_two};
use support::{Group, compare};

fn uncontended(criterion: &mut Criterion) {
    fn contender<L: Two>(group: &mut Group<'_>) {
        let locks = L::new();
        group.bench_function(L::NAME, |b| {
            b.iter(|| {
                locks.with([0, 1], |first, second| {
                    *first += 1;
                    *second += 1;
                });
            });
        });
    }
    compare(criterion, "all/two, uncontended", each_two!(L => contender::<L>));
}

criterion_group!(benches, uncontended);
criterion_main!(benches);
