//! The uncontended lock. Contention is `versus`'s: a mean says little about it.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::mutex::{Lock, each_mutex};
use support::{Group, compare};

fn uncontended(criterion: &mut Criterion) {
    fn contender<L: Lock>(group: &mut Group<'_>) {
        let lock = L::new();
        group.bench_function(L::NAME, |b| b.iter(|| lock.with(|value| *value += 1)));
    }
    compare(criterion, "mutex/uncontended", each_mutex!(L => contender::<L>));
}

criterion_group!(benches, uncontended);
criterion_main!(benches);
