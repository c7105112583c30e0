//! What diagnosis reads: who waits for what, who holds what, and where in the caller's source.
//!
//! A public call makes a [`Call`], which says what the call is about. It goes down with the call's limit
//! ([`TimeLimit`](crate::facade::TimeLimit)) to where the thread parks; there, and nowhere else, it is
//! published in the thread's slot. A guard has a [`Held`], which is the entry of its lock in the list of the
//! thread that has locked it.
//!
//! | file | what it has |
//! |---|---|
//! | `kind` | kinds of objects, and modes |
//! | `on` | with the feature `diagnose`: calls, names, the slots of threads |
//! | `members` | the protocol by which threads take over slots of others |
//! | `record` | the protocol by which one thread writes what others read |
//! | `off` | without it: the same names, of no size and without code |
//!
//! Without the feature, and in models, every type here has no size and every function no code.

crate::facade::only! { observed:
    mod kind;
    mod members;
    #[allow(dead_code, unused_imports, reason = "what no build without `threads` needs")]
    mod on;
    #[allow(dead_code, reason = "as above")]
    mod record;
    pub use kind::{Kind, Mode};
    pub use on::LockClass;
    pub(crate) use on::*;
}
crate::facade::only! { unobserved:
    #[allow(dead_code, unreachable_pub, reason = "nothing is told")]
    mod kind;
    #[allow(dead_code, reason = "what no build without `threads` needs")]
    mod off;
    pub(crate) use kind::{Kind, Mode};
    pub use off::LockClass;
    pub(crate) use off::*;
}
crate::facade::only! { model:
    #[allow(dead_code, reason = "its model is all that uses it")]
    pub(crate) mod record;
    #[allow(dead_code, reason = "as above")]
    pub(crate) mod members;
}
