//! What it costs to be watched: locks without contention, while nothing is watched, while it is known what
//! threads hold, while their order is watched, and while waits are measured. Without the feature `diagnose`:
//! what it costs not to be able to.
#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lockwork::{Mutex, RwLock};

/// What is watched, and what watches it until it is dropped.
#[cfg(feature = "diagnose")]
fn levels() -> Vec<(&'static str, Option<lockwork::diagnose::Settings>)> {
    use lockwork::diagnose::{Order, Settings};
    use std::num::NonZero;

    let quiet = || Settings { stall_after: None, sink: Box::new(|_| ()), ..Settings::default() };
    vec![
        ("stopped", None),
        ("holders", Some(quiet())),
        ("order", Some(Settings { order: Order::Report, ..quiet() })),
        ("profile", Some(Settings { profile: NonZero::new(100), ..quiet() })),
    ]
}

/// Runs the workloads at each level.
#[cfg(feature = "diagnose")]
fn at_each_level(criterion: &mut Criterion, run: impl Fn(&mut Criterion, &str)) {
    for (level, settings) in levels() {
        let session = settings.map(lockwork::diagnose::start);
        run(criterion, level);
        drop(session);
    }
}

#[cfg(not(feature = "diagnose"))]
fn at_each_level(criterion: &mut Criterion, run: impl Fn(&mut Criterion, &str)) {
    run(criterion, "without");
}

fn uncontended(criterion: &mut Criterion) {
    at_each_level(criterion, |criterion, level| {
        let (outer, mutex, lock) = (Mutex::new(0_u64), Mutex::new(0_u64), RwLock::new(0_u64));
        criterion.bench_function(&format!("diagnose/mutex/{level}"), |b| {
            b.iter(|| *black_box(&mutex).lock() += 1)
        });
        criterion.bench_function(&format!("diagnose/read/{level}"), |b| b.iter(|| *black_box(&lock).read()));
        criterion.bench_function(&format!("diagnose/write/{level}"), |b| {
            b.iter(|| *black_box(&lock).write() += 1)
        });
        criterion.bench_function(&format!("diagnose/two/{level}"), |b| {
            b.iter(|| {
                let outer = black_box(&outer).lock();
                *black_box(&mutex).lock() += *outer;
            });
        });
        criterion.bench_function(&format!("diagnose/two, read/{level}"), |b| {
            b.iter(|| {
                let _outer = black_box(&outer).lock();
                *black_box(&lock).read()
            });
        });
    });
}

criterion_group!(benches, uncontended);
criterion_main!(benches);
