//! When a waiting thread spins, yields and parks: the one policy of the crate. Its numbers stand in
//! [`numbers`], and in `docs/numbers.md` with what each was measured to be worth.
//!
//! A thread that waits asks a [`SpinWait`] what to do next. It pauses between two looks at what it waits for,
//! then yields the processor between looks, then parks. The budget depends on what the thread waits for: that
//! is the table below. What a thread has learnt from its own waits is in one thread-local, [`OWN`], and what
//! the threads of one barrier have learnt together in its [`BarrierSpin`].
//!
//! In a model all budgets are empty, but for that of [`BarrierSpin`]: a look that finds nothing is the same
//! transition as the first, and advice that is never followed cannot change what is explored.
//!
//! | budget | for a thread |
//! |---|---|
//! | `for_lock` | that is about to queue for a lock or for permits |
//! | `for_shared_lock` | that is about to queue for a reader-writer lock |
//! | `for_handoff` | that was woken for a lock, has lost and is the first again |
//! | `for_answer` | that is the first to wait for a signal, or was unparked ahead of its turn |
//! | `for_turn` | that is among the first to wait for permits |
//! | `for_drain` | that has to be let in by readers, and keeps all others out |
//! | `for_other_side` | that waits for items, or for room for them |
//! | `BarrierSpin` | of a barrier that is not complete |
//! | `NONE` | that was woken for a lock and found it taken, or that [leaves it to others](SpinWait::leaves_to_others) |
//!
//! *Iterations* are looks with a pause of so many *hints* (`std::hint::spin_loop`) before each, *growing* if
//! each pause is twice as long as the one before; a yield that takes a time slice ends the budget, unless it
//! is in `for_lock`.

use std::cell::Cell;
use std::time::Duration;

use super::numbers::{self, LongSections, SoonAnswers};
use crate::facade::{
    Advice, Deadline, Moment, budget, const_fn, per_process, per_thread, spin_hint, turn, yield_now,
};

/// What a thread does next while it waits, and how much of that is left.
#[derive(Debug)]
pub(crate) struct SpinWait {
    iterations: u32,
    /// The next pause.
    hints: u32,
    /// Whether each pause is twice as long as the one before.
    growing: bool,
    yields: u32,
    /// How long they may take together. A yield that takes a time slice ends them: it went to a thread that
    /// could not have ended this wait. `None`: they are counted and not timed, or their time is over.
    yield_time: Option<Duration>,
    /// Whether such a yield keeps all threads of the process from yielding for a while.
    rests: bool,
    /// A thread with more others before it in its queue does none of it.
    most_before: u32,
    /// What is learnt from how it ends.
    lesson: Lesson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lesson {
    Nothing,
    /// Whether sections of locks are long.
    Sections,
    /// Whether signals come about as soon as a thread can be woken up.
    Answers,
    /// Whether the threads of a barrier meet while they spin, if this one `spins`, and while they yield. If
    /// they do not, there are to be that many `doublings`.
    Barrier {
        spins: bool,
        doublings: i8,
    },
}

impl SpinWait {
    /// None at all.
    pub(crate) const NONE: Self = Self {
        iterations: 0,
        hints: 0,
        growing: false,
        yields: 0,
        yield_time: None,
        rests: false,
        most_before: 0,
        lesson: Lesson::Nothing,
    };

    fn few() -> Self {
        Self {
            iterations: numbers::LOCK_LOOKS.get(),
            hints: numbers::LOCK_HINTS.get(),
            growing: true,
            yields: numbers::LOCK_YIELDS.get(),
            ..Self::NONE
        }
    }

    /// Adds so many yields, which take so long together at most, unless yields have lately cost time slices.
    fn yielding(self, yields: u32, yield_time: Duration) -> Self {
        let yields = if yields != 0 && may_yield() { yields } else { 0 };
        Self { yields, yield_time: (yields != 0).then_some(yield_time), rests: true, ..self }
    }

