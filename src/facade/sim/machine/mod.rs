//! The machine of one run: its cores, its threads, and what happens next.
//!
//! Threads are coroutines on the one thread that called [`run`](super::run). Each core has a clock, and the
//! core whose clock is behind all others goes on: it runs its thread until that has to wait for another
//! core's turn. An operation of a thread takes effect at the core's time when it begins; what it costs is
//! added to the clock, and only the next operation waits for the others to catch up ([`sync`]). So a run of
//! pauses is one event, and a thread can be preempted anywhere in what an operation costs: the rest of it is
//! its debt.
//!
//! The scheduler of a core is that of a fair-share kernel. A thread's *share* is the time it has run,
//! weighted by its priority; the least share runs next, for a time slice if others want the core. A thread
//! that wakes up comes with a share not far behind the core's, so it preempts one that is always busy. One
//! that yields goes behind all.
//!
//! | file | what it has |
//! |---|---|
//! | `mod` | what a thread can do, and a run |
//! | `events` | what happens next, and what an operation costs |
//! | `scheduler` | which thread has which core, and waits by address |
//! | `random` | chance |

mod events;
mod random;
mod scheduler;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use self::random::Random;
use super::lines::{Access, Directory};
use super::locals::Locals;
use super::{Counts, Machine, Time};

type Stackful = Coroutine<(), (), (), DefaultStack>;

/// A thread's number in its run.
pub(super) type Number = usize;

struct Core {
    /// Up to when what its thread does is accounted for.
    clock: Time,
    running: Option<Number>,
    /// The other threads that are ready to run on it.
    queue: Vec<Number>,
    /// When the running thread came, or was last accounted for.
    since: Time,
    slice_end: Time,
    /// The least share of late: what a thread that comes begins with.
    floor: u64,
    /// When all its stores have arrived.
    drained: Time,
    /// The number of its one valid event.
    stamp: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// On a core, or in a core's queue.
    Ready,
    /// Waiting at the address.
    Blocked(usize),
    Ended,
}

struct Thread {
    coroutine: Option<Stackful>,
    yielder: *const Yielder<(), ()>,
    state: State,
    core: usize,
    share: u64,
    weight: u64,
    /// What is left to pay of the operation it was preempted in.
    debt: Time,
    queued_at: Time,
    /// Of its current wait, so that its timer does not end a later one.
    wait: u64,
    timed_out: bool,
    /// Whether the run ends without it.
    background: bool,
    counts: Counts,
    locals: Locals,
    handle: super::thread::Thread,
}

/// One wait of a thread.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wait {
    thread: Number,
    number: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Core { core: usize, stamp: u64 },
    Timer(Wait),
    Balance,
}

pub(super) struct World {
    pub(super) machine: Machine,
    random: Random,
    lines: Directory,
    cores: Vec<Core>,
    threads: Vec<Thread>,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    sequence: u64,
    /// The core whose thread executes.
    current: usize,
    /// The thread that executes. None while there is none yet, and between two.
    executing: Option<Number>,
    /// How many threads are left that the run waits for.
    left: usize,
    is_stopped: bool,
    waiting: HashMap<usize, VecDeque<Wait>>,
    statics: Vec<usize>,
}

