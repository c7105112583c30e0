//! [`lock_all`], [`try_lock_all`] and the timed forms: several locks at once.

mod set;

use std::time::{Duration, Instant};

use self::set::sealed::{Locks, Until};
pub use self::set::{AllLock, AllSet, Reading, Writing};
pub(crate) use self::set::{Tried, all_lock, sealed};
use crate::facade::{TimeLimit, reached};
use crate::observe::Call;
#[cfg(doc)]
use crate::{Mutex, RwLock};

/// Blocks until it has all locks of a set, and returns their guards. Threads that lock the same locks in any
/// order, all at once or one inside the other, do not deadlock with it.
///
/// A set is a tuple of up to eight of `&mutex`, `rwlock.reading()` and `rwlock.writing()`, of which the
/// guards come as a tuple in the same places; or a slice, an array or a `Vec` of one kind by reference, of
/// which they come as a `Vec` in the same order. The locks of [`poison`](crate::poison) go into sets too;
/// each guard then comes in a result of its own. The guards are the ordinary ones, and each is let go by
/// itself.
///
/// Use it where a thread needs several locks together whose order other threads do not keep. Where all
/// threads lock in one order, nesting them is as good and cheaper.
///
/// # Examples
///
/// Two threads move money in opposite directions:
///
/// ```
/// use lockwork::{Mutex, lock_all};
/// use std::thread;
///
/// let (ada, grace) = (Mutex::new(100), Mutex::new(100));
/// let transfer = |from: &Mutex<i64>, to: &Mutex<i64>, amount: i64| {
///     let (mut from, mut to) = lock_all((from, to));
///     *from -= amount;
///     *to += amount;
/// };
/// thread::scope(|s| {
///     s.spawn(|| transfer(&ada, &grace, 30));
///     s.spawn(|| transfer(&grace, &ada, 10));
/// });
/// assert_eq!((*ada.lock(), *grace.lock()), (80, 120));
/// ```
///
/// Locks of several kinds, and a number of locks that is not known beforehand:
///
/// ```
/// use lockwork::{Mutex, RwLock, lock_all};
///
/// let (rates, total) = (RwLock::new([2, 3]), Mutex::new(0));
/// {
///     let (rates, mut total) = lock_all((rates.reading(), &total));
///     *total += rates.iter().sum::<i32>();
/// }
///
/// let shards: Vec<Mutex<u32>> = (0..4).map(Mutex::new).collect();
/// let shards: Vec<&Mutex<u32>> = shards.iter().collect();
/// let sum: u32 = lock_all(&shards).iter().map(|shard| **shard).sum();
/// assert_eq!(sum, 6);
/// # assert_eq!(*total.lock(), 5);
/// ```
///
/// # Blocking
///
/// It waits for one lock at a time, and holds none of the set while it waits. So what another thread does
/// with one lock of the set is not held up by this thread's wait for another. When it has that lock it tries
/// the others; if one of them is taken, it lets go of what it has and waits for that one. Only after many
/// such failures does it now and then wait for the others with some of them held, for a short time. A tuple
/// does not allocate, a slice does.
///
/// # Fairness
///
/// At each lock it waits as [`Mutex::lock`], [`RwLock::read`] and [`RwLock::write`] do. The others are taken
/// without queueing, so threads that lock a single one may come first, but they do not keep it out for good.
/// Most attempts begin with the lock of the lowest address and go on by address, in which order two threads
/// cannot get into each other's way; one in three begins with the lock that was taken. After many a thread
/// now and then queues for the others, too, for a short time. That keeps new readers out, of which one might
/// otherwise always be in, and is handed a lock that is never free. In the simulator 2, 8 and 64 threads in
/// opposite orders, beside others that nest the same locks the other way round, are all served.
///
/// # Memory ordering
///
/// That of each lock: what its last holder did before it unlocked happens before the call returns.
///
/// # Reentrancy and deadlock
///
/// It does not help against a lock that the caller holds already: waiting for that one is a deadlock, and so
/// is waiting for locks that are held by a thread which waits for it.
///
/// # Panics
///
/// If the same lock stands in the set twice, also twice for reading; then nothing was locked. And if an
/// `RwLock` that is to be read has [as many readers as it counts](RwLock#panics); `try_lock_all` and the
/// timed forms return `None` then.
///
/// # Differences from `std` and `parking_lot`
///
/// Neither has it. C++'s `std::lock` and `std::scoped_lock` are the same for locks that are held alone.
///
/// # Implementation notes
///
/// Safe code over the locks' own methods: see `acquire` in `src/all/mod.rs` for the order of its attempts.
#[doc(alias = "scoped_lock")]
#[doc(alias = "lock_many")]
#[must_use = "the locks are released as soon as the guards are dropped"]
#[track_caller]
pub fn lock_all<S: AllSet>(set: S) -> S::Guards {
    match acquire(&set.locks(), TimeLimit::never(Call::none()), "lock_all") {
        Some(held) => S::Locks::guards(held),
        None => panic!("lock_all: more readers at once than a lock has room for"),
    }
}

