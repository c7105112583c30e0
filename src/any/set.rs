//! [`AnySet`]: tuples and slices of sources.

use super::sealed::{Handed, Misuse, Observed, Raw, Sealed, SourceSet, Waiting};
use super::source::AnySource;

/// A set of sources for [`wait_any`](crate::wait_any) and its other forms: a tuple of one to eight, or a
/// slice, an array or a `Vec` of one kind by reference. Sealed: it cannot be implemented elsewhere.
pub trait AnySet: Sealed {
    /// The output of the one that was taken, and which it was: [`First1`] to [`First8`] for a tuple, its
    /// index and its output for a slice.
    type First;

    #[doc(hidden)]
    type Sources: SourceSet<First = Self::First>;

    #[doc(hidden)]
    fn any_sources(self) -> Self::Sources;
}

/// A set that is a tuple of so many sources, and what a call for it returns: which source it was, and what
/// that gave.
macro_rules! tuples {
    ($($(#[$meta:meta])* $count:literal $first:ident: $($source:ident $place:tt $variant:ident),+;)+) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $first<$($source),+> {
            $(
                #[doc = concat!("The source at index ", stringify!($place), " was taken, with this output.")]
                $variant($source),
            )+
        }

        impl<$($source),+> $first<$($source),+> {
            /// Returns the index of the source in the tuple, from 0.
            #[must_use]
            pub const fn index(&self) -> usize {
                match self {
                    $(Self::$variant(_) => $place),+
                }
            }
        }

        impl<$($source),+> Sealed for ($($source,)+) {}

        impl<$($source: AnySource),+> AnySet for ($($source,)+) {
            type First = $first<$($source::Output),+>;
            type Sources = Self;

            #[inline]
            fn any_sources(self) -> Self {
                self
            }
        }

        impl<$($source: AnySource),+> SourceSet for ($($source,)+) {
            type First = $first<$($source::Output),+>;

            const ANY_HELPS: bool = $($source::ANY_HELPS)||+;

            #[inline]
            fn any_len(&self) -> usize {
                $count
            }

            fn any_raw(&self, place: usize) -> Raw<'_> {
                match place {
                    $($place => self.$place.any_raw(),)+
                    _ => unreachable!("no such place"),
                }
            }

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn any_observed(&self) -> Observed<'_> {
                self.0.any_observed()
            }

            fn any_seems_ready(&self) -> bool {
                $(self.$place.any_seems_ready())||+
            }

            #[inline]
            fn any_is_ready(&self, place: usize) -> bool {
                match place {
                    $($place => self.$place.any_is_ready(),)+
                    _ => unreachable!("no such place"),
                }
            }

            #[inline]
            fn any_attempt(&mut self, place: usize, handed: Handed) -> Option<Self::First> {
                match place {
                    $($place => self.$place.any_attempt(handed).map($first::$variant),)+
                    _ => unreachable!("no such place"),
                }
            }

            /// Looks at one after the other, without asking for each which it is.
            #[inline]
            fn any_attempt_all(&mut self, start: usize) -> Option<Self::First> {
                for from_start in [true, false] {
                    $(
                        if ($place >= start) == from_start {
                            // None comes before the first, so that one need not be looked at before.
                            if $place == start || self.$place.any_is_ready() {
                                let first = self.any_attempt_through(start, $place);
                                if first.is_some() {
                                    return first;
                                }
                            }
                        }
                    )+
                    if start == 0 {
                        break;
                    }
                }
                None
            }

            #[inline]
            fn any_misuse(&self, place: usize, waits: bool) -> Option<Misuse> {
                match place {
                    $($place => self.$place.any_misuse(waits),)+
                    _ => unreachable!("no such place"),
                }
            }

            fn any_help(&self, place: usize, alone: bool) -> bool {
                match place {
                    $($place => self.$place.any_help(alone),)+
                    _ => unreachable!("no such place"),
                }
            }

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn any_wait(waiting: Waiting<'_, Self>) -> bool {
                waiting.on_stack::<$count>()
            }
        }
    )+ };
}

tuples! {
    /// The output of a set of one source, see [`wait_any`](crate::wait_any).
    1 First1: A 0 First;
    /// The output of one of two sources, see [`wait_any`](crate::wait_any).
    2 First2: A 0 First, B 1 Second;
    /// The output of one of three sources, see [`wait_any`](crate::wait_any).
    3 First3: A 0 First, B 1 Second, C 2 Third;
    /// The output of one of four sources, see [`wait_any`](crate::wait_any).
    4 First4: A 0 First, B 1 Second, C 2 Third, D 3 Fourth;
    /// The output of one of five sources, see [`wait_any`](crate::wait_any).
    5 First5: A 0 First, B 1 Second, C 2 Third, D 3 Fourth, E 4 Fifth;
    /// The output of one of six sources, see [`wait_any`](crate::wait_any).
    6 First6: A 0 First, B 1 Second, C 2 Third, D 3 Fourth, E 4 Fifth, F 5 Sixth;
    /// The output of one of seven sources, see [`wait_any`](crate::wait_any).
    7 First7: A 0 First, B 1 Second, C 2 Third, D 3 Fourth, E 4 Fifth, F 5 Sixth, G 6 Seventh;
    /// The output of one of eight sources, see [`wait_any`](crate::wait_any).
    8 First8: A 0 First, B 1 Second, C 2 Third, D 3 Fourth, E 4 Fifth, F 5 Sixth, G 6 Seventh, H 7 Eighth;
}

impl<S> Sealed for &[S] {}
impl<S, const N: usize> Sealed for &[S; N] {}
impl<S> Sealed for &Vec<S> {}

impl<'a, S: AnySource + Copy> AnySet for &'a [S] {
    type First = (usize, S::Output);
    type Sources = &'a [S];

    #[inline]
    fn any_sources(self) -> &'a [S] {
        self
    }
}

impl<'a, S: AnySource + Copy, const N: usize> AnySet for &'a [S; N] {
    type First = (usize, S::Output);
    type Sources = &'a [S];

    #[inline]
    fn any_sources(self) -> &'a [S] {
        self
    }
}

impl<'a, S: AnySource + Copy> AnySet for &'a Vec<S> {
    type First = (usize, S::Output);
    type Sources = &'a [S];

    #[inline]
    fn any_sources(self) -> &'a [S] {
        self
    }
}

impl<S: AnySource + Copy> SourceSet for &[S] {
    type First = (usize, S::Output);

    const ANY_HELPS: bool = S::ANY_HELPS;

    #[inline]
    fn any_len(&self) -> usize {
        self.len()
    }

    fn any_raw(&self, place: usize) -> Raw<'_> {
        self[place].any_raw()
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_observed(&self) -> Observed<'_> {
        self[0].any_observed()
    }

    fn any_seems_ready(&self) -> bool {
        self.iter().any(S::any_seems_ready)
    }

    #[inline]
    fn any_is_ready(&self, place: usize) -> bool {
        self[place].any_is_ready()
    }

    #[inline]
    fn any_attempt(&mut self, place: usize, handed: Handed) -> Option<Self::First> {
        let mut source = self[place];
        source.any_attempt(handed).map(|output| (place, output))
    }

    #[inline]
    fn any_misuse(&self, place: usize, waits: bool) -> Option<Misuse> {
        self[place].any_misuse(waits)
    }

    fn any_help(&self, place: usize, alone: bool) -> bool {
        self[place].any_help(alone)
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_wait(waiting: Waiting<'_, Self>) -> bool {
        waiting.of_a_slice()
    }
}
