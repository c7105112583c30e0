//! A barrier of one, which lets it through. Meetings are `versus`'s: they need their threads.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::barrier::{Party, each_barrier};
use support::{Group, compare};

fn alone(criterion: &mut Criterion) {
    fn contender<P: Party>(group: &mut Group<'_>) {
        let mut party = P::all(1).remove(0);
        group.bench_function(P::NAME, |b| b.iter(|| party.wait()));
    }
    compare(criterion, "barrier/one party", each_barrier!(P => contender::<P>));
}

criterion_group!(benches, alone);
criterion_main!(benches);
