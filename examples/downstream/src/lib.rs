//! The post room of a small bank: orders come in through a buffer, clerks carry them out, the total is kept.
//!
//! Everything waits by lockwork. `cargo test` runs it on `std`, and
//! `RUSTFLAGS="--cfg loom" cargo test --release` the models at the end of this file. Three features plant a
//! bug each; the models then fail, and say why.

use std::sync::Arc;

use lockwork::{BoundedBuffer, Condvar, Mutex, RwLock, Semaphore};

use sync::UnsafeCell;

mod sync;

/// A counter that is no atomic. It is the payload of a lock, and can be reached through a pointer as well.
#[derive(Debug)]
struct Total(UnsafeCell<u64>);

impl Total {
    fn get(&self) -> u64 {
        // SAFETY: the caller has the lock in whose payload this is.
        self.0.with(|value| unsafe { *value })
    }

    fn add(&self, amount: u64) {
        // SAFETY: as above, and as a writer.
        self.0.with_mut(|value| unsafe { *value += amount });
    }
}

/// How much has been moved in all.
#[derive(Debug)]
pub struct Tally(Mutex<Total>);

/// For one who looks at the total often.
#[derive(Debug)]
pub struct Window {
    tally: Arc<Tally>,
    /// Where the total lies: it never moves, so a pointer to it is good for as long as the tally is.
    total: *const Total,
}

// SAFETY: the tally lives as long as the window, and the total is behind its lock. That `view` keeps to that
// is what the model finds out.
unsafe impl Send for Window {}

impl Tally {
    /// Nothing has been moved yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Total(UnsafeCell::new(0)))))
    }

    /// Adds to the total.
    pub fn add(&self, amount: u64) {
        self.0.lock().add(amount);
    }

    /// The total now.
    pub fn total(&self) -> u64 {
        self.0.lock().get()
    }

    /// A window on the total.
    #[must_use]
    pub fn window(self: &Arc<Self>) -> Window {
        let total = &raw const *self.0.lock();
        Window { tally: Arc::clone(self), total }
    }
}

impl Window {
    /// The total now.
    pub fn view(&self) -> u64 {
        // The bug: the pointer is good, the lock is missing.
        let _guard = (!cfg!(feature = "bug-pointer")).then(|| self.tally.0.lock());
        // SAFETY: the tally is alive, and locked.
        unsafe { &*self.total }.get()
    }
}

/// Accounts, each behind its own lock, and one lock that closes them all.
#[derive(Debug)]
pub struct Bank {
    accounts: Vec<Mutex<u64>>,
    open: RwLock<bool>,
}

impl Bank {
    /// An open bank.
    #[must_use]
    pub fn new(balances: &[u64]) -> Self {
        Self {
            accounts: balances.iter().map(|&balance| Mutex::new(balance)).collect(),
            open: RwLock::new(true),
        }
    }

    /// Moves an amount, if the bank is open and the money there. Says whether it did.
    pub fn transfer(&self, from: usize, to: usize, amount: u64) -> bool {
        let open = self.open.read();
        if !*open || from == to {
            return false;
        }
        // A thread that needs two accounts locks the one with the smaller number first. The bug: in the order
        // of the transfer.
        let in_order = from < to || cfg!(feature = "bug-order");
        let (mut source, mut target);
        if in_order {
            source = self.accounts[from].lock();
            target = self.accounts[to].lock();
        } else {
            target = self.accounts[to].lock();
            source = self.accounts[from].lock();
        }
        let Some(left) = source.checked_sub(amount) else { return false };
        *source = left;
        *target += amount;
        true
    }

    /// Waits until no transfer is under way, and allows no more.
    pub fn close(&self) {
        *self.open.write() = false;
    }

    /// All balances.
    #[must_use]
    pub fn balances(&self) -> Vec<u64> {
        self.accounts.iter().map(|account| *account.lock()).collect()
    }
}

/// A place for one item, from which any number of threads take.
#[derive(Debug)]
pub struct Tray<T> {
    item: Mutex<Option<T>>,
    filled: Condvar,
}

impl<T> Tray<T> {
    /// An empty tray.
    #[must_use]
    pub fn new() -> Self {
        Self { item: Mutex::new(None), filled: Condvar::new() }
    }

    /// Puts an item in, if the tray is empty.
    ///
    /// # Errors
    ///
    /// Gives the item back if it is not.
    pub fn put(&self, item: T) -> Result<(), T> {
        let mut place = self.item.lock();
        if place.is_some() {
            return Err(item);
        }
        *place = Some(item);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes the item, waiting for one.
    pub fn take(&self) -> T {
        let mut place = self.item.lock();
        if cfg!(feature = "bug-if") {
            // The bug: once notified it believes that the item is there. Another thread may have taken it
            // before this one could lock.
            if place.is_none() {
                self.filled.wait(&mut place);
            }
        } else {
            while place.is_none() {
                self.filled.wait(&mut place);
            }
        }
        place.take().expect("another thread took the item that this thread was woken for")
    }
}

impl<T> Default for Tray<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// An order to move money.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// From which account.
    pub from: usize,
    /// To which.
    pub to: usize,
    /// How much.
    pub amount: u64,
}

