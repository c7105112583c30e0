//! `get_cloned`, `set` and `replace` of `Mutex` and `RwLock`: each test for both.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Weak};
use std::thread;

use lockwork::{Mutex, RwLock};

use crate::support::{either, parties, rounds, watchdog};

macro_rules! tests_of {
    ($($module:ident: $lock:ident;)+) => { $(
        mod $module {
            use super::*;

            #[test]
            fn replace_loses_nothing() {
                watchdog(|| {
                    for parties in parties() {
                        let (lock, each) = ($lock::new(0), rounds(200));
                        let mut seen = Vec::new();
                        let replace = |who: usize| -> Vec<usize> {
                            let turn = |turn| {
                                assert!(lock.get_cloned() <= parties * each);
                                lock.replace(1 + who * each + turn)
                            };
                            (0..each).map(turn).collect()
                        };
                        let replace = &replace;
                        thread::scope(|s| {
                            let threads: Vec<_> =
                                (0..parties).map(|who| s.spawn(move || replace(who))).collect();
                            seen.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
                        });
                        seen.push(lock.into_inner());
                        seen.sort_unstable();
                        assert!(seen.into_iter().eq(0..=parties * each), "{parties} parties");
                    }
                });
            }

            /// Looks at its lock when it is dropped, and may panic then.
            struct Nosy(Weak<$lock<Option<Nosy>>>, bool);

            impl Drop for Nosy {
                fn drop(&mut self) {
                    let lock = self.0.upgrade().expect("dropped by `set`");
                    assert!(!lock.is_locked(), "dropped under the lock");
                    assert!(lock.replace(None).is_none(), "the new value is there already");
                    if self.1 {
                        resume_unwind(Box::new("a fault"));
                    }
                }
            }

            #[test]
            fn set_drops_the_old_value_after_unlocking() {
                for panics in either("panics ") {
                    let lock = Arc::new($lock::new(None));
                    lock.set(Some(Nosy(Arc::downgrade(&lock), panics)));
                    let result = catch_unwind(AssertUnwindSafe(|| lock.set(None)));
                    assert_eq!(result.is_err(), panics);
                    assert!(!lock.is_locked());
                }
            }

            /// Its clone is made under the lock, or panics there.
            #[derive(Debug)]
            struct Watched(Weak<$lock<Watched>>, bool);

            impl Clone for Watched {
                fn clone(&self) -> Self {
                    assert!(self.0.upgrade().is_some_and(|lock| lock.is_locked()), "cloned without the lock");
                    if self.1 {
                        resume_unwind(Box::new("a fault"));
                    }
                    Self(Weak::clone(&self.0), self.1)
                }
            }

            #[test]
            fn get_cloned_clones_under_the_lock_and_unlocks() {
                for panics in either("panics ") {
                    let lock = Arc::new_cyclic(|weak| $lock::new(Watched(Weak::clone(weak), panics)));
                    let result = catch_unwind(AssertUnwindSafe(|| lock.get_cloned()));
                    assert_eq!(result.is_err(), panics);
                    assert!(!lock.is_locked());
                }
            }
        }
    )+ };
}

tests_of! {
    mutex: Mutex;
    rwlock: RwLock;
}

#[test]
fn get_cloned_of_an_rwlock_shares_with_readers() {
    watchdog(|| {
        let lock = RwLock::new(String::from("shared"));
        let reader = lock.read();
        thread::scope(|s| {
            assert_eq!(s.spawn(|| lock.get_cloned()).join().unwrap(), *reader);
        });
    });
}
