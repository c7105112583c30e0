//! A look at what was made once.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use std::hint::black_box;
use support::once::{Made, each_lazy_lock, each_once, each_once_lock};
use support::{Group, compare};

fn look<M: Made>(group: &mut Group<'_>) {
    let made = M::new();
    made.look();
    group.bench_function(M::NAME, |b| b.iter(|| black_box(&made).look()));
}

fn make<M: Made>(group: &mut Group<'_>) {
    group.bench_function(M::NAME, |b| b.iter(|| black_box(M::new()).look()));
}

fn once(criterion: &mut Criterion) {
    compare(criterion, "once/get", each_once_lock!(M => look::<M>));
    compare(criterion, "once/lazy", each_lazy_lock!(M => look::<M>));
    compare(criterion, "once/call_once", each_once!(M => look::<M>));
    compare(criterion, "once/make and get", each_once_lock!(M => make::<M>));
}

criterion_group!(benches, once);
criterion_main!(benches);
