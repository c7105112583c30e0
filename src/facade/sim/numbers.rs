//! Tuned numbers that a run may change.

use std::cell::{Cell, RefCell};

/// A number in the place of the one of this name.
struct Changed {
    name: &'static str,
    value: u32,
    is_used: Cell<bool>,
}

std::thread_local! {
    static CHANGED: RefCell<Vec<Changed>> = const { RefCell::new(Vec::new()) };
    /// Which were asked for, if that is noted.
    static ASKED: RefCell<Option<Vec<&'static str>>> = const { RefCell::new(None) };
}

/// Calls `run` with other numbers than the crate's own: each has its name in the source. Returns also the
/// names of those that were not asked for.
pub fn with_numbers<R>(numbers: &[(&'static str, u32)], run: impl FnOnce() -> R) -> (R, Vec<&'static str>) {
    let changed = |&(name, value)| Changed { name, value, is_used: Cell::new(false) };
    CHANGED.with(|all| *all.borrow_mut() = numbers.iter().map(changed).collect());
    let result = run();
    let unused = |changed: Changed| (!changed.is_used.get()).then_some(changed.name);
    let unused = CHANGED.take().into_iter().filter_map(unused).collect();
    (result, unused)
}

/// Calls `run`, and returns also the names of the numbers that it asked for. It would be the same, whatever
/// all others were.
///
/// # Panics
///
/// If `run` calls this itself.
pub fn with_numbers_noted<R>(run: impl FnOnce() -> R) -> (R, Vec<&'static str>) {
    assert!(ASKED.replace(Some(Vec::new())).is_none(), "one at a time");
    let result = run();
    (result, ASKED.take().expect("set above"))
}

/// Returns the number of that name in this run.
pub(crate) fn number(name: &'static str, value: u32) -> u32 {
    ASKED.with_borrow_mut(|asked| {
        if let Some(asked) = asked.as_mut().filter(|asked| !asked.contains(&name)) {
            asked.push(name);
        }
    });
    CHANGED.with(|all| {
        let all = all.borrow();
        let changed = all.iter().find(|changed| changed.name == name);
        changed.map_or(value, |changed| {
            changed.is_used.set(true);
            changed.value
        })
    })
}
