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
        Access(Some(self.witness.get_mut()))
    }

    #[track_caller]
    pub(crate) fn read(&self) -> ReadAccess {
        Access(Some(self.witness.get()))
    }
}

/// An access under way, which `P` stands for in loom.
pub(crate) struct Access<P>(Option<P>);

pub(crate) type WriteAccess = Access<MutPtr<()>>;
pub(crate) type ReadAccess = Access<ConstPtr<()>>;

impl<P> Access<P> {
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    pub(crate) fn end(&mut self) {
        self.0 = None;
    }
}

// SAFETY: the pointer in it is to a `()` and is never dereferenced; it stands for the access alone, which
// belongs to the guard and moves between threads only where the guard does.
unsafe impl<P> Send for Access<P> {}
// SAFETY: as above, and `end` takes `&mut`.
unsafe impl<P> Sync for Access<P> {}

impl<P> std::fmt::Debug for Access<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Access")
    }
}
