//! Every method of `parking_lot`'s `Once` and `OnceState`, in terms of `locks`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::locks::{Once, OnceState};

#[test]
fn once_has_every_method() {
    static CONST: Once = Once::new();
    CONST.call_once(|| assert!(CONST.state() == OnceState::InProgress));
    assert_eq!(format!("{CONST:?}"), "Once { state: Done }");
    let once = Once::default();
    assert_eq!(once.state(), OnceState::New);
    assert!(catch_unwind(AssertUnwindSafe(|| once.call_once(|| panic!("half way")))).is_err());
    assert!(once.state().poisoned() && !once.state().done());
    assert!(catch_unwind(AssertUnwindSafe(|| once.call_once(|| ()))).is_err());
    let mut was_poisoned = false;
    once.call_once_force(|state| was_poisoned = state.poisoned() && !state.done());
    assert!(was_poisoned && once.state().done());
    once.call_once(|| unreachable!("done by force"));
}