    /// Makes the wait of a thread before it queues for a lock or for permits. It looks for a section that is
    /// about to end, many times at short intervals or twice at longer ones, then yields, among others to
    /// threads that were interrupted in theirs. Spinning longer while all processors are busy keeps another
    /// thread from running; yielding where no other thread wants to run costs about as much as a look.
    ///
    /// The pause between two looks is what matters. A thread that looks all the time is there when a long
    /// section ends, and takes the cache line from a holder of short ones each time; one that lets longer
    /// pauses pass leaves such a holder several sections in peace. Which of the two sorts it meets a thread
    /// learns from its waits.
    ///
    /// Its yields are counted and not timed, and no thread rests from them, nor from those of
    /// [`for_shared_lock`](Self::for_shared_lock). Where more threads than processors want a lock, a yield
    /// takes as long as those it goes to work with that lock, and says nothing of the others: threads that
    /// rested from them had a third of the throughput, four on two processors, and of readers and writers a
    /// seventh. Those of a timed wait are timed, too, as its time would be over before it has queued.
    pub(crate) fn for_lock(deadline: &Deadline) -> Self {
        let yield_time = (!deadline.is_never()).then(|| numbers::LONG_YIELD.micros());
        let few = Self { yield_time, ..Self::few() };
        if numbers::LEARN_SECTIONS.get() != 0 && OWN.with(|own| LongSections::is_on(&own.long_sections)) {
            let iterations = numbers::LONG_SECTION_LOOKS.get();
            Self { iterations, hints: 1, growing: false, lesson: Lesson::Sections, ..few }
        } else {
            few
        }
    }

    /// Makes the wait of a thread before it queues for a lock that several may have at a time: as
    /// [`for_lock`](Self::for_lock), but nothing is learnt of the lock's sections, because those of readers
    /// and of writers differ. Its yields are timed: with one of the many that it waits for interrupted while
    /// others are busy each may cost a time slice, and the time of a timed wait is over before it has queued.
    pub(crate) fn for_shared_lock() -> Self {
        Self { yield_time: Some(numbers::LONG_YIELD.micros()), ..Self::few() }
    }

    /// Makes the wait of a thread at the head of a lock's queue that was woken and has lost: the next unlock
    /// is one section away, and wakes it or hands it the lock. If the thread is awake by then that costs no
    /// system call, and the lock does not rest.
    pub(crate) fn for_handoff() -> Self {
        Self { iterations: numbers::HANDOFF_LOOKS.get(), hints: 4, ..Self::NONE }
    }

    /// Makes the wait of the first thread of a queue before it parks for a signal: no other thread wants that
    /// line, so it looks more often. Where signals come about as soon as a woken thread can send them, it
    /// yields for as long as a wake-up takes: two threads that answer each other stay awake, instead of
    /// waking each other each time. Whether they do a thread learns from its waits; a hundred waits after it
    /// was wrong it tries again, which is a microsecond for each wait.
    pub(crate) fn for_answer() -> Self {
        let (iterations, hints) = (numbers::ANSWER_LOOKS.get(), numbers::ANSWER_HINTS.get());
        let looks = Self { iterations, hints, ..Self::NONE };
        if OWN.with(|own| SoonAnswers::is_on(&own.late_answers)) { looks.awaiting_answer() } else { looks }
    }

    /// Makes the wait of a thread before it parks for what is handed over in turn. With a few others before
    /// it its turn comes sooner than a thread is woken, if those are awake. One with more before it parks at
    /// once, and is unparked [ahead of its turn](Self::kept_awake).
    pub(crate) fn for_turn() -> Self {
        Self { most_before: numbers::PERMITS_AWAKE.get().saturating_sub(1), ..Self::for_answer() }
    }

    /// Returns with how many others before it in its queue a thread does this at most.
    pub(crate) fn most_before(&self) -> usize {
        self.most_before as usize
    }

    /// Returns how many of those that wait for their turn a thread that has handed over is to keep awake:
    /// none, if its own turns have lately come later than a thread is woken.
    pub(crate) fn kept_awake() -> usize {
        let come_soon = turn(OWN.with(|own| own.late_answers.get() >= 0));
        if come_soon { numbers::PERMITS_AWAKE.get() as usize } else { 0 }
    }

