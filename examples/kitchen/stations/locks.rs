//! A value, and who may use it: `Mutex`, `RwLock`, `ReentrantMutex`, `lock_all`, `Once` and its like,
//! `poison::Mutex`, and a value for each thread.

use std::cell::Cell;
use std::{panic, thread};

use lockwork::{
    Barrier, LazyLock, Mutex, Once, OnceLock, ReentrantMutex, RwLock, ThreadCell, ThreadLocal, lock_all,
    poison,
};

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

/// Something is done or made when it is first wanted, by one thread, for all.
pub(crate) fn once(cooks: usize) -> Told {
    static MADE: Mutex<usize> = Mutex::new(0);
    static DOUGH: LazyLock<usize> = LazyLock::new(|| {
        *MADE.lock() += 1;
        *MADE.lock()
    });
    let (fire, lit, salt) = (Once::new(), Mutex::new(0), OnceLock::new());
    let (bought, took) = thread::scope(|scope| {
        let cook = |cook| {
            fire.call_once(|| *lit.lock() += 1);
            // The first comes back with it; the others bring theirs home again, and take that one's.
            let bought = salt.set(cook).is_ok();
            (usize::from(bought), if salt.wait() < &cooks { *DOUGH } else { 0 })
        };
        let cooks: Vec<_> = (0..cooks).map(|number| scope.spawn(move || cook(number))).collect();
        let came = cooks.into_iter().map(|cook| cook.join().expect("a cook does not panic"));
        came.fold((0, 0), |(bought, took), cook| (bought + cook.0, took + cook.1))
    });
    let (lit, made) = (lit.into_inner(), *MADE.lock());
    check((lit, bought, made, took) == (1, 1, 1, cooks), || {
        format!("the fire was lit {lit} times, salt bought {bought} times, dough made {made} times")
    })?;
    told([format!("{cooks} cooks wanted fire, salt and dough at once: one of each came")])
}

/// A panic with the lock held is told to those who lock after it.
pub(crate) fn poison(cooks: usize) -> Told {
    let knife = poison::Mutex::new(0);
    let told_of = thread::scope(|scope| {
        let fainted = scope.spawn(|| {
            let _knife = knife.lock();
            // It panics, but says nothing of it on standard error.
            panic::resume_unwind(Box::new("fainted"))
        });
        let fainted: thread::Result<()> = fainted.join();
        assert!(fainted.is_err());
        let cooks: Vec<_> = (0..cooks)
            .map(|_| {
                scope.spawn(|| {
                    // Told that it may be half done, each looks, and takes it nevertheless.
                    let told = knife.lock().unwrap_err();
                    *told.into_inner() += 1;
                })
            })
            .collect();
        cooks.into_iter().filter_map(|cook| cook.join().ok()).count()
    });
    knife.clear_poison();
    let cuts = knife.lock().map_err(|_| "the knife is still said to be dangerous")?;
    check(told_of == cooks && *cuts == cooks, || format!("{told_of} cooks of {cooks} were told"))?;
    told([format!("a cook fainted with the knife: {cooks} others were told, and went on")])
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
