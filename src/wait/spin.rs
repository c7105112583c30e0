//! Bounded spinning before a thread parks.
//!
//! The pause between two looks is what matters. A thread that looks all the time is there when a long section ends, and
//! takes the line from a holder of short ones each time; one that lets longer pauses pass leaves such a holder several
//! sections in peace. Which of the two sorts it meets a thread learns from its waits. After some looks it yields instead:
//! if there are more threads than processors, one that spins may keep from running the very one it waits for.
//! `docs/waiting.md` has the numbers.

use crate::facade::{
    Eagerness, Hint, budget, const_fn, has_just_woken, may_yield, spin_hint, with_own_hint, yield_briefly,
    yield_now,
};

/// A budget of looks with a pause before each, first a short one, then as long as others want the processor. Empty from
/// the start in a model, but for [`Habit`].
#[derive(Debug)]
pub(crate) struct Spin {
    looks: u32,
    /// The next pause.
    hints: u32,
    /// Whether each pause is twice as long as the one before.
    growing: bool,
    yields: u32,
    /// Whether it ends with a yield that took a time slice, which nobody had who could have ended this wait.
    briefly: bool,
    /// Whether it is worth knowing how this went.
    telling: bool,
}

impl Spin {
    /// How often a thread looks in long sections, or to learn whether they are long.
    const OFTEN: u32 = budget(40, 0);

    /// A lock that is free again before so many of these looks is one of short sections, as a rule: a long one is met
    /// somewhere in its midst.
    const SOON: u32 = 3;

    const SELDOM: Self =
        Self { looks: budget(2, 0), hints: 4, growing: true, yields: budget(8, 0), ..Self::NONE };

    /// Before a thread queues for a lock or for permits: looks for a section that is about to end, many at short intervals or
    /// two at longer ones, then yields, among others to threads that were interrupted in theirs. Looking longer while all
    /// processors are busy keeps somebody from running; yielding where nobody wants to run costs about as much as looking.
    pub(crate) fn for_lock() -> Self {
        let often = with_own_hint(Long::wants);
        if often {
            Self { looks: Self::OFTEN, hints: 1, growing: false, telling: true, ..Self::SELDOM }
        } else {
            Self::SELDOM
        }
    }

    /// Learns from what a wait has left of the budget of [`for_lock`](Self::for_lock). If no looks are left the section was
    /// very long, or its thread interrupted; if all of them are, this thread only gave way. Neither says anything.
    #[inline]
    pub(crate) fn learn(&self) {
        if self.telling && self.looks != 0 && self.looks != Self::OFTEN {
            with_own_hint(|hint| Long::learn(hint, Self::OFTEN - self.looks >= Self::SOON));
        }
    }

    /// The same, but for a lock that several may have at a time. Those it waits for are many, and with one of them
    /// interrupted while others are busy each yield may cost a time slice, during which nobody new may come in.
    pub(crate) fn for_shared_lock() -> Self {
        let yields = if may_yield() { budget(8, 0) } else { 0 };
        Self { yields, briefly: true, ..Self::SELDOM }
    }

    /// Before a thread that was woken for a lock, and found it taken, queues again. A processor that it gives away now may
    /// be gone for a time slice, and it has waited already; asleep at the head of the queue it is sure to be woken.
    pub(crate) const fn after_wake() -> Self {
        Self { looks: budget(3, 0), yields: 0, ..Self::SELDOM }
    }

    /// At the head of a lock's queue, for a thread that was woken and has lost: the next unlock is one section away, and
    /// wakes it or hands it the lock. If the thread is awake by then that costs no system call, and the lock does not rest.
    pub(crate) const fn for_grant() -> Self {
        Self { looks: budget(30, 0), hints: 4, growing: false, ..Self::NONE }
    }

    /// Before the first thread of a queue parks: nobody else wants that line, so it looks more often. A thread that has
    /// just woken another waits for that one's answer, as a rule, and looks on until it can be there.
    pub(crate) fn for_turn() -> Self {
        let yields = if has_just_woken() { budget(200, 0) } else { budget(8, 0) };
        let yields = if may_yield() { yields } else { 0 };
        Self { yields, briefly: true, ..Self::for_grant() }
    }

    /// Before a writer parks that waits for readers to leave. It keeps everybody else out, and the reader it waits for may
    /// have been interrupted, so it yields for longer.
    pub(crate) fn for_drain() -> Self {
        let yields = if may_yield() { budget(16, 0) } else { 0 };
        Self { looks: budget(8, 0), hints: 4, yields, briefly: true, ..Self::NONE }
    }

    /// None at all.
    pub(crate) const NONE: Self =
        Self { looks: 0, hints: 0, growing: false, yields: 0, briefly: false, telling: false };

    /// Pauses once more, unless the budget is used up.
    #[inline]
    pub(crate) fn again(&mut self) -> bool {
        if self.looks > 0 {
            self.looks -= 1;
            for _ in 0..self.hints {
                spin_hint();
            }
            self.hints <<= u32::from(self.growing);
            return true;
        }
        self.give_way()
    }

    /// The same without keeping the processor: somebody is on its way who may be waiting for this very one.
    #[inline]
    pub(crate) fn give_way(&mut self) -> bool {
        let left = self.yields > 0;
        if left {
            self.yields -= 1;
            if !self.briefly {
                yield_now();
            } else if !yield_briefly() {
                self.yields = 0;
            }
        }
        left
    }
}

/// Whether a thread should look often, because the sections it waits for are long. Of the waits for short ones 8
/// to 25 in a hundred end [soon](Spin::SOON), of those for long ones one.
type Long = Eagerness<1, 16, 32, 32>;

/// Whether the threads of one barrier do well to spin, or to yield at once, learnt from how it went.
///
/// If all of them run at the same time the last comes within some hundred nanoseconds, and spinning for it is best. If
/// there are more threads than processors, spinning keeps from its processor the very thread it waits for; then each
/// processor goes round its threads by their yielding, which is far cheaper than parking and waking them. Which of the
/// two it is depends on the machine, on what else it does and on the work between two rounds, so nobody is asked: a
/// thread that spun tells those after it whether that was of use, and now and then one tries again. The last but one
/// learns for itself: with two threads to each of two processors, the one before it has just run on this processor, and the
/// one to come is running on the other.
#[derive(Debug)]
pub(crate) struct Habit {
    pays: Hint,
    pays_last_but_one: Hint,
}

impl Habit {
    /// Every so many rounds spinning is tried again.
    const TRIAL: u64 = 256;

    const_fn! {
        pub(crate) fn new() -> Self {
            Self { pays: Hint::new(1), pays_last_but_one: Hint::new(1) }
        }
    }

    fn pays(&self, last_but_one: bool) -> &Hint {
        if last_but_one { &self.pays_last_but_one } else { &self.pays }
    }

    /// For a thread that waits in this round, for all that are missing or for the last.
    #[inline]
    pub(crate) fn spin(&self, round: u64, last_but_one: bool) -> Spin {
        let telling = self.pays(last_but_one).get() != 0 || round % Self::TRIAL == 0;
        let looks = if telling { budget(20, 1) } else { 0 };
        let yields = if may_yield() { budget(40, 0) } else { 0 };
        Spin { looks, hints: budget(2, 0), yields, briefly: true, telling, ..Spin::NONE }
    }

    /// Learns from what is left of a budget when the wait is over, or the budget.
    #[inline]
    pub(crate) fn learn(&self, spin: &Spin, last_but_one: bool) {
        if spin.telling {
            self.pays(last_but_one).set(i8::from(spin.looks > 0));
        }
    }
}