    /// Adds yields, for as long as a wake-up takes.
    fn awaiting_answer(self) -> Self {
        let wait = self.yielding(budget(u32::MAX, 0), numbers::ANSWER_YIELD_TIME.micros());
        // A wait without yields says nothing of what they are worth.
        let lesson = if wait.yields != 0 { Lesson::Answers } else { Lesson::Nothing };
        Self { lesson, ..wait }
    }

    /// Makes the wait of a writer before it parks until readers have left. It keeps all others out, and the
    /// reader it waits for may have been interrupted, so it yields for longer.
    pub(crate) fn for_drain() -> Self {
        Self { iterations: numbers::DRAIN_LOOKS.get(), hints: 4, ..Self::NONE }
            .yielding(numbers::DRAIN_YIELDS.get(), numbers::LONG_YIELD.micros())
    }

    /// Makes the wait of a thread before it sleeps for the other side of a queue of so many `places`. The
    /// pause between two looks is what lets a batch come together, so it is as long as a quarter of the
    /// places takes, and of a queue with few places no thread waits for batches. Where answers come soon it
    /// yields for as long as a wake-up takes, as for a signal.
    pub(crate) fn for_other_side(places: usize, eager: bool) -> Self {
        let hints = u32::try_from(places / 4).unwrap_or(u32::MAX).min(numbers::SIDE_PAUSE.get()).max(1);
        let iterations = if eager { numbers::SIDE_HINTS.get() / hints } else { 0 };
        let looks = Self { iterations, hints, ..Self::NONE };
        if OWN.with(|own| SoonAnswers::is_on(&own.late_answers)) {
            looks.awaiting_answer()
        } else {
            looks.yielding(numbers::SIDE_YIELDS.get(), numbers::LONG_YIELD.micros())
        }
    }

    /// Returns whether a thread that finds others in the lock's queue joins them at once. Of a lock of short
    /// sections those that run keep its line and their processors busy enough. Where sections are long, or
    /// nothing is known of them, it looks and yields first: there is time for it, and a lock that is taken as
    /// soon as it is free rests for no wake-up.
    pub(crate) fn leaves_to_others(&self) -> bool {
        numbers::QUEUE_BEHIND.get() != 0 && self.lesson != Lesson::Sections
    }

    /// Returns whether only yields are left.
    pub(crate) fn is_yielding(&self) -> bool {
        self.iterations == 0
    }

    /// Pauses or yields once more. False if the budget is used up: the thread parks.
    #[inline]
    pub(crate) fn spin(&mut self) -> bool {
        if self.iterations > 0 {
            self.iterations -= 1;
            for _ in 0..self.hints {
                spin_hint();
            }
            self.hints <<= u32::from(self.growing);
            return true;
        }
        self.yield_only()
    }

    /// Takes the next step without keeping the processor: another thread was woken, which may be waiting for
    /// this very processor. Returns whether a yield was left.
    #[inline]
    pub(crate) fn yield_only(&mut self) -> bool {
        let left = self.yields > 0;
        if left {
            self.yields -= 1;
            match self.yield_time {
                None => yield_now(),
                Some(time) => match yield_timed(self.rests).and_then(|took| time.checked_sub(took)) {
                    None => (self.yields, self.yield_time) = (0, None),
                    left => self.yield_time = left,
                },
            }
        }
        left
    }

    /// Learns from a wait that ended before the budget was used up.
    #[inline]
    pub(crate) fn succeeded(&self) {
        match self.lesson {
            // Without iterations left the section was very long, or its thread interrupted; with all of them
            // left, this thread only gave way. Neither says anything.
            Lesson::Sections
                if self.iterations != 0 && self.iterations != numbers::LONG_SECTION_LOOKS.get() =>
            {
                let looks = numbers::LONG_SECTION_LOOKS.get() - self.iterations;
                OWN.with(|own| {
                    LongSections::learn(&own.long_sections, looks >= numbers::SHORT_SECTION_LOOKS.get())
                });
            }
            Lesson::Answers => OWN.with(|own| SoonAnswers::learn(&own.late_answers, true)),
            _ => {}
        }
    }

