//! Setting a flag, seeing it and taking it back on one thread.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::event::{Signal, each_auto_event, each_event};
use support::{Group, compare};

fn contender<S: Signal>(group: &mut Group<'_>) {
    let event = S::new();
    group.bench_function(S::NAME, |b| {
        b.iter(|| {
            event.set();
            event.wait();
            event.clear();
        });
    });
}

fn manual_reset(criterion: &mut Criterion) {
    compare(criterion, "event/set, wait, clear", each_event!(S => contender::<S>));
}

fn auto_reset(criterion: &mut Criterion) {
    compare(criterion, "event/auto-reset set, wait", each_auto_event!(S => contender::<S>));
}

criterion_group!(benches, manual_reset, auto_reset);
criterion_main!(benches);
