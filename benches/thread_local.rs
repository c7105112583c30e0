//! A look at the calling thread's value.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use std::hint::black_box;
use support::thread_local::{PerThread, each_thread_local};
use support::{Group, compare};

fn get(criterion: &mut Criterion) {
    fn contender<V: PerThread>(group: &mut Group<'_>) {
        let values = V::new();
        group.bench_function(V::NAME, |b| b.iter(|| black_box(&values).with(|value| value.get())));
    }
    compare(criterion, "thread_local/get", each_thread_local!(V => contender::<V>; Std));
}

criterion_group!(benches, get);
criterion_main!(benches);