    /// Learns from a budget that was used up in vain.
    #[inline]
    pub(crate) fn exhausted(&self) {
        if self.lesson == Lesson::Answers {
            OWN.with(|own| SoonAnswers::learn(&own.late_answers, false));
        }
    }
}

/// Pauses of a thread whose exchange of a word failed because another's came first. Both go on faster if one
/// of them stays away for a few of the other's operations than if the word's line goes to and fro with each.
#[derive(Debug)]
pub(crate) struct Collisions(u32);

impl Collisions {
    pub(crate) const NONE: Self = Self(0);

    /// Returns whether there was one: there is none in a model.
    #[cold]
    pub(crate) fn pause(&mut self) -> bool {
        let most = numbers::COLLISION_DOUBLINGS.get();
        if most == 0 {
            return false;
        }
        for _ in 0..1 << self.0 {
            spin_hint();
        }
        self.0 = (self.0 + 1).min(most);
        true
    }
}

per_thread! {
    /// What the calling thread has learnt from its own waits.
    static OWN: Own = Own::new();
}

struct Own {
    /// Of [`LongSections`].
    long_sections: Cell<i8>,
    /// Of [`SoonAnswers`].
    late_answers: Cell<i8>,
    /// How many [`LongYields`] there were when it last looked.
    long_yields: Cell<i8>,
    /// Since when it does not yield because of them.
    rest: Cell<Option<Moment>>,
    /// How many unlocks of this thread have found a designated waker since its last turn.
    unlocks: Cell<u32>,
    /// Likewise of those that end reading.
    reads: Cell<u32>,
    /// How often this thread was asked to give way since it last looked at the clock, and when it last did.
    barging: Cell<(u32, Option<Moment>)>,
}

impl Own {
    const fn new() -> Self {
        Self {
            long_sections: Cell::new(0),
            late_answers: Cell::new(-8),
            long_yields: Cell::new(0),
            rest: Cell::new(None),
            barging: Cell::new((0, None)),
            unlocks: Cell::new(0),
            reads: Cell::new(0),
        }
    }
}

/// A place for the score of an [`Adaptive`].
pub(crate) trait Score {
    fn score(&self) -> i8;
    fn set_score(&self, score: i8);
}

impl Score for Cell<i8> {
    fn score(&self) -> i8 {
        self.get()
    }

    fn set_score(&self, score: i8) {
        self.set(score);
    }
}

impl Score for Advice {
    fn score(&self) -> i8 {
        self.get()
    }

    fn set_score(&self, score: i8) {
        self.set(score);
    }
}

/// A saturating counter with a cool-down: whether something is worth trying that does harm where it does not
/// help. Each time it helps adds `GAIN`, up to `MOST`, each time it does not takes `LOSS`; below zero it is
/// left out `REST` times, and then tried again.
pub(crate) struct Adaptive<const GAIN: i8, const LOSS: i8, const MOST: i8, const REST: i8>;

impl<const GAIN: i8, const LOSS: i8, const MOST: i8, const REST: i8> Adaptive<GAIN, LOSS, MOST, REST> {
    const IN_RANGE: () = assert!(GAIN > 0 && LOSS > 0 && REST > 0 && MOST >= 0 && MOST <= i8::MAX - GAIN);

    pub(crate) fn is_on(place: &impl Score) -> bool {
        let score = place.score();
        place.set_score(score + i8::from(score < 0));
        score >= 0
    }