/// Locks all locks of a set, blocking for `timeout` in total at most. Returns `None` if the time is up; then
/// none is locked.
///
/// See [time limits](crate#time-limits). See [`lock_all`].
///
/// # Panics
///
/// As [`lock_all`].
///
/// ```
/// use lockwork::{Mutex, lock_all_for};
/// use std::{thread, time::Duration};
///
/// let (mine, yours) = (Mutex::new(10), Mutex::new(10));
/// let pay = |from: &Mutex<i32>, to: &Mutex<i32>| match lock_all_for((from, to), Duration::from_secs(10)) {
///     Some((mut from, mut to)) => {
///         *from -= 1;
///         *to += 1;
///     }
///     None => println!("try again later"),
/// };
/// thread::scope(|s| {
///     s.spawn(|| pay(&mine, &yours));
///     s.spawn(|| pay(&yours, &mine));
/// });
/// assert_eq!(*mine.lock() + *yours.lock(), 20);
/// ```
///
/// A limit that passes:
///
/// ```
/// use lockwork::{Mutex, lock_all_for};
/// use std::time::Duration;
///
/// let (first, second) = (Mutex::new(1), Mutex::new(2));
/// let held = second.lock();
/// assert!(lock_all_for((&first, &second), Duration::from_millis(1)).is_none());
/// assert!(!first.is_locked());
/// drop(held);
/// assert!(lock_all_for((&first, &second), Duration::from_millis(1)).is_some());
/// ```
#[must_use = "the locks are released as soon as the guards are dropped"]
#[track_caller]
pub fn lock_all_for<S: AllSet>(set: S, timeout: Duration) -> Option<S::Guards> {
    acquire(&set.locks(), TimeLimit::within(timeout, Call::none()), "lock_all_for").map(S::Locks::guards)
}

/// Locks all locks of a set, blocking until `deadline` at most. Returns `None` if the time is up; then none
/// is locked.
///
/// See [time limits](crate#time-limits). See [`lock_all`].
///
/// # Panics
///
/// As [`lock_all`].
#[must_use = "the locks are released as soon as the guards are dropped"]
#[track_caller]
pub fn lock_all_until<S: AllSet>(set: S, deadline: Instant) -> Option<S::Guards> {
    acquire(&set.locks(), TimeLimit::until(deadline, Call::none()), "lock_all_until").map(S::Locks::guards)
}

/// Attempts to lock all locks of a set without blocking. Returns `None` if one is taken; then none is locked.
///
/// See [`lock_all`].
///
/// # Panics
///
/// As [`lock_all`].
///
/// ```
/// use lockwork::{Mutex, try_lock_all};
/// use std::thread;
///
/// let (first, second) = (Mutex::new(1), Mutex::new(2));
/// thread::scope(|s| {
///     let held = second.lock();
///     s.spawn(|| assert!(try_lock_all((&first, &second)).is_none())).join().unwrap();
///     assert!(!first.is_locked(), "that thread keeps none");
///     drop(held);
///     s.spawn(|| assert!(try_lock_all((&first, &second)).is_some()));
/// });
/// ```
///
/// A lock that is held makes it fail, also for its own holder:
///
/// ```
/// use lockwork::{Mutex, try_lock_all};
///
/// let (first, second) = (Mutex::new(1), Mutex::new(2));
/// let (mut one, two) = try_lock_all((&first, &second)).unwrap();
/// *one += *two;
/// assert!(try_lock_all((&second, &first)).is_none());
/// ```
#[must_use = "the locks are released as soon as the guards are dropped"]
#[track_caller]
pub fn try_lock_all<S: AllSet>(set: S) -> Option<S::Guards> {
    let set = set.locks();
    let order = order(&set, "try_lock_all");
    let mut held = set.none();
    // No closure: the locks are locked in the caller's name.
    for &(_, place) in order.as_ref() {
        if !set.lock_at(place, &mut held, None) {
            return None;
        }
    }
    Some(S::Locks::guards(held))
}

