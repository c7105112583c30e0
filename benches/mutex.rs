//! The uncontended lock. Contention is `versus`'s: a mean says little about it.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::{Lock, Ours, ParkingLot, Std, Usync};

fn uncontended(c: &mut Criterion) {
    fn contender<L: Lock>(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
        let lock = L::new();
        group.bench_function(L::NAME, |b| b.iter(|| lock.with(|value| *value += 1)));
    }
    let mut group = c.benchmark_group("mutex uncontended");
    contender::<Ours>(&mut group);
    contender::<Std>(&mut group);
    contender::<ParkingLot>(&mut group);
    contender::<Usync>(&mut group);
    group.finish();
}

criterion_group!(benches, uncontended);
criterion_main!(benches);
