//! What a call for a tuple returns: which source it was, and what that gave.

/// An enum of so many outputs.
macro_rules! firsts {
    ($($(#[$meta:meta])* $name:ident: $($variant:ident $output:ident $index:literal),+;)+) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name<$($output),+> {
            $(
                #[doc = concat!("The source at index ", stringify!($index), " was taken, with this output.")]
                $variant($output),
            )+
        }

        impl<$($output),+> $name<$($output),+> {
            /// Returns the index of the source in the tuple, from 0.
            #[must_use]
            pub const fn index(&self) -> usize {
                match self {
                    $(Self::$variant(_) => $index),+
                }
            }
        }
    )+ };
}

firsts! {
    /// The output of a set of one source, see [`wait_any`](crate::wait_any).
    First1: First A 0;
    /// The output of one of two sources, see [`wait_any`](crate::wait_any).
    First2: First A 0, Second B 1;
    /// The output of one of three sources, see [`wait_any`](crate::wait_any).
    First3: First A 0, Second B 1, Third C 2;
    /// The output of one of four sources, see [`wait_any`](crate::wait_any).
    First4: First A 0, Second B 1, Third C 2, Fourth D 3;
    /// The output of one of five sources, see [`wait_any`](crate::wait_any).
    First5: First A 0, Second B 1, Third C 2, Fourth D 3, Fifth E 4;
    /// The output of one of six sources, see [`wait_any`](crate::wait_any).
    First6: First A 0, Second B 1, Third C 2, Fourth D 3, Fifth E 4, Sixth F 5;
    /// The output of one of seven sources, see [`wait_any`](crate::wait_any).
    First7: First A 0, Second B 1, Third C 2, Fourth D 3, Fifth E 4, Sixth F 5, Seventh G 6;
    /// The output of one of eight sources, see [`wait_any`](crate::wait_any).
    First8: First A 0, Second B 1, Third C 2, Fourth D 3, Fifth E 4, Sixth F 5, Seventh G 6, Eighth H 7;
}