    pub(crate) fn learn(place: &impl Score, helped: bool) {
        const { Self::IN_RANGE };
        let score = place.score();
        place.set_score(if helped {
            score.max(0).saturating_add(GAIN).min(MOST)
        } else if score >= LOSS {
            score - LOSS
        } else {
            -REST
        });
    }
}

/// Yields in a wait for another thread's signal, and returns how long that took. `None` if it took so long
/// that a thread must have had a time slice that has nothing to do with that signal: this thread had better
/// sleep, because a thread that is woken up comes before one that is busy all the time, and one that yields
/// comes behind it. If `rests`, all threads rest then, and for twice as long if it is still so when one tries
/// again; after a yield that does not take long the next rest is a short one again.
#[inline]
fn yield_timed(rests: bool) -> Option<Duration> {
    let start = Moment::now();
    yield_now();
    let now = Moment::now();
    let took = now.since(start);
    let is_brief = took < numbers::LONG_YIELD.micros();
    if !rests {
        return is_brief.then_some(took);
    }
    OWN.with(|own| {
        let rests: &LongYields = &LONG_YIELDS;
        if !is_brief {
            // If another's long yield was counted since this one began, both have measured the same
            // interruption.
            if rests.count.get() == own.long_yields.get() {
                let most = numbers::YIELD_REST_DOUBLINGS.get() as i8;
                rests.doublings.set((rests.doublings.get() + 1).min(most));
                rests.count.set(rests.count.get().wrapping_add(1));
            }
            own.long_yields.set(rests.count.get());
            own.rest.set(Some(now));
        } else if rests.doublings.get() > 0 {
            rests.doublings.set(0);
        }
    });
    is_brief.then_some(took)
}

per_process! {
    /// What yields of all threads have lately taken.
    static LONG_YIELDS: LongYields = LongYields { count: Advice::new(0), doublings: Advice::new(0) };
}

/// Yields that took a time slice. They tell of what else the processors do, so all threads of the process
/// learn from those of one: none of them yields for a while but before a lock, and for twice as long if the
/// next one after that is long, too.
#[derive(Debug)]
struct LongYields {
    count: Advice,
    doublings: Advice,
}

impl LongYields {
    fn rest(&self) -> Duration {
        numbers::YIELD_REST.micros() * (1 << self.doublings.get().max(0))
    }
}

/// Returns whether a thread that is about to wait may yield, by how long that took lately.
#[inline]
fn may_yield() -> bool {
    OWN.with(|own| {
        let count = LONG_YIELDS.count.get();
        if count != own.long_yields.get() {
            own.long_yields.set(count);
            own.rest.set(Some(Moment::now()));
            return false;
        }
        let rests = own.rest.get().is_some_and(|since| Moment::now().since(since) < LONG_YIELDS.rest());
        if !rests {
            own.rest.set(None);
        }
        !rests
    })
}

/// Yields now and then, in a thread that is about to barge past the designated waker: that one may be waiting
/// for this very processor, and would have to until the end of the time slice. Not more often than a wake-up
/// takes, because a thread that is on its way to another processor is not helped by it.
#[inline]
pub(crate) fn yield_at_intervals() {
    OWN.with(|own| {
        let (count, last) = own.barging.get();
        if count < numbers::BARGING_ASKS.get() {
            own.barging.set((count + 1, last));
            return;
        }
        let now = Moment::now();
        if last.is_some_and(|last| now.since(last) < numbers::BARGING_INTERVAL.micros()) {
            own.barging.set((0, last));
        } else {
            own.barging.set((0, Some(now)));
            if may_yield() {
                let _ = yield_timed(true);
            }
        }
    });
}

/// Returns whether it is this thread's turn to look after the first waiter of a lock that has a designated
/// waker: a woken thread may have to wait for a processor, and the first waiter is not to wait with it.
pub(crate) fn is_turn() -> bool {
    OWN.with(|own| next_turn(&own.unlocks))
}

/// Returns the same for a reader that leaves, counted by itself: a thread that leaves as a reader and then
/// unlocks in another mode, again and again, might have its turn each time in the mode in which it can do
/// nothing for the first waiter.
pub(crate) fn is_reader_turn() -> bool {
    OWN.with(|own| next_turn(&own.reads))
}

fn next_turn(count: &Cell<u32>) -> bool {
    let unlocks = count.get() + 1;
    let came = unlocks >= numbers::UNLOCK_TURN.get();
    count.set(if came { 0 } else { unlocks });
    turn(came)
}

/// Whether the threads of one barrier do well to spin, or to yield at once, learnt from how it went.
///
/// If all of them run at the same time the last comes within some hundred nanoseconds, and spinning for it is
/// best. If there are more threads than processors, spinning keeps from its processor the very thread it
/// waits for; then each processor goes round its threads by their yielding, which is far cheaper than parking
/// and waking them. Which of the two it is depends on the machine, on what else it does and on the work
/// between two generations, so it is learnt: a thread that spun tells those after it whether that helped, and
/// now and then one tries again. The second to last learns for itself: with two threads to each of two
/// processors, the one before it has just run on this processor, and the one to come is running on the other.
///
/// Where the last to arrive comes so late that the second to last, which waits least, has done all its yields
/// in vain, yields are left out in all but the first two of 4, 8, 16 and more generations, until a member
/// that yields is met. Of those two the first brings members together that were parked, and the second tells
/// whether it helps. All members go by the number of the generation, so they yield in the same ones.
///
/// On a line of its own: where some members spin long enough and others do not it is written in each round,
/// and a thread that arrives would have to wait for that line first.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct BarrierSpin {
    helps: Advice,
    helps_second_to_last: Advice,
    /// Members yield in the first two generations of two to the power of this many.
    doublings: Advice,
}

