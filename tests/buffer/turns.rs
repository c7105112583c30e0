//! A thread that has slept first for long gets its turn, whatever threads that are awake do; and these go on
//! where there is more than one for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::channel::{self, Receiver, Sender};
use lockwork::{
    AnySource, BoundedBuffer, Event, First2, GetError, GetTimeoutError, PriorityBuffer, PutError,
    PutTimeoutError, StackBuffer, wait_any,
};

use crate::support::{LIMIT, Sleeper, cases, either, eventually, repeat, rounds, spin_for, watchdog};

/// Of all buffers.
trait Buffer: Sync {
    const NAME: &str;

    fn new(capacity: usize) -> Self;
    fn put(&self, item: u32) -> Result<(), PutError<u32>>;
    fn put_for(&self, item: u32, timeout: Duration) -> Result<(), PutTimeoutError<u32>>;
    fn put_all(&self, items: [u32; 2]) -> bool;
    fn try_put(&self, item: u32) -> bool;
    fn get(&self) -> Result<u32, GetError>;
    fn get_for(&self, timeout: Duration) -> Result<u32, GetTimeoutError>;
    fn get_many(&self) -> Option<u32>;
    fn try_get(&self) -> Option<u32>;
    fn put_selecting(&self, item: u32, stop: &Event) -> bool;
    fn get_selecting(&self, stop: &Event) -> Option<u32>;
    fn drain(&self) -> usize;
    fn close(&self);
}

/// Waits for a source beside an event.
fn select<S: AnySource>(source: S, stop: &Event) -> Option<S::Output> {
    match wait_any((stop, source)) {
        First2::First(()) => None,
        First2::Second(output) => Some(output),
    }
}

macro_rules! buffers {
    ($($buffer:ident)+) => { $(
        impl Buffer for $buffer<u32> {
            const NAME: &str = stringify!($buffer);

            fn new(capacity: usize) -> Self {
                Self::new(capacity)
            }

            fn put(&self, item: u32) -> Result<(), PutError<u32>> {
                self.put(item)
            }

            fn put_for(&self, item: u32, timeout: Duration) -> Result<(), PutTimeoutError<u32>> {
                self.put_for(item, timeout)
            }

            fn put_all(&self, items: [u32; 2]) -> bool {
                self.put_all(items).is_ok()
            }

            fn try_put(&self, item: u32) -> bool {
                self.try_put(item).is_ok()
            }

            fn get(&self) -> Result<u32, GetError> {
                self.get()
            }

            fn get_for(&self, timeout: Duration) -> Result<u32, GetTimeoutError> {
                self.get_for(timeout)
            }

            fn get_many(&self) -> Option<u32> {
                let mut out = Vec::new();
                self.get_many(&mut out, 2).ok()?;
                out.first().copied()
            }

            fn try_get(&self) -> Option<u32> {
                self.try_get().ok()
            }

            fn put_selecting(&self, item: u32, stop: &Event) -> bool {
                let mut item = self.putting(item);
                select(&mut item, stop).is_some_and(|put| put.is_ok())
            }

            fn get_selecting(&self, stop: &Event) -> Option<u32> {
                select(self.getting(), stop).and_then(Result::ok)
            }

            fn drain(&self) -> usize {
                self.try_iter().count()
            }

            fn close(&self) {
                self.close();
            }
        }
    )+ };
}

buffers! { BoundedBuffer PriorityBuffer StackBuffer }

/// What the tests of timed calls need, of channels as well.
trait Timed: Sync {
    const NAME: &str;

    fn with(capacity: usize) -> Self;
    fn bring(&self);
    fn bring_for(&self, timeout: Duration) -> bool;
    fn take(&self);
    fn take_for(&self, timeout: Duration) -> bool;
}

impl<B: Buffer> Timed for B {
    const NAME: &str = B::NAME;

    fn with(capacity: usize) -> Self {
        B::new(capacity)
    }

    fn bring(&self) {
        self.put(0).unwrap();
    }

    fn bring_for(&self, timeout: Duration) -> bool {
        self.put_for(0, timeout).is_ok()
    }

    fn take(&self) {
        self.get().unwrap();
    }

    fn take_for(&self, timeout: Duration) -> bool {
        self.get_for(timeout).is_ok()
    }
}

struct Channel(Sender<u32>, Receiver<u32>);

impl Timed for Channel {
    const NAME: &str = "channel";

    fn with(capacity: usize) -> Self {
        let (sender, receiver) = channel::bounded(capacity);
        Self(sender, receiver)
    }

    fn bring(&self) {
        self.0.send(0).unwrap();
    }

