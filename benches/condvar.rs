//! A notification that nobody waits for.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::{OursCondvar, ParkingLotCondvar, Signal, StdCondvar};

fn notify_nobody(c: &mut Criterion) {
    fn contender<S: Signal>(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
        let signal = S::new();
        group.bench_function(S::NAME, |b| b.iter(|| signal.notify_nobody()));
    }
    let mut group = c.benchmark_group("condvar notify, nobody waiting");
    contender::<OursCondvar>(&mut group);
    contender::<StdCondvar>(&mut group);
    contender::<ParkingLotCondvar>(&mut group);
    group.finish();
}

criterion_group!(benches, notify_nobody);
criterion_main!(benches);
