//! What a reader-writer lock promises, as small as it can be said: see `facade::spec`.
//!
//! A waiting thread *may go* when the lock lets it in and no thread before it is in its way. It is asleep
//! while it may not, and runs while it may: a thread that is faster takes the lock from it, and it sleeps on.
//!
//! A thread that tries to read, or reads with a deadline, may still find a writer that waits and may go by
//! then: the real one stops readers from when it has queued until it has looked once more, or has left at
//! its deadline. Whether it has looked is for loom to choose, and only where that matters: see
//! [`Settling`].
//!
//! | who comes | comes in unless |
//! |---|---|
//! | a reader | there is a writer, or one waits that may not go |
//! | a recursive reader | there is a writer |
//! | the upgradable reader | the same as a reader; or there is one, or a `try_write` looks |
//! | a writer | there is any other, or a `try_write` looks |
//! | the upgradable reader that becomes the writer | there is a reader |
//!
//! Those in the queue: a reader may go if no writer is before it, the upgradable reader if none of its like
//! is either, a writer if it is the first.
//!
//! Beside a writer nothing depends on who queues and when. So a thread without a deadline that finds one
//! does not queue: it waits at the *entrance*, where there are tokens only while there is no writer, and
//! takes one before it looks. Each writer that leaves puts some there, and the next takes the rest away.
//! They are not given back, which would hand on what a thread did before it came in; where none is left a
//! thread looks without one.
//!
//! Readers that come and go while no thread waits do not see each other, and their steps commute. So a thread
//! that reads steps at a [`Slot`] of its own, with an entrance of its own; all else steps at the
//! gate and all slots, and so does a reader when a thread is in the queue. The count of readers is what those
//! at slots change in common, and only what steps at all slots looks at it.

mod fields;

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::mem;
use std::rc::Rc;

use crate::facade::spec::{Edge, Gate, Sleep, Token, this_thread};
use crate::facade::{Deadline, TimeLimit};
pub(crate) use fields::Role;
use fields::{Fields, SLOTS, SPARE, Settling, Slot, Waiting};

#[cold]
#[track_caller]
pub(crate) fn too_many_readers(call: &str) -> ! {
    panic!("{call}: too many readers at once")
}

/// Readers are all alike.
#[derive(Debug)]
pub(crate) struct Readers(());

impl Readers {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct ReadToken(());

impl ReadToken {
    pub(crate) const COUNTED: Self = Self(());
}

#[derive(Debug)]
pub(crate) struct RawRwLock<V> {
    gate: Gate<Fields>,
    entrance: Token,
    settling: Settling,
    /// rwlock.write
    write: Edge,
    /// rwlock.read
    read: Edge,
    _visible: PhantomData<V>,
}

enum Begun {
    In,
    TooLate,
    Queued(Sleep),
}

impl<V> RawRwLock<V> {
    #[track_caller]
    pub(crate) fn new(_: V) -> Self {
        let slot = || Slot { thread: OnceCell::new(), entrance: Token::taken(), edge: Edge::new() };
        let fields = Fields {
            writer: false,
            upgradable: false,
            readers: 0,
            looking: 0,
            queue: VecDeque::new(),
            tokens: 0,
            arriving: 0,
            arriving_writers: Vec::new(),
            passed: 0,
            numbers: 0,
            leaving: 0,
            arriving_readers: 0,
            slots: (0..SLOTS).map(|_| slot()).collect(),
            touched: false,
        };
        let own = Self {
            gate: Gate::new(fields),
            entrance: Token::taken(),
            settling: Settling::new(),
            write: Edge::new(),
            read: Edge::new(),
            _visible: PhantomData,
        };
        own.gate.part(|fields| own.open(fields));
        own
    }

    #[track_caller]
    pub(crate) fn is_locked(&self) -> bool {
        self.step(|fields| fields.writer || fields.upgradable || fields.readers > 0)
    }

