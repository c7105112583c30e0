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

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

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
    /// Those that want it, too.
    queue: Vec<Number>,
    /// When the running thread came, or was last accounted for.
    since: Time,
    slice_end: Time,
    /// The least share of late: what a thread that comes begins with.
    floor: u64,
    /// When all its stores have arrived.
    drained: Time,
    /// Of its one valid event.
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
    /// That thread. None while there is none yet, and between two.
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

/// The world that the caller is a thread of. `None` outside of a run, where operations cost nothing.
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

/// What time it is on the caller's core. 0 outside of a run.
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

/// A number below `bound` that looks random, of a sequence that the seed begins. 0 outside of a run.
pub(super) fn random(bound: u64) -> u64 {
    with(|world| world.random.below(bound)).unwrap_or(0)
}

/// What the calling thread has done so far.
pub(super) fn counts() -> Counts {
    sync();
    with(|world| {
        world.account(world.current);
        world.me().counts
    })
    .unwrap_or_default()
}

/// What all threads of the run have done so far, but for the hogs.
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

/// The calling thread's handle.
pub(super) fn own_handle() -> Option<super::thread::Thread> {
    with(|world| world.executing.map(|number| world.threads[number].handle.share())).flatten()
}

/// A new thread, on one of the cores with the fewest.
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

impl World {
    fn new(machine: &Machine, seed: u64) -> Self {
        let core = || Core {
            clock: 0,
            running: None,
            queue: Vec::new(),
            since: 0,
            slice_end: 0,
            floor: 0,
            drained: 0,
            stamp: 0,
        };
        let mut world = Self {
            machine: machine.clone(),
            random: Random(seed),
            lines: Directory::new(machine),
            cores: (0..machine.cores).map(|_| core()).collect(),
            threads: Vec::new(),
            events: BinaryHeap::new(),
            sequence: 0,
            current: 0,
            executing: None,
            left: 0,
            is_stopped: false,
            waiting: HashMap::new(),
            statics: Vec::new(),
        };
        world.push(machine.balance, Event::Balance);
        world
    }

    fn foreground_counts(&self) -> Vec<Counts> {
        self.threads.iter().filter(|thread| !thread.background).map(|thread| thread.counts).collect()
    }