    fn bring_for(&self, timeout: Duration) -> bool {
        self.0.send_timeout(0, timeout).is_ok()
    }

    fn take(&self) {
        self.1.recv().unwrap();
    }

    fn take_for(&self, timeout: Duration) -> bool {
        self.1.recv_timeout(timeout).is_ok()
    }
}

/// How a thread waits.
#[derive(Clone, Copy, Debug)]
enum Way {
    Plain,
    Timed,
    Batch,
}

const WAYS: [Way; 3] = [Way::Plain, Way::Timed, Way::Batch];

/// Longer than a thread may sleep first until it is starving.
const LONG: Duration = Duration::from_millis(1);

/// Lets so much time pass that threads that sleep, which the caller has seen, have stood first for long.
fn stand_first() {
    let since = Instant::now();
    eventually(|| since.elapsed() >= LONG);
}

fn put<B: Buffer>(buffer: &B, way: Way) {
    match way {
        Way::Plain => buffer.put(2).unwrap(),
        Way::Timed => buffer.put_for(2, LIMIT).unwrap(),
        Way::Batch => assert!(buffer.put_all([2, 3])),
    }
}

fn get<B: Buffer>(buffer: &B, way: Way) -> u32 {
    match way {
        Way::Plain => buffer.get().unwrap(),
        Way::Timed => buffer.get_for(LIMIT).unwrap(),
        Way::Batch => buffer.get_many().unwrap(),
    }
}

/// The thread that has made room asks for it at once: it is kept for the putter that has waited for long.
fn place_is_kept_for_the_first<B: Buffer>() {
    for way in cases(WAYS) {
        for _ in repeat(5) {
            let (buffer, sleeper) = (B::new(1), Sleeper::new());
            buffer.put(1).unwrap();
            thread::scope(|s| {
                s.spawn(|| {
                    sleeper.about_to_block();
                    put(&buffer, way);
                });
                sleeper.until_asleep();
                stand_first();
                assert_eq!(buffer.get(), Ok(1));
                assert!(!buffer.try_put(9), "the putter was passed over");
                assert_eq!(buffer.get_for(LIMIT), Ok(2));
                if matches!(way, Way::Batch) {
                    assert_eq!(buffer.get_for(LIMIT), Ok(3));
                }
            });
            assert!(buffer.try_put(4), "nothing is kept any more");
            assert_eq!(buffer.try_get(), Some(4));
        }
    }
}

/// The same of an item and a getter.
fn item_is_kept_for_the_first<B: Buffer>() {
    for way in cases(WAYS) {
        for _ in repeat(5) {
            let (buffer, sleeper) = (B::new(2), Sleeper::new());
            thread::scope(|s| {
                let getter = s.spawn(|| {
                    sleeper.about_to_block();
                    get(&buffer, way)
                });
                sleeper.until_asleep();
                stand_first();
                buffer.put(1).unwrap();
                assert_eq!(buffer.try_get(), None, "the getter was passed over");
                assert_eq!(getter.join().unwrap(), 1);
            });
            buffer.put(2).unwrap();
            assert_eq!(buffer.try_get(), Some(2), "nothing is kept any more");
        }
    }
}

/// While one place is kept each other is for any thread.
fn all_but_one_place_are_for_others<B: Buffer>(capacity: usize) {
    let items = u32::try_from(capacity).unwrap();
    for _ in repeat(10) {
        let (buffer, sleeper) = (B::new(capacity), Sleeper::new());
        for item in 0..items {
            buffer.put(item).unwrap();
        }
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.about_to_block();
                buffer.put(items).unwrap();
            });
            sleeper.until_asleep();
            stand_first();
            for _ in 0..capacity {
                buffer.get().unwrap();
            }
            for item in 1..items {
                assert!(buffer.try_put(item), "there is more room than the place that is kept");
            }
            assert!(!buffer.try_put(0), "the last place is the putter's");
        });
        assert_eq!(buffer.drain(), capacity);
    }
}

/// One that drains it beside a getter that takes one item gets all but one.
fn all_but_one_item_are_drained<B: Buffer>(capacity: usize) {
    let items = u32::try_from(capacity).unwrap();
    for _ in repeat(10) {
        let (buffer, sleeper) = (B::new(capacity), Sleeper::new());
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.about_to_block();
                buffer.get().unwrap();
            });
            sleeper.until_asleep();
            stand_first();
            for item in 0..items {
                buffer.put(item).unwrap();
            }
            assert_eq!(buffer.drain(), capacity - 1);
        });
        assert_eq!(buffer.drain(), 0);
    }
}