    #[track_caller]
    pub(crate) fn is_write_locked(&self) -> bool {
        self.step(|fields| fields.writer)
    }

    /// Returns `true`: advice only, and that one may be about to wait is always true.
    #[allow(clippy::unused_self, reason = "the real one looks")]
    pub(crate) const fn has_waiters(&self) -> bool {
        true
    }

    #[track_caller]
    pub(crate) fn has_waiters_now(&self) -> bool {
        self.step(|fields| {
            let arriving = fields.arriving + fields.arriving_readers;
            !fields.queue.is_empty() || (fields.writer && arriving > 0)
        })
    }

    /// Takes a step that commutes with no other.
    #[track_caller]
    fn step<R>(&self, f: impl FnOnce(&mut Fields) -> R) -> R {
        self.gate.step(|fields| Self::at_all_slots(fields, f))
    }

    /// Takes such a step as a part of what began elsewhere.
    #[track_caller]
    fn also<R>(&self, f: impl FnOnce(&mut Fields) -> R) -> R {
        self.gate.also(|fields| Self::at_all_slots(fields, f))
    }

    fn at_all_slots<R>(fields: &mut Fields, f: impl FnOnce(&mut Fields) -> R) -> R {
        let result = f(fields);
        if !mem::take(&mut fields.touched) {
            fields.touch_slots();
        }
        result
    }

    /// Returns the calling thread's slot, if there is one for it.
    fn slot(&self) -> Option<(Rc<[Slot]>, usize)> {
        let thread = this_thread()?;
        self.gate.peek(|fields| {
            let is_free_or_own = |slot: &Slot| *slot.thread.get_or_init(|| thread) == thread;
            let own = fields.slots.iter().position(is_free_or_own)?;
            Some((Rc::clone(&fields.slots), own))
        })
    }

    /// Takes a step of a reader, which commutes with those of others unless a thread is in the queue before
    /// it or after.
    #[track_caller]
    fn reader_step<R>(&self, f: impl FnOnce(&mut Fields, Option<&Slot>) -> R) -> R {
        let Some((slots, own)) = self.slot() else { return self.step(|fields| f(fields, None)) };
        slots[own].edge.touch();
        self.gate.part(|fields| self.at_slot(fields, &slots[own], f))
    }

    /// Runs `f` at a reader's slot, and touches all if a thread is in the queue. Within a step.
    fn at_slot<R>(
        &self,
        fields: &mut Fields,
        slot: &Slot,
        f: impl FnOnce(&mut Fields, Option<&Slot>) -> R,
    ) -> R {
        let touch_all = |fields: &Fields| {
            self.gate.touch();
            fields.touch_slots();
        };
        let alone = fields.queue.is_empty();
        if !alone {
            touch_all(fields);
        }
        let result = f(fields, Some(slot));
        if alone && !fields.queue.is_empty() {
            touch_all(fields);
        }
        result
    }

    /// Acquires what came before: a writer comes behind all holders, every other behind writers.
    fn take(&self, fields: &mut Fields, role: Role, slot: Option<&Slot>) {
        slot.map_or(&self.write, |slot| &slot.edge).acquire();
        if role.writes() {
            self.read.acquire();
            fields.slots.iter().for_each(|slot| slot.edge.acquire());
            fields.touched = true;
        }
    }

    /// Puts tokens at the entrance: there is no writer any more.
    fn open(&self, fields: &mut Fields) {
        fields.writer = false;
        fields.passed = fields.numbers;
        fields.tokens = fields.arriving + SPARE;
        (0..fields.tokens).for_each(|_| self.entrance.give());
        fields.slots.iter().for_each(|slot| slot.entrance.give());
    }

