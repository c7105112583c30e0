//! Which thread has which core: the scheduler, and waits by address.

use std::cmp::Reverse;

use corosensei::Yielder;

use super::super::locals::Locals;
use super::super::thread;
use super::super::{Counts, Machine, Time};
use super::{Core, Event, Number, Stackful, State, Thread, Wait, World};

impl World {
    pub(super) fn spawn(&mut self, coroutine: Stackful, handle: thread::Thread, background: bool) {
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
    pub(super) fn end(&mut self) {
        self.account(self.current);
        self.me().state = State::Ended;
        self.left -= usize::from(!self.me().background);
        self.run_another(self.current, self.now());
    }

    /// Charges the running thread of a core for its time up to the core's clock.
    pub(super) fn account(&mut self, core: usize) {
        let clock = self.cores[core].clock;
        self.account_until(core, clock);
    }

    pub(super) fn account_until(&mut self, core: usize, now: Time) {
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
    pub(super) fn preempt(&mut self, core: usize, now: Time) {
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
    pub(super) fn run_another(&mut self, core: usize, now: Time) {
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
    pub(super) fn begin(&mut self, core: usize, number: Number, now: Time, delay: Time) {
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
    pub(super) fn enqueue(&mut self, number: Number, core: usize, now: Time) {
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

    pub(super) fn block(&mut self, address: usize, timeout: Option<Time>) -> *const Yielder<(), ()> {
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

    pub(super) fn take_waits(&mut self, address: usize, most: usize) -> Vec<Wait> {
        let Some(queue) = self.waiting.get_mut(&address) else { return Vec::new() };
        let waits = queue.drain(..most.min(queue.len())).collect();
        if queue.is_empty() {
            self.waiting.remove(&address);
        }
        waits
    }

    /// Wakes it, unless its time has been up in the meantime.
    pub(super) fn wake_one(&mut self, wait: Wait) {
        if self.threads[wait.thread].wait == wait.number {
            self.me().counts.wakes += 1;
            self.ready(wait.thread, self.now());
        }
    }

    /// Ends the wait of a blocked thread whose time is up.
    pub(super) fn expire(&mut self, wait: Wait, now: Time) {
        let State::Blocked(address) = self.threads[wait.thread].state else { return };
        if let Some(queue) = self.waiting.get_mut(&address) {
            queue.retain(|&other| other != wait);
        }
        self.threads[wait.thread].timed_out = true;
        self.ready(wait.thread, now);
    }

    /// Finds a core for a thread whose wait is over: its last one if it idles, or else the nearest that does,
    /// or else its last one still.
    pub(super) fn ready(&mut self, number: Number, now: Time) {
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

    pub(super) fn yield_now(&mut self) {
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
    pub(super) fn pull(&mut self, core: usize, now: Time) -> bool {
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

    /// Gives threads to idle cores and makes queues about equally long, now and then.
    pub(super) fn balance(&mut self, now: Time) {
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