/// A thread that waits for several objects, beside one that is handed its turn: both go on, or the former
/// leaves by another object, and nothing is kept afterwards.
fn turn_beside_a_selecting_thread<B: Buffer>() {
    for leaves in either("the selecting thread leaves") {
        for putting in either("putting") {
            for _ in repeat(10) {
                let (buffer, stop, sleepers) = (B::new(1), Event::new(), Sleeper::several(2));
                if putting {
                    buffer.put(1).unwrap();
                }
                thread::scope(|s| {
                    let selecting = s.spawn(|| {
                        sleepers[0].about_to_block();
                        if putting {
                            buffer.put_selecting(2, &stop)
                        } else {
                            buffer.get_selecting(&stop).is_some()
                        }
                    });
                    s.spawn(|| {
                        sleepers[1].about_to_block();
                        if putting {
                            put(&buffer, Way::Plain);
                        } else {
                            get(&buffer, Way::Plain);
                        }
                    });
                    Sleeper::until_all_asleep(&sleepers);
                    stand_first();
                    let once = || {
                        if putting {
                            buffer.get().unwrap();
                        } else {
                            buffer.put(1).unwrap();
                        }
                    };
                    if leaves {
                        stop.set();
                    }
                    once();
                    // If the other object came first there is nothing for a second.
                    if !leaves || selecting.join().unwrap() {
                        once();
                    }
                });
                assert_eq!(buffer.drain(), usize::from(putting));
                assert!(buffer.try_put(4), "nothing is kept any more");
                assert_eq!(buffer.try_get(), Some(4));
            }
        }
    }
}

/// What is kept is nothing to a closed buffer: what is in it can be got by any thread, and all waits end.
fn closing_keeps_nothing<B: Buffer>() {
    for _ in repeat(20) {
        let (buffer, sleepers) = (B::new(2), Sleeper::several(2));
        thread::scope(|s| {
            let getters: Vec<_> = sleepers
                .iter()
                .map(|sleeper| {
                    s.spawn(|| {
                        sleeper.about_to_block();
                        buffer.get().ok()
                    })
                })
                .collect();
            Sleeper::until_all_asleep(&sleepers);
            stand_first();
            buffer.put(1).unwrap();
            buffer.close();
            let own = buffer.try_get();
            let mut got: Vec<_> = getters.into_iter().filter_map(|getter| getter.join().unwrap()).collect();
            got.extend(own);
            assert_eq!(got, [1]);
        });
        assert_eq!(buffer.get(), Err(GetError));
    }
}

/// Threads take the other side's part and their own, one directly after the other, `SECTION` apart, and
/// another thread makes timed calls in between. Returns how many of these `calls` had several chances and
/// took none.
fn passed_over(
    hogs: usize,
    spinning: bool,
    calls: usize,
    take_and_bring: impl Fn() + Sync,
    mut succeeds: impl FnMut() -> bool,
) -> usize {
    const SECTION: Duration = Duration::from_millis(5);
    let (done, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|s| {
        for _ in 0..hogs {
            s.spawn(|| {
                while !done.load(Relaxed) {
                    take_and_bring();
                    turns.fetch_add(1, Relaxed);
                    if spinning { spin_for(SECTION) } else { thread::sleep(SECTION) }
                }
            });
        }
        let passed_over = (0..calls).filter(|_| {
            let before = turns.load(Relaxed);
            // The first of them may come before the thread sleeps, or when it has not slept for long.
            !succeeds() && turns.load(Relaxed) - before > 3
        });
        let passed_over = passed_over.count();
        done.store(true, Relaxed);
        passed_over
    })
}

const TIMEOUT: Duration = Duration::from_millis(50);

/// A fifth of the calls, for the case that the thread gets no processor when it is its turn to sleep.
#[track_caller]
fn assert_few<B: Timed>(passed_over: usize, calls: usize) {
    assert!(passed_over * 5 <= calls, "{}: {passed_over} of {calls} were passed over", B::NAME);
}

/// Threads make room and take it at once, so that it is full at all times but those.
fn timed_puts_into_a_full_one_succeed<B: Timed>() {
    let calls = rounds(20);
    for spinning in either("spinning") {
        for (hogs, capacity) in cases([(1, 1), (2, 1), (2, 4)]) {
            let buffer = B::with(capacity);
            (0..capacity).for_each(|_| buffer.bring());
            let hog = || {
                buffer.take();
                buffer.bring();
            };
            let succeeds = || {
                let put = buffer.bring_for(TIMEOUT);
                // Only then may a thread that had its place taken go on.
                if put {
                    buffer.take();
                }
                put
            };
            assert_few::<B>(passed_over(hogs, spinning, calls, hog, succeeds), calls);
        }
    }
}