impl BarrierSpin {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { helps: Advice::new(1), helps_second_to_last: Advice::new(1), doublings: Advice::new(0) }
        }
    }

    fn helps(&self, second_to_last: bool) -> &Advice {
        if second_to_last { &self.helps_second_to_last } else { &self.helps }
    }

    /// Makes the wait of a thread in this generation, for all that are missing or for the last.
    #[inline]
    pub(crate) fn spin(&self, generation: u64, second_to_last: bool) -> SpinWait {
        let spins = self.helps(second_to_last).get() != 0 || generation % numbers::BARRIER_TRIAL == 0;
        let iterations = if spins { numbers::BARRIER_LOOKS.get() } else { 0 };
        let doublings = self.doublings.get();
        let turn = generation % (1 << doublings);
        let yields = if turn < 2 { numbers::BARRIER_YIELDS.get() } else { 0 };
        let tells = second_to_last && (turn == 1 || doublings == 0);
        let most = numbers::BARRIER_REST_DOUBLINGS.get() as i8;
        let lesson = Lesson::Barrier { spins, doublings: (doublings + i8::from(tells)).min(most) };
        SpinWait { iterations, hints: numbers::BARRIER_HINTS.get(), lesson, ..SpinWait::NONE }
            .yielding(yields, numbers::LONG_YIELD.micros())
    }

    /// Learns from what is left of a budget when all have met, or when the budget is used up.
    #[inline]
    pub(crate) fn learn(&self, spin: &SpinWait, met: bool, second_to_last: bool) {
        let Lesson::Barrier { spins, doublings } = spin.lesson else { return };
        // Most members learn what is known, and leave its line alone.
        let set = |place: &Advice, value| {
            if place.get() != value {
                place.set(value);
            }
        };
        if spins {
            set(self.helps(second_to_last), i8::from(met && spin.iterations > 0));
        }
        if met {
            set(&self.doublings, 0);
        } else if spin.yield_time.is_some() {
            // All yields were done, and their time is not over: no other thread wanted the processor.
            set(&self.doublings, doublings);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_reader_turn, is_turn};

    /// A thread that ends reading and then unlocks in another mode, again and again, has turns in both.
    #[test]
    fn turns_of_readers_are_counted_apart() {
        let (mut reading, mut unlocking) = (0, 0);
        for _ in 0..32 {
            reading += u32::from(is_reader_turn());
            unlocking += u32::from(is_turn());
        }
        assert_eq!((reading, unlocking), (2, 2));
    }
}