/// Returns the locks by address, each with its place in the set.
#[track_caller]
fn order<S: Locks>(set: &S, call: &str) -> S::Order {
    let mut order = set.order();
    let locks = order.as_mut();
    locks.sort_unstable();
    if let Some(twice) = locks.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        same_lock_twice(call, twice[0].1, twice[1].1);
    }
    order
}

#[cold]
#[inline(never)]
#[track_caller]
fn same_lock_twice(call: &str, first: usize, second: usize) -> ! {
    panic!("{call}: places {first} and {second} of the set are the same lock")
}

/// Every so manyth attempt, but for the first of these, waits for the locks that it does not begin with. The
/// others only try those.
const WAITING_TURN: u64 = 15;
/// How long the first of these waits.
const SHORTEST_WAIT: Duration = Duration::from_micros(50);
/// How long a later one waits at most.
const LONGEST_WAIT: Duration = Duration::from_millis(10);

// They begin with the lowest address.
const _: () = assert!(WAITING_TURN % 3 == 0);

/// Locks all, or none if the limit is reached.
///
/// Each attempt waits for one lock, the first, and tries the others by address:
///
/// | attempt | first |
/// |---|---|
/// | 1 | the one of the lowest address |
/// | 2 | the one that was taken in attempt 1 |
/// | 3, 4 | the one of the lowest address |
/// | 5 | the one that was taken in attempt 4 |
/// | 6, 7, 8, ... | as 3, 4, 5, ... |
///
/// The 30th, the 45th and so on do not only try the others but wait for them, for a short time that doubles.
/// Not to wait at all is to be starved by readers that come and go in such a way that there is always one in,
/// and by threads that hand a lock on. To wait for a short time is no deadlock, but for that time it is in
/// the way of all that nest the locks the other way round. So few do it: in the simulator, with 64 threads
/// and two that nest, next to nothing was done when two of three attempts from the ninth on waited.
///
/// Waiting for the one that was taken is what keeps a thread from spinning while another holds that lock. Two
/// threads that did nothing else could do it in step without end, each trying the lock that the other has
/// just been given. Two that begin with the lowest address cannot: the one that has it finds the others free,
/// or held by a thread that does not wait for them. A single attempt of that kind can meet the other thread
/// at the lock that was taken, but of two in a row one does not, because the other thread must have failed in
/// two of its own before it waits for that lock again.
#[track_caller]
fn acquire<S: Locks>(set: &S, limit: TimeLimit<'_>, call: &str) -> Option<S::Held> {
    let order = order(set, call);
    let order = order.as_ref();
    let Some(&(_, lowest)) = order.first() else {
        return Some(set.none());
    };
    for &(_, place) in order {
        set.announce_at(place, limit.is_timed());
    }
    let deadline = &limit.deadline();
    let mut first = lowest;
    let mut wait = SHORTEST_WAIT;
    for attempt in 1_u64.. {
        let mut held = set.none();
        if !set.lock_at(first, &mut held, Some(Until(deadline))) {
            return None;
        }
        let others = order.iter().map(|&(_, place)| place).filter(|&place| place != first);
        let trying = attempt < 2 * WAITING_TURN || attempt % WAITING_TURN != 0;
        let soon = (!trying).then(|| deadline.or_after(wait, 0));
        let mut taken = None;
        // No closure: the locks are locked in the caller's name.
        for place in others {
            if !set.lock_at(place, &mut held, soon.as_ref().map(Until)) {
                taken = Some(place);
                break;
            }
        }
        if !trying {
            wait = (2 * wait).min(LONGEST_WAIT);
        }
        let Some(taken) = taken else {
            return Some(held);
        };
        drop(held);
        reached("a lock of the set is taken");
        if deadline.has_passed() {
            return None;
        }
        if attempt == 2 {
            reached("lock_all fails twice");
        }
        first = if attempt % 3 == 1 { taken } else { lowest };
    }
    unreachable!("there are more attempts than time")
}
