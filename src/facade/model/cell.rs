//! What data stand in, with a witness that loom sees.

use loom::cell::{ConstPtr, MutPtr};

#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    #[track_caller]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        self.0.with(f)
    }

    #[track_caller]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(f)
    }
}

/// loom's cell takes no unsized value, so the data lie in std's and a loom cell beside it is accessed
/// whenever the data may be: a missing edge between two accesses is a race on the witness.
pub(crate) struct Data<T: ?Sized> {
    witness: loom::cell::UnsafeCell<()>,
    value: std::cell::UnsafeCell<T>,
}

impl<T: ?Sized> std::fmt::Debug for Data<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Data")
    }
}

impl<T> Data<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { witness: loom::cell::UnsafeCell::new(()), value: std::cell::UnsafeCell::new(value) }
    }

    pub(crate) fn into_inner(self) -> T {
        drop(self.write());
        self.value.into_inner()
    }
}

impl<T: ?Sized> Data<T> {
    pub(crate) const fn as_ptr(&self) -> *mut T {
        self.value.get()
    }

    #[track_caller]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        drop(self.write());
        self.value.get_mut()
    }

    #[track_caller]
    pub(crate) fn write(&self) -> WriteAccess {
        WriteAccess(Some(self.witness.get_mut()))
    }

    #[track_caller]
    pub(crate) fn read(&self) -> ReadAccess {
        ReadAccess(Some(self.witness.get()))
    }
}

macro_rules! access {
    ($name:ident, $pointer:ty) => {
        pub(crate) struct $name(Option<$pointer>);

        impl $name {
            pub(crate) fn take(&mut self) -> Self {
                Self(self.0.take())
            }

            pub(crate) fn end(&mut self) {
                self.0 = None;
            }
        }

        // SAFETY: the pointer in it is to a `()` and is never dereferenced; it stands for the access alone,
        // which belongs to the guard and moves between threads only where the guard does.
        unsafe impl Send for $name {}
        // SAFETY: as above, and `end` takes `&mut`.
        unsafe impl Sync for $name {}

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

access!(WriteAccess, MutPtr<()>);
access!(ReadAccess, ConstPtr<()>);