/// A clerk: carries orders out until there are no more. At a desk, of which there may be fewer than clerks.
pub fn clerk(orders: &BoundedBuffer<Order>, desks: &Semaphore, bank: &Bank, tally: &Tally) {
    for order in orders {
        let _desk = desks.acquire();
        if bank.transfer(order.from, order.to, order.amount) {
            tally.add(order.amount);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use sync::thread;

    #[test]
    fn no_money_is_lost() {
        let (bank, tally) = (Bank::new(&[100, 100, 100]), Tally::new());
        let (orders, desks) = (BoundedBuffer::new(4), Semaphore::new(2));
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| clerk(&orders, &desks, &bank, &tally));
            }
            for n in 0..300 {
                // By twos, so that no two transfers go opposite ways at once: on `std` the planted bug would
                // only hang now and then.
                let (from, to) = if n % 2 == 0 { (0, 1) } else { (1, 2) };
                orders.put(Order { from, to, amount: 1 }).expect("open");
            }
            orders.close();
        });
        assert_eq!(bank.balances().iter().sum::<u64>(), 300);
        assert!(tally.window().view() == tally.total() && tally.total() > 0);
        bank.close();
        assert!(!bank.transfer(0, 1, 0));
    }

    #[test]
    fn tray_hands_on() {
        let tray = Tray::default();
        thread::scope(|s| {
            let taker = s.spawn(|| tray.take());
            tray.put(7).expect("empty");
            assert_eq!(taker.join().expect("no panic"), 7);
        });
    }
}

/// The same code in loom: every interleaving, time-outs and all.
#[cfg(all(test, loom))]
mod models {
    use super::*;
    use sync::thread;

    fn model(body: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        // Three lets three threads be explored in seconds. Two have hidden a real bug before.
        builder.preemption_bound = Some(3);
        builder.max_branches = 10_000;
        builder.check(body);
    }

    /// Finds `bug-pointer`, as a race on the total.
    #[test]
    fn window_shows_what_was_added() {
        model(|| {
            let tally = Tally::new();
            let window = tally.window();
            let viewer = thread::spawn(move || assert!(window.view() <= 1));
            tally.add(1);
            viewer.join().expect("no panic");
            assert_eq!(tally.total(), 1);
        });
    }

    /// Finds `bug-order`, as a deadlock.
    #[test]
    fn opposite_transfers_both_happen() {
        model(|| {
            let bank = Arc::new(Bank::new(&[1, 1]));
            let other = Arc::clone(&bank);
            let back = thread::spawn(move || assert!(other.transfer(1, 0, 1)));
            assert!(bank.transfer(0, 1, 1));
            back.join().expect("no panic");
            assert_eq!(bank.balances(), [1, 1]);
        });
    }

    /// Finds `bug-if`, as a taker that was woken for nothing.
    #[test]
    fn each_item_is_taken_once() {
        model(|| {
            let tray = Arc::new(Tray::new());
            let takers = [(); 2].map(|()| {
                let tray = Arc::clone(&tray);
                thread::spawn(move || {
                    let item = tray.take();
                    if item == 1 {
                        tray.put(2).expect("just emptied");
                    }
                    item
                })
            });
            tray.put(1).expect("empty");
            let taken = takers.map(|taker| taker.join().expect("no panic"));
            assert_eq!(taken.iter().sum::<i32>(), 3);
        });
    }

    /// Closing waits for a transfer, or stops it.
    #[test]
    fn transfer_before_or_after_closing() {
        model(|| {
            let bank = Arc::new(Bank::new(&[1, 0]));
            let other = Arc::clone(&bank);
            let mover = thread::spawn(move || other.transfer(0, 1, 1));
            bank.close();
            let balances = bank.balances();
            let moved = mover.join().expect("no panic");
            assert_eq!(balances, if moved { [0, 1] } else { [1, 0] });
        });
    }

    /// Clerks end when the buffer is closed and empty, and have done everything by then.
    #[test]
    fn clerks_carry_everything_out() {
        model(|| {
            let office =
                Arc::new((BoundedBuffer::new(1), Semaphore::new(1), Bank::new(&[3, 0]), Tally::new()));
            let other = Arc::clone(&office);
            let clerk_of_ours = thread::spawn(move || clerk(&other.0, &other.1, &other.2, &other.3));
            office.0.put(Order { from: 0, to: 1, amount: 3 }).expect("open");
            office.0.close();
            clerk_of_ours.join().expect("no panic");
            assert_eq!(office.3.total(), 3);
            assert_eq!(office.2.balances(), [0, 3]);
        });
    }

    /// A time-out passes or does not: both are explored.
    #[test]
    fn desk_in_time_or_not() {
        model(|| {
            let desks = Arc::new(Semaphore::new(1));
            let other = Arc::clone(&desks);
            let holder = thread::spawn(move || drop(other.acquire()));
            let mine = desks.try_acquire_for(std::time::Duration::from_secs(1));
            drop(mine);
            holder.join().expect("no panic");
            assert_eq!(desks.available_permits(), 1);
        });
    }
}
