//! Setting and taking a signal on one thread.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::{OursCondvar, OursEvent, ParkingLotCondvar, Signal, StdCondvar};

fn set_and_wait(c: &mut Criterion) {
    fn contender<S: Signal>(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
        let signal = S::new();
        group.bench_function(S::NAME, |b| {
            b.iter(|| {
                signal.set(1);
                signal.wait_for(1);
            });
        });
    }
    let mut group = c.benchmark_group("event set and wait, one thread");
    contender::<OursEvent>(&mut group);
    contender::<OursCondvar>(&mut group);
    contender::<StdCondvar>(&mut group);
    contender::<ParkingLotCondvar>(&mut group);
    group.finish();
}

criterion_group!(benches, set_and_wait);
criterion_main!(benches);