/// The same of items in one that is empty.
fn timed_gets_from_an_empty_one_succeed<B: Timed>() {
    let calls = rounds(20);
    for spinning in either("spinning") {
        for hogs in cases([1, 2]) {
            let buffer = B::with(4);
            let hog = || {
                buffer.bring();
                buffer.take();
            };
            let succeeds = || {
                let got = buffer.take_for(TIMEOUT);
                if got {
                    buffer.bring();
                }
                got
            };
            assert_few::<B>(passed_over(hogs, spinning, calls, hog, succeeds), calls);
        }
    }
}

macro_rules! for_each_buffer {
    ($($module:ident: $buffer:ident;)+) => { $(
        mod $module {
            use super::*;

            #[test]
            fn place_is_kept_for_the_putter_that_has_waited_for_long() {
                if Sleeper::SURE {
                    watchdog(place_is_kept_for_the_first::<$buffer<u32>>);
                }
            }

            #[test]
            fn item_is_kept_for_the_getter_that_has_waited_for_long() {
                if Sleeper::SURE {
                    watchdog(item_is_kept_for_the_first::<$buffer<u32>>);
                }
            }

            #[test]
            fn others_have_all_places_but_the_one_that_is_kept() {
                if Sleeper::SURE {
                    watchdog(|| {
                        for capacity in cases([2, 3, 64, 2000]) {
                            all_but_one_place_are_for_others::<$buffer<u32>>(capacity);
                        }
                    });
                }
            }

            #[test]
            fn others_drain_all_items_but_the_one_that_is_kept() {
                if Sleeper::SURE {
                    watchdog(|| {
                        for capacity in cases([2, 5, 64, 2000]) {
                            all_but_one_item_are_drained::<$buffer<u32>>(capacity);
                        }
                    });
                }
            }

            #[test]
            fn turn_beside_a_thread_that_waits_for_several_objects() {
                if Sleeper::SURE {
                    watchdog(turn_beside_a_selecting_thread::<$buffer<u32>>);
                }
            }

            #[test]
            fn closing_keeps_nothing_for_any_thread() {
                watchdog(closing_keeps_nothing::<$buffer<u32>>);
            }

            #[test]
            fn timed_puts_succeed_beside_threads_that_keep_it_full() {
                watchdog(timed_puts_into_a_full_one_succeed::<$buffer<u32>>);
            }

            #[test]
            fn timed_gets_succeed_beside_threads_that_keep_it_empty() {
                watchdog(timed_gets_from_an_empty_one_succeed::<$buffer<u32>>);
            }
        }
    )+ };
}

for_each_buffer! {
    fifo: BoundedBuffer;
    priority: PriorityBuffer;
    stack: StackBuffer;
}

#[test]
fn timed_sends_succeed_beside_threads_that_keep_a_channel_full() {
    watchdog(timed_puts_into_a_full_one_succeed::<Channel>);
}

#[test]
fn timed_receives_succeed_beside_threads_that_keep_a_channel_empty() {
    watchdog(timed_gets_from_an_empty_one_succeed::<Channel>);
}

/// Nothing that a comparison's panic interrupts stays kept.
#[test]
fn panic_of_a_comparison_ends_the_turn() {
    use std::cmp::Ordering;

    #[derive(PartialEq, Eq, Debug)]
    struct Bad(bool);

    impl PartialOrd for Bad {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl Ord for Bad {
        fn cmp(&self, other: &Self) -> Ordering {
            assert!(!self.0 && !other.0, "bad");
            Ordering::Equal
        }
    }

    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for selecting in either("selecting") {
            let (buffer, sleeper, done) = (PriorityBuffer::new(2), Sleeper::new(), AtomicBool::new(false));
            buffer.put_all([Bad(false), Bad(false)]).unwrap();
            thread::scope(|s| {
                let putter = s.spawn(|| {
                    sleeper.about_to_block();
                    let panicked = crate::support::unwinds(|| {
                        if selecting {
                            let _ = select(&mut buffer.putting(Bad(true)), &Event::new());
                        } else {
                            buffer.put(Bad(true)).unwrap();
                        }
                    });
                    done.store(true, Relaxed);
                    panicked
                });
                sleeper.until_asleep();
                stand_first();
                buffer.get().unwrap();
                assert!(putter.join().unwrap());
            });
            assert!(done.load(Relaxed));
            eventually(|| buffer.try_put(Bad(false)).is_ok());
            assert_eq!(buffer.len(), 2);
        }
    });
}
