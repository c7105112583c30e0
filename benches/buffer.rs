//! Items in and out on one thread.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{Criterion, criterion_group, criterion_main};

mod support;
use support::buffer::{Getter, Large, Putter, Queue, each_buffer, in_and_out};
use support::{Group, compare};

fn single(criterion: &mut Criterion) {
    fn contender<Q: Queue>(group: &mut Group<'_>) {
        in_and_out::<Q>(group, 64);
    }
    compare(criterion, "buffer/put, get", each_buffer!(Q of u64 => contender::<Q>; Std));
    compare(criterion, "buffer/put, get, 256 bytes", each_buffer!(Q of Large => contender::<Q>; Std));
}

fn batched(criterion: &mut Criterion) {
    fn contender<Q: Queue>(group: &mut Group<'_>) {
        let (mut ins, mut outs) = Q::new(64, 1, 1);
        let mut items = Vec::with_capacity(32);
        group.bench_function(Q::NAME, |b| {
            b.iter(|| {
                items.clear();
                ins[0].put_all(1..33);
                outs[0].get_many(&mut items, 32);
            });
        });
    }
    compare(criterion, "buffer/put, get 32", each_buffer!(Q of u64 => contender::<Q>; Std));
    compare(criterion, "buffer/put, get 32, 256 bytes", each_buffer!(Q of Large => contender::<Q>; Std));
}

criterion_group!(benches, single, batched);
criterion_main!(benches);