    fn become_holder(&self, fields: &mut Fields, role: Role) {
        if role.writes() {
            (0..mem::take(&mut fields.tokens)).for_each(|_| self.entrance.take());
            fields.slots.iter().for_each(|slot| slot.entrance.take());
            fields.writer = true;
        }
        match role {
            Role::Read | Role::ReadAgain => fields.readers += 1,
            Role::Upgradable => fields.upgradable = true,
            Role::Write => {}
            Role::Upgrade => fields.upgradable = false,
        }
    }

    /// Lets those in on whom it is.
    fn hand_over(&self, fields: &mut Fields) {
        while !fields.queue.is_empty() && fields.may_go(0) {
            let Some(first) = fields.queue.pop_front() else { return };
            self.become_holder(fields, first.role);
            if !first.timed && !first.may_go {
                first.sleep.end();
            }
        }
    }

    fn enter(&self, fields: &mut Fields, role: Role, slot: Option<&Slot>) {
        self.become_holder(fields, role);
        self.take(fields, role, slot);
        fields.decide();
    }

    /// Returns a writer that waits and may go, and that a thread which tries to read finds before it has
    /// looked. Not within a step.
    #[track_caller]
    fn undecided_writer(&self, role: Role) -> Option<usize> {
        let undecided =
            if role.is_held_back() { self.gate.peek(|fields| fields.undecided()) } else { Vec::new() };
        undecided.into_iter().find(|&number| self.settling.is_on(number))
    }

    fn give_number(&self, fields: &mut Fields) -> usize {
        fields.numbers += 1;
        self.settling.pass(fields.numbers);
        fields.numbers
    }

    /// Comes in, but not past a `writer` that still is undecided.
    fn try_acquire_behind(
        &self,
        fields: &mut Fields,
        role: Role,
        slot: Option<&Slot>,
        writer: Option<usize>,
    ) -> bool {
        writer.is_none_or(|number| !fields.undecided().contains(&number))
            && self.try_acquire(fields, role, slot)
    }

    fn try_acquire(&self, fields: &mut Fields, role: Role, slot: Option<&Slot>) -> bool {
        let admitted = fields.admits_newcomer(role);
        if admitted {
            self.enter(fields, role, slot);
        }
        admitted
    }

    #[track_caller]
    fn acquire(&self, role: Role, limit: TimeLimit<'_>) -> bool {
        let deadline = limit.deadline();
        let slot = if role.reads() { self.slot() } else { None };
        let writer = if deadline.is_never() { None } else { self.undecided_writer(role) };
        let begun = match slot {
            Some((slots, own)) => self.begin_at_slot(&slots[own], role, &deadline, writer),
            None if deadline.is_never() && role != Role::Upgrade => self.begin_at_entrance(role, &deadline),
            None => self.step(|fields| self.begin(fields, role, &deadline, None, writer)),
        };
        match begun {
            Begun::In => true,
            Begun::TooLate => false,
            Begun::Queued(own) if deadline.is_never() => {
                own.sleep();
                self.also(|fields| self.end_wait(fields, role, &own))
            }
            Begun::Queued(own) => {
                let leaves = |entered: bool| !entered && role.writes();
                let entered = self.step(|fields| {
                    let entered = self.end_wait(fields, role, &own);
                    fields.leaving += usize::from(leaves(entered));
                    entered
                });
                if leaves(entered) {
                    self.step(|fields| fields.leaving -= 1);
                }
                if !entered {
                    deadline.pass();
                }
                entered
            }
        }
    }

    #[track_caller]
    fn begin_at_slot(&self, slot: &Slot, role: Role, deadline: &Deadline, writer: Option<usize>) -> Begun {
        let begin =
            |fields: &mut Fields, slot: Option<&Slot>| self.begin(fields, role, deadline, slot, writer);
        if !deadline.is_never() {
            return self.reader_step(begin);
        }
        self.gate.peek(|fields| fields.arriving_readers += 1);
        slot.entrance.take();
        self.gate.part(|fields| {
            slot.entrance.give();
            slot.edge.touch();
            fields.arriving_readers -= 1;
            self.at_slot(fields, slot, begin)
        })
    }

