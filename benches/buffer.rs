//! One item in and out on one thread.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::{Crossbeam, OursBuffer, Queue, StdChannel};

fn put_and_get(c: &mut Criterion) {
    fn contender<Q: Queue>(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
        let queue = Q::new(64);
        group.bench_function(Q::NAME, |b| {
            b.iter(|| {
                queue.put(1);
                queue.get()
            });
        });
    }
    let mut group = c.benchmark_group("buffer put and get, one thread");
    contender::<OursBuffer>(&mut group);
    contender::<StdChannel>(&mut group);
    contender::<Crossbeam>(&mut group);
    group.finish();
}

criterion_group!(benches, put_and_get);
criterion_main!(benches);
