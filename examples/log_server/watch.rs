//! Watches the connections that have nothing to do just now: until a client says something, or can be sent
//! more, or its time is up, or its record is on the disk. One thread sleeps for all of them, so an idle one
//! costs nothing.

use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

use lockwork::{Event, Mutex};
use mio::{Events, Poll, Registry, Token, Waker};

use crate::connection::{Connection, Waits};

/// What wakes the thread up, when it is no connection.
const WAKE: Token = Token(usize::MAX);

/// The connections without work, each in a slot. The system watches the sockets of those that are here, and
/// of no others.
#[derive(Debug)]
pub(crate) struct Watch {
    poll: Mutex<Poll>,
    registry: Registry,
    waker: Waker,
    slots: Mutex<Slots>,
    /// Set when there will be no more connections.
    over: Event,
}

#[derive(Debug, Default)]
struct Slots {
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// Of those that wait, the earliest first.
    deadlines: BTreeSet<(Instant, usize)>,
    /// Those that wait and have something to do, although their socket does not say so.
    ready: Vec<usize>,
    /// Until when the thread sleeps, if it does.
    asleep_until: Option<Option<Instant>>,
    stopping: bool,
    /// Whether the log takes no more.
    log_failed: bool,
}

#[derive(Debug, Default)]
struct Slot {
    waiting: Option<Connection>,
    deadline: Option<Instant>,
    /// Its record is on the disk.
    committed: bool,
}

impl Slots {
    fn take(&mut self, token: usize, registry: &Registry) -> Option<Connection> {
        let slot = self.slots.get_mut(token)?;
        let mut connection = slot.waiting.take()?;
        connection.deregister(registry);
        if let Some(deadline) = slot.deadline.take() {
            self.deadlines.remove(&(deadline, token));
        }
        Some(connection)
    }

    fn release(&mut self, token: usize) {
        self.slots[token] = Slot::default();
        self.free.push(token);
    }
}

impl Watch {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, WAKE)?;
        let (poll, slots) = (Mutex::named("poll", poll), Mutex::named("slots", Slots::default()));
        Ok(Self { poll, registry, waker, slots, over: Event::new() })
    }

    /// A slot for a new connection.
    pub(crate) fn slot(&self) -> usize {
        let mut slots = self.slots.lock();
        slots.free.pop().unwrap_or_else(|| {
            slots.slots.push(Slot::default());
            slots.slots.len() - 1
        })
    }

    /// Frees the slot of a connection that is gone.
    pub(crate) fn forget(&self, token: usize) {
        self.slots.lock().release(token);
    }

    /// Keeps a connection until it has something to do, or `deadline` passes. Gives it back if that is the
    /// case already, or if the stop has come and the caller did not know.
    pub(crate) fn rest(
        &self,
        mut connection: Connection,
        deadline: Option<Instant>,
        stopping: bool,
    ) -> io::Result<Option<Connection>> {
        let token = connection.token;
        let mut slots = self.slots.lock();
        let stops = slots.stopping && !stopping;
        let failed = slots.log_failed;
        let slot = &mut slots.slots[token];
        let committed = connection.is_committing() && (slot.committed || failed);
        if stops || committed {
            return Ok(Some(connection));
        }
        connection.register(&self.registry)?;
        slot.waiting = Some(connection);
        slot.deadline = deadline;
        if let Some(deadline) = deadline {
            slots.deadlines.insert((deadline, token));
            let early = slots.asleep_until.is_some_and(|until| until.is_none_or(|until| deadline < until));
            if early {
                // Once is enough.
                slots.asleep_until = None;
                drop(slots);
                self.wake();
            }
        }
        Ok(None)
    }

    /// Tells of records that are on the disk.
    pub(crate) fn committed(&self, tokens: impl Iterator<Item = usize>) {
        let mut slots = self.slots.lock();
        for token in tokens {
            slots.slots[token].committed = true;
            slots.ready.push(token);
        }
        drop(slots);
        self.wake();
    }

    /// Tells that no record will reach the disk any more.
    pub(crate) fn log_failed(&self) {
        let mut slots = self.slots.lock();
        slots.log_failed = true;
        let Slots { slots: all, ready, .. } = &mut *slots;
        let committing = |slot: &Slot| slot.waiting.as_ref().is_some_and(Connection::is_committing);
        ready.extend(all.iter().enumerate().filter(|(_, slot)| committing(slot)).map(|(token, _)| token));
        drop(slots);
        self.wake();
    }

    /// Whether the record of a connection is on the disk (or will never be). `None` if that is not known yet.
    pub(crate) fn outcome(&self, token: usize) -> Option<bool> {
        let mut slots = self.slots.lock();
        let failed = slots.log_failed;
        match std::mem::take(&mut slots.slots[token].committed) {
            true => Some(true),
            false => failed.then_some(false),
        }
    }

    /// Closes the connection that has been idle for longest, if there is one: it is owed nothing.
    pub(crate) fn close_an_idle_one(&self) -> bool {
        let mut slots = self.slots.lock();
        let idle = slots
            .deadlines
            .iter()
            .map(|(_, token)| *token)
            .find(|token| slots.slots[*token].waiting.as_ref().is_some_and(Connection::is_idle));
        let Some(token) = idle else { return false };
        let connection = slots.take(token, &self.registry);
        slots.release(token);
        drop(slots);
        connection.is_some()
    }

    /// What those wait for that are here, each kind with its number.
    pub(crate) fn waits(&self) -> Vec<(Waits, usize)> {
        let slots = self.slots.lock();
        let mut waits: Vec<_> =
            slots.slots.iter().filter_map(|slot| slot.waiting.as_ref().map(Connection::waits)).collect();
        drop(slots);
        waits.sort_unstable();
        waits.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect()
    }

    /// Has the thread look at once at what has changed: the stop, above all.
    pub(crate) fn wake(&self) {
        // It fails if the system has no memory left; then the next deadline wakes it.
        let _ = self.waker.wake();
    }

    /// Ends [`run`](Self::run).
    pub(crate) fn end(&self) {
        self.over.set();
        self.wake();
    }

    /// Hands each connection that has something to do to `put`, until [`end`](Self::end).
    pub(crate) fn run(&self, stop: &Event, put: impl Fn(Connection)) -> io::Result<()> {
        let mut poll = self.poll.lock();
        let mut events = Events::with_capacity(256);
        let mut awake = Vec::new();
        while !self.over.is_set() {
            let timeout = {
                let mut slots = self.slots.lock();
                let first = slots.deadlines.first().map(|(deadline, _)| *deadline);
                slots.asleep_until = Some(first);
                first.map(|deadline| deadline.saturating_duration_since(Instant::now()))
            };
            match poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let mut slots = self.slots.lock();
            slots.asleep_until = None;
            // The slot of the wake-ups is no connection's, nor need there be one any more in another's.
            awake.extend(events.iter().filter_map(|event| slots.take(event.token().0, &self.registry)));
            let ready = std::mem::take(&mut slots.ready);
            awake.extend(ready.into_iter().filter_map(|token| slots.take(token, &self.registry)));
            let now = Instant::now();
            while let Some(&(_, token)) = slots.deadlines.first().filter(|(deadline, _)| *deadline <= now) {
                awake.extend(slots.take(token, &self.registry));
            }
            if stop.is_set() && !slots.stopping {
                slots.stopping = true;
                // Each is looked at once more: one that is owed nothing ends, the others get a last deadline.
                let all = 0..slots.slots.len();
                awake.extend(all.filter_map(|token| slots.take(token, &self.registry)));
            }
            drop(slots);
            awake.drain(..).for_each(&put);
        }
        Ok(())
    }
}
