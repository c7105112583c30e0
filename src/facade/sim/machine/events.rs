//! What happens next: the core whose clock is behind goes on, and each operation costs what the machine says.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use corosensei::Yielder;

use super::super::lines::{Access, Directory};
use super::super::locals::Locals;
use super::super::{Counts, Machine, Time};
use super::random::Random;
use super::{Core, Event, Number, Stackful, Thread, World};

impl World {
    pub(super) fn new(machine: &Machine, seed: u64) -> Self {
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

    pub(super) fn foreground_counts(&self) -> Vec<Counts> {
        self.threads.iter().filter(|thread| !thread.background).map(|thread| thread.counts).collect()
    }

    pub(super) fn push(&mut self, time: Time, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((time, self.sequence, event)));
    }

    pub(super) fn now(&self) -> Time {
        self.cores[self.current].clock
    }

    pub(super) fn my_number(&self) -> Number {
        self.cores[self.current].running.expect("the core of the executing thread")
    }

    pub(super) fn me(&mut self) -> &mut Thread {
        let number = self.my_number();
        &mut self.threads[number]
    }

    /// Returns the values of the thread that executes.
    pub(in crate::facade::sim) fn locals(&mut self) -> Option<&mut Locals> {
        self.executing.map(|number| &mut self.threads[number].locals)
    }

    /// Returns whether this is the first use of a static in this run.
    pub(in crate::facade::sim) fn is_first_use(&mut self, key: usize) -> bool {
        let is_first = !self.statics.contains(&key);
        if is_first {
            self.statics.push(key);
        }
        is_first
    }

    /// Returns when a core has something to do next: its thread's next operation, or the end of a time slice.
    pub(super) fn due(&self, core: usize) -> Time {
        let core = &self.cores[core];
        if core.queue.is_empty() { core.clock } else { core.clock.min(core.slice_end.max(core.since)) }
    }

    pub(super) fn suspend_if_early(&mut self) -> Option<*const Yielder<(), ()>> {
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
    pub(super) fn schedule(&mut self, core: usize, time: Time) {
        self.cores[core].stamp += 1;
        let stamp = self.cores[core].stamp;
        self.push(time, Event::Core { core, stamp });
    }

    /// Goes on to the next thread that executes. `None` if all have ended.
    pub(super) fn next(&mut self) -> Option<(Number, Stackful)> {
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

    pub(super) fn access(&mut self, address: usize, access: Access) {
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
}