    #[track_caller]
    fn begin_at_entrance(&self, role: Role, deadline: &Deadline) -> Begun {
        let (by_entrance, number) = self.gate.peek(|fields| {
            let by_entrance = fields.writer || fields.tokens > fields.arriving;
            fields.arriving += usize::from(by_entrance);
            let number = (by_entrance && role.writes()).then(|| self.give_number(fields));
            fields.arriving_writers.extend(number);
            (by_entrance, number)
        });
        if !by_entrance {
            return self.step(|fields| self.begin(fields, role, deadline, None, None));
        }
        self.entrance.take();
        self.also(|fields| {
            fields.tokens -= 1;
            fields.arriving -= 1;
            fields.arriving_writers.retain(|&other| Some(other) != number);
            self.begin(fields, role, deadline, None, None)
        })
    }

    /// Comes in, or queues.
    fn begin(
        &self,
        fields: &mut Fields,
        role: Role,
        deadline: &Deadline,
        slot: Option<&Slot>,
        writer: Option<usize>,
    ) -> Begun {
        if self.try_acquire_behind(fields, role, slot, writer) {
            return Begun::In;
        }
        if deadline.has_passed() {
            return Begun::TooLate;
        }
        let sleep = Sleep::new();
        let number = role.writes().then(|| self.give_number(fields));
        let timed = !deadline.is_never();
        let waiting = Waiting { role, sleep: sleep.clone(), timed, number, may_go: false };
        match role {
            Role::ReadAgain | Role::Upgrade => fields.queue.push_front(waiting),
            _ => fields.queue.push_back(waiting),
        }
        fields.decide();
        Begun::Queued(sleep)
    }

    /// Leaves the queue, and comes in if it may. A thread that is not there any more was let in.
    fn end_wait(&self, fields: &mut Fields, role: Role, own: &Sleep) -> bool {
        let Some(place) = fields.queue.iter().position(|other| other.sleep.is(own)) else {
            self.take(fields, role, None);
            return true;
        };
        let may_go = fields.queue.remove(place).is_some_and(|waiting| waiting.may_go);
        if may_go {
            self.enter(fields, role, None);
        } else {
            fields.decide();
        }
        may_go
    }

    /// Makes a holder's own change, after which others may come in.
    fn change(&self, fields: &mut Fields, fair: bool, change: impl FnOnce(&mut Fields)) {
        change(fields);
        if fair {
            self.hand_over(fields);
        }
        fields.decide();
    }

    #[track_caller]
    fn leave_reading(&self, fair: bool) {
        self.reader_step(|fields, slot| {
            slot.map_or(&self.read, |slot| &slot.edge).release();
            self.change(fields, fair, |fields| fields.readers -= 1);
        });
    }

    #[track_caller]
    fn leave_upgradable(&self, fair: bool) {
        self.step(|fields| {
            self.read.release();
            self.change(fields, fair, |fields| fields.upgradable = false);
        });
    }

    #[track_caller]
    fn leave_writing(&self, fair: bool, change: impl FnOnce(&mut Fields)) {
        self.step(|fields| {
            self.write.release();
            fields.slots.iter().for_each(|slot| slot.edge.release());
            fields.touched = true;
            self.change(fields, fair, |fields| {
                self.open(fields);
                change(fields);
            });
        });
    }

    #[track_caller]
    pub(crate) fn read(&self, role: Role, limit: TimeLimit<'_>) -> Option<ReadToken> {
        self.acquire(role, limit).then_some(ReadToken(()))
    }

    #[track_caller]
    pub(crate) fn try_read(&self, role: Role) -> Option<ReadToken> {
        let writer = self.undecided_writer(role);
        self.reader_step(|fields, slot| self.try_acquire_behind(fields, role, slot, writer))
            .then_some(ReadToken(()))
    }

