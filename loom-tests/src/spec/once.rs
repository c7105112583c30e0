//! `Once`, and values made when first wanted.

use super::two;

use lockwork::{LazyLock, Once, OnceLock};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(1);

fn call(once: &Once) -> String {
    let mut ran = false;
    once.call_once(|| ran = true);
    assert!(once.is_completed());
    ran.to_string()
}

#[test]
fn called_by_two() {
    two(&["true false", "false true"], Once::new, call, call);
}

#[test]
fn waited_for_with_a_deadline() {
    two(&["true false", "true true"], Once::new, call, |once| once.wait_for(SOON).to_string());
}

#[test]
fn state_looked_at() {
    let allowed = [
        "true New Done",
        "true New InProgress",
        "true New New",
        "true InProgress Done",
        "true InProgress InProgress",
        "true Done Done",
    ];
    two(&allowed, Once::new, call, |once| format!("{:?} {:?}", once.state(), once.state()));
}

#[test]
fn failed_initialisation_goes_on_to_the_next() {
    two(
        &["false 2", "true 2"],
        OnceLock::new,
        |cell: &OnceLock<i32>| cell.get_or_try_init(|| Err::<i32, ()>(())).is_ok().to_string(),
        |cell| cell.get_or_init(|| 2).to_string(),
    );
}

#[test]
fn failed_initialisation_leaves_a_wait_with_a_deadline() {
    two(
        &["false - 1", "false 1 1"],
        OnceLock::new,
        |cell: &OnceLock<i32>| {
            let failed = cell.get_or_try_init(|| Err::<i32, ()>(()));
            let _ = cell.set(1);
            failed.is_ok().to_string()
        },
        |cell| {
            let waited = cell.wait_for(SOON).map_or_else(|| "-".to_owned(), ToString::to_string);
            format!("{waited} {}", cell.wait())
        },
    );
}

#[test]
fn set_by_two() {
    let allowed = ["false true 2", "true false 1"];
    two(
        &allowed,
        OnceLock::new,
        |cell: &OnceLock<i32>| cell.set(1).is_ok().to_string(),
        |cell| format!("{} {}", cell.set(2).is_ok(), cell.wait()),
    );
}

#[test]
fn got_while_it_is_set() {
    two(
        &["true -", "true 1"],
        OnceLock::new,
        |cell: &OnceLock<i32>| cell.set(1).is_ok().to_string(),
        |cell| cell.get().map_or_else(|| "-".to_owned(), ToString::to_string),
    );
}

#[test]
fn lazy_value_of_two() {
    two(
        &["3 - 3", "3 3 3"],
        || LazyLock::<i32>::new(|| 3),
        |lazy| LazyLock::force(lazy).to_string(),
        |lazy| {
            let seen = LazyLock::get(lazy).map_or_else(|| "-".to_owned(), ToString::to_string);
            format!("{seen} {}", **lazy)
        },
    );
}

#[test]
fn lazy_value_with_a_deadline() {
    two(
        &["3 -", "3 3"],
        || LazyLock::<i32>::new(|| 3),
        |lazy| LazyLock::force(lazy).to_string(),
        |lazy| LazyLock::wait_for(lazy, SOON).map_or_else(|| "-".to_owned(), ToString::to_string),
    );
}
