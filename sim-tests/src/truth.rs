//! What textbooks say of locks comes out.

use lockwork::sim::Machine;

use crate::locks::{futex, meeting, shared, spin};
use crate::machines;
use crate::workloads::{Figures, Setting, exclusive, meetings, shared as readers};

const NS: u64 = Machine::NS;

fn on_mesh(cores: usize) -> Setting {
    Setting { time: 2 * Machine::MS, ..Setting::new(machines::mesh(cores)) }
}

fn rates<const N: usize>(cores: [usize; N], run: impl Fn(&Setting) -> Figures) -> [f64; N] {
    cores.map(|cores| run(&on_mesh(cores)).rate())
}

/// Mellor-Crummey and Scott, figures 4 and 5.
#[test]
fn queue_lock_is_flat_where_ticket_and_test_and_set_collapse() {
    let cores = [4, 16, 64];
    let mcs = rates(cores, |setting| exclusive::<spin::Mcs>(setting, 20 * NS));
    let ticket = rates(cores, |setting| exclusive::<spin::Ticket>(setting, 20 * NS));
    let test_and_set = rates(cores, |setting| exclusive::<spin::TestAndSet>(setting, 20 * NS));
    assert!(mcs[2] > 0.9 * mcs[0] && mcs[2] < 1.1 * mcs[0], "{mcs:?}");
    for other in [ticket, test_and_set] {
        assert!(other[2] < 0.5 * other[0], "{other:?}");
        assert!(other[2] < 0.5 * mcs[2], "{other:?} against {mcs:?}");
    }
}

/// What a hand-over costs: each waiter of a ticket lock looks at one line, and the one of an MCS lock at its
/// own.
#[test]
fn transfers_grow_with_waiters_at_a_ticket_lock_and_not_at_a_queue_lock() {
    let at = |cores| exclusive::<spin::Ticket>(&on_mesh(cores), 20 * NS).transfers();
    assert!((30.0..40.0).contains(&at(32)), "{}", at(32));
    let at = |cores| exclusive::<spin::Mcs>(&on_mesh(cores), 20 * NS).transfers();
    assert!((6.0..8.0).contains(&at(32)), "{}", at(32));
}

#[test]
fn queue_and_ticket_locks_serve_in_turn_and_test_and_set_does_not() {
    let on = on_mesh(16);
    assert_eq!(exclusive::<spin::Mcs>(&on, 20 * NS).longest_bypass, 15);
    assert_eq!(exclusive::<spin::Ticket>(&on, 20 * NS).longest_bypass, 15);
    assert!(exclusive::<spin::TestAndSet>(&on, 20 * NS).fairness() < 0.5);
}

/// Spinning for a thread that cannot run: a queue lock with more threads than cores loses a time slice for
/// each of those.
#[test]
fn queue_lock_falls_apart_where_threads_outnumber_cores_and_a_futex_does_not() {
    let crowd = Setting { threads: 16, time: 20 * Machine::MS, ..Setting::new(machines::mesh(8)) };
    let mcs = exclusive::<spin::Mcs>(&crowd, 500 * NS).rate();
    let futex = exclusive::<futex::Mutex>(&crowd, 500 * NS).rate();
    assert!(mcs < 0.2 * futex, "{mcs} against {futex}");
}

/// A counter of readers is itself what they fight for.
#[test]
fn central_counter_does_not_scale_with_readers_and_shards_do() {
    let cores = [1, 4, 8];
    let central = rates(cores, |setting| readers::<shared::Central>(setting, 0));
    assert!(central[2] < central[0], "{central:?}");
    let sharded = rates(cores, |setting| readers::<shared::Sharded>(setting, 0));
    assert!(sharded[2] > 7.5 * sharded[0], "{sharded:?}");
}

/// Mellor-Crummey and Scott, figure 8: the time of a counter grows with the threads, that of a tree with
/// their logarithm.
#[test]
fn tree_barrier_is_logarithmic_and_a_central_one_linear() {
    let generation =
        |figures: Figures| figures.time as f64 * figures.each.len() as f64 / figures.operations() as f64;
    // Without the work between two, which is 1 µs for the last of many.
    let time = |cores, run: fn(&Setting) -> Figures| generation(run(&on_mesh(cores))) - 1000.0 * NS as f64;
    let central = [32, 128].map(|cores| time(cores, meetings::<meeting::SenseReversing>));
    let tree = [32, 128].map(|cores| time(cores, meetings::<meeting::Tree>));
    assert!(central[1] > 2.5 * central[0], "{central:?}");
    assert!(tree[1] < 2.0 * tree[0] && tree[1] < 0.4 * central[1], "{tree:?} against {central:?}");
}
