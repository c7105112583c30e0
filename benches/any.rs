//! A signal and an item that are there, taken by a set of one and by a plain wait.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::any::each_any;
use support::buffer::{Queue, in_and_out};
use support::event::Signal;
use support::{Group, compare};

fn signal(criterion: &mut Criterion) {
    fn contender<S: Signal>(group: &mut Group<'_>) {
        let signal = S::new();
        group.bench_function(S::NAME, |b| {
            b.iter(|| {
                signal.set();
                signal.wait();
            });
        });
    }
    compare(criterion, "any/set, wait", each_any!(signal S => contender::<S>));
}

fn item(criterion: &mut Criterion) {
    fn contender<Q: Queue>(group: &mut Group<'_>) {
        in_and_out::<Q>(group, 64);
    }
    compare(criterion, "any/put, get", each_any!(one Q => contender::<Q>));
    compare(criterion, "any/put, get from two", each_any!(two Q => contender::<Q>));
}

criterion_group!(benches, signal, item);
criterion_main!(benches);