    fn push(&mut self, time: Time, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((time, self.sequence, event)));
    }

    fn now(&self) -> Time {
        self.cores[self.current].clock
    }

    fn my_number(&self) -> Number {
        self.cores[self.current].running.expect("the core of the executing thread")
    }

    fn me(&mut self) -> &mut Thread {
        let number = self.my_number();
        &mut self.threads[number]
    }

    /// The values of the thread that executes.
    pub(super) fn locals(&mut self) -> Option<&mut Locals> {
        self.executing.map(|number| &mut self.threads[number].locals)
    }

    /// Returns whether this is the first use of a static in this run.
    pub(super) fn is_first_use(&mut self, key: usize) -> bool {
        let is_first = !self.statics.contains(&key);
        if is_first {
            self.statics.push(key);
        }
        is_first
    }

    /// When a core has something to do next: its thread's next operation, or the end of a time slice.
    fn due(&self, core: usize) -> Time {
        let core = &self.cores[core];
        if core.queue.is_empty() { core.clock } else { core.clock.min(core.slice_end.max(core.since)) }
    }

    fn suspend_if_early(&mut self) -> Option<*const Yielder<(), ()>> {
        self.executing?;
        let own = &self.cores[self.current];
        let is_next = self.events.peek().is_none_or(|&Reverse((time, ..))| own.clock <= time);
        let is_over = !own.queue.is_empty() && own.slice_end <= own.clock;
        if is_next && !is_over {
            return None;
        }
        let due = self.due(self.current);
        self.schedule(self.current, due);
        Some(self.me().yielder)
    }

    /// Makes this the core's one event.
    fn schedule(&mut self, core: usize, time: Time) {
        self.cores[core].stamp += 1;
        let stamp = self.cores[core].stamp;
        self.push(time, Event::Core { core, stamp });
    }

    /// Goes on to the next thread that executes. `None` if all have ended.
    fn next(&mut self) -> Option<(Number, Stackful)> {
        while self.left > 0 && !self.is_stopped {
            let Some(Reverse((now, _, event))) = self.events.pop() else { break };
            match event {
                Event::Core { core, stamp } if self.cores[core].stamp == stamp => {
                    let own = &self.cores[core];
                    if !own.queue.is_empty() && own.slice_end <= now {
                        self.preempt(core, now);
                        continue;
                    }
                    self.current = core;
                    let number = self.my_number();
                    let coroutine = self.threads[number].coroutine.take().expect("not executing");
                    self.executing = Some(number);
                    return Some((number, coroutine));
                }
                Event::Timer(wait) if self.threads[wait.thread].wait == wait.number => {
                    self.expire(wait, now);
                }
                Event::Balance => self.balance(now),
                _ => (),
            }
        }
        None
    }

    fn access(&mut self, address: usize, access: Access) {
        if self.executing.is_none() {
            return;
        }
        let Self { machine, random, lines, cores, current, .. } = self;
        let core = &mut cores[*current];
        let now = if access == Access::Exchange { core.clock.max(core.drained) } else { core.clock };
        let own = if access == Access::Exchange { machine.exchange } else { machine.hit };
        let travel = lines.fetch(machine, *current, address, access, now, |time| random.about(time));
        core.clock = match travel {
            None => now + own,
            Some((_, end)) if access == Access::Store => {
                core.drained = core.drained.max(end);
                now + own
            }
            Some((_, end)) => end + own,
        };
        self.me().counts.transfers += u64::from(travel.is_some());
    }

    fn spawn(&mut self, coroutine: Stackful, handle: super::thread::Thread, background: bool) {
        let number = self.threads.len();
        let load = |core: &Core| core.queue.len() + usize::from(core.running.is_some());
        let least = self.cores.iter().map(load).min().unwrap_or(0);
        let free: Vec<usize> =
            (0..self.cores.len()).filter(|&core| load(&self.cores[core]) == least).collect();
        let core = free[self.random.below(free.len() as u64) as usize];
        let now = if self.executing.is_some() { self.now() } else { 0 };
        self.threads.push(Thread {
            coroutine: Some(coroutine),
            yielder: std::ptr::null(),
            state: State::Ready,
            core,
            share: self.cores[core].floor,
            weight: Machine::WEIGHT,
            // Not all at the same time.
            debt: self.random.below(2 * Machine::US),
            queued_at: now,
            wait: 0,
            timed_out: false,
            background,
            counts: Counts::default(),
            locals: Locals::default(),
            handle,
        });
        self.left += usize::from(!background);
        self.enqueue(number, core, now);
    }

    /// Ends the thread that has just executed.
    fn end(&mut self) {
        self.account(self.current);
        self.me().state = State::Ended;
        self.left -= usize::from(!self.me().background);
        self.run_another(self.current, self.now());
    }

    /// Charges the running thread of a core for its time up to the core's clock.
    fn account(&mut self, core: usize) {
        let clock = self.cores[core].clock;
        self.account_until(core, clock);
    }

    fn account_until(&mut self, core: usize, now: Time) {
        let core = &mut self.cores[core];
        let Some(number) = core.running else { return };
        let thread = &mut self.threads[number];
        let ran = now.saturating_sub(core.since);
        core.since = core.since.max(now);
        thread.counts.cpu += ran;
        thread.share += ran * Machine::WEIGHT / thread.weight;
        let least = core.queue.iter().map(|&other| self.threads[other].share).min();
        let least = least.map_or(self.threads[number].share, |least| least.min(self.threads[number].share));
        core.floor = core.floor.max(least);
    }

    /// Takes the core from its thread, in the midst of an operation if need be.
    fn preempt(&mut self, core: usize, now: Time) {
        self.account_until(core, now);
        let own = &mut self.cores[core];
        let number = own.running.expect("a thread to preempt");
        own.queue.push(number);
        let thread = &mut self.threads[number];
        thread.debt = own.clock.saturating_sub(now);
        thread.queued_at = now;
        thread.counts.preemptions += 1;
        self.run_another(core, now);
    }

    /// Gives the core to the first of its queue; to one from elsewhere if there is none; else it idles.
    fn run_another(&mut self, core: usize, now: Time) {
        let last = self.cores[core].running.take();
        if self.cores[core].queue.is_empty() {
            self.pull(core, now);
        }
        let queue = &self.cores[core].queue;
        let first = (0..queue.len()).min_by_key(|&at| self.threads[queue[at]].share);
        let Some(first) = first else {
            self.cores[core].stamp += 1;
            self.cores[core].clock = now;
            return;
        };
        let number = self.cores[core].queue.remove(first);
        let switch = if last == Some(number) { 0 } else { self.machine.switch };
        self.begin(core, number, now, switch);
    }

    /// Has the thread go on, on this core, in so long.
    fn begin(&mut self, core: usize, number: Number, now: Time, delay: Time) {
        let thread = &mut self.threads[number];
        thread.core = core;
        let own = &mut self.cores[core];
        own.running = Some(number);
        own.since = now;
        own.clock = now + delay + std::mem::take(&mut thread.debt);
        own.slice_end = now + self.machine.slice;
        own.floor = own.floor.max(thread.share);
        let due = self.due(core);
        self.schedule(core, due);
    }

    /// Puts a thread that can go on into a core's queue, or on the core.
    fn enqueue(&mut self, number: Number, core: usize, now: Time) {
        if self.cores[core].running.is_none() {
            let delay = self.machine.wake_up;
            self.begin(core, number, now, delay);
            // What the core needs to wake up is no thread's time.
            self.cores[core].since = now + delay;
            return;
        }
        self.account_until(core, now);
        self.threads[number].core = core;
        self.threads[number].queued_at = now;
        let slice = self.machine.slice;
        let own = &mut self.cores[core];
        own.queue.push(number);
        if own.slice_end <= now && own.queue.len() == 1 {
            // Slices that it had to itself.
            own.slice_end = now + slice - (now - own.slice_end) % slice;
        }
        let running = own.running.expect("a core that runs");
        let ahead = self.threads[running].share;
        if ahead > self.threads[number].share + self.machine.preempt_after {
            self.cores[core].slice_end = now;
        }
        if self.executing != Some(running) {
            let due = self.due(core).max(now);
            self.schedule(core, due);
        }
    }

    fn block(&mut self, address: usize, timeout: Option<Time>) -> *const Yielder<(), ()> {
        let (now, number) = (self.now(), self.my_number());
        self.account(self.current);
        let thread = &mut self.threads[number];
        thread.state = State::Blocked(address);
        thread.wait += 1;
        thread.timed_out = false;
        thread.counts.parks += 1;
        let (wait, yielder) = (Wait { thread: number, number: thread.wait }, thread.yielder);
        self.waiting.entry(address).or_default().push_back(wait);
        if let Some(timeout) = timeout {
            let at = now.saturating_add(timeout).saturating_add(self.machine.timer_slack);
            self.push(at, Event::Timer(wait));
        }
        self.run_another(self.current, now);
        yielder
    }

    fn take_waits(&mut self, address: usize, most: usize) -> Vec<Wait> {
        let Some(queue) = self.waiting.get_mut(&address) else { return Vec::new() };
        let waits = queue.drain(..most.min(queue.len())).collect();
        if queue.is_empty() {
            self.waiting.remove(&address);
        }
        waits
    }

    /// Wakes it, unless its time has been up in the meantime.
    fn wake_one(&mut self, wait: Wait) {
        if self.threads[wait.thread].wait == wait.number {
            self.me().counts.wakes += 1;
            self.ready(wait.thread, self.now());
        }
    }

    /// A blocked thread's time is up.
    fn expire(&mut self, wait: Wait, now: Time) {
        let State::Blocked(address) = self.threads[wait.thread].state else { return };
        if let Some(queue) = self.waiting.get_mut(&address) {
            queue.retain(|&other| other != wait);
        }
        self.threads[wait.thread].timed_out = true;
        self.ready(wait.thread, now);
    }

    /// A thread's wait is over: finds a core for it. That is its last one if it idles, or else the nearest
    /// that does, or else its last one still.
    fn ready(&mut self, number: Number, now: Time) {
        let thread = &mut self.threads[number];
        thread.state = State::Ready;
        thread.wait += 1;
        let last = thread.core;
        let count = self.cores.len();
        let idle = |core: &usize| self.cores[*core].running.is_none();
        let distance = |core: usize| {
            let apart = |size: usize| usize::from(core / size != last / size);
            (apart(self.machine.cluster) + apart(self.machine.socket), (core + count - last) % count)
        };
        let core = if idle(&last) {
            last
        } else {
            (0..count).filter(idle).min_by_key(|&core| distance(core)).unwrap_or(last)
        };
        // A thread that slept comes a little before those that did not, however long it slept.
        let credit = self.machine.slice / 2;
        let share = if core == last { self.threads[number].share } else { 0 };
        self.threads[number].share = share.max(self.cores[core].floor.saturating_sub(credit));
        self.enqueue(number, core, now);
    }

    fn yield_now(&mut self) {
        let core = self.current;
        self.account(core);
        self.me().counts.yields += 1;
        let last = self.cores[core].queue.iter().map(|&other| self.threads[other].share).max();
        if let Some(last) = last {
            self.me().share = self.me().share.max(last);
            self.cores[core].slice_end = self.now();
        }
    }

    /// Takes a thread that has waited for long from the core with the longest queue. One that has just run
    /// there has its data there.
    fn pull(&mut self, core: usize, now: Time) -> bool {
        let hot = self.machine.hot;
        let waits_long = |&number: &Number| self.threads[number].queued_at + hot <= now;
        let from = (0..self.cores.len())
            .filter(|&other| other != core && self.cores[other].queue.iter().any(waits_long))
            .max_by_key(|&other| (self.cores[other].queue.len(), Reverse(other)));
        let Some(from) = from else { return false };
        let queue = &self.cores[from].queue;
        let at = (0..queue.len()).find(|&at| waits_long(&queue[at])).expect("one that waits long");
        let number = self.cores[from].queue.remove(at);
        let behind = self.threads[number].share.saturating_sub(self.cores[from].floor);
        let thread = &mut self.threads[number];
        thread.share = self.cores[core].floor + behind;
        thread.core = core;
        thread.counts.migrations += 1;
        self.cores[core].queue.push(number);
        true
    }

    /// Now and then: idle cores take threads, and queues become about equally long.
    fn balance(&mut self, now: Time) {
        if self.events.is_empty() {
            return;
        }
        assert!(now < self.machine.limit, "still running after {} s", now / (1000 * Machine::MS));
        let next = now + self.machine.balance;
        self.push(next, Event::Balance);
        for core in 0..self.cores.len() {
            let longest = self.cores.iter().map(|core| core.queue.len()).max().unwrap_or(0);
            let own = &self.cores[core];
            if own.running.is_none() && longest > 0 {
                self.run_another(core, now);
            } else if own.running.is_some() && longest >= own.queue.len() + 2 && self.pull(core, now) {
                let due = self.due(core).max(now);
                self.schedule(core, due);
            }
        }
    }
}

/// Numbers that look random, from a seed.
pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// `time`, an eighth more or less.
    fn about(&mut self, time: Time) -> Time {
        time - time / 8 + self.below(time / 4 + 1)
    }
}
