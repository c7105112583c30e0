//! Taking a lock once, twice, and by a thread that has it.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use std::cell::Cell;
use support::reentrant::{Reentrant, each_reentrant};
use support::{Group, compare};

fn count(value: &Cell<u64>) {
    value.set(value.get() + 1);
}

fn once(criterion: &mut Criterion) {
    fn contender<L: Reentrant>(group: &mut Group<'_>) {
        let lock = L::new();
        group.bench_function(L::NAME, |b| b.iter(|| lock.with(count)));
    }
    compare(criterion, "reentrant/depth=1", each_reentrant!(L => contender::<L>));
}

fn twice(criterion: &mut Criterion) {
    fn contender<L: Reentrant>(group: &mut Group<'_>) {
        let lock = L::new();
        group.bench_function(L::NAME, |b| b.iter(|| lock.with(|_| lock.with(count))));
    }
    compare(criterion, "reentrant/depth=2", each_reentrant!(L => contender::<L>));
}

fn nested(criterion: &mut Criterion) {
    fn contender<L: Reentrant>(group: &mut Group<'_>) {
        let lock = L::new();
        lock.with(|_| group.bench_function(L::NAME, |b| b.iter(|| lock.with(count))));
    }
    compare(criterion, "reentrant/nested", each_reentrant!(L => contender::<L>));
}

criterion_group!(benches, once, twice, nested);
criterion_main!(benches);
