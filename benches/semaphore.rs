//! A permit that is there.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::semaphore::{Permits, each_semaphore};
use support::{Group, compare};

fn uncontended(criterion: &mut Criterion) {
    fn contender<S: Permits>(group: &mut Group<'_>) {
        let semaphore = S::new(1);
        group.bench_function(S::NAME, |b| b.iter(|| semaphore.with(|| ())));
    }
    compare(criterion, "semaphore/uncontended", each_semaphore!(S => contender::<S>; Tokio));
}

criterion_group!(benches, uncontended);
criterion_main!(benches);
