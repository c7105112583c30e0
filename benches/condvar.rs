//! A notification that no thread waits for.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::condvar::{Monitor, each_condvar};
use support::{Group, compare};

fn notify_without_waiters(criterion: &mut Criterion) {
    fn contender<M: Monitor<u64>>(group: &mut Group<'_>) {
        let monitor = M::new(0);
        group.bench_function(M::NAME, |b| b.iter(|| monitor.notify_one(0)));
    }
    compare(criterion, "condvar/notify without waiters", each_condvar!(M => contender::<M>));
}

criterion_group!(benches, notify_without_waiters);
criterion_main!(benches);
