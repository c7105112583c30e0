//! A value, and who may use it: `Mutex`, `RwLock`, `ReentrantMutex`, `lock_all`, `LazyLock`, and a value for
//! each thread.

use std::cell::Cell;
use std::thread;

use lockwork::{Barrier, LazyLock, Mutex, ReentrantMutex, RwLock, ThreadCell, ThreadLocal, lock_all};

use super::{check, told};
use crate::Told;

/// One thread at a time changes a value.
pub(crate) fn mutex(cooks: usize) -> Told {
    const EACH: usize = 100;
    let pile = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..cooks {
            scope.spawn(|| {
                for plate in 0..EACH {
                    let mut plates = pile.lock();
                    let seen = *plates;
                    // Without the lock others would put plates here now, and the next line would lose them.
                    if plate % 25 == 0 {
                        thread::yield_now();
                    }
                    *plates = seen + 1;
                }
            });
        }
    });
    let plates = pile.into_inner();
    check(plates == cooks * EACH, || format!("{plates} plates on the pile instead of {}", cooks * EACH))?;
    told([format!("{cooks} cooks put {EACH} plates each on one pile: {plates} are there")])
}

/// Many read at once, or one writes.
pub(crate) fn rwlock(cooks: usize) -> Told {
    let menu = RwLock::new(vec!["soup"]);
    // They meet while each of them reads: with a mutex the first would wait for the others in vain.
    let all_read = Barrier::new(cooks);
    thread::scope(|scope| {
        for _ in 0..cooks {
            scope.spawn(|| {
                let read = menu.read();
                all_read.wait();
                assert_eq!(*read, ["soup"]);
            });
        }
    });
    // Reads, decides, and writes, with no other in between; then reads on.
    let reading = menu.upgradable_read();
    let dishes = reading.len();
    let mut writing = lockwork::RwLockUpgradableReadGuard::upgrade(reading);
    writing.push("cake");
    let reading = lockwork::RwLockWriteGuard::downgrade(writing);
    check(dishes == 1 && *reading == ["soup", "cake"], || format!("the menu is {:?}", *reading))?;
    told([format!("{cooks} cooks read the menu at once; one read and wrote it, alone")])
}

/// A thread may lock what it has locked.
pub(crate) fn reentrant(cooks: usize) -> Told {
    let recipe = ReentrantMutex::new(Cell::new(0));
    // A dish is made of others, and each has its entry under the same lock.
    fn enter(recipe: &ReentrantMutex<Cell<usize>>, depth: usize) {
        let entry = recipe.lock();
        entry.set(entry.get() + 1);
        if depth > 1 {
            enter(recipe, depth - 1);
        }
    }
    thread::scope(|scope| {
        for _ in 0..cooks {
            scope.spawn(|| enter(&recipe, 3));
        }
    });
    let entries = recipe.lock().get();
    check(entries == 3 * cooks, || format!("{entries} entries instead of {}", 3 * cooks))?;
    told([format!("{cooks} recipes, each of three made of one another, under one lock")])
}

/// Several locks at once, in whatever order.
pub(crate) fn together(cooks: usize) -> Told {
    let (salt, sugar) = (Mutex::new(0), Mutex::new(0));
    thread::scope(|scope| {
        for cook in 0..cooks {
            let (salt, sugar) = (&salt, &sugar);
            scope.spawn(move || {
                for _ in 0..50 {
                    // One by one, in these orders, two cooks would sooner or later wait for each other.
                    let (first, second) = if cook % 2 == 0 { (salt, sugar) } else { (sugar, salt) };
                    let (mut first, mut second) = lock_all((first, second));
                    *first += 1;
                    *second += 1;
                }
            });
        }
    });
    let spoons = (salt.into_inner(), sugar.into_inner());
    check(spoons == (50 * cooks, 50 * cooks), || format!("{spoons:?} spoons"))?;
    told([format!("{cooks} cooks took salt and sugar, or sugar and salt: no cook got stuck")])
}

/// Something is made when it is first wanted, by one thread, for all.
pub(crate) fn once(cooks: usize) -> Told {
    static MADE: Mutex<usize> = Mutex::new(0);
    static DOUGH: LazyLock<usize> = LazyLock::new(|| {
        *MADE.lock() += 1;
        *MADE.lock()
    });
    let took: usize = thread::scope(|scope| {
        let cooks: Vec<_> = (0..cooks).map(|_| scope.spawn(|| *DOUGH)).collect();
        cooks.into_iter().map(|cook| cook.join().expect("a cook does not panic")).sum()
    });
    let made = *MADE.lock();
    check(made == 1 && took == cooks, || format!("the dough was made {made} times"))?;
    told([format!("{cooks} cooks wanted dough at the same time: it was made once")])
}

/// Each thread finds a value of its own under the same name.
pub(crate) fn local(cooks: usize) -> Told {
    const TASTES: usize = 25;
    // What a cook puts here goes when the cook does; what is put there stays, to be counted.
    let spoon = ThreadCell::new();
    let tasted = ThreadLocal::<Cell<usize>>::new();
    let strange = thread::scope(|scope| {
        let cooks: Vec<_> = (0..cooks)
            .map(|cook| {
                let (spoon, tasted) = (&spoon, &tasted);
                scope.spawn(move || {
                    spoon.set(cook);
                    let taste = |_: &usize| {
                        // The others taste, too, each with the only spoon that there is.
                        thread::yield_now();
                        let count = tasted.get_or_default();
                        count.set(count.get() + 1);
                        spoon.get() != Some(cook)
                    };
                    (0..TASTES).filter(taste).count()
                })
            })
            .collect();
        cooks.into_iter().map(|cook| cook.join().expect("a cook does not panic")).sum::<usize>()
    });
    check(strange == 0 && !spoon.is_set(), || format!("{strange} times a cook had another's spoon"))?;
    let tasted: Vec<usize> = tasted.into_iter().map(Cell::into_inner).collect();
    check(tasted == vec![TASTES; cooks], || format!("tasted {tasted:?} instead of {TASTES} each"))?;
    told([format!("{cooks} cooks tasted {TASTES} times, each with a spoon that no other ever had")])
}