std::thread_local! {
    static WORLD: RefCell<Option<Box<World>>> = const { RefCell::new(None) };
    /// Stacks for reuse: the same ones in each run.
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` on the world that the caller is a thread of. `None` outside of a run, where operations cost
/// nothing.
pub(super) fn with<R>(f: impl FnOnce(&mut World) -> R) -> Option<R> {
    WORLD.with(|world| world.borrow_mut().as_deref_mut().map(f))
}

/// Waits until no other core is behind the caller's, and until the caller has its core.
#[inline]
pub(super) fn sync() {
    // A panic is counted by the operating system's thread: another coroutine would take it for its own.
    if std::thread::panicking() {
        return;
    }
    let suspended = with(World::suspend_if_early).flatten();
    if let Some(yielder) = suspended {
        suspend(yielder);
    }
}

/// Lets other coroutines run until the caller's is the next.
fn suspend(yielder: *const Yielder<(), ()>) {
    // SAFETY: the caller's own coroutine, which does not end while it is in here.
    unsafe { &*yielder }.suspend(());
}

/// Has the calling thread pay for an access to the line of `address`.
#[inline]
pub(super) fn access(address: usize, access: Access) {
    with(|world| world.access(address, access));
}

/// Lets the calling thread use its core.
#[inline]
pub(super) fn charge(cost: Time) {
    with(|world| world.cores[world.current].clock += cost);
}

/// Lets the calling thread pause for a moment.
#[inline]
pub(super) fn pause() {
    with(|world| world.cores[world.current].clock += world.machine.pause);
}

/// Lets the calling thread wait until its stores have arrived.
pub(super) fn drain() {
    with(|world| {
        let core = &mut world.cores[world.current];
        core.clock = core.clock.max(core.drained);
    });
}

/// Returns what time it is on the caller's core. 0 outside of a run.
pub(super) fn now() -> Time {
    sync();
    with(|world| world.now()).unwrap_or(0)
}

/// Enters the kernel, and returns whether there is one: not outside of a run.
pub(super) fn system_call() -> bool {
    let inside = with(|world| {
        let cost = world.machine.system_call;
        world.cores[world.current].clock += cost;
    });
    sync();
    inside.is_some()
}

/// Blocks the calling thread until it is woken at `address`, or for so long. Returns false if the time is up.
pub(super) fn block(address: usize, timeout: Option<Time>) -> bool {
    let yielder = with(|world| world.block(address, timeout)).expect("blocks outside of a run, indefinitely");
    suspend(yielder);
    with(|world| !world.me().timed_out).unwrap_or(true)
}

/// Wakes up to so many of those that wait at `address`, first come first served. Returns how many they were.
/// Those that come meanwhile wait for the next.
pub(super) fn wake(address: usize, most: usize) -> usize {
    let waits = with(|world| world.take_waits(address, most)).unwrap_or_default();
    for &wait in &waits {
        with(|world| world.cores[world.current].clock += world.machine.wake);
        sync();
        with(|world| world.wake_one(wait));
    }
    waits.len()
}

/// Puts the calling thread at the end of its core's queue.
pub(crate) fn yield_now() {
    if system_call() {
        with(World::yield_now);
        sync();
    }
}

/// Changes the calling thread's weight, 1024 being the usual one.
pub(super) fn set_weight(weight: u64) {
    sync();
    with(|world| {
        world.account(world.current);
        world.me().weight = weight;
    });
}

/// Returns a number below `bound` that looks random, of a sequence that the seed begins. 0 outside of a run.
pub(super) fn random(bound: u64) -> u64 {
    with(|world| world.random.below(bound)).unwrap_or(0)
}

/// Returns what the calling thread has done so far.
pub(super) fn counts() -> Counts {
    sync();
    with(|world| {
        world.account(world.current);
        world.me().counts
    })
    .unwrap_or_default()
}

/// Returns what all threads of the run have done so far, but for the hogs.
pub(super) fn all_counts() -> Vec<Counts> {
    sync();
    with(|world| {
        let now = world.now();
        (0..world.cores.len()).for_each(|core| world.account_until(core, now));
        world.foreground_counts()
    })
    .unwrap_or_default()
}

/// Ends the run when the caller comes to its next operation, or to its end. The others stay where they are.
pub(super) fn stop() {
    sync();
    with(|world| world.is_stopped = true);
}

/// Returns the calling thread's handle.
pub(super) fn own_handle() -> Option<super::thread::Thread> {
    with(|world| world.executing.map(|number| world.threads[number].handle.share())).flatten()
}

/// Starts a thread, on one of the cores with the fewest.
pub(super) fn spawn(body: Box<dyn FnOnce()>, handle: super::thread::Thread, background: bool) {
    let stack = STACKS.with(|stacks| stacks.borrow_mut().pop());
    let stack = stack.unwrap_or_else(|| DefaultStack::new(Machine::STACK).expect("memory for a stack"));
    let coroutine = Coroutine::with_stack(stack, move |yielder, ()| {
        with(|world| world.me().yielder = yielder);
        body();
        while let Some(value) = with(|world| world.me().locals.take_last()).flatten() {
            drop(value);
        }
        super::thread::ended(&own_handle().expect("this thread's"));
        sync();
    });
    with(|world| world.spawn(coroutine, handle, background)).expect("a run");
}

/// Runs `machine` with what `start` spawns until all of it has ended, and returns how long that took, and
/// what the threads did in the order in which they were spawned.
pub(super) fn run(machine: &Machine, seed: u64, start: impl FnOnce()) -> (Time, Vec<Counts>) {
    /// Ends a run, also if a thread panicked, whose fellows then stay where they are.
    struct AtEnd;
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let world = WORLD.with(|world| world.borrow_mut().take());
            let threads = world.map(|world| world.threads).unwrap_or_default();
            for mut coroutine in threads.into_iter().rev().filter_map(|thread| thread.coroutine) {
                if !coroutine.done() {
                    // SAFETY: it is never resumed. What is on its stack is leaked: hogs have nothing there,
                    // and of others the run has failed.
                    unsafe { coroutine.force_reset() };
                }
                STACKS.with(|stacks| stacks.borrow_mut().push(coroutine.into_stack()));
            }
        }
    }
    assert!(with(|_| ()).is_none(), "a run within a run");
    WORLD.with(|world| *world.borrow_mut() = Some(Box::new(World::new(machine, seed))));
    let _at_end = AtEnd;
    start();
    loop {
        let (number, mut coroutine) = match with(World::next) {
            Some(Some(next)) => next,
            _ => break,
        };
        let result = coroutine.resume(());
        with(|world| {
            world.threads[number].coroutine = Some(coroutine);
            world.executing = None;
            if let CoroutineResult::Return(()) = result {
                world.end();
            }
        });
    }
    with(|world| {
        let blocked = |thread: &Thread| matches!(thread.state, State::Blocked(_));
        let blocked: Vec<Number> =
            (0..world.threads.len()).filter(|&number| blocked(&world.threads[number])).collect();
        assert!(world.left == 0 || world.is_stopped, "deadlock: threads {blocked:?} are blocked");
        let end = world.cores[world.current].clock;
        (end, world.foreground_counts())
    })
    .expect("the world of this run")
}
