//! Messages in and out on one thread.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::buffer::{Queue, UNBOUNDED, each_channel, in_and_out};
use support::{Group, compare};

fn single(criterion: &mut Criterion) {
    fn bounded<Q: Queue>(group: &mut Group<'_>) {
        in_and_out::<Q>(group, 64);
    }
    fn unbounded<Q: Queue>(group: &mut Group<'_>) {
        in_and_out::<Q>(group, UNBOUNDED);
    }
    compare(criterion, "channel/send, recv", each_channel!(Q of u64 => bounded::<Q>; Std));
    compare(
        criterion,
        "channel/send, recv, unbounded",
        each_channel!(Q of u64 => unbounded::<Q>; StdUnbounded),
    );
}

criterion_group!(benches, single);
criterion_main!(benches);
