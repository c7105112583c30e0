//! Reading and writing with no other thread there. Contention is `versus`'s: a mean says little about it.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::rwlock::{SharedLock, each_rwlock};
use support::{Group, compare};

fn read(criterion: &mut Criterion) {
    fn contender<L: SharedLock>(group: &mut Group<'_>) {
        let lock = L::new();
        group.bench_function(L::NAME, |b| b.iter(|| lock.read(|value| *value)));
    }
    compare(criterion, "rwlock/read", each_rwlock!(L => contender::<L>));
}

fn write(criterion: &mut Criterion) {
    fn contender<L: SharedLock>(group: &mut Group<'_>) {
        let lock = L::new();
        group.bench_function(L::NAME, |b| b.iter(|| lock.write(|value| *value += 1)));
    }
    compare(criterion, "rwlock/write", each_rwlock!(L => contender::<L>));
}

criterion_group!(benches, read, write);
criterion_main!(benches);
