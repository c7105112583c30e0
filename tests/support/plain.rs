//! A value without any synchronization of its own.

use std::cell::UnsafeCell;

/// What some threads write and others read, with nothing between them but what is tested.
#[derive(Debug, Default)]
pub(crate) struct Plain(UnsafeCell<usize>);

/// Its users are ordered by what is tested: that they are is the test.
unsafe impl Sync for Plain {}

impl Plain {
    pub(crate) fn write(&self, value: usize) {
        unsafe { *self.0.get() = value };
    }

    pub(crate) fn read(&self) -> usize {
        unsafe { *self.0.get() }
    }
}