    /// # Safety
    ///
    /// The caller is a reader, and no longer is afterwards.
    #[track_caller]
    pub(crate) unsafe fn unlock_read(&self, _: ReadToken) {
        self.leave_reading(false);
    }

    /// # Safety
    ///
    /// As for [`unlock_read`](Self::unlock_read).
    #[track_caller]
    pub(crate) unsafe fn unlock_read_fair(&self, _: ReadToken) {
        self.leave_reading(true);
    }

    #[track_caller]
    pub(crate) fn upgradable(&self, limit: TimeLimit<'_>) -> bool {
        self.acquire(Role::Upgradable, limit)
    }

    #[track_caller]
    pub(crate) fn try_upgradable(&self) -> bool {
        let writer = self.undecided_writer(Role::Upgradable);
        self.step(|fields| self.try_acquire_behind(fields, Role::Upgradable, None, writer))
    }

    /// # Safety
    ///
    /// The caller is the upgradable reader, and no longer is afterwards.
    #[track_caller]
    pub(crate) unsafe fn unlock_upgradable(&self) {
        self.leave_upgradable(false);
    }

    /// # Safety
    ///
    /// As for [`unlock_upgradable`](Self::unlock_upgradable).
    #[track_caller]
    pub(crate) unsafe fn unlock_upgradable_fair(&self) {
        self.leave_upgradable(true);
    }

    /// # Safety
    ///
    /// The caller is the upgradable reader, and a reader afterwards.
    #[must_use]
    #[track_caller]
    pub(crate) unsafe fn downgrade_upgradable(&self) -> bool {
        self.step(|fields| {
            fields.upgradable = false;
            fields.readers += 1;
            fields.decide();
        });
        true
    }

    #[track_caller]
    pub(crate) fn write(&self, limit: TimeLimit<'_>) -> bool {
        self.acquire(Role::Write, limit)
    }

    /// Attempts to write. A call that fails because of readers looks for a while, and others of its kind fail
    /// meanwhile.
    #[track_caller]
    pub(crate) fn try_write(&self) -> bool {
        let (entered, looks) = self.step(|fields| {
            let entered = self.try_acquire(fields, Role::Write, None);
            let looks = !entered && !fields.writer && !fields.upgradable && fields.looking == 0;
            fields.looking += usize::from(looks);
            fields.decide();
            (entered, looks)
        });
        if looks {
            self.step(|fields| {
                fields.looking -= 1;
                fields.decide();
            });
        }
        entered
    }

    /// # Safety
    ///
    /// The caller is the writer, and no longer is afterwards.
    #[track_caller]
    pub(crate) unsafe fn unlock_write(&self) {
        self.leave_writing(false, |_| ());
    }

    /// # Safety
    ///
    /// As for [`unlock_write`](Self::unlock_write).
    #[track_caller]
    pub(crate) unsafe fn unlock_write_fair(&self) {
        self.leave_writing(true, |_| ());
    }

    /// # Safety
    ///
    /// The caller is the writer, and a reader afterwards.
    #[track_caller]
    pub(crate) unsafe fn downgrade(&self) {
        self.leave_writing(false, |fields| fields.readers = 1);
    }

    /// # Safety
    ///
    /// The caller is the writer, and the upgradable reader afterwards.
    #[track_caller]
    pub(crate) unsafe fn downgrade_to_upgradable(&self) {
        self.leave_writing(false, |fields| fields.upgradable = true);
    }

    /// # Safety
    ///
    /// The caller is the upgradable reader. If the result is true it is the writer instead.
    #[track_caller]
    pub(crate) unsafe fn upgrade(&self, limit: TimeLimit<'_>) -> bool {
        self.acquire(Role::Upgrade, limit)
    }

    /// # Safety
    ///
    /// As for [`upgrade`](Self::upgrade).
    #[track_caller]
    pub(crate) unsafe fn try_upgrade(&self) -> bool {
        self.step(|fields| self.try_acquire(fields, Role::Upgrade, None))
    }
}
