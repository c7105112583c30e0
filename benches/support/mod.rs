//! One trait for each family of primitives, implemented once for each contender, and one list of the
//! contenders.
//!
//! A list is a macro, because a contender is a type: `each_mutex!(L => make::<L>())` is a `Vec` of what the
//! expression gives for each of them. Ours comes first.
#![allow(dead_code, unused_imports, unused_macros, reason = "each benchmark uses its family")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the peers are what this compares with"
)]

/// The expression for each of the types, under one name.
macro_rules! each {
    ($name:ident => $make:expr; $($contender:ty),+ $(,)?) => {
        vec![$({
            type $name = $contender;
            $make
        }),+]
    };
}
pub(crate) use each;

pub(crate) mod all;
pub(crate) mod any;
pub(crate) mod barrier;
pub(crate) mod buffer;
pub(crate) mod condvar;
pub(crate) mod event;
pub(crate) mod mutex;
pub(crate) mod once;
pub(crate) mod reentrant;
pub(crate) mod rwlock;
pub(crate) mod semaphore;
pub(crate) mod thread_local;
pub(crate) mod threads;
pub(crate) mod work;

/// What the reports call this crate's primitives, or how their names begin. All others are peers.
pub(crate) const OURS: &str = "lockwork";

/// It has no objects, so it is compared with, but no peer.
pub(crate) const STATIC: &str = "std thread_local!";

/// What criterion puts the contenders of one workload into.
pub(crate) type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

/// Runs the benchmarks of one workload.
pub(crate) fn compare(
    criterion: &mut criterion::Criterion,
    workload: &str,
    contenders: Vec<fn(&mut Group<'_>)>,
) {
    let mut group = criterion.benchmark_group(workload);
    for contender in contenders {
        contender(&mut group);
    }
    group.finish();
}
