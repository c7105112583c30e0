//! Values of simulated threads, in the shape of `std::thread_local!`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;

use super::machine;

/// What one thread has touched so far, in this order.
#[derive(Default)]
pub(super) struct Locals(Vec<Local>);

struct Local {
    key: usize,
    has_destructor: bool,
    /// None once it is being destroyed.
    value: Option<Box<dyn Any>>,
}

impl Locals {
    /// Takes one out whose destructor is to run, the last one first.
    pub(super) fn take_last(&mut self) -> Option<Box<dyn Any>> {
        self.0.iter_mut().rev().filter(|local| local.has_destructor).find_map(|local| local.value.take())
    }

    fn get<T: 'static>(&mut self, key: &LocalKey<T>) -> Option<*const T> {
        let number = std::ptr::from_ref(key).addr();
        let at = self.0.iter().position(|local| local.key == number).unwrap_or_else(|| {
            let value: Box<dyn Any> = Box::new((key.init)());
            let has_destructor = std::mem::needs_drop::<T>();
            self.0.push(Local { key: number, has_destructor, value: Some(value) });
            self.0.len() - 1
        });
        self.0[at].value.as_ref()?.downcast_ref().map(std::ptr::from_ref)
    }
}

std::thread_local! {
    /// Of the operating system's thread, outside of a run.
    static OUTSIDE: RefCell<Locals> = RefCell::default();
}

/// The value is gone.
pub(crate) struct AccessError;

impl fmt::Debug for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessError")
    }
}

/// A value of each thread.
pub(crate) struct LocalKey<T: 'static> {
    init: fn() -> T,
}

impl<T: 'static> LocalKey<T> {
    pub(crate) const fn new(init: fn() -> T) -> Self {
        Self { init }
    }

    pub(crate) fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let inside = machine::with(|world| world.locals().map(|locals| locals.get(self))).flatten();
        let value = inside.unwrap_or_else(|| OUTSIDE.with(|locals| locals.borrow_mut().get(self)));
        // SAFETY: in a box of this thread's, which is dropped at its end only; and while it is, `value` is
        // None.
        value.map(|value| f(unsafe { &*value })).ok_or(AccessError)
    }

    pub(crate) fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.try_with(f).expect("a value that is not being destroyed")
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    pub(crate) fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    pub(crate) fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    pub(crate) fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

macro_rules! simulated_thread_local {
    ($($(#[$meta:meta])* static $name:ident: $type:ty = const $init:block;)*) => {
        $($(#[$meta])* static $name: $crate::facade::platform::thread::LocalKey<$type> =
            $crate::facade::platform::thread::LocalKey::new(|| $init);)*
    };
}
pub(crate) use simulated_thread_local as thread_local;
